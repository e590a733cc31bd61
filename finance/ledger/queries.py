"""Reads of the money ledger. The session scopes them: a branch sees its own books only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import and_, func, select

from branches.org.models import Dealer, Unit
from finance.ledger.models import Account, Entry, EntryLine, Period
from sdm.kernel.db import db
from sdm.kernel.money import ZERO


@dataclass(frozen=True, slots=True)
class PostedLine:
    """A line as shown: ``amount`` signed, ``debit`` and ``credit`` positive or None."""

    account_code: str
    account: str
    account_en: str
    unit_id: int
    unit: str
    counter_unit: str | None
    dealer: str | None
    amount: Decimal
    belongs_period: str

    @property
    def debit(self) -> Decimal | None:
        """The amount where it is a debit."""
        return self.amount if self.amount > 0 else None

    @property
    def credit(self) -> Decimal | None:
        """The amount where it is a credit."""
        return -self.amount if self.amount < 0 else None


@dataclass(frozen=True, slots=True)
class PostedEntry:
    """An entry with the lines in scope."""

    id: int
    posted_on: date
    period: str
    event: str
    document_kind: str
    document_id: int
    reverses_id: int | None
    created_at: datetime
    lines: list[PostedLine]


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """One account in a period: opening, debits, credits (positive), closing; signed, debit positive."""

    account_code: str
    name: str
    name_en: str
    opening: Decimal
    debit: Decimal
    credit: Decimal
    closing: Decimal


def balance(account: str, unit_id: int | None, as_of: date, dealer_id: int | None = None) -> Decimal:
    """Signed balance of an account up to and including a day, of a unit or of all units in scope."""
    statement = select(func.coalesce(func.sum(EntryLine.amount), ZERO)).where(
        EntryLine.account_code == account, EntryLine.posted_on <= as_of
    )
    if unit_id is not None:
        statement = statement.where(EntryLine.unit_id == unit_id)
    if dealer_id is not None:
        statement = statement.where(EntryLine.dealer_id == dealer_id)
    return Decimal(db.session.execute(statement).scalar_one())


def trial_balance(date_from: date, date_to: date, unit_id: int | None = None) -> list[BalanceRow]:
    """All accounts that have postings, in one statement; closing balances add up to zero per unit."""
    before = EntryLine.posted_on < date_from
    total = func.coalesce(func.sum(EntryLine.amount), ZERO)
    statement = (
        select(
            EntryLine.account_code,
            func.coalesce(func.sum(EntryLine.amount).filter(before), ZERO).label("opening"),
            func.coalesce(func.sum(EntryLine.amount).filter(~before, EntryLine.amount > 0), ZERO).label("debit"),
            func.coalesce(func.sum(-EntryLine.amount).filter(~before, EntryLine.amount < 0), ZERO).label("credit"),
            total.label("closing"),
        )
        .where(EntryLine.posted_on <= date_to)
        .group_by(EntryLine.account_code)
        .order_by(EntryLine.account_code)
    )
    if unit_id is not None:
        statement = statement.where(EntryLine.unit_id == unit_id)
    names = {row.code: row for row in db.session.execute(select(Account)).scalars()}
    return [
        BalanceRow(
            row.account_code,
            names[row.account_code].name,
            names[row.account_code].name_en,
            row.opening,
            row.debit,
            row.credit,
            row.closing,
        )
        for row in db.session.execute(statement)
    ]


def _line_rows(condition: Any, order: Any) -> Any:
    counter = Unit.__table__.alias("counter")
    return db.session.execute(
        select(
            EntryLine.entry_id,
            EntryLine.account_code,
            Account.name.label("account"),
            Account.name_en.label("account_en"),
            EntryLine.unit_id,
            Unit.name.label("unit"),
            counter.c.name.label("counter_unit"),
            Dealer.name.label("dealer"),
            EntryLine.amount,
            EntryLine.belongs_period,
        )
        .join(Account, Account.code == EntryLine.account_code)
        .join(Unit, Unit.id == EntryLine.unit_id)
        .outerjoin(counter, counter.c.id == EntryLine.counter_unit_id)
        .outerjoin(Dealer, Dealer.id == EntryLine.dealer_id)
        .where(condition)
        .order_by(*order)
    )


def _entries(condition: Any, limit: int = 200) -> list[PostedEntry]:
    heads = list(db.session.execute(select(Entry).where(condition).order_by(Entry.id).limit(limit)).scalars())
    lines: dict[int, list[PostedLine]] = {head.id: [] for head in heads}
    if heads:
        for row in _line_rows(EntryLine.entry_id.in_(lines), (EntryLine.entry_id, EntryLine.line_no)):
            values = dict(row._mapping)
            lines[values.pop("entry_id")].append(PostedLine(**values))
    return [
        PostedEntry(
            head.id,
            head.posted_on,
            head.period,
            head.event,
            head.document_kind,
            head.document_id,
            head.reverses_id,
            head.created_at,
            lines[head.id],
        )
        for head in heads
    ]


def postings_of(document_kind: str, document_id: int) -> list[PostedEntry]:
    """All entries of a document in scope, with their lines; two statements."""
    return _entries(and_(Entry.document_kind == document_kind, Entry.document_id == document_id))


def entry(entry_id: int) -> PostedEntry | None:
    """One entry of a unit in scope, with the lines in scope; None otherwise."""
    found = _entries(Entry.id == entry_id)
    return found[0] if found else None


def accounts() -> list[Account]:
    """The chart, by code."""
    return list(db.session.execute(select(Account).order_by(Account.code)).scalars())


def periods() -> list[Period]:
    """All periods that were posted into, newest first."""
    return list(db.session.execute(select(Period).order_by(Period.code.desc())).scalars())
