"""What other domains show on the dealer's page: orders, deliveries, stock, receivable, exposure, returns (CD-11, CD-12).

Each tab is fetched when it is first shown, holds the latest rows and links to the list filtered on the dealer. The
documents of doubles that were merged into the dealer are his.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from flask import Blueprint
from sqlalchemy import func, select

from branches.catalogue.models import Product
from branches.orders.models import SalesOrder, SalesReturn
from branches.org import dealers_queries
from branches.org.dealers_tabs import DealerFigure, DealerTab, register, register_figures
from finance.credit import queries as credit
from finance.receivables import queries as receivables
from finance.receivables.views.account import document_url
from inventory.channel.models import StockBucket
from inventory.shipments.models import Shipment, ShipmentLine
from inventory.shipments.queries import sum_of_lines
from sdm.kernel import clock, formats
from sdm.kernel.db import db
from sdm.kernel.frame import may, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import page, view

blueprint = Blueprint("dealer_tabs", __name__, url_prefix="/dealers/<int:id>/tabs", template_folder="templates")
ROWS = 20
ITEMS = 50

register(
    DealerTab("orders", _l("Orders"), "dealer_tabs.orders", Permission.ORDER_READ, 10),
    DealerTab("deliveries", _l("Deliveries"), "dealer_tabs.deliveries", Permission.SHIPMENT_READ, 20),
    DealerTab("stock", _l("Stock at the dealer"), "dealer_tabs.stock", Permission.CHANNEL_READ, 30),
    DealerTab("receivable", _l("Receivable"), "dealer_tabs.receivable", Permission.RECEIVABLE_READ, 40),
    DealerTab("exposure", _l("Credit exposure"), "dealer_tabs.exposure", Permission.CREDIT_READ, 50),
    DealerTab("returns", _l("Returns"), "dealer_tabs.returns", Permission.RETURN_READ, 60),
)


def figures(dealer_id: int) -> Iterable[DealerFigure]:
    """Limit, exposure, headroom, overdue of the payer; nothing when the payer is out of the reader's scope."""
    dealer = dealers_queries.dealer(dealer_id)
    if not may(Permission.CREDIT_READ) or dealer.payer not in dealers_queries.names_of([dealer.payer]):
        return []
    found = credit.headroom(dealer.payer)
    url = url_or_none("credit.show", payer_id=dealer.payer)
    due = (clock.today() - timedelta(days=1)).isoformat()
    late = url_or_none("receivables.items", payer=dealer.payer, side="debit", **{"due_on.to": due})
    told = formats.plain_amount
    return [
        DealerFigure(_("Credit limit"), told(found.limit), url),
        DealerFigure(_("Credit exposure"), told(found.exposure), url),
        DealerFigure(_("Headroom"), told(found.headroom), url, "bad" if found.headroom < 0 else ""),
        DealerFigure(_("Overdue"), told(found.overdue_amount), late if may(Permission.RECEIVABLE_READ) else None,
                     "bad" if found.overdue_amount else ""),
    ]  # fmt: skip


register_figures(figures)


def _family(dealer_id: int) -> list[int]:
    """The dealer in scope (NotFound otherwise) and the doubles merged into it."""
    dealers_queries.dealer(dealer_id)
    return sorted(dealers_queries.family_ids(dealer_id))


def _column(key: str, label: str, kind: str = "text", **more: Any) -> dict[str, Any]:
    return {"key": key, "label": label, "kind": kind, **more}


def _number() -> dict[str, Any]:
    return _column("number", _("Number"), "code", url="url")


def _table(columns: list[dict[str, Any]], rows: list[dict[str, Any]], empty: str, **more: Any) -> str:
    return page("cockpit/tab.html", columns=columns, rows=rows, empty=empty, **more)


def _rows(statement: Any, endpoint: str) -> list[dict[str, Any]]:
    return [{**row._mapping, "url": url_or_none(endpoint, id=row.id)} for row in db.session.execute(statement)]


@blueprint.get("/orders")
@view(Permission.ORDER_READ)
def orders(id: int) -> str:
    """The latest orders of the dealer."""
    family = _family(id)
    statement = (
        select(SalesOrder.id, SalesOrder.number, SalesOrder.ordered_on, SalesOrder.state, SalesOrder.gross)
        .where(SalesOrder.dealer_id.in_(family))
        .order_by(SalesOrder.id.desc())
        .limit(ROWS)
    )
    columns = [
        _number(),
        _column("ordered_on", _("Order date"), "date"),
        _column("state", _("State"), "state", states="sales_order"),
        _column("gross", _("Amount"), "amount"),
    ]
    url = url_or_none("orders.index", dealer=family)
    return _table(columns, _rows(statement, "orders.show"), _("No orders yet"), all_url=url)


@blueprint.get("/deliveries")
@view(Permission.SHIPMENT_READ)
def deliveries(id: int) -> str:
    """The latest shipments to the dealer."""
    family = _family(id)
    statement = (
        select(
            Shipment.id, Shipment.number, Shipment.state, Shipment.shipped_on, Shipment.expected_on, Shipment.signed_on,
            sum_of_lines(ShipmentLine.qty).label("qty"), sum_of_lines(ShipmentLine.amount).label("amount"),
        )
        .where(Shipment.dealer_id.in_(family))
        .order_by(Shipment.id.desc())
        .limit(ROWS)
    )  # fmt: skip
    columns = [
        _number(),
        _column("state", _("Delivery state"), "state", states="shipment"),
        _column("shipped_on", _("Shipped on"), "date"),
        _column("expected_on", _("Expected on"), "date"),
        _column("signed_on", _("Signed on"), "date"),
        _column("qty", _("Quantity"), "quantity"),
        _column("amount", _("Amount"), "amount"),
    ]
    url = url_or_none("shipments.index", dealer=family)
    return _table(columns, _rows(statement, "shipments.show"), _("No deliveries yet"), all_url=url)


@blueprint.get("/stock")
@view(Permission.CHANNEL_READ)
def stock(id: int) -> str:
    """What the dealer still holds, by product, the most valuable first."""
    family = _family(id)
    value = func.sum(StockBucket.remaining_qty * StockBucket.protected_price)
    statement = (
        select(
            Product.id, Product.code, Product.name, func.sum(StockBucket.remaining_qty).label("qty"),
            value.label("value"), func.min(StockBucket.received_on).label("since"),
        )
        .select_from(StockBucket)
        .join(Product, Product.id == StockBucket.product_id)
        .where(StockBucket.dealer_id.in_(family), StockBucket.remaining_qty > 0)
        .group_by(Product.id)
        .order_by(value.desc(), Product.id)
        .limit(ITEMS)
    )  # fmt: skip
    rows = [
        {**row._mapping, "url": url_or_none("channel.card", dealer_id=id, product_id=row.id)}
        for row in db.session.execute(statement)
    ]
    columns = [
        _column("code", _("Code"), "code", url="url"),
        _column("name", _("Product")),
        _column("qty", _("Quantity"), "quantity"),
        _column("value", _("Value"), "amount"),
        _column("since", _("Oldest since"), "date"),
    ]
    url = url_or_none("channel.index", dealer=family)
    return _table(columns, rows, _("The dealer holds nothing of ours"), all_url=url)


@blueprint.get("/receivable")
@view(Permission.RECEIVABLE_READ)
def receivable(id: int) -> str:
    """The six columns of the dealer's payer (FI-32) and his open items, debit items by due date first."""
    payer_id = dealers_queries.dealer(id).payer
    if payer_id not in dealers_queries.names_of([payer_id]):
        return _table([], [], _("The payer of this dealer belongs to another branch"))
    today = clock.today()
    six = receivables.ledgers(payer_id, today)
    rows = [
        {"number": row.number, "url": document_url(row.document_kind, row.document_id), "day": row.dated_on,
         "due": row.due_on, "late": max(0, (today - row.due_on).days) or None if row.amount > 0 else None,
         "amount": row.amount, "open": row.open_amount}
        for row in receivables.open_items(payer_id, ITEMS)
    ]  # fmt: skip
    columns = [
        _number(),
        _column("day", _("Date"), "date"),
        _column("due", _("Due date"), "date"),
        _column("late", _("Days overdue"), "integer"),
        _column("amount", _("Amount"), "amount"),
        _column("open", _("Open"), "amount"),
    ]
    told = [
        (_("Shipped"), six.shipped), (_("Collected"), six.collected), (_("Invoiced"), six.invoiced),
        (_("Receivable"), six.receivable), (_("Stock at the dealer"), six.stock), (_("In transit"), six.in_transit),
    ]  # fmt: skip
    return _table(
        columns, rows, _("Nothing is open"), facts=[(label, formats.amount(amount)) for label, amount in told],
        all_url=url_or_none("receivables.items", payer=payer_id),
        links=[(_("Account"), url_or_none("receivables.account", payer_id=payer_id)),
               (_("Statement"), url_or_none("receivables.statement", payer_id=payer_id))],
    )  # fmt: skip


@blueprint.get("/exposure")
@view(Permission.CREDIT_READ)
def exposure(id: int) -> str:
    """Credit exposure by bucket against the limit."""
    payer_id = dealers_queries.dealer(id).payer
    if payer_id not in dealers_queries.names_of([payer_id]):
        return _table([], [], _("The payer of this dealer belongs to another branch"))
    found = credit.headroom(payer_id)
    parts = (
        (_("Open orders"), found.buckets.open_orders, url_or_none("orders.index", dealer=id, state="confirmed")),
        (_("Shipped, not invoiced"), found.buckets.shipped, url_or_none("shipments.index", dealer=id)),
        (_("On consignment"), found.buckets.consigned, url_or_none("channel.index", dealer=id, ownership="consigned")),
        (_("Open items"), found.buckets.items, url_or_none("receivables.items", payer=payer_id)),
        (_("Bank acceptances"), found.buckets.acceptances, None),
        (_("Receipts not allocated"), -found.buckets.receipts, url_or_none("receivables.items", payer=payer_id)),
    )
    columns = [_column("name", _("Part of the exposure"), url="url"), _column("amount", _("Amount"), "amount")]
    rows = [{"name": name, "amount": amount, "url": url} for name, amount, url in parts if amount]
    told = [(_("Credit limit"), formats.amount(found.limit)), (_("Credit exposure"), formats.amount(found.exposure)),
            (_("Headroom"), formats.amount(found.headroom))]  # fmt: skip
    url = url_or_none("credit.show", payer_id=payer_id)
    return _table(columns, rows, _("Nothing uses the limit"), facts=told, links=[(_("Credit account"), url)])


@blueprint.get("/returns")
@view(Permission.RETURN_READ)
def returns(id: int) -> str:
    """The latest returns of the dealer."""
    family = _family(id)
    names = ("id", "number", "requested_on", "received_on", "state", "gross")
    statement = select(*(getattr(SalesReturn, name) for name in names)).where(SalesReturn.dealer_id.in_(family))
    columns = [
        _number(),
        _column("requested_on", _("Requested on"), "date"),
        _column("received_on", _("Received on"), "date"),
        _column("state", _("State"), "state", states="sales_return"),
        _column("gross", _("Amount"), "amount"),
    ]
    rows = _rows(statement.order_by(SalesReturn.id.desc()).limit(ROWS), "returns.show")
    return _table(columns, rows, _("No returns yet"), all_url=url_or_none("returns.index", dealer=family))
