"""Account of a payer: statement of a period, the six columns, days outstanding. All from open items and deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from sqlalchemy import func, select

from branches.org.models import Dealer
from finance.ledger import queries as ledger
from finance.ledger.accounts import RECEIVABLE
from finance.receivables.models import OpenItem
from finance.receivables.statements import SIX_COLUMNS
from inventory.channel.models import StockBucket
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.money import ZERO, round_amount


@dataclass(frozen=True, slots=True)
class Movement:
    """One document on the account; ``balance`` after it."""

    item_id: int
    dated_on: date
    due_on: date
    kind: str
    document_kind: str
    document_id: int
    number: str
    debit: Decimal | None
    credit: Decimal | None
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Statement:
    """Opening, movements, closing; ``control``: the same closing balance from the ledger, None where out of sight."""

    payer_id: int
    code: str
    name: str
    date_from: date
    date_to: date
    opening: Decimal
    movements: list[Movement]
    closing: Decimal
    debits: Decimal
    credits: Decimal
    control: Decimal


@dataclass(frozen=True, slots=True)
class SixColumns:
    """FI-32, gross amounts up to a day; ``stock``: goods at the dealers of this payer at their price."""

    payer_id: int
    shipped: Decimal
    collected: Decimal
    invoiced: Decimal
    receivable: Decimal
    stock: Decimal
    in_transit: Decimal


def statement(payer_id: int, date_from: date, date_to: date) -> Statement:
    """The account of a payer in scope for a period, both days included. NotFound out of scope."""
    dealer = db.session.execute(select(Dealer).where(Dealer.id == payer_id)).scalar_one_or_none()
    if dealer is None:
        raise NotFound("not_found", kind="dealer", id=payer_id)
    opening = _balance_before(payer_id, date_from)
    movements = _movements(payer_id, date_from, date_to, opening)
    closing = movements[-1].balance if movements else opening
    return Statement(
        payer_id,
        dealer.code,
        dealer.name,
        date_from,
        date_to,
        opening,
        movements,
        closing,
        sum((m.debit for m in movements if m.debit), ZERO),
        sum((m.credit for m in movements if m.credit), ZERO),
        ledger.balance(RECEIVABLE, None, date_to, dealer_id=payer_id),
    )


def _balance_before(payer_id: int, day: date) -> Decimal:
    total = func.coalesce(func.sum(OpenItem.amount), ZERO)
    return Decimal(
        db.session.execute(select(total).where(OpenItem.payer_id == payer_id, OpenItem.dated_on < day)).scalar_one()
    )


def _movements(payer_id: int, date_from: date, date_to: date, opening: Decimal) -> list[Movement]:
    rows = db.session.execute(
        select(OpenItem)
        .where(OpenItem.payer_id == payer_id, OpenItem.dated_on.between(date_from, date_to))
        .order_by(OpenItem.dated_on, OpenItem.id)
    ).scalars()
    balance, movements = opening, []
    for row in rows:
        balance += row.amount
        debit, credit = (row.amount, None) if row.amount > 0 else (None, -row.amount)
        movements.append(
            Movement(
                row.id,
                row.dated_on,
                row.due_on,
                row.kind,
                row.document_kind,
                row.document_id,
                row.number,
                debit,
                credit,
                balance,
            )
        )
    return movements


def ledgers(payer_id: int, as_of: date | None = None) -> SixColumns:
    """The six columns shipped, collected, invoiced, receivable, stock, in transit of a payer."""
    row = db.session.execute(SIX_COLUMNS, {"payer": payer_id, "as_of": as_of or clock.today()}).one()
    mine = func.coalesce(Dealer.payer_id, Dealer.id) == payer_id
    value = func.coalesce(func.sum(StockBucket.remaining_qty * StockBucket.protected_price), ZERO)
    stock = db.session.execute(
        select(value).select_from(StockBucket).join(Dealer, Dealer.id == StockBucket.dealer_id).where(mine)
    ).scalar_one()
    return SixColumns(
        payer_id,
        row.dispatched - row.missing,
        row.collected,
        row.invoiced,
        row.receivable,
        round_amount(Decimal(stock)),
        row.in_transit,
    )


def days_outstanding(
    payer_id: int | None, as_of: date, days: int = 90, balance: Decimal | None = None
) -> Decimal | None:
    """Receivable ÷ invoiced gross of the last ``days`` × days; None where nothing was invoiced. In scope.

    ``balance``: the receivable where the caller knows it already; then only the last ``days`` are read.
    """
    mine = [OpenItem.payer_id == payer_id] if payer_id is not None else []
    total = func.coalesce(func.sum(OpenItem.amount), ZERO)
    recent = (OpenItem.document_kind == "invoice", OpenItem.dated_on > as_of - timedelta(days=days))
    invoiced = db.session.execute(select(total).where(OpenItem.dated_on <= as_of, *recent, *mine)).scalar_one()
    if invoiced <= 0:
        return None
    if balance is None:
        balance = Decimal(db.session.execute(select(total).where(OpenItem.dated_on <= as_of, *mine)).scalar_one())
    return (balance * days / invoiced).quantize(Decimal("0.1"))
