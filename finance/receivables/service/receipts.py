"""Receipts: money from a dealer, recorded and (where wrong) reversed (FI-05)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from branches.org import parameters
from branches.org import queries as org
from branches.org.models import Dealer
from finance.credit import service as credit
from finance.credit.rules import Buckets
from finance.ledger import accounts
from finance.ledger import service as ledger
from finance.ledger.models import Entry
from finance.ledger.rules import Line
from finance.receivables import statements
from finance.receivables.models import Allocation, OpenItem, Receipt
from finance.receivables.rules import METHODS, legal_number, receipt_series
from finance.receivables.service import allocation
from finance.receivables.service.posting import made_before
from sdm.kernel import clock, documents, hooks, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db, explain_constraint
from sdm.kernel.errors import N_, AlreadyExists, Conflict, FieldError, InvalidInput, describe
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.locks import Rank, lock_rows, reach
from sdm.kernel.money import AMOUNT_MAX, ZERO
from sdm.kernel.numbering import draw_last
from sdm.kernel.permissions import Permission

describe(
    {
        "receipt.allocated": N_(
            "The receipt is allocated; undo these allocations first, or let the reversal undo them"
        ),
        "receipt.before": N_("%(value)s lies before the date of the receipt, %(date)s"),
        "constraint.uq_receipt_reference": N_("This payer's payment with the same reference is already recorded"),
    }
)
explain_constraint("uq_receipt_reference", AlreadyExists)

parameters.register(
    parameters.ParameterSpec(
        "receipts.collector",
        N_("Who collects money from dealers"),
        "choice",
        "branch",
        N_("The branch's own collection account, or the bank account of the head office"),
        (("branch", N_("Branch")), ("head_office", N_("Head office"))),
        group="money",
    ),
    parameters.ParameterSpec(
        "ageing.bands",
        N_("Ageing bands in days"),
        "text",
        "30,60,90,180",
        N_("Last day of each band, ascending, separated by commas"),
        group="money",
        per_unit=False,
    ),
)


@dataclass(frozen=True, slots=True)
class ReceiptInput:
    """Money received: gross ``amount`` > 0; ``order_id`` earmarks it for a prepaid order."""

    dealer_id: int
    amount: Decimal
    received_on: date
    method: str = "transfer"
    bank_account: str = ""
    reference: str = ""
    note: str = ""
    order_id: int | None = None
    uuid: UUID = field(default_factory=uuid4)
    source: str = "clerk"


@command(Permission.RECEIPT_ENTER)
def record_receipt(receipt: ReceiptInput) -> DocumentRef:
    """Record money of a dealer in scope: exposure falls at once, allocation comes later. Gapless number, drawn last.

    Raises InvalidInput with all faults, AlreadyExists for a reference of the same payer, PeriodClosed.
    """
    known = made_before(Receipt, receipt.uuid)
    if known is not None:
        return known
    _check(receipt)
    dealer = db.session.execute(select(Dealer).where(Dealer.id == receipt.dealer_id)).scalar_one_or_none()
    if dealer is None:
        raise InvalidInput([FieldError("dealer_id", "input.unknown", receipt.dealer_id)])
    counted = _counts_at_once(receipt.order_id, dealer.payer)
    row = Receipt(
        uuid=receipt.uuid,
        unit_id=dealer.unit_id,
        state="recorded",
        source=receipt.source,
        dealer_id=dealer.id,
        payer_id=dealer.payer,
        legal_entity_id=org.legal_entity_id_of(dealer.unit_id),
        amount=receipt.amount,
        received_on=receipt.received_on,
        method=receipt.method,
        bank_account=receipt.bank_account,
        reference=receipt.reference.strip(),
        order_id=receipt.order_id,
        note=receipt.note,
        created_by_id=current().user_id,
    )
    db.session.add(row)
    db.session.flush()
    if counted:
        credit.shift(row.payer_id, Buckets(receipts=row.amount))
    item = _add_item(row, -row.amount, row.received_on, counted=counted)
    _post(row)
    _number(row, item)
    if row.order_id is not None:
        documents.link(("sales_order", row.order_id), ("receipt", row.id))
    documents.step(row, "record", amount=row.amount)
    outbox.record("receipt.recorded", "receipt", row.id, row.unit_id, payer_id=row.payer_id, amount=row.amount)
    db.session.flush()
    return row.ref()


def _counts_at_once(order_id: int | None, payer_id: int) -> bool:
    """Whether money lowers exposure now: not while it is earmarked for an order that waits for it before its goods leave.

    Hook ``receipt.order``. Raises InvalidInput for an order that is unknown, out of scope or another payer's.
    """
    if order_id is None:
        return True
    facts = [found for found in hooks.call("receipt.order", order_id) if found]
    if not facts or facts[0]["payer_id"] != payer_id:
        raise InvalidInput([FieldError("order_id", "input.unknown", order_id)])
    return not facts[0]["waits"]


def _check(receipt: ReceiptInput) -> None:
    faults: list[FieldError] = []
    if not ZERO < receipt.amount <= AMOUNT_MAX or receipt.amount != receipt.amount.quantize(Decimal("0.01")):
        faults.append(
            FieldError("amount", "input.range", str(receipt.amount), {"low": "0.01", "high": str(AMOUNT_MAX)})
        )
    known = [option.code for option in org.options("payment_method")] or METHODS
    if receipt.method not in known:
        faults.append(FieldError("method", "input.choice", receipt.method, {"choices": ", ".join(known)}))
    for name, longest in (("reference", 200), ("bank_account", 200), ("note", 2000)):
        if len(getattr(receipt, name)) > longest:
            faults.append(FieldError(name, "input.length", None, {"max": longest}))
    if receipt.received_on > clock.today():
        faults.append(FieldError("received_on", "ledger.future", str(receipt.received_on)))
    if faults:
        raise InvalidInput(faults)
    ledger.ensure_open(receipt.received_on, "received_on")


def _add_item(row: Receipt, amount: Decimal, day: date, *, part: int = 0, counted: bool = True) -> OpenItem:
    reach(Rank.OPEN_ITEM)
    item = OpenItem(
        unit_id=row.unit_id,
        dealer_id=row.dealer_id,
        payer_id=row.payer_id,
        legal_entity_id=row.legal_entity_id,
        kind="receipt",
        document_kind="receipt",
        document_id=row.id,
        part=part,
        number=row.legal_number or row.number,
        dated_on=day,
        due_on=day,
        amount=amount,
        open_amount=amount,
        currency=row.currency,
        counted=counted,
    )
    db.session.add(item)
    db.session.flush()
    return item


def _post(row: Receipt) -> None:
    """Dr collection account, Cr receivable; where head office collects, its bank through inter-unit lines."""
    owed = Line(accounts.RECEIVABLE, -row.amount, dealer_id=row.payer_id)
    if parameters.value("receipts.collector", row.unit_id, row.received_on) == "head_office":
        lines = [*_collected_above(row), owed]
    else:
        lines = [Line(accounts.COLLECTION, row.amount, dealer_id=row.dealer_id), owed]
    ledger.post(
        document_kind="receipt",
        document_id=row.id,
        event="recorded",
        unit_id=row.unit_id,
        legal_entity_id=row.legal_entity_id,
        posted_on=row.received_on,
        lines=lines,
        currency=row.currency,
    )


def _collected_above(row: Receipt) -> list[Line]:
    above = org.head_office().id
    if above == row.unit_id:
        return [Line(accounts.BANK, row.amount, dealer_id=row.dealer_id)]
    there: dict[str, Any] = {"unit_id": above, "legal_entity_id": org.legal_entity_id_of(above)}
    return [
        Line(accounts.BANK, row.amount, dealer_id=row.dealer_id, **there),
        Line(accounts.INTER_UNIT, -row.amount, counter_unit_id=row.unit_id, **there),
        Line(accounts.INTER_UNIT, row.amount, counter_unit_id=above),
    ]


def _number(row: Receipt, item: OpenItem) -> None:
    series = receipt_series(row.legal_entity_id, row.received_on)

    def assign(number: int) -> None:
        row.legal_number = item.number = legal_number(series, number)

    draw_last(series, assign)


@command(Permission.RECEIPT_REVERSE)
def reverse_receipt(
    receipt_id: int,
    reason: str,
    reversed_on: date | None = None,
    version: int | None = None,
    undo_allocations: bool = False,
) -> DocumentRef:
    """Reverse a receipt (bounced cheque, wrong payer) at a date in an open period.

    Allocated ones are refused with the list of allocations, unless ``undo_allocations``. Exposure rises again.
    """
    if not reason.strip():
        raise InvalidInput([FieldError("reason", "input.required")])
    row: Receipt = documents.lock(Receipt, receipt_id, version)
    documents.require_state(row, {"recorded"}, "reversed")
    day = _checked_day(row, reversed_on or clock.today())
    credit.lock([row.payer_id])
    item = _item_of(row)
    live = allocation.live([item.id])
    if live and not undo_allocations:
        raise Conflict("receipt.allocated", allocations=[_shown(one) for one in live])
    if item.counted:
        credit.shift(row.payer_id, Buckets(receipts=-row.amount))
    allocation.undo_rows(live, day)
    _cancel_item(row, item.id, day)
    ledger.reverse(_entry_of(row), day)
    documents.step(row, "reverse", "reversed", reason=reason, amount=row.amount)
    return row.ref()


def _checked_day(row: Receipt, day: date) -> date:
    ledger.ensure_open(day, "reversed_on")
    if day < row.received_on:
        raise InvalidInput([FieldError("reversed_on", "receipt.before", str(day), {"date": str(row.received_on)})])
    return day


def _item_of(row: Receipt) -> OpenItem:
    found = select(OpenItem).where(
        OpenItem.document_kind == "receipt", OpenItem.document_id == row.id, OpenItem.part == 0
    )
    return db.session.execute(found.execution_options(populate_existing=True)).scalar_one()


def _shown(row: Allocation) -> dict[str, Any]:
    return {"id": row.id, "debit_item_id": row.debit_item_id, "amount": str(row.amount), "on": str(row.allocated_on)}


def _cancel_item(row: Receipt, item_id: int, day: date) -> None:
    """The receipt's item and its opposite settle each other, so that both stay visible and nothing is open."""
    opposite = _add_item(row, row.amount, day, part=1)
    [item] = lock_rows(OpenItem, [item_id], Rank.OPEN_ITEM)
    item.open_amount = opposite.open_amount = ZERO
    item.closed_on = opposite.closed_on = day
    db.session.add(
        Allocation(
            unit_id=row.unit_id,
            payer_id=row.payer_id,
            debit_item_id=opposite.id,
            credit_item_id=item.id,
            amount=row.amount,
            allocated_on=day,
            automatic=True,
            created_by_id=current().user_id,
        )
    )


def _entry_of(row: Receipt) -> int:
    found = select(Entry.id).where(
        Entry.document_kind == "receipt", Entry.document_id == row.id, Entry.event == "recorded"
    )
    return int(db.session.execute(found).scalar_one())


def count_earmarks(order_id: int) -> Decimal:
    """Let what was received for a prepaid order count in exposure from now on, at its first picking. Joins.

    Takes the payers' account locks; call it beside the order's own shift. Answers the amount that started to count.
    """
    uncounted = db.session.execute(statements.EARMARKED_UNCOUNTED, {"order": order_id}).all()
    if not uncounted:
        return ZERO
    credit.lock({row.payer_id for row in uncounted})
    rows = db.session.execute(statements.EARMARKED_UNCOUNTED, {"order": order_id}).all()
    credit.shift_many((row.payer_id, Buckets(receipts=-row.open_amount)) for row in rows)
    db.session.execute(statements.COUNT, {"ids": [row.id for row in rows]})
    return sum((-row.open_amount for row in rows), ZERO)
