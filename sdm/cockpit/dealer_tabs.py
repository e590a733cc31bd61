"""What other domains show on the dealer's page: orders, deliveries, stock, receivable, exposure (CD-11, CD-12)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Blueprint
from sqlalchemy import func, select

from branches.catalogue.models import Product
from branches.orders.models import SalesOrder
from branches.org import dealers_queries
from branches.org.dealers_tabs import DealerFigure, DealerTab, register, register_figures
from finance.credit import queries as credit
from finance.receivables.models import OpenItem
from inventory.channel.models import StockBucket
from inventory.shipments.models import Shipment, ShipmentLine
from sdm.kernel import clock, formats
from sdm.kernel.db import db
from sdm.kernel.frame import may, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.permissions import Permission
from sdm.kernel.web import page, view

blueprint = Blueprint("dealer_tabs", __name__, url_prefix="/dealers/<int:id>/tabs", template_folder="templates")
ROWS = 30

register(
    DealerTab("orders", _l("Orders"), "dealer_tabs.orders", Permission.ORDER_READ, 10),
    DealerTab("deliveries", _l("Deliveries"), "dealer_tabs.deliveries", Permission.SHIPMENT_READ, 20),
    DealerTab("stock", _l("Stock at the dealer"), "dealer_tabs.stock", Permission.CHANNEL_READ, 30),
    DealerTab("receivable", _l("Receivable"), "dealer_tabs.receivable", Permission.RECEIVABLE_READ, 40),
    DealerTab("exposure", _l("Credit exposure"), "dealer_tabs.exposure", Permission.CREDIT_READ, 50),
)


def figures(dealer_id: int) -> Iterable[DealerFigure]:
    """Limit, exposure, headroom, overdue of the payer."""
    if not may(Permission.CREDIT_READ):
        return []
    dealer = dealers_queries.dealer(dealer_id)
    found = credit.headroom(dealer.payer)
    url = url_or_none("credit.show", payer_id=dealer.payer)
    overdue = found.overdue_amount
    return [
        DealerFigure(_("Credit limit"), formats.amount(found.limit), url),
        DealerFigure(_("Credit exposure"), formats.amount(found.exposure), url),
        DealerFigure(_("Headroom"), formats.amount(found.headroom), url, "bad" if found.headroom < 0 else ""),
        DealerFigure(
            _("Overdue"), formats.amount(overdue), url_or_none("receivables.account", payer_id=dealer.payer),
            "bad" if overdue else "",
        ),
    ]  # fmt: skip


register_figures(figures)


def _table(columns: list[dict[str, Any]], rows: list[dict[str, Any]], **more: Any) -> str:
    return page("cockpit/tab.html", columns=columns, rows=rows, **more)


@blueprint.get("/orders")
@view(Permission.ORDER_READ)
def orders(id: int) -> str:
    """The latest orders of the dealer."""
    dealers_queries.dealer(id)
    found = db.session.execute(
        select(SalesOrder).where(SalesOrder.dealer_id == id).order_by(SalesOrder.id.desc()).limit(ROWS)
    ).scalars()
    rows = [
        {"number": row.number, "url": url_or_none("orders.show", id=row.id), "day": row.ordered_on, "state": row.state,
         "gross": row.gross}
        for row in found
    ]  # fmt: skip
    columns = [
        {"key": "number", "label": _("Number"), "kind": "code", "url": "url"},
        {"key": "day", "label": _("Order date"), "kind": "date"},
        {"key": "state", "label": _("State"), "kind": "state", "states": "sales_order"},
        {"key": "gross", "label": _("Amount"), "kind": "amount"},
    ]
    return _table(columns, rows, all_url=url_or_none("orders.index", dealer=id), empty=_("No orders yet"))


@blueprint.get("/deliveries")
@view(Permission.SHIPMENT_READ)
def deliveries(id: int) -> str:
    """The latest shipments to the dealer."""
    dealers_queries.dealer(id)
    qty = select(func.sum(ShipmentLine.qty)).where(ShipmentLine.shipment_id == Shipment.id).scalar_subquery()
    amount = select(func.sum(ShipmentLine.amount)).where(ShipmentLine.shipment_id == Shipment.id).scalar_subquery()
    statement = select(
        Shipment.id, Shipment.number, Shipment.state, Shipment.shipped_on, Shipment.signed_on, qty.label("qty"),
        amount.label("amount"),
    )  # fmt: skip
    found = db.session.execute(statement.where(Shipment.dealer_id == id).order_by(Shipment.id.desc()).limit(ROWS))
    rows = [{**row._mapping, "url": url_or_none("shipments.show", id=row.id)} for row in found]
    columns = [
        {"key": "number", "label": _("Number"), "kind": "code", "url": "url"},
        {"key": "state", "label": _("Delivery state"), "kind": "state", "states": "shipment"},
        {"key": "shipped_on", "label": _("Shipped on"), "kind": "date"},
        {"key": "signed_on", "label": _("Signed on"), "kind": "date"},
        {"key": "qty", "label": _("Quantity"), "kind": "quantity"},
        {"key": "amount", "label": _("Amount"), "kind": "amount"},
    ]
    return _table(columns, rows, all_url=url_or_none("shipments.index", dealer=id), empty=_("No deliveries yet"))


@blueprint.get("/stock")
@view(Permission.CHANNEL_READ)
def stock(id: int) -> str:
    """What the dealer still holds, by product."""
    dealers_queries.dealer(id)
    statement = (
        select(
            Product.id, Product.code, Product.name, func.sum(StockBucket.remaining_qty).label("qty"),
            func.sum(StockBucket.remaining_qty * StockBucket.protected_price).label("value"),
            func.min(StockBucket.received_on).label("since"),
        )
        .select_from(StockBucket)
        .join(Product, Product.id == StockBucket.product_id)
        .where(StockBucket.dealer_id == id, StockBucket.remaining_qty > 0)
        .group_by(Product.id)
        .order_by(func.sum(StockBucket.remaining_qty).desc(), Product.id)
        .limit(200)
    )  # fmt: skip
    rows = [
        {**row._mapping, "url": url_or_none("channel.card", dealer_id=id, product_id=row.id)}
        for row in db.session.execute(statement)
    ]
    columns = [
        {"key": "code", "label": _("Code"), "kind": "code", "url": "url"},
        {"key": "name", "label": _("Product")},
        {"key": "qty", "label": _("Quantity"), "kind": "quantity"},
        {"key": "value", "label": _("Value at the protected price"), "kind": "amount"},
        {"key": "since", "label": _("Oldest since"), "kind": "date"},
    ]
    return _table(
        columns, rows, all_url=url_or_none("channel.index", dealer=id), empty=_("The dealer holds nothing of ours")
    )


@blueprint.get("/receivable")
@view(Permission.RECEIVABLE_READ)
def receivable(id: int) -> str:
    """Open items of the dealer's payer."""
    payer_id = dealers_queries.dealer(id).payer
    statement = (
        select(OpenItem)
        .where(OpenItem.payer_id == payer_id, OpenItem.open_amount != 0)
        .order_by(OpenItem.due_on, OpenItem.id)
        .limit(200)
    )
    today = clock.today()
    rows = [
        {"number": row.number, "day": row.dated_on, "due": row.due_on, "late": max(0, (today - row.due_on).days) or None,
         "amount": row.amount, "open": row.open_amount}
        for row in db.session.execute(statement).scalars()
    ]  # fmt: skip
    columns = [
        {"key": "number", "label": _("Number"), "kind": "code"},
        {"key": "day", "label": _("Date"), "kind": "date"},
        {"key": "due", "label": _("Due"), "kind": "date"},
        {"key": "late", "label": _("Days overdue"), "kind": "integer"},
        {"key": "amount", "label": _("Amount"), "kind": "amount"},
        {"key": "open", "label": _("Open"), "kind": "amount"},
    ]
    totals = {"open": sum(row["open"] for row in rows)} if rows else {}
    url = url_or_none("receivables.account", payer_id=payer_id)
    return _table(columns, rows, totals=totals, all_url=url, empty=_("Nothing is open"))


@blueprint.get("/exposure")
@view(Permission.CREDIT_READ)
def exposure(id: int) -> str:
    """Credit exposure by bucket."""
    payer_id = dealers_queries.dealer(id).payer
    found = credit.headroom(payer_id)
    told = (
        (_("Open orders"), found.buckets.open_orders),
        (_("Shipped, not invoiced"), found.buckets.shipped),
        (_("On consignment"), found.buckets.consigned),
        (_("Open invoices and memos"), found.buckets.items),
        (_("Bank acceptances"), found.buckets.acceptances),
        (_("Receipts not applied"), -found.buckets.receipts),
        (_("Credit exposure"), found.exposure),
        (_("Credit limit"), found.limit),
        (_("Headroom"), found.headroom),
    )
    columns = [{"key": "name", "label": _("Figure")}, {"key": "amount", "label": _("Amount"), "kind": "amount"}]
    rows = [{"name": name, "amount": amount} for name, amount in told]
    return _table(columns, rows, all_url=url_or_none("credit.show", payer_id=payer_id), empty="")
