"""The entry grid of orders: new ones, changes; one answer per change, one order per document however often it is sent."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from branches.orders import grid, queries, reads, service
from branches.orders.inputs import OrderChange
from branches.orders.models import SalesOrder
from branches.orders.views.common import body
from branches.orders.views.orders import blueprint
from sdm.kernel import documents
from sdm.kernel.db import db
from sdm.kernel.draft_views import entry_page
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.frame import may, url_or_none
from sdm.kernel.i18n import _, _l, error_text
from sdm.kernel.permissions import Permission
from sdm.kernel.web import grid_problem, json_reply, page, see_other, view

NOTHING = UUID(int=0)

entry_page("sales_order", _l("Sales order"), "orders.new")


def columns() -> list[dict[str, Any]]:
    """Columns of the grid of orders and quotations."""
    return [
        {"key": "product", "label": _("Product"), "type": "picker", "edit": True, "required": True,
         "pick": url_or_none("pick.product"), "width": 300},
        {"key": "qty", "label": _("Quantity"), "type": "quantity", "edit": True, "required": True, "width": 100},
        {"key": "unit", "label": _("Unit"), "type": "text", "edit": True, "enter": False, "width": 70},
        {"key": "price", "label": _("Price"), "type": "price", "edit": True, "enter": False, "width": 110},
        {"key": "discount", "label": f"{_('Discount')} %", "type": "percent", "edit": True, "enter": False, "width": 90},
        {"key": "amount", "label": _("Amount"), "type": "amount", "width": 130},
        {"key": "stock", "label": _("Available"), "type": "quantity", "width": 100},
        {"key": "reason", "label": _("Reason for another price"), "type": "text", "edit": True, "enter": False, "width": 180,
         "phone": False},
    ]  # fmt: skip


def config(kind: str, submit: str | None, leave: str | None, actions: list[dict[str, Any]]) -> dict[str, Any]:
    """Configuration of the grid."""
    return {
        "kind": kind,
        "columns": columns(),
        "lines": [],
        "urls": {
            "quote": url_or_none("orders.quote"),
            "submit": submit,
            "draft": url_or_none("drafts.item", draft_id=NOTHING),
            "leave": leave,
        },
        "actions": actions,
        "line_max": 1000,
        "scan": "product",
        "quantity": "qty",
    }


@blueprint.get("/new")
@view(Permission.ORDER_ENTER)
def new() -> str:
    """The entry grid for a new order."""
    actions = [{"key": "submit", "label": _("Submit"), "primary": True}]
    if may(Permission.QUOTATION_ENTER):
        actions.insert(0, {"key": "quote", "label": _("Save as quotation")})
    made = config("sales_order", url_or_none("orders.submit"), url_or_none("orders.index"), actions)
    return page("orders/entry.html", config=made, order=None, title=_("New order"))


@blueprint.get("/<int:id>/edit")
@view(Permission.ORDER_ENTER)
def edit(id: int) -> AnyResponse | str:
    """The entry grid on an order that can still be changed; others show their page."""
    shown = reads.order_page(id)
    if shown.order.state not in {"held", "confirmed", "part_shipped"}:
        return see_other("orders.show", id=id)
    submit = url_or_none("orders.submit_change", id=id, version=shown.order.version)
    actions = [{"key": "change", "label": _("Save changes"), "primary": True}]
    made = config("sales_order_change", submit, url_or_none("orders.show", id=id), actions)
    made["lines"] = _present_lines(id)
    made["urls"].pop("draft")
    return page("orders/entry.html", config=made, order=shown.order, shown=shown, title=shown.order.number)


def _present_lines(order_id: int) -> list[dict[str, Any]]:
    lines = queries.lines_of(order_id)
    names = queries.products([line.product_id for line in lines])
    return [_present(line, names[line.product_id]) for line in lines if line.cancelled_qty < line.qty]


def _present(line: Any, product: Any) -> dict[str, Any]:
    found = {
        "key": str(line.id),
        "product": {"id": line.product_id, "code": product.code, "label": product.name},
        "qty": grid.plain(line.entered_qty),
        "unit": line.entered_unit,
    }
    if line.price != line.list_price:
        found |= {"price": grid.plain_price(line.price), "reason": line.price_reason}
    return found


@blueprint.post("/quote")
@view(Permission.ORDER_ENTER)
def quote() -> Response:
    """The answer to one change of the grid."""
    answer = grid.answer(body())
    db.session.rollback()
    return json_reply(answer)


@blueprint.post("/submit")
@view(Permission.ORDER_ENTER)
def submit() -> Response:
    """Save the order (or the quotation) that the grid holds; all faults at once, each with its cell."""
    order = grid.read(body())
    if problem := _unreadable(order):
        return problem
    if body().get("action") == "quote":
        return _answered(order, lambda: service.quote(order.as_input(order.lines)), "quotations.show")
    return _answered(order, lambda: service.submit_order(order.as_input(order.lines)), "orders.show")


@blueprint.post("/<int:id>/change")
@view(Permission.ORDER_ENTER)
def submit_change(id: int) -> Response:
    """Save a changed order."""
    row: SalesOrder = documents.get(SalesOrder, id)
    order = grid.read(body())
    order.dealer_id = row.dealer_id
    if problem := _unreadable(order):
        return problem
    change = OrderChange(
        lines=tuple(line.as_input() for line in order.lines),
        warehouse_id=order.warehouse_id or None,
        requested_on=order.requested_on,
        ship_to=order.ship_to,
        note=order.note,
    )
    version = request.args.get("version", type=int)
    return _answered(order, lambda: service.change_order(id, change, version), "orders.show")


def _unreadable(order: grid.GridOrder) -> Response | None:
    if order.uuid == NOTHING:
        order.errors["dealer_id"] = error_text(FieldError("document_id", "input.uuid"))
    faults = order.pointers()
    return grid_problem(faults) if faults else None


def _answered(order: grid.GridOrder, run: Any, endpoint: str) -> Response:
    try:
        ref = run()
    except InvalidInput as error:
        db.session.rollback()
        return grid_problem({_pointer(fault.field): error_text(fault) for fault in error.errors})
    return json_reply({"location": url_or_none(endpoint, id=ref.id), "number": ref.number, "state": ref.state}, 201)


def _pointer(field: str) -> str:
    """``lines.0.product_id`` → ``/lines/0/product``; head fields → ``/head/…``."""
    parts = field.split(".")
    if parts[0] == "lines" and len(parts) == 3:
        return f"/lines/{parts[1]}/{grid.COLUMNS.get(parts[2], parts[2])}"
    return f"/head/{parts[0]}"
