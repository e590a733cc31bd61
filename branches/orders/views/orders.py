"""List and document page of orders, and the steps that change them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.orders import queries, reads, service
from branches.orders.kinds import HOLD_LABELS
from branches.orders.models import SalesOrder
from branches.orders.reads import OrderPage
from branches.orders.views.common import ACTIONS, MODES, SOURCES, number_of, reason, version
from branches.org.models import Dealer, Unit, Warehouse
from inventory.stock import pages
from sdm.kernel import documents
from sdm.kernel.errors import NotFound
from sdm.kernel.frame import NavItem, may, nav, url_or_none
from sdm.kernel.i18n import _, _l
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import flash, page, see_other, view

blueprint = Blueprint("orders", __name__, url_prefix="/orders", template_folder="../templates")
nav.register(NavItem("sales", _l("Sales orders"), "orders.index", Permission.ORDER_READ, "shopping-cart", order=10))
NEW = Button(_l("New order"), "orders.new", Permission.ORDER_ENTER)


def _select() -> Select[Any]:
    return (
        select(SalesOrder)
        .join(Dealer, Dealer.id == SalesOrder.dealer_id)
        .join(Unit, Unit.id == SalesOrder.unit_id)
        .join(Warehouse, Warehouse.id == SalesOrder.warehouse_id)
    )


def _recheck(order_id: Any) -> str:
    ref = service.recheck_order(int(order_id))
    return f"{ref.number} {_('is confirmed') if ref.state != 'held' else _('is still held')}"


def _cancel(order_id: Any) -> str:
    return service.cancel_order(int(order_id), _("Cancelled in the list")).number


def _pick(order_id: Any) -> str:
    return service.pick(int(order_id)).number


LIST = ListSpec(
    name="orders",
    title=_l("Sales orders"),
    select=_select,
    id=SalesOrder.id,
    default_sort="-number",
    row_endpoint="orders.show",
    search=(SalesOrder.number, Dealer.name, Dealer.pinyin, SalesOrder.external_number),
    card_title="number",
    columns=(
        Column("number", _l("Number"), SalesOrder.number, "code", filter="text"),
        Column("date", _l("Order date"), SalesOrder.ordered_on, "date", filter="date-range"),
        Column("dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=SalesOrder.dealer_id),
        Column("state", _l("State"), SalesOrder.state, "state", states="sales_order", filter="choice"),
        Column("gross", _l("Amount"), SalesOrder.gross, "amount", filter="number-range", total=True),
        Column(
            "source", _l("Source"), SalesOrder.source, filter="choice", choices=tuple(SOURCES.items())
        ),
        Column(
            "warehouse", _l("Warehouse"), Warehouse.name, filter="picker", picker="warehouse",
            filter_expr=SalesOrder.warehouse_id,
        ),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=SalesOrder.unit_id),
        Column("requested_on", _l("Requested on"), SalesOrder.requested_on, "date", filter="date-range"),
        Column(
            "mode", _l("Settlement"), SalesOrder.settlement_mode, filter="choice", choices=tuple(MODES.items()),
            visible=False,
        ),
        Column("net", _l("Net"), SalesOrder.net, "amount", total=True, visible=False),
        Column(
            "profit", _l("Profit"), SalesOrder.net - SalesOrder.cost, "amount", total=True, visible=False,
            permission=Permission.SUPPLY_PRICE_READ,
        ),
        Column("external", _l("External number"), SalesOrder.external_number, filter="text", visible=False),
        Column("note", _l("Note"), SalesOrder.note, visible=False),
    ),
    presets=(
        Preset(_l("Held"), "state=held"),
        Preset(_l("To ship"), "state=confirmed&state=part_shipped"),
        Preset(_l("Not billed"), "state=shipped&state=short_closed"),
    ),
    buttons=(NEW,),
    actions=(
        BulkAction("recheck", _l("Check again"), _recheck, Permission.ORDER_ENTER, icon="refresh"),
        BulkAction(
            "pick", _l("Make shipments"), _pick, Permission.SHIPMENT_POST,
            confirm=_l("Make one shipment of everything open for each of %(count)s orders"), icon="truck",
        ),
        BulkAction(
            "cancel", _l("Cancel"), _cancel, Permission.ORDER_CANCEL,
            confirm=_l("Cancel %(count)s orders: their stock and credit are free again"), tone="bad", icon="x",
        ),
    ),
    empty=_l("Enter the first order; it takes a paste from Excel or a scanner too."),
    empty_button=NEW,
)  # fmt: skip


@blueprint.route("/", methods=["GET", "POST"])
@view(Permission.ORDER_READ)
def index() -> AnyResponse | str:
    """Orders of every source in one list (OS-23)."""
    return render_list(LIST)


@blueprint.get("/<int:id>")
@view(Permission.ORDER_READ)
def show(id: int) -> str:
    """One order: holds, chain, lines, profit, history, postings."""
    shown = reads.order_page(id)
    return page(
        "orders/show.html",
        shown=shown,
        order=shown.order,
        mode=MODES.get(shown.order.settlement_mode, ""),
        source=SOURCES.get(shown.order.source, shown.order.source),
        steps=_steps(shown),
        chain=reads.chain("sales_order", id),
        history=pages.history("sales_order", id, ACTIONS),
        key=str(uuid4()),
    )


def _steps(shown: OrderPage) -> list[dict[str, Any]]:
    """What may be done next; the likeliest step is the primary one."""
    order, found = shown.order, []
    fields = {"version": order.version}
    if order.state in {"held", "confirmed", "part_shipped"} and may(Permission.ORDER_ENTER):
        url = url_or_none("orders.edit", id=order.id)
        found.append({"label": _("Change"), "url": url, "method": "get", "icon": "edit"})
    if order.state in {"submitted", "held", "confirmed"} and not shown.picked and may(Permission.ORDER_CANCEL):
        found.append(_cancel_step(shown, fields))
    started = any(line["shipped"] for line in shown.lines)
    if order.state in {"part_shipped", "held"} and started and shown.open_qty and may(Permission.ORDER_CANCEL):
        found.append(_short_close_step(shown, fields))
    if any(line["signed"] - line["returned"] > 0 for line in shown.lines) and may(Permission.RETURN_ENTER):
        url = url_or_none("returns.new", dealer_id=order.dealer_id, order_id=order.id)
        found.append({"label": _("Return goods"), "url": url, "method": "get", "icon": "truck-return"})
    primary = _primary(shown, fields)
    return [*found, {**primary, "primary": True}] if primary and primary["url"] else found


def _cancel_step(shown: OrderPage, fields: dict[str, Any]) -> dict[str, Any]:
    order = shown.order
    told = _("Cancel order %(number)s: stock and credit of %(amount)s are free again",
             number=order.number, amount=f"{order.gross:,.2f}")  # fmt: skip
    return {"label": _("Cancel"), "url": url_or_none("orders.cancel", id=order.id), "tone": "bad", "icon": "x",
            "fields": fields, "confirm": told}  # fmt: skip


def _short_close_step(shown: OrderPage, fields: dict[str, Any]) -> dict[str, Any]:
    order = shown.order
    told = _("Short-close order %(number)s: %(qty)s units are not shipped any more",
             number=order.number, qty=f"{shown.open_qty.normalize():f}")  # fmt: skip
    return {"label": _("Short-close"), "url": url_or_none("orders.short_close", id=order.id), "tone": "bad",
            "icon": "player-stop", "fields": fields, "confirm": told}  # fmt: skip


def _primary(shown: OrderPage, fields: dict[str, Any]) -> dict[str, Any] | None:
    """Check again, ship, sign or bill: whatever moves the order on."""
    order = shown.order
    if order.state == "held":
        url = url_or_none("orders.recheck", id=order.id)
        return (
            {"label": _("Check again"), "url": url, "icon": "refresh", "fields": fields}
            if may(Permission.ORDER_ENTER)
            else None
        )
    if order.state in {"confirmed", "part_shipped"} and shown.unpicked_qty > 0 and may(Permission.SHIPMENT_POST):
        url = url_or_none("orders.pick", id=order.id)
        return {"label": _("Make shipment"), "url": url, "icon": "package",
                "fields": fields | {"uuid": str(uuid4())}}  # fmt: skip
    for rows, label in ((shown.picked, _("Ship %(number)s")), (shown.unsigned, _("Record signature of %(number)s"))):
        if rows and may(Permission.SHIPMENT_READ):
            url = url_or_none("shipments.show", id=rows[0][0])
            return {"label": label % {"number": rows[0][1]}, "url": url, "method": "get", "icon": "truck-delivery"}
    if shown.to_bill and may(Permission.INVOICE_APPLY):
        url = url_or_none("invoices.to_bill", dealer=order.dealer_id)
        return {"label": _("Bill"), "url": url, "method": "get", "icon": "file-invoice"}
    return None


# --- steps ------------------------------------------------------------------------------------------------------------


@blueprint.post("/<int:id>/recheck")
@view(Permission.ORDER_ENTER)
def recheck(id: int) -> AnyResponse:
    """Measure a held order again."""
    ref = service.recheck_order(id, version())
    if ref.state == "held":
        flash(_("Order %(number)s is still held", number=ref.number), "warn")
    else:
        flash(_("Order %(number)s is confirmed", number=ref.number))
    return see_other("orders.show", id=id)


@blueprint.post("/<int:id>/release")
@view(Permission.ORDER_READ)
def release(id: int) -> AnyResponse:
    """Release one hold; the command asks for the right that this hold needs."""
    ref = service.release_hold(_hold_of(id), reason())
    flash(_("Order %(number)s: hold released", number=ref.number))
    return see_other("orders.show", id=id)


def _hold_of(order_id: int) -> int:
    """Id of the posted hold, which must be one of this order in scope."""
    documents.get(SalesOrder, order_id)
    hold_id = number_of("hold_id")
    found = {hold.id for hold in queries.holds_of(order_id)}
    if hold_id not in found:
        raise NotFound("not_found", kind="order_hold", id=hold_id)
    return int(hold_id or 0)


@blueprint.post("/<int:id>/cancel")
@view(Permission.ORDER_CANCEL)
def cancel(id: int) -> AnyResponse:
    """Cancel an order of which nothing has left."""
    ref = service.cancel_order(id, reason(), version())
    flash(_("Order %(number)s cancelled", number=ref.number))
    return see_other("orders.show", id=id)


@blueprint.post("/<int:id>/short-close")
@view(Permission.ORDER_CANCEL)
def short_close(id: int) -> AnyResponse:
    """Give up what is not shipped."""
    ref = service.short_close(id, reason(), version())
    flash(_("Order %(number)s short-closed", number=ref.number))
    return see_other("orders.show", id=id)


@blueprint.post("/<int:id>/pick")
@view(Permission.SHIPMENT_POST)
def pick(id: int) -> AnyResponse:
    """One click turns an order into a shipment (OS-07); the shipment's page goes on."""
    given = request.form.get("uuid", "")
    try:
        uuid = UUID(given)
    except ValueError:
        uuid = uuid4()
    ref = service.pick(id, version=version(), uuid=uuid)
    flash(_("Shipment %(number)s made", number=ref.number))
    return see_other("shipments.show", id=ref.id)


def hold_choices() -> list[tuple[str, Any]]:
    """(kind, word) of all holds."""
    return list(HOLD_LABELS.items())
