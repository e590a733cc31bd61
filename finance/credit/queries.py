"""Reads of credit accounts: headroom of a payer, exposure list."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Date, case, literal, select

from branches.org import parameters
from finance.credit import statements
from finance.credit.models import CreditAccount
from finance.credit.rules import Buckets, Headroom, exposure_of, valid_limit, valid_temporary
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.money import ZERO

BUCKETS = ("open_orders", "shipped", "consigned", "items", "receipts", "acceptances")


def headroom(payer_id: int) -> Headroom:
    """Figures of a payer for verdicts and screens; zeros without an account. Two statements, never scoped.

    The account may belong to another branch than the order; only figures leave this function, no rows.
    """
    columns = [CreditAccount.__table__.c[name] for name in BUCKETS]
    table = CreditAccount.__table__.c
    limits = (table.limit_amount, table.limit_until, table.temporary_amount, table.temporary_until)
    row = db.session.execute(select(*columns, *limits).where(table.payer_id == payer_id)).one_or_none()
    today = clock.today()
    overdue = db.session.execute(statements.OVERDUE, {"payer": payer_id, "today": today}).one()
    days = (today - overdue.oldest).days if overdue.oldest else 0
    if row is None:
        return Headroom(payer_id, ZERO, ZERO, ZERO, Buckets(), ZERO, overdue.amount, days)
    buckets = Buckets(*(getattr(row, name) for name in Buckets.__dataclass_fields__))
    temporary = valid_temporary(row.temporary_amount, row.temporary_until, today)
    limit = valid_limit(row.limit_amount, row.limit_until, today) + temporary
    exposure = exposure_of(buckets, _counts_consigned())
    return Headroom(payer_id, limit, temporary, exposure, buckets, limit - exposure, overdue.amount, days)


def _counts_consigned() -> bool:
    return bool(parameters.value("credit.count_consigned"))


def limit_today() -> Any:
    """SQL: the limit valid today, temporary part included."""
    today = literal(clock.today(), Date)
    standing = case(
        (CreditAccount.limit_until.is_(None) | (CreditAccount.limit_until >= today), CreditAccount.limit_amount),
        else_=0,
    )
    return standing + case((CreditAccount.temporary_until >= today, CreditAccount.temporary_amount), else_=0)


def exposure_now() -> Any:
    """SQL: exposure as the parameter defines it."""
    amount: Any = (
        CreditAccount.open_orders
        + CreditAccount.shipped
        + CreditAccount.items
        + CreditAccount.acceptances
        - CreditAccount.receipts
    )
    return amount + CreditAccount.consigned if _counts_consigned() else amount
