"""Allocation (勾对): debit items settled by credit items, by hand or by rule, in part, and undone. Posts nothing.

Every change of a payer's open items happens under the lock of his credit account; the items are locked after it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import func, insert, select

from finance.credit import service as credit
from finance.credit.rules import Buckets
from finance.receivables import statements
from finance.receivables.models import Allocation, OpenItem
from finance.receivables.queries.items import planner_items
from finance.receivables.rules import Match, plan_by_reference, plan_oldest
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, FieldError, InvalidInput, NotFound, describe
from sdm.kernel.locks import Rank, lock_rows
from sdm.kernel.money import CENT, ZERO
from sdm.kernel.permissions import Permission

MATCHES_MAX = 5000
PLANS = {"oldest": plan_oldest, "reference": plan_by_reference}

describe(
    {
        "allocation.empty": N_("Enter at least one amount to allocate"),
        "allocation.sides": N_("Choose one item that is owed and one that settles it"),
        "allocation.payer": N_("Both items must belong to the same payer"),
        "allocation.exceeds": N_("%(value)s is more than is open: %(left)s"),
        "allocation.date": N_("%(value)s lies before one of the items, dated %(date)s"),
        "allocation.undone": N_("This allocation is already undone"),
        "allocation.internal": N_("A reversed receipt stays allocated to its reversal"),
        "allocation.too_many": N_("At most %(max)s matches at once"),
    }
)


@command(Permission.ALLOCATION_ENTER)
def allocate(
    pairs: Sequence[tuple[int, int, Decimal]], allocated_on: date | None = None, automatic: bool = False
) -> list[int]:
    """Allocate (debit item, credit item, amount > 0) pairs; all faults at once, nothing half. Answers allocation ids.

    Exposure stays as it is: what leaves *items* leaves *receipts* as well.
    """
    matches = [Match(*pair) for pair in pairs]
    if not matches:
        raise InvalidInput([FieldError("lines", "allocation.empty")])
    if len(matches) > MATCHES_MAX:
        raise InvalidInput([FieldError("lines", "allocation.too_many", len(matches), {"max": MATCHES_MAX})])
    ids = {match.debit_item_id for match in matches} | {match.credit_item_id for match in matches}
    credit.lock({item.payer_id for item in _items(ids).values()})
    items = _items(ids)
    on = allocated_on or max([clock.today(), *(item.dated_on for item in items.values())])
    faults = _faults(matches, items, allocated_on)
    if faults:
        raise InvalidInput(faults)
    return _write(matches, items, on, automatic)


def _items(ids: Collection[int]) -> dict[int, OpenItem]:
    statement = select(OpenItem).where(OpenItem.id.in_(sorted(ids))).execution_options(populate_existing=True)
    return {row.id: row for row in db.session.execute(statement).scalars()}


def _faults(matches: Sequence[Match], items: dict[int, OpenItem], on: date | None) -> list[FieldError]:
    faults: list[FieldError] = []
    left = {key: abs(item.open_amount) for key, item in items.items()}
    for index, match in enumerate(matches):
        debit, credit_item = items.get(match.debit_item_id), items.get(match.credit_item_id)
        if debit is None or credit_item is None:
            missing = match.credit_item_id if debit else match.debit_item_id
            faults.append(FieldError(f"lines.{index}", "input.unknown", missing))
            continue
        faults += _pair_faults(index, match, debit, credit_item, left)
        latest = max(debit.dated_on, credit_item.dated_on)
        if on is not None and on < latest:
            faults.append(FieldError("allocated_on", "allocation.date", str(on), {"date": str(latest)}))
        for key in (debit.id, credit_item.id):
            left[key] -= match.amount
    return faults


def _pair_faults(
    index: int, match: Match, debit: OpenItem, credit_item: OpenItem, left: dict[int, Decimal]
) -> list[FieldError]:
    place = f"lines.{index}.amount"
    if debit.amount < 0 or credit_item.amount > 0:
        return [FieldError(f"lines.{index}", "allocation.sides")]
    if debit.payer_id != credit_item.payer_id:
        return [FieldError(f"lines.{index}", "allocation.payer")]
    if match.amount <= 0:
        return [FieldError(place, "input.positive", str(match.amount))]
    if match.amount != match.amount.quantize(CENT):
        return [FieldError(place, "input.decimals", str(match.amount), {"step": str(CENT)})]
    possible = min(left[debit.id], left[credit_item.id])
    if match.amount > possible:
        return [FieldError(place, "allocation.exceeds", str(match.amount), {"left": str(max(possible, ZERO))})]
    return []


def _write(matches: Sequence[Match], items: dict[int, OpenItem], on: date, automatic: bool) -> list[int]:
    uncounted = {item.id: item for item in items.values() if not item.counted and item.amount < 0}
    credit.shift_many((item.payer_id, Buckets(receipts=-item.open_amount)) for item in uncounted.values())
    credit.shift_many(
        (
            items[match.debit_item_id].payer_id,
            _movement(items[match.credit_item_id], items[match.debit_item_id], -match.amount),
        )
        for match in matches
    )
    lock_rows(OpenItem, items, Rank.OPEN_ITEM)
    if uncounted:
        db.session.execute(statements.COUNT, {"ids": sorted(uncounted)})
    _settle(
        [(match.debit_item_id, -match.amount) for match in matches]
        + [(match.credit_item_id, match.amount) for match in matches],
        on,
    )
    rows: list[dict[str, Any]] = [
        {
            "unit_id": items[match.debit_item_id].unit_id,
            "payer_id": items[match.debit_item_id].payer_id,
            "debit_item_id": match.debit_item_id,
            "credit_item_id": match.credit_item_id,
            "amount": match.amount,
            "allocated_on": on,
            "automatic": automatic,
            "created_by_id": current().user_id,
        }
        for match in matches
    ]
    ids = list(
        db.session.execute(insert(Allocation).returning(Allocation.id, sort_by_parameter_order=True), rows).scalars()
    )
    _audit("allocate", rows[0]["payer_id"], rows[0]["unit_id"], matches)
    return ids


def _movement(credit_item: OpenItem, debit_item: OpenItem, amount: Decimal) -> Buckets:
    """What allocating (amount < 0) or undoing (> 0) moves: receipts are a bucket of their own, all else is in items."""
    items = receipts = ZERO
    if debit_item.kind == "receipt":  # the opposite of a reversed receipt
        receipts -= amount
    else:
        items += amount
    if credit_item.kind == "receipt":
        receipts += amount
    else:
        items -= amount
    return Buckets(items=items, receipts=receipts)


def _settle(changes: Sequence[tuple[int, Decimal]], on: date) -> None:
    values = {"ids": [key for key, _ in changes], "changes": [change for _, change in changes], "on": on}
    db.session.execute(statements.SETTLE, values)


def _audit(action: str, payer_id: int, unit_id: int, matches: Sequence[Match]) -> None:
    told = [[match.debit_item_id, match.credit_item_id, str(match.amount)] for match in matches[:200]]
    audit.write("allocation", payer_id, action, unit_id, {"matches": told, "count": len(matches)})


@command(Permission.ALLOCATION_ENTER)
def allocate_automatically(payer_id: int, by: str = "oldest") -> list[int]:
    """Allocate what is open of a payer: earliest due first, or what payments name by number. May find nothing.

    The plan is made under the payer's account lock.
    """
    if by not in PLANS:
        raise InvalidInput([FieldError("by", "input.choice", by, {"choices": ", ".join(PLANS)})])
    credit.lock([payer_id])
    matches = PLANS[by](planner_items(payer_id))[:MATCHES_MAX]
    if not matches:
        return []
    items = _items({match.debit_item_id for match in matches} | {match.credit_item_id for match in matches})
    on = max([clock.today(), *(item.dated_on for item in items.values())])
    return _write(matches, items, on, automatic=True)


@command(Permission.ALLOCATION_ENTER)
def undo_allocation(allocation_id: int, undone_on: date | None = None) -> int:
    """Undo an allocation by a row of its own; both items are open again. Answers the id of the undoing row."""
    row = db.session.execute(select(Allocation).where(Allocation.id == allocation_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="allocation", id=allocation_id)
    if row.reverses_id is not None:
        raise Conflict("allocation.undone")
    credit.lock([row.payer_id])
    taken = select(func.count()).select_from(Allocation).where(Allocation.reverses_id == row.id)
    if db.session.execute(taken).scalar_one():
        raise Conflict("allocation.undone")
    return undo_rows([row], max(undone_on or clock.today(), row.allocated_on), refuse_internal=True)[0]


def live(item_ids: Collection[int]) -> list[Allocation]:
    """Allocations of items that are neither undone nor undoing; read under the payer's account lock."""
    undoing = Allocation.__table__.alias("undoing")
    ids = sorted(item_ids)
    statement = (
        select(Allocation)
        .outerjoin(undoing, undoing.c.reverses_id == Allocation.id)
        .where(
            Allocation.debit_item_id.in_(ids) | Allocation.credit_item_id.in_(ids),
            Allocation.reverses_id.is_(None),
            undoing.c.id.is_(None),
        )
        .order_by(Allocation.id)
    )
    return list(db.session.execute(statement).scalars())


def undo_rows(rows: Sequence[Allocation], on: date, refuse_internal: bool = False) -> list[int]:
    """Undo live allocations; the payers' accounts are locked. Locks the items after moving exposure back."""
    if not rows:
        return []
    items = _items({row.debit_item_id for row in rows} | {row.credit_item_id for row in rows})
    pairs = [(row, items[row.debit_item_id], items[row.credit_item_id]) for row in rows]
    if refuse_internal and any(
        (d.document_kind, d.document_id) == (c.document_kind, c.document_id) for _, d, c in pairs
    ):
        raise Conflict("allocation.internal")
    credit.shift_many((row.payer_id, _movement(c, d, row.amount)) for row, d, c in pairs)
    lock_rows(OpenItem, items, Rank.OPEN_ITEM)
    _settle([(row.debit_item_id, row.amount) for row in rows] + [(row.credit_item_id, -row.amount) for row in rows], on)
    undoing = [
        {
            "unit_id": row.unit_id,
            "payer_id": row.payer_id,
            "debit_item_id": row.debit_item_id,
            "credit_item_id": row.credit_item_id,
            "amount": -row.amount,
            "allocated_on": max(on, row.allocated_on),
            "automatic": row.automatic,
            "reverses_id": row.id,
            "created_by_id": current().user_id,
        }
        for row in rows
    ]
    ids = list(
        db.session.execute(insert(Allocation).returning(Allocation.id, sort_by_parameter_order=True), undoing).scalars()
    )
    matches = [Match(row.debit_item_id, row.credit_item_id, row.amount) for row in rows]
    _audit("undo", rows[0].payer_id, rows[0].unit_id, matches)
    return ids
