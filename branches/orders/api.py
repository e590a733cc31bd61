"""Orders, returns and quotations for programs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from branches.orders import service
from branches.orders.models import OrderHold, Quotation, SalesOrder, SalesOrderLine, SalesReturn
from branches.orders.schemas import (
    DecideIn,
    OrderChangeIn,
    OrderFullOut,
    OrderIn,
    OrderOut,
    OrderQuery,
    PickIn,
    QuotationOut,
    ReasonIn,
    ReceiveIn,
    ReleaseIn,
    ReturnIn,
    ReturnOut,
    order_change,
    order_input,
    return_input,
)
from sdm.kernel import api, documents
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission

orders = api.blueprint("orders", __name__)
returns = api.blueprint("returns", __name__)
quotations = api.blueprint("quotations", __name__)
HEAD = (
    "kind", "id", "number", "state", "version", "uuid", "unit_id", "dealer_id", "payer_id", "warehouse_id", "source",
    "ordered_on", "requested_on", "settlement_mode", "term_days", "external_number", "gross", "net", "currency",
    "created_at",
)  # fmt: skip


def _filtered(model: Any, query: dict[str, Any]) -> api.Page:
    statement = select(model)
    for name in ("state", "dealer_id", "warehouse_id"):
        if query[name] is not None:
            statement = statement.where(getattr(model, name) == query[name])
    return api.page(statement, query["cursor"], query["limit"])


# --- orders -----------------------------------------------------------------------------------------------------------


@api.route(
    orders, "/orders", permission=Permission.ORDER_READ, query=OrderQuery, response=OrderOut, summary="Sales orders",
    paged=True,
)  # fmt: skip
def list_orders(query: dict[str, Any]) -> api.Page:
    """Orders in scope, oldest first."""
    return _filtered(SalesOrder, query)


@api.route(
    orders, "/orders/<int:id>", permission=Permission.ORDER_READ, response=OrderFullOut, summary="One order",
)  # fmt: skip
def get_order(id: int) -> dict[str, Any]:
    """An order with its lines and holds."""
    row = documents.get(SalesOrder, id)
    lines = db.session.execute(
        select(SalesOrderLine).where(SalesOrderLine.order_id == id).order_by(SalesOrderLine.line_no)
    ).scalars()
    holds = db.session.execute(select(OrderHold).where(OrderHold.order_id == id).order_by(OrderHold.id)).scalars()
    return {**{name: getattr(row, name) for name in HEAD}, "lines": list(lines), "holds": list(holds)}


@api.route(
    orders, "/orders", methods=["POST"], permission=Permission.ORDER_ENTER, request=OrderIn, response=api.RefSchema,
    summary="Enter an order", creates=True, location="get_order",
)  # fmt: skip
def submit(body: dict[str, Any]) -> DocumentRef:
    """Confirmed with credit and stock held, or held with every reason (state ``held``)."""
    return service.submit_order(order_input(body, "api"))


@api.route(
    orders, "/orders/<int:id>", methods=["PUT"], permission=Permission.ORDER_ENTER, request=OrderChangeIn,
    response=api.RefSchema, summary="Change an order", if_match=True,
)  # fmt: skip
def change(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Lines as they shall be, through the same checks; what was shipped stays."""
    return service.change_order(id, order_change(body), version=version)


@api.route(
    orders, "/orders/<int:id>/cancel", methods=["POST"], permission=Permission.ORDER_CANCEL, request=ReasonIn,
    response=api.RefSchema, summary="Cancel an order", if_match=True,
)  # fmt: skip
def cancel(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Gives credit and stock back."""
    return service.cancel_order(id, version=version, **body)


@api.route(
    orders, "/orders/<int:id>/short-close", methods=["POST"], permission=Permission.ORDER_CANCEL, request=ReasonIn,
    response=api.RefSchema, summary="Give up what is still open", if_match=True,
)  # fmt: skip
def short_close(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """What was shipped stays; the open part frees credit and stock."""
    return service.short_close(id, version=version, **body)


@api.route(
    orders, "/orders/<int:id>/recheck", methods=["POST"], permission=Permission.ORDER_ENTER, response=api.RefSchema,
    summary="Check a held order again", if_match=True,
)  # fmt: skip
def recheck(id: int, version: int | None) -> DocumentRef:
    """Confirmed when the reasons are gone."""
    return service.recheck_order(id, version=version)


@api.route(
    orders, "/orders/<int:id>/shipments", methods=["POST"], permission=Permission.SHIPMENT_POST, request=PickIn,
    response=api.RefSchema, summary="Pick a shipment from an order", creates=True,
)  # fmt: skip
def pick(id: int, body: dict[str, Any]) -> DocumentRef:
    """Everything open, or the named lines."""
    lines = body.pop("lines")
    wanted = None if lines is None else {line["line_id"]: line["qty"] for line in lines}
    return service.pick(id, lines=wanted, **body)


def _hold(order_id: int, hold_id: int) -> int:
    documents.get(SalesOrder, order_id)
    found = db.session.execute(
        select(OrderHold.id).where(OrderHold.id == hold_id, OrderHold.order_id == order_id)
    ).scalar_one_or_none()
    if found is None:
        raise NotFound("not_found", kind="order_hold", id=hold_id)
    return int(found)


@api.route(
    orders, "/orders/<int:id>/holds/<int:hold_id>/release", methods=["POST"], permission=Permission.ORDER_READ,
    request=ReleaseIn, response=api.RefSchema, summary="Release a hold",
)  # fmt: skip
def release(id: int, hold_id: int, body: dict[str, Any]) -> DocumentRef:
    """Only by whom the hold names; never by who entered the order."""
    return service.release_hold(_hold(id, hold_id), **body)


@api.route(
    orders, "/orders/<int:id>/holds/<int:hold_id>/reject", methods=["POST"], permission=Permission.ORDER_READ,
    request=ReasonIn, response=api.RefSchema, summary="Reject a held order",
)  # fmt: skip
def reject(id: int, hold_id: int, body: dict[str, Any]) -> DocumentRef:
    """The order is cancelled."""
    return service.reject_hold(_hold(id, hold_id), **body)


# --- returns ----------------------------------------------------------------------------------------------------------


@api.route(
    returns, "/returns", permission=Permission.RETURN_READ, query=OrderQuery, response=ReturnOut,
    summary="Sales returns", paged=True,
)  # fmt: skip
def list_returns(query: dict[str, Any]) -> api.Page:
    """Returns in scope, oldest first."""
    return _filtered(SalesReturn, query)


@api.route(
    returns, "/returns/<int:id>", permission=Permission.RETURN_READ, response=ReturnOut, summary="One return",
)  # fmt: skip
def get_return(id: int) -> Any:
    """A return without its lines."""
    return documents.get(SalesReturn, id)


@api.route(
    returns, "/returns", methods=["POST"], permission=Permission.RETURN_ENTER, request=ReturnIn,
    response=api.RefSchema, summary="Ask to take goods back", creates=True, location="get_return",
)  # fmt: skip
def request_return(body: dict[str, Any]) -> DocumentRef:
    """Linked to delivered lines and capped by what was signed and not yet returned."""
    return service.request_return(return_input(body, "api"))


@api.route(
    returns, "/returns/<int:id>/decide", methods=["POST"], permission=Permission.RETURN_APPROVE, request=DecideIn,
    response=api.RefSchema, summary="Approve or reject a return", if_match=True,
)  # fmt: skip
def decide_return(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """By another person than who asked."""
    return service.decide_return(id, version=version, **body)


@api.route(
    returns, "/returns/<int:id>/receive", methods=["POST"], permission=Permission.SHIPMENT_POST, request=ReceiveIn,
    response=api.RefSchema, summary="Goods came back", if_match=True,
)  # fmt: skip
def receive_return(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Stock rises, the credit follows."""
    lines = body.pop("lines")
    received = None if lines is None else {line["line_id"]: line["qty"] for line in lines}
    return service.receive_return(id, received=received, version=version, **body)


# --- quotations -------------------------------------------------------------------------------------------------------


@api.route(
    quotations, "/quotations", permission=Permission.QUOTATION_READ, query=OrderQuery, response=QuotationOut,
    summary="Quotations", paged=True,
)  # fmt: skip
def list_quotations(query: dict[str, Any]) -> api.Page:
    """Quotations in scope, oldest first."""
    return _filtered(Quotation, query)


@api.route(
    quotations, "/quotations/<int:id>", permission=Permission.QUOTATION_READ, response=QuotationOut,
    summary="One quotation",
)  # fmt: skip
def get_quotation(id: int) -> Any:
    """A quotation without its lines."""
    return documents.get(Quotation, id)


@api.route(
    quotations, "/quotations", methods=["POST"], permission=Permission.QUOTATION_ENTER, request=OrderIn,
    response=api.RefSchema, summary="Quote prices", creates=True, location="get_quotation",
)  # fmt: skip
def quote(body: dict[str, Any]) -> DocumentRef:
    """Priced like an order, holds nothing."""
    return service.quote(order_input(body, "api"))


@api.route(
    quotations, "/quotations/<int:id>/order", methods=["POST"], permission=Permission.ORDER_ENTER,
    response=api.RefSchema, summary="Order what was quoted", creates=True,
)  # fmt: skip
def order(id: int) -> DocumentRef:
    """The same lines at the quoted prices."""
    return service.order_from_quotation(id)
