"""One definition per figure of the work places: name, label, unit, where it is read, the list that shows what is behind it.

Figures of one source are read by one statement, inside the actor's scope. The filter in a figure's address selects the
rows that the figure counts, so that the list's total is the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, and_, case, distinct, func, or_, select

from branches.catalogue.models import Product
from branches.orders.models import OrderHold, Quotation, SalesOrder, SalesReturn
from branches.org.models import Dealer, Unit, Warehouse
from finance.credit.models import CreditAccount, CreditLimitChange
from finance.credit.queries import exposure_now, limit_today
from finance.ledger.accounts import INVENTORY
from finance.receivables.models import Invoice, OpenItem, Receipt, ReceivableAdjustment
from finance.receivables.queries import billable_select
from inventory.overview.queries import nothing_available, stock_value
from inventory.receipts.models import GoodsReceipt
from inventory.shipments.models import Shipment, ShipmentLine
from inventory.shipments.queries import sum_of_lines
from sdm.auth.models import User, UserSession
from sdm.auth.queries import in_scope
from sdm.cases import queries as cases
from sdm.cases.models import WorkItem
from sdm.kernel import clock
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.drafts import Draft
from sdm.kernel.i18n import _l
from sdm.kernel.jobs import JobRun
from sdm.kernel.outbox import OutboxDelivery
from sdm.kernel.permissions import Permission as P

ENDING_DAYS = 7
WORKING_MINUTES = 15
COUNT, AMOUNT = "count", "amount"


@dataclass(frozen=True, slots=True)
class Days:
    """Today, the first of this month, and the same stretch of last month; all ends included."""

    today: date
    start: date
    before_start: date
    before_end: date

    @classmethod
    def of(cls, today: date) -> Days:
        """The stretches around a day."""
        start = today.replace(day=1)
        last = start - timedelta(days=1)
        return cls(today, start, last.replace(day=1), last.replace(day=min(today.day, last.day)))

    @property
    def yesterday(self) -> date:
        """The day before today."""
        return self.today - timedelta(days=1)


Expression = Callable[[Days], Any]
Address = Callable[[Days], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Figure:
    """``value``: an aggregate over the source. ``also`` is printed small beside it, ``before`` is the comparison.

    ``alarm``: red when it is not zero. ``links``: (endpoint, permission, filter); the first that the reader may open.
    """

    name: str
    label: Any
    unit: str
    source: str
    value: Expression
    links: tuple[tuple[str, str | None, Address], ...]
    permission: str | None = None
    icon: str = ""
    alarm: bool = False
    also: Expression | None = None
    also_unit: str = AMOUNT
    also_label: Any = ""
    before: Expression | None = None
    note: Any = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A figure with its values at this moment."""

    figure: Figure
    value: Decimal
    also: Decimal | None = None
    before: Decimal | None = None
    days: Days = field(default_factory=lambda: Days.of(clock.today()))


# --- where figures are read -------------------------------------------------------------------------------------------


def _orders(days: Days) -> Select[Any]:
    open_ = SalesOrder.state.in_(["held", "confirmed", "part_shipped", "shipped"])
    return select(SalesOrder).where(or_(open_, SalesOrder.ordered_on == days.today))


def _holds(days: Days) -> Select[Any]:
    held = select(SalesOrder).join(OrderHold, OrderHold.order_id == SalesOrder.id)
    return held.where(OrderHold.state == "open", OrderHold.kind == "shortage")


def _shipments(days: Days) -> Select[Any]:
    moving = Shipment.state.in_(["picked", "shipped"])
    return select(Shipment).where(or_(moving, Shipment.shipped_on == days.today))


def _sales(days: Days) -> Select[Any]:
    issued = Invoice.state.in_(["issued", "reversed"])
    return select(Invoice).where(issued, Invoice.invoiced_on.between(days.before_start, days.today))


def _collection(days: Days) -> Select[Any]:
    span = Receipt.received_on.between(days.before_start, days.today)
    return select(Receipt).where(Receipt.state == "recorded", span)


def _work_items(days: Days) -> Select[Any]:
    return select(WorkItem).where(cases.waits_for(current()))


def _sessions(days: Days) -> Select[Any]:
    working = UserSession.last_seen_at > clock.now() - timedelta(minutes=WORKING_MINUTES)
    own = in_scope(select(UserSession).join(User, User.id == UserSession.user_id))
    return own.where(working, UserSession.revoked_at.is_(None))


def _to_bill(days: Days) -> Select[Any]:
    return billable_select()


SOURCES: dict[str, Callable[[Days], Select[Any]]] = {
    "work_items": _work_items,
    "drafts": lambda days: select(Draft).where(Draft.user_id == current().user_id),
    "orders": _orders,
    "shortages": _holds,
    "returns": lambda days: select(SalesReturn).where(SalesReturn.state.in_(["requested", "approved", "received"])),
    "quotations": lambda days: select(Quotation).where(Quotation.state == "open"),
    "shipments": _shipments,
    "goods_receipts": lambda days: select(GoodsReceipt).where(GoodsReceipt.state == "draft"),
    "applications": lambda days: select(Invoice).where(Invoice.state.in_(["submitted", "approved"])),
    "to_bill": _to_bill,
    "sales": _sales,
    "collection": _collection,
    "open_items": lambda days: select(OpenItem).where(OpenItem.open_amount != 0),
    "adjustments": lambda days: select(ReceivableAdjustment).where(ReceivableAdjustment.state == "requested"),
    "credit": lambda days: select(CreditAccount),
    "limits": lambda days: select(CreditLimitChange).where(CreditLimitChange.state == "proposed"),
    "jobs": lambda days: select(JobRun).where(JobRun.state.in_(["failed", "overdue"])),
    "deliveries": lambda days: select(OutboxDelivery).where(OutboxDelivery.state == "failed"),
    "users": lambda days: in_scope(select(User)).where(User.active),
    "sessions": _sessions,
    "units": lambda days: select(Unit).where(Unit.active),
    "warehouses": lambda days: select(Warehouse).where(Warehouse.active),
    "dealers": lambda days: select(Dealer).where(Dealer.status != "inactive"),
    "products": lambda days: select(Product).where(Product.status == "active"),
}
# Figures that another package reads whole: its own function of the day.
WHOLE: dict[str, Callable[[], Decimal]] = {"stock_value": stock_value, "nothing_available": nothing_available}


# --- expressions ------------------------------------------------------------------------------------------------------


def _rows(*conditions: Any) -> Any:
    return func.count().filter(and_(*conditions)) if conditions else func.count()


def _sum(column: Any, *conditions: Any) -> Any:
    total = func.sum(column)
    return func.coalesce(total.filter(and_(*conditions)) if conditions else total, 0)


def _in(column: Any, *states: str) -> Any:
    return column.in_(states)


def _plain(**values: Any) -> Address:
    return lambda days: values


def _overdue(days: Days) -> Any:
    return and_(OpenItem.open_amount > 0, OpenItem.due_on < days.today)


def _unmatched() -> Any:
    return and_(OpenItem.open_amount < 0, OpenItem.kind == "receipt")


def _span(name: str, start: Callable[[Days], date], **values: Any) -> Address:
    return lambda days: {
        f"{name}.from": start(days).isoformat(),
        f"{name}.to": days.today.isoformat(),
        **values,
    }


ISSUED = {"state": ["issued", "reversed"]}
_MONEY_OF_SHIPMENT = sum_of_lines(ShipmentLine.amount)

FIGURES: dict[str, Figure] = {
    figure.name: figure
    for figure in (
        # what waits for me
        Figure("inbox", _l("Inbox"), COUNT, "work_items", lambda d: _rows(), (("cases.inbox", P.CASE_READ, _plain()),),
               P.CASE_READ, "inbox", also=lambda d: _rows(WorkItem.due_at < func.now()), also_unit=COUNT,
               also_label=_l("overdue")),
        Figure("drafts", _l("My drafts"), COUNT, "drafts", lambda d: _rows(), (("drafts.index", None, _plain()),),
               None, "pencil"),
        # orders
        Figure("orders_held", _l("Held orders"), COUNT, "orders", lambda d: _rows(SalesOrder.state == "held"),
               (("orders.index", P.ORDER_READ, _plain(state="held")),), P.ORDER_READ, "hand-stop", True,
               lambda d: _sum(SalesOrder.gross, SalesOrder.state == "held")),
        Figure("orders_to_ship", _l("Orders to ship"), COUNT, "orders",
               lambda d: _rows(_in(SalesOrder.state, "confirmed", "part_shipped")),
               (("orders.index", P.ORDER_READ, _plain(state=["confirmed", "part_shipped"])),), P.ORDER_READ, "package",
               also=lambda d: _sum(SalesOrder.gross, _in(SalesOrder.state, "confirmed", "part_shipped"))),
        Figure("orders_not_billed", _l("Shipped, not billed"), COUNT, "orders",
               lambda d: _rows(SalesOrder.state == "shipped"),
               (("orders.index", P.ORDER_READ, _plain(state="shipped")),), P.ORDER_READ, "file-invoice",
               also=lambda d: _sum(SalesOrder.gross, SalesOrder.state == "shipped")),
        Figure("orders_today", _l("Orders today"), AMOUNT, "orders",
               lambda d: _sum(SalesOrder.gross, SalesOrder.ordered_on == d.today),
               (("orders.index", P.ORDER_READ, _span("date", lambda d: d.today)),), P.ORDER_READ, "shopping-cart",
               also=lambda d: _rows(SalesOrder.ordered_on == d.today), also_unit=COUNT, also_label=_l("orders")),
        Figure("shortages", _l("Orders short of stock"), COUNT, "shortages", lambda d: _rows(),
               (("orders.desk", P.ORDER_READ, _plain(hold="shortage")),), P.ORDER_READ, "alert-triangle", True,
               lambda d: _sum(SalesOrder.gross)),
        Figure("quotations_ending", _l("Quotations running out"), COUNT, "quotations",
               lambda d: _rows(Quotation.valid_until <= d.today + timedelta(days=ENDING_DAYS)),
               (("quotations.index", P.QUOTATION_READ,
                 lambda d: {"state": "open", "until.to": (d.today + timedelta(days=ENDING_DAYS)).isoformat()}),),
               P.QUOTATION_READ, "file-description", note=_l("within seven days")),
        Figure("returns_open", _l("Returns under way"), COUNT, "returns", lambda d: _rows(),
               (("returns.index", P.RETURN_READ, _plain(state=["requested", "approved", "received"])),), P.RETURN_READ,
               "truck-return", also=lambda d: _sum(SalesReturn.gross)),
        Figure("returns_to_approve", _l("Returns to approve"), COUNT, "returns",
               lambda d: _rows(SalesReturn.state == "requested"),
               (("returns.index", P.RETURN_READ, _plain(state="requested")),), P.RETURN_READ, "truck-return",
               also=lambda d: _sum(SalesReturn.gross, SalesReturn.state == "requested")),
        Figure("returns_to_receive", _l("Returns to receive"), COUNT, "returns",
               lambda d: _rows(SalesReturn.state == "approved"),
               (("returns.index", P.RETURN_READ, _plain(state="approved")),), P.RETURN_READ, "truck-return"),
        # goods
        Figure("to_ship", _l("To ship today"), COUNT, "shipments",
               lambda d: _rows(Shipment.state == "picked",
                               or_(Shipment.planned_on.is_(None), Shipment.planned_on <= d.today)),
               (("shipments.to_ship", P.SHIPMENT_READ, _plain()),), P.SHIPMENT_READ, "truck-delivery"),
        Figure("shipped_today", _l("Shipped today"), COUNT, "shipments",
               lambda d: _rows(Shipment.shipped_on == d.today),
               (("shipments.index", P.SHIPMENT_READ, _span("shipped_on", lambda d: d.today)),), P.SHIPMENT_READ, "truck"),
        Figure("in_transit", _l("In transit"), COUNT, "shipments", lambda d: _rows(Shipment.state == "shipped"),
               (("shipments.in_transit", P.SHIPMENT_READ, _plain()),), P.SHIPMENT_READ, "truck"),
        Figure("in_transit_amount", _l("In transit"), AMOUNT, "shipments",
               lambda d: func.coalesce(func.sum(case((Shipment.state == "shipped", _MONEY_OF_SHIPMENT))), 0),
               (("shipments.in_transit", P.SHIPMENT_READ, _plain()),), P.SHIPMENT_READ, "truck",
               also=lambda d: _rows(Shipment.state == "shipped"), also_unit=COUNT, also_label=_l("shipments")),
        Figure("late", _l("Late deliveries"), COUNT, "shipments",
               lambda d: _rows(Shipment.state == "shipped", Shipment.expected_on < d.today),
               (("shipments.in_transit", P.SHIPMENT_READ, _plain(**{"late.from": 1})),), P.SHIPMENT_READ, "clock", True),
        Figure("receipts_to_post", _l("Goods receipts to post"), COUNT, "goods_receipts", lambda d: _rows(),
               (("goods_receipts.index", P.GOODS_RECEIPT_READ, _plain(state="draft")),), P.GOODS_RECEIPT_READ, "package"),
        Figure("nothing_available", _l("Nothing available"), COUNT, "nothing_available", lambda d: None,
               (("stock.index", P.STOCK_READ, _plain(**{"available.to": 0})),), P.STOCK_READ, "box",
               note=_l("products in a warehouse")),
        Figure("stock_value", _l("Stock value"), AMOUNT, "stock_value", lambda d: None,
               (("stock.values", P.SUPPLY_PRICE_READ, _plain()),
                ("ledger.sheet", P.LEDGER_READ, _plain(code=INVENTORY)),
                ("stock.index", P.STOCK_READ, _plain())), P.SUPPLY_PRICE_READ, "building-warehouse",
               note=_l("at carrying value, net")),
        # money
        Figure("to_examine", _l("Invoices to examine"), COUNT, "applications",
               lambda d: _rows(Invoice.state == "submitted"),
               (("invoices.index", P.INVOICE_READ, _plain(state="submitted")),), P.INVOICE_READ, "file-check",
               also=lambda d: _sum(Invoice.gross, Invoice.state == "submitted")),
        Figure("to_issue", _l("Invoices to issue"), COUNT, "applications",
               lambda d: _rows(Invoice.state == "approved"),
               (("invoices.index", P.INVOICE_READ, _plain(state="approved")),), P.INVOICE_READ, "file-invoice",
               also=lambda d: _sum(Invoice.gross, Invoice.state == "approved")),
        Figure("to_bill", _l("Deliveries to bill"), COUNT, "to_bill", lambda d: func.count(distinct(Shipment.id)),
               (("invoices.to_bill", P.INVOICE_APPLY, _plain()),), P.INVOICE_APPLY, "file-plus"),
        Figure("sales_today", _l("Invoiced today"), AMOUNT, "sales",
               lambda d: _sum(Invoice.gross, Invoice.invoiced_on == d.today),
               (("invoices.index", P.INVOICE_READ, _span("invoiced_on", lambda d: d.today, **ISSUED)),), P.INVOICE_READ,
               "shopping-cart", also=lambda d: _rows(Invoice.invoiced_on == d.today), also_unit=COUNT,
               also_label=_l("invoices")),
        Figure("sales_month", _l("Sales this month"), AMOUNT, "sales",
               lambda d: _sum(Invoice.gross, Invoice.invoiced_on >= d.start),
               (("invoices.index", P.INVOICE_READ, _span("invoiced_on", lambda d: d.start, **ISSUED)),), P.INVOICE_READ,
               "trending-up", before=lambda d: _sum(Invoice.gross, Invoice.invoiced_on <= d.before_end)),
        Figure("collected_today", _l("Collected today"), AMOUNT, "collection",
               lambda d: _sum(Receipt.amount, Receipt.received_on == d.today),
               (("receipts.index", P.RECEIPT_READ, _span("received_on", lambda d: d.today, state="recorded")),),
               P.RECEIPT_READ, "cash"),
        Figure("collected_month", _l("Collected this month"), AMOUNT, "collection",
               lambda d: _sum(Receipt.amount, Receipt.received_on >= d.start),
               (("receipts.index", P.RECEIPT_READ, _span("received_on", lambda d: d.start, state="recorded")),),
               P.RECEIPT_READ, "cash", before=lambda d: _sum(Receipt.amount, Receipt.received_on <= d.before_end)),
        Figure("receivable", _l("Receivable"), AMOUNT, "open_items", lambda d: _sum(OpenItem.open_amount),
               (("receivables.items", P.RECEIVABLE_READ, _plain()),), P.RECEIVABLE_READ, "report-money"),
        Figure("overdue", _l("Overdue"), AMOUNT, "open_items", lambda d: _sum(OpenItem.open_amount, _overdue(d)),
               (("receivables.items", P.RECEIVABLE_READ,
                 lambda d: {"side": "debit", "due_on.to": d.yesterday.isoformat()}),),
               P.RECEIVABLE_READ, "alert-circle", True,
               lambda d: func.count(distinct(OpenItem.payer_id)).filter(_overdue(d)), COUNT, _l("dealers")),
        Figure("unmatched", _l("Receipts to match"), COUNT, "open_items", lambda d: _rows(_unmatched()),
               (("receivables.allocate", P.ALLOCATION_ENTER, _plain()),
                ("receivables.items", P.RECEIVABLE_READ, _plain(kind="receipt", side="credit"))),
               P.RECEIVABLE_READ, "exchange", also=lambda d: _sum(-OpenItem.open_amount, _unmatched())),
        Figure("adjustments", _l("Adjustments to approve"), COUNT, "adjustments", lambda d: _rows(),
               (("receivables.adjustments", P.RECEIVABLE_READ, _plain(state="requested")),), P.RECEIVABLE_READ, "edit",
               also=lambda d: _sum(ReceivableAdjustment.amount)),
        Figure("over_limit", _l("Dealers over their limit"), COUNT, "credit",
               lambda d: _rows(exposure_now() > limit_today()),
               (("credit.index", P.CREDIT_READ, _plain(**{"headroom.to": "-0.01"})),), P.CREDIT_READ, "gauge", True),
        Figure("limits", _l("Credit limits to decide"), COUNT, "limits", lambda d: _rows(),
               (("credit.changes", P.CREDIT_READ, _plain(state="proposed")),), P.CREDIT_READ, "scale"),
        # administration
        Figure("failed_jobs", _l("Failed jobs"), COUNT, "jobs", lambda d: _rows(),
               (("system.index", P.SYSTEM_READ, _plain()),), P.SYSTEM_READ, "server", True),
        Figure("failed_deliveries", _l("Undelivered events"), COUNT, "deliveries", lambda d: _rows(),
               (("system.index", P.SYSTEM_READ, _plain()),), P.SYSTEM_READ, "send", True),
        Figure("users", _l("Active users"), COUNT, "users", lambda d: _rows(),
               (("auth.users", P.USER_READ, _plain(active=1)),), P.USER_READ, "users"),
        Figure("people_working", _l("Working now"), COUNT, "sessions", lambda d: func.count(distinct(UserSession.user_id)),
               (("auth.users", P.USER_READ, _plain(sort="-last_seen")),), P.USER_READ, "activity",
               note=_l("signed in and active within the last quarter of an hour")),
        Figure("units", _l("Units"), COUNT, "units", lambda d: _rows(),
               (("org.units", P.ORG_READ, _plain()),), P.ORG_READ, "sitemap"),
        Figure("warehouses", _l("Warehouses"), COUNT, "warehouses", lambda d: _rows(),
               (("org.warehouses", P.ORG_READ, _plain(active=1)),), P.ORG_READ, "building-warehouse"),
        Figure("dealers", _l("Dealers"), COUNT, "dealers", lambda d: _rows(Dealer.status == "active"),
               (("dealers.index", P.DEALER_READ, _plain(status="active")),), P.DEALER_READ, "building-store",
               also=lambda d: _rows(Dealer.status == "blocked"), also_unit=COUNT, also_label=_l("blocked")),
        Figure("products", _l("Products"), COUNT, "products", lambda d: _rows(Product.status == "active"),
               (("catalogue.index", P.PRODUCT_READ, _plain(status="active")),), P.PRODUCT_READ, "box"),
    )
}  # fmt: skip


# --- reading ----------------------------------------------------------------------------------------------------------


def read(names: Iterable[str]) -> list[Read]:
    """The figures in the order asked for, one statement per source."""
    days = Days.of(clock.today())
    wanted = [FIGURES[name] for name in names]
    values: dict[tuple[str, str], Any] = {}
    for source in dict.fromkeys(figure.source for figure in wanted):
        values |= _of_source(source, [figure for figure in wanted if figure.source == source], days)
    return [
        Read(f, values[f.name, "value"], values.get((f.name, "also")), values.get((f.name, "before")), days)
        for f in wanted
    ]


def _of_source(source: str, wanted: list[Figure], days: Days) -> dict[tuple[str, str], Any]:
    if source in WHOLE:
        return {(figure.name, "value"): WHOLE[source]() for figure in wanted}
    keys, columns = [], []
    for figure in wanted:
        for part in ("value", "also", "before"):
            expression = getattr(figure, part)
            if expression is not None:
                keys.append((figure.name, part))
                columns.append(expression(days).label(f"c{len(keys)}"))
    statement = SOURCES[source](days).with_only_columns(*columns, maintain_column_froms=True).order_by(None)
    row = db.session.execute(statement).one()
    return {key: Decimal(value or 0) for key, value in zip(keys, row, strict=True)}
