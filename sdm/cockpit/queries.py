"""What the work places and the search read across domains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, func, select

from branches.orders.models import OrderHold, Quotation, SalesOrder, SalesReturn
from finance.credit.models import CreditLimitChange
from finance.ledger import accounts
from finance.receivables.models import Invoice, ReceivableAdjustment
from finance.receivables.queries import billable_select
from inventory.receipts.models import GoodsReceipt
from inventory.shipments.models import Shipment
from sdm.cockpit import statements
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.drafts import Draft
from sdm.kernel.scope import current_scope

TREND_DAYS = 30


def units() -> list[int] | None:
    """Units in scope for statements; None: the whole network."""
    scope = current_scope()
    return None if scope.everything else sorted(scope.units)


@dataclass(frozen=True, slots=True)
class Count:
    """Number of documents and, where they have one, their amount (gross)."""

    number: int
    amount: Decimal | None = None


def _count(model: Any, *conditions: ColumnElement[bool], amount: Any = None) -> Count:
    total = func.sum(amount) if amount is not None else func.count()
    row = db.session.execute(select(func.count(), total).select_from(model).where(*conditions)).one()
    return Count(int(row[0]), (row[1] or Decimal(0)) if amount is not None else None)


def orders(*states: str) -> Count:
    """Orders in these states."""
    return _count(SalesOrder, SalesOrder.state.in_(states), amount=SalesOrder.gross)


def orders_today() -> Count:
    """Orders entered for today that were not cancelled."""
    return _count(
        SalesOrder, SalesOrder.ordered_on == clock.today(), SalesOrder.state != "cancelled", amount=SalesOrder.gross
    )


def shortages() -> Count:
    """Orders held for a shortage."""
    statement = (
        select(func.count(), func.sum(SalesOrder.gross))
        .select_from(SalesOrder)
        .join(OrderHold, OrderHold.order_id == SalesOrder.id)
        .where(OrderHold.state == "open", OrderHold.kind == "shortage")
    )
    row = db.session.execute(statement).one()
    return Count(int(row[0]), row[1] or Decimal(0))


def returns(*states: str) -> Count:
    """Returns in these states."""
    return _count(SalesReturn, SalesReturn.state.in_(states), amount=SalesReturn.gross)


def quotations_ending(days: int = 7) -> Count:
    """Open quotations that run out within so many days."""
    until = clock.today() + timedelta(days=days)
    return _count(Quotation, Quotation.state == "open", Quotation.valid_until <= until, amount=Quotation.gross)


def drafts_of(user_id: int | None) -> Count:
    """One's own unfinished documents."""
    return _count(Draft, Draft.user_id == user_id)


def shipments(*states: str) -> Count:
    """Shipments in these states."""
    return _count(Shipment, Shipment.state.in_(states))


def late() -> Count:
    """Shipments on the way after their expected day."""
    return _count(Shipment, Shipment.state == "shipped", Shipment.expected_on < clock.today())


def receipts_to_post() -> Count:
    """Goods receipts saved as drafts."""
    return _count(GoodsReceipt, GoodsReceipt.state == "draft")


def invoices(*states: str) -> Count:
    """Invoices in these states."""
    return _count(Invoice, Invoice.state.in_(states), amount=Invoice.gross)


def adjustments_requested() -> Count:
    """Adjustments that wait for approval."""
    return _count(ReceivableAdjustment, ReceivableAdjustment.state == "requested")


def limits_proposed() -> Count:
    """Proposed credit limits."""
    return _count(CreditLimitChange, CreditLimitChange.state == "proposed")


def to_bill() -> Count:
    """Deliveries of which something can be billed."""
    found = billable_select().with_only_columns(Shipment.id).distinct().subquery()
    return Count(int(db.session.execute(select(func.count()).select_from(found)).scalar_one()))


def sales_and_collections() -> Any:
    """Net sales and collections of this month, today, and of the same days of last month; one statement."""
    today = clock.today()
    start = today.replace(day=1)
    before_end = _same_day_before(start, today)
    values = {
        "today": today,
        "start": start,
        "before_start": (start - timedelta(days=1)).replace(day=1),
        "before_end": before_end,
        "revenue": accounts.REVENUE,
        "receivable": accounts.RECEIVABLE,
        "units": units(),
    }
    return db.session.execute(statements.SALES_AND_COLLECTIONS, values).one()


def _same_day_before(start: date, today: date) -> date:
    last = start - timedelta(days=1)
    return last.replace(day=min(today.day, last.day))


def sales_by_day() -> list[tuple[date, Decimal]]:
    """Net sales of the last thirty days, day by day."""
    today = clock.today()
    start = today - timedelta(days=TREND_DAYS - 1)
    values = {"today": today, "start": start, "revenue": accounts.REVENUE, "units": units()}
    found = {row.day: row.sales for row in db.session.execute(statements.SALES_BY_DAY, values)}
    days = [start + timedelta(days=n) for n in range(TREND_DAYS)]
    return [(day, found.get(day, Decimal(0))) for day in days]


def receivable() -> Any:
    """Receivable, overdue and unallocated amounts from the open items; one statement."""
    return db.session.execute(statements.RECEIVABLE, {"today": clock.today(), "units": units()}).one()


def stock_value() -> Decimal:
    """Carrying value of the stock the units own."""
    return Decimal(db.session.execute(statements.STOCK_VALUE, {"units": units()}).scalar_one())


def over_limit() -> int:
    """How many payers are above their credit limit."""
    return int(db.session.execute(statements.OVER_LIMIT, {"today": clock.today(), "units": units()}).scalar_one())


def system() -> Any:
    """Failed jobs, failed deliveries of events, active users."""
    return db.session.execute(statements.SYSTEM).one()


class Figures:
    """Figures of one page, each read once however many tiles show it."""

    @cached_property
    def sales(self) -> Any:
        """As :func:`sales_and_collections`."""
        return sales_and_collections()

    @cached_property
    def receivable(self) -> Any:
        """As :func:`receivable`."""
        return receivable()

    @cached_property
    def system(self) -> Any:
        """As :func:`system`."""
        return system()
