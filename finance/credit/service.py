"""The credit guard, movements between buckets, accounts and limits.

``hold``, ``shift`` and ``open_account`` are plain functions for other packages' commands. All take the payer's row lock
(rank CREDIT): after documents, before open items and stock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from branches.org import parameters
from branches.org.models import Dealer, Unit
from finance.credit import statements
from finance.credit.models import CreditAccount, CreditLimitChange, UnitLimit
from finance.credit.rules import Buckets, Verdict
from sdm.cases import queries as case_queries
from sdm.cases import service as cases
from sdm.cases.models import WorkItem
from sdm.kernel import audit, clock, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, FieldError, Forbidden, InvalidInput, NotFound, describe
from sdm.kernel.locks import Rank, lock_rows, reach
from sdm.kernel.money import AMOUNT_MAX, ZERO
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied

__all__ = ["decide_limit", "hold", "lock", "open_account", "propose_limit", "set_limit", "shift", "shift_many"]

KINDS = ("limit", "temporary", "unit")

describe(
    {
        "credit.decided": N_("This limit change is already %(state)s"),
        "credit.temporary_until": N_("A temporary limit needs its last day"),
        "credit.until_past": N_("%(value)s lies in the past; choose today or later"),
        "credit.target": N_("Name either a dealer or a branch"),
    }
)


def hold(payer_id: int, buckets: Buckets, allow_over: Decimal = ZERO) -> Verdict:
    """Take headroom for ``buckets`` in one guarded UPDATE; not granted = nothing changed.

    Granted when exposure + requested ≤ limit valid today + ``allow_over`` (what a release granted). Locks the payer's
    row until the transaction ends, also when refused, so that the figures of the refusal stay true.
    """
    reach(Rank.CREDIT)
    values = _values(payer_id, buckets, allow_over)
    granted = _try(values)
    if granted is not None:
        return granted
    figures = db.session.execute(statements.FIGURES, values).one_or_none()
    if figures is None:
        open_account(payer_id)
        figures = db.session.execute(statements.FIGURES, values).one()
    if figures.consigned and not parameters.value("credit.count_consigned"):
        values["consigned_counts"] = False
        values["requested"] = buckets.exposure - buckets.consigned
        figures = db.session.execute(statements.FIGURES, values).one()
    again = _try(values)
    return again if again is not None else _refused(figures, values["requested"], allow_over)


def _values(payer_id: int, buckets: Buckets, allow_over: Decimal) -> dict[str, Any]:
    return {
        "payer": payer_id,
        "today": clock.today(),
        "consigned_counts": True,
        "requested": buckets.exposure,
        "allow_over": allow_over,
        **asdict(buckets),
    }


def _try(values: dict[str, Any]) -> Verdict | None:
    row = db.session.execute(statements.HOLD, values).one_or_none()
    return None if row is None else Verdict(True, row.granted_limit, row.exposure, values["requested"], ZERO)


def _refused(figures: Any, requested: Decimal, allow_over: Decimal) -> Verdict:
    excess = figures.exposure + requested - figures.granted_limit - allow_over
    return Verdict(False, figures.granted_limit, figures.exposure, requested, excess)


def lock(payer_ids: Iterable[int]) -> None:
    """Lock payers' accounts without changing them: whoever holds them sees stable open items of these payers."""
    wanted = sorted(set(payer_ids))
    reach(Rank.CREDIT)
    found = set(db.session.execute(statements.LOCK, {"payers": wanted}).scalars())
    for payer_id in wanted:
        if payer_id not in found:
            open_account(payer_id)


def shift(payer_id: int, buckets: Buckets) -> None:
    """Move amounts unconditionally (parts may be negative); a fall of exposure is told as ``credit.freed``."""
    if not buckets:
        return
    reach(Rank.CREDIT)
    values = {"payer": payer_id, **asdict(buckets)}
    unit_id = db.session.execute(statements.SHIFT, values).scalar_one_or_none()
    if unit_id is None:
        open_account(payer_id)
        unit_id = db.session.execute(statements.SHIFT, values).scalar_one()
    if buckets.exposure < 0:
        _tell_freed(payer_id, unit_id)


def shift_many(changes: Iterable[tuple[int, Buckets]]) -> None:
    """Several movements, summed per payer and applied in the order of payers."""
    total: dict[int, Buckets] = {}
    for payer_id, buckets in changes:
        total[payer_id] = total.get(payer_id, Buckets()) + buckets
    for payer_id in sorted(total):
        shift(payer_id, total[payer_id])


def _tell_freed(payer_id: int, unit_id: int) -> None:
    outbox.record("credit.freed", "credit_account", payer_id, unit_id)


def open_account(dealer_id: int, unit_id: int | None = None) -> None:
    """Make the payer's credit account with limit 0; an existing one stays as it is. NotFound for an unknown dealer."""
    made = db.session.execute(statements.OPEN_ACCOUNT, {"payer": dealer_id}).scalar_one_or_none()
    if made is None and db.session.execute(statements.ACCOUNT_UNIT, {"payer": dealer_id}).first() is None:
        raise NotFound("not_found", kind="dealer", id=dealer_id)


# --- limits -----------------------------------------------------------------------------------------------------------


@command(Permission.CREDIT_LIMIT_PROPOSE)
def propose_limit(
    *,
    kind: str,
    amount: Decimal,
    reason: str,
    payer_id: int | None = None,
    unit_id: int | None = None,
    valid_until: date | None = None,
) -> int:
    """Propose a dealer's limit (``limit``, ``temporary``) or a branch's (``unit``); opens a work item. Returns its id.

    Raises InvalidInput with all faults, NotFound outside the scope.
    """
    faults = _limit_faults(kind, amount, reason, payer_id, unit_id, valid_until)
    if faults:
        raise InvalidInput(faults)
    owner_unit, old = _present_limit(kind, payer_id, unit_id)
    change = CreditLimitChange(
        unit_id=owner_unit,
        payer_id=payer_id,
        kind=kind,
        old_amount=old,
        amount=amount,
        valid_until=valid_until,
        reason=reason.strip(),
        proposed_by_id=current().user_id,
    )
    db.session.add(change)
    db.session.flush()
    audit.write("credit_limit_change", change.id, "propose", owner_unit, {"amount": [old, amount], "kind": kind})
    outbox.record("credit_limit.proposed", "credit_limit_change", change.id, owner_unit, amount=amount)
    _open_case(change)
    return change.id


def _limit_faults(
    kind: str, amount: Decimal, reason: str, payer_id: int | None, unit_id: int | None, valid_until: date | None
) -> list[FieldError]:
    faults: list[FieldError] = []
    if kind not in KINDS:
        faults.append(FieldError("kind", "input.choice", kind, {"choices": ", ".join(KINDS)}))
    if not ZERO <= amount <= AMOUNT_MAX:
        faults.append(FieldError("amount", "input.range", str(amount), {"low": "0", "high": str(AMOUNT_MAX)}))
    if not reason.strip():
        faults.append(FieldError("reason", "input.required"))
    if (payer_id is None) == (unit_id is None) or (kind == "unit") != (unit_id is not None):
        faults.append(FieldError("payer_id", "credit.target"))
    if kind == "temporary" and valid_until is None:
        faults.append(FieldError("valid_until", "credit.temporary_until"))
    if valid_until is not None and valid_until < clock.today():
        faults.append(FieldError("valid_until", "credit.until_past", str(valid_until)))
    return faults


def _present_limit(kind: str, payer_id: int | None, unit_id: int | None) -> tuple[int, Decimal]:
    """(unit of the change, limit as it is) of a dealer in scope or a unit in scope."""
    if payer_id is not None:
        dealer = db.session.execute(select(Dealer).where(Dealer.id == payer_id)).scalar_one_or_none()
        if dealer is None:
            raise NotFound("not_found", kind="dealer", id=payer_id)
        open_account(dealer.payer)
        account = db.session.get(CreditAccount, dealer.payer, populate_existing=True)
        if account is None:
            raise NotFound("not_found", kind="dealer", id=payer_id)
        return dealer.unit_id, account.temporary_amount if kind == "temporary" else account.limit_amount
    if not current().scope.has_unit(unit_id) or db.session.get(Unit, unit_id) is None:
        raise NotFound("not_found", kind="unit", id=unit_id)
    row = db.session.get(UnitLimit, unit_id)
    return int(unit_id or 0), row.limit_amount if row else ZERO


def _open_case(change: CreditLimitChange) -> None:
    name = db.session.execute(
        select(Dealer.name).where(Dealer.id == change.payer_id)
        if change.payer_id
        else select(Unit.name).where(Unit.id == change.unit_id)
    ).scalar_one()
    routed = case_queries.route("credit_limit", change.unit_id, change.amount)
    permission, unit_id = routed or (Permission.CREDIT_LIMIT_APPROVE, change.unit_id)
    cases.open_item(
        kind="credit_limit",
        key=f"credit_limit:{change.id}",
        title=name,
        subject_kind="credit_limit_change",
        subject_id=change.id,
        unit_id=change.unit_id,
        permission=permission,
        handler_unit_id=unit_id,
        figures={"old": change.old_amount, "new": change.amount, "until": change.valid_until, "reason": change.reason},
    )


@command(Permission.CREDIT_LIMIT_APPROVE)
def decide_limit(change_id: int, approve: bool, comment: str = "") -> int:
    """Approve or reject a proposed limit; another person than the proposer. Returns the change's id."""
    decide(change_id, approve, comment)
    cases.withdraw(f"credit_limit:{change_id}")
    return change_id


def decide(change_id: int, approve: bool, comment: str = "") -> None:
    """The decision itself, also called by the work item. Locks the change, then the payer's account."""
    rows = lock_rows(CreditLimitChange, [change_id])
    if not rows:
        raise NotFound("not_found", kind="credit_limit_change", id=change_id)
    change = rows[0]
    if change.state != "proposed":
        raise Conflict("credit.decided", state=change.state)
    actor = current()
    if approve and change.proposed_by_id is not None and change.proposed_by_id == actor.user_id:
        raise Forbidden("maker_checker", permission=Permission.CREDIT_LIMIT_APPROVE)
    change.state = "approved" if approve else "rejected"
    change.decided_at, change.decided_by_id = clock.now(), actor.user_id
    audit.write(
        "credit_limit_change",
        change.id,
        "approve" if approve else "reject",
        change.unit_id,
        {"state": ["proposed", change.state], "comment": comment},
    )
    if approve:
        _apply(change)


def on_case(item: WorkItem, result: str, comment: str, **_: Any) -> None:
    """What the work item does when it is handled."""
    current().require(Permission.CREDIT_LIMIT_APPROVE)
    decide(item.subject_id, result == "approve", comment)


def _apply(change: CreditLimitChange) -> None:
    if change.kind == "unit":
        _set_unit_limit(change.unit_id, change.amount, change.valid_until)
        return
    payer_id = db.session.execute(select(Dealer).where(Dealer.id == change.payer_id)).scalar_one().payer
    set_limit(payer_id, change.amount, change.valid_until, temporary=change.kind == "temporary")


def _set_unit_limit(unit_id: int, amount: Decimal, until: date | None) -> None:
    row = db.session.get(UnitLimit, unit_id)
    if row is None:
        db.session.add(UnitLimit(unit_id=unit_id, limit_amount=amount, limit_until=until))
    else:
        row.limit_amount, row.limit_until = amount, until


def set_limit(payer_id: int, amount: Decimal, until: date | None = None, temporary: bool = False) -> None:
    """Write a payer's limit (approved changes) and log it; a rise is told as ``credit.freed``. Joins."""
    names = ("temporary_amount", "temporary_until") if temporary else ("limit_amount", "limit_until")
    _write_limit(payer_id, dict(zip(names, (amount, until), strict=True)))


_COLUMN_OF = {
    "limit": "limit_amount",
    "limit_until": "limit_until",
    "temporary": "temporary_amount",
    "temporary_until": "temporary_until",
}


def import_limit(payer_id: int, given: Mapping[str, Any]) -> Applied:
    """Write what an import sheet gives (an empty amount clears to 0, an absent column stays). Joins."""
    wanted = {_COLUMN_OF[key]: value for key, value in given.items()}
    for name in ("limit_amount", "temporary_amount"):
        if name in wanted:
            wanted[name] = wanted[name] or ZERO
    return Applied(changed=1) if _write_limit(payer_id, wanted) else Applied(unchanged=1)


def _write_limit(payer_id: int, wanted: Mapping[str, Any]) -> bool:
    """Lock the account and write the columns that differ; answers whether any did."""
    open_account(payer_id)
    rows = lock_rows(CreditAccount, [payer_id], Rank.CREDIT, key="payer_id")
    if not rows:
        raise NotFound("not_found", kind="dealer", id=payer_id)
    row = rows[0]
    changes = audit.changed({name: getattr(row, name) for name in wanted}, dict(wanted))
    if not changes:
        return False
    for name, value in wanted.items():
        setattr(row, name, value)
    row.version += 1
    audit.write("credit_account", payer_id, "limit", row.unit_id, changes)
    _tell_freed(payer_id, row.unit_id)
    return True
