"""Receivable adjustments (调帐, FI-08), opening receivables: charges and credits against a reason account."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from branches.org import queries as org
from branches.org.models import Dealer
from finance.credit import service as credit
from finance.credit.rules import Buckets
from finance.ledger import accounts
from finance.ledger import service as ledger
from finance.ledger.rules import EntryInput, Line
from finance.receivables.models import OpenItem, ReceivableAdjustment
from finance.receivables.rules import ADJUSTMENT_REASONS
from finance.receivables.service.posting import made_before
from sdm.cases import queries as case_queries
from sdm.cases import service as cases
from sdm.cases.models import WorkItem
from sdm.kernel import audit, clock, documents
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, Forbidden, InvalidInput, describe
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.locks import Rank, reach
from sdm.kernel.money import AMOUNT_MAX, CENT
from sdm.kernel.permissions import Permission

describe(
    {
        "adjustment.zero": N_("The amount must not be zero; a credit is negative"),
        "opening.exists": N_("Document %(value)s of this dealer is already taken over"),
    }
)


@dataclass(frozen=True, slots=True)
class AdjustmentInput:
    """A correction of a dealer's account: ``amount`` > 0 charges, < 0 credits."""

    dealer_id: int
    amount: Decimal
    reason_code: str
    reason: str
    adjusted_on: date
    uuid: UUID = field(default_factory=uuid4)
    source: str = "clerk"


@dataclass(frozen=True, slots=True)
class OpeningItem:
    """An open document brought over at the start: ``amount`` > 0 is owed, < 0 is a prepayment."""

    dealer_id: int
    number: str
    dated_on: date
    due_on: date
    amount: Decimal


@command(Permission.ADJUSTMENT_ENTER)
def request_adjustment(wanted: AdjustmentInput) -> DocumentRef:
    """Ask for an adjustment; another person approves it, then it is posted. Raises InvalidInput with all faults."""
    known = made_before(ReceivableAdjustment, wanted.uuid)
    if known is not None:
        return known
    faults = _faults(wanted)
    dealer = db.session.execute(select(Dealer).where(Dealer.id == wanted.dealer_id)).scalar_one_or_none()
    if dealer is None:
        faults.append(FieldError("dealer_id", "input.unknown", wanted.dealer_id))
    if faults or dealer is None:
        raise InvalidInput(faults)
    ledger.ensure_open(wanted.adjusted_on, "adjusted_on")
    row = _document(dealer, wanted)
    db.session.add(row)
    db.session.flush()
    documents.step(row, "request", amount=row.amount, reason=row.reason)
    _open_case(row, dealer.name)
    db.session.flush()
    return row.ref()


def _faults(wanted: AdjustmentInput) -> list[FieldError]:
    faults: list[FieldError] = []
    if not wanted.amount:
        faults.append(FieldError("amount", "adjustment.zero", str(wanted.amount)))
    elif abs(wanted.amount) > AMOUNT_MAX or wanted.amount != wanted.amount.quantize(CENT):
        limits = {"low": str(-AMOUNT_MAX), "high": str(AMOUNT_MAX)}
        faults.append(FieldError("amount", "input.range", str(wanted.amount), limits))
    choices = [code for code in ADJUSTMENT_REASONS if code != "opening"]
    if wanted.reason_code not in choices:
        faults.append(FieldError("reason_code", "input.choice", wanted.reason_code, {"choices": ", ".join(choices)}))
    if not wanted.reason.strip():
        faults.append(FieldError("reason", "input.required"))
    elif len(wanted.reason) > 200:
        faults.append(FieldError("reason", "input.length", None, {"max": 200}))
    return faults


def _document(dealer: Dealer, wanted: AdjustmentInput, state: str = "requested") -> ReceivableAdjustment:
    return ReceivableAdjustment(
        uuid=wanted.uuid,
        unit_id=dealer.unit_id,
        state=state,
        source=wanted.source,
        dealer_id=dealer.id,
        payer_id=dealer.payer,
        legal_entity_id=org.legal_entity_id_of(dealer.unit_id),
        amount=wanted.amount,
        adjusted_on=wanted.adjusted_on,
        reason_code=wanted.reason_code,
        reason=wanted.reason.strip(),
        account_code=ADJUSTMENT_REASONS[wanted.reason_code],
        created_by_id=current().user_id,
    )


def _open_case(row: ReceivableAdjustment, name: str) -> None:
    routed = case_queries.route("receivable_adjustment", row.unit_id, abs(row.amount))
    permission, unit_id = routed or (Permission.ADJUSTMENT_APPROVE, row.unit_id)
    cases.open_item(
        kind="receivable_adjustment",
        key=f"receivable_adjustment:{row.id}",
        title=name,
        owner_id=row.created_by_id,
        subject_kind="receivable_adjustment",
        subject_id=row.id,
        unit_id=row.unit_id,
        permission=permission,
        handler_unit_id=unit_id,
        figures={"number": row.number, "amount": row.amount, "reason": row.reason},
    )


@command(Permission.ADJUSTMENT_APPROVE)
def decide_adjustment(adjustment_id: int, approve: bool, comment: str = "", version: int | None = None) -> DocumentRef:
    """Approve (posts it) or reject a requested adjustment; another person than the one who asked."""
    row = decide(adjustment_id, approve, comment, version)
    cases.withdraw(f"receivable_adjustment:{adjustment_id}")
    return row.ref()


def on_case(item: WorkItem, result: str, comment: str, **_: Any) -> None:
    """What the work item does when it is handled."""
    current().require(Permission.ADJUSTMENT_APPROVE)
    decide(item.subject_id, result == "approve", comment)


def decide(adjustment_id: int, approve: bool, comment: str, version: int | None = None) -> ReceivableAdjustment:
    """The decision itself. Locks the adjustment, then the payer's account."""
    row: ReceivableAdjustment = documents.lock(ReceivableAdjustment, adjustment_id, version)
    documents.require_state(row, {"requested"}, "approved" if approve else "rejected")
    actor = current()
    if approve and row.created_by_id is not None and row.created_by_id == actor.user_id:
        raise Forbidden("maker_checker", permission=Permission.ADJUSTMENT_APPROVE)
    row.decided_at, row.decided_by_id = clock.now(), actor.user_id
    documents.step(row, "approve" if approve else "reject", "posted" if approve else "rejected", comment=comment)
    if approve:
        ledger.ensure_open(row.adjusted_on, "adjusted_on")
        credit.shift(row.payer_id, Buckets(items=row.amount))
        reach(Rank.OPEN_ITEM)
        db.session.add(_item(row, row.number, row.adjusted_on))
        ledger.post_many([_entry(row)])
    return row


def _item(row: ReceivableAdjustment, number: str, due_on: date) -> OpenItem:
    kind = "opening" if row.reason_code == "opening" else "debit" if row.amount > 0 else "credit"
    return OpenItem(
        unit_id=row.unit_id,
        dealer_id=row.dealer_id,
        payer_id=row.payer_id,
        legal_entity_id=row.legal_entity_id,
        kind=kind,
        document_kind="receivable_adjustment",
        document_id=row.id,
        number=number,
        dated_on=row.adjusted_on,
        due_on=due_on,
        amount=row.amount,
        open_amount=row.amount,
    )


def _entry(row: ReceivableAdjustment) -> EntryInput:
    return EntryInput(
        "receivable_adjustment",
        row.id,
        "posted",
        row.unit_id,
        row.legal_entity_id,
        row.adjusted_on,
        [
            Line(accounts.RECEIVABLE, row.amount, dealer_id=row.payer_id),
            Line(row.account_code, -row.amount, dealer_id=row.dealer_id),
        ],
    )


# --- opening receivables ----------------------------------------------------------------------------------------------


@command(Permission.IMPORT_RUN)
def post_opening(items: Sequence[OpeningItem]) -> list[int]:
    """Take over open documents from before the start: an open item each, against opening-balance equity. Set-based.

    Raises InvalidInput (paths ``lines.N``) for unknown dealers, zero amounts and documents already taken over;
    PeriodClosed for a date in a closed period. Answers the ids of the adjustments that carry them.
    """
    dealers = _dealers({item.dealer_id for item in items})
    faults = _opening_faults(items, dealers)
    if faults:
        raise InvalidInput(faults)
    rows = [
        _document(
            dealers[item.dealer_id],
            AdjustmentInput(item.dealer_id, item.amount, "opening", item.number, item.dated_on, source="import"),
            "posted",
        )
        for item in items
    ]
    db.session.add_all(rows)
    db.session.flush()
    credit.shift_many((row.payer_id, Buckets(items=row.amount)) for row in rows)
    reach(Rank.OPEN_ITEM)
    db.session.add_all([_item(row, item.number, item.due_on) for row, item in zip(rows, items, strict=True)])
    ledger.post_many([_entry(row) for row in rows])
    if rows:
        audit.write("receivable_adjustment", None, "opening", rows[0].unit_id, {"count": len(rows)})
    return [row.id for row in rows]


def _dealers(ids: set[int]) -> dict[int, Dealer]:
    return {row.id: row for row in db.session.execute(select(Dealer).where(Dealer.id.in_(ids))).scalars()}


def opening_known(pairs: Sequence[tuple[int, str]]) -> set[tuple[int, str]]:
    """(dealer, number) that are already taken over."""
    statement = select(OpenItem.dealer_id, OpenItem.number).where(
        OpenItem.kind == "opening", OpenItem.dealer_id.in_({dealer for dealer, _ in pairs})
    )
    return {(row.dealer_id, row.number) for row in db.session.execute(statement)}


def _opening_faults(items: Sequence[OpeningItem], dealers: dict[int, Dealer]) -> list[FieldError]:
    known = opening_known([(item.dealer_id, item.number) for item in items])
    faults: list[FieldError] = []
    for index, item in enumerate(items):
        key = (item.dealer_id, item.number)
        if item.dealer_id not in dealers:
            faults.append(FieldError(f"lines.{index}.dealer", "input.unknown", item.dealer_id))
        if not item.amount:
            faults.append(FieldError(f"lines.{index}.amount", "adjustment.zero", str(item.amount)))
        if key in known:
            faults.append(FieldError(f"lines.{index}.number", "opening.exists", item.number))
        known.add(key)
    return faults
