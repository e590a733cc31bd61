"""Orders, quotations and returns for programs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sqlalchemy import select

from branches.orders import queries, schemas, service
from branches.orders.inputs import OrderChange, OrderInput, OrderLineInput, ReturnInput, ReturnLineInput
from branches.orders.models import Quotation, SalesOrder, SalesOrderLine, SalesReturn
from sdm.kernel import api, documents
from sdm.kernel.errors import NotFound
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission

orders = api.blueprint("orders", __name__)
returns = api.blueprint("returns", __name__)
quotations = api.blueprint("quotations", __name__)


def _columns(row: Any) -> dict[str, Any]:
    """A document's columns with its kind."""
    return {"kind": row.kind, **{column.key: getattr(row, column.key) for column in row.__mapper__.column_attrs}}


def _filtered(statement: Any, model: Any, query: Mapping[str, Any], *names: str) -> Any:
    for name in names:
        if query[name] is not None:
            statement = statement.where(getattr(model, name) == query[name])
    return statement


def _lines(body: Mapping[str, Any]) -> tuple[OrderLineInput, ...]:
    return tuple(OrderLineInput(**line) for line in body["lines"])


def _order(body: dict[str, Any]) -> OrderInput:
    values = {**body, "uuid": body["uuid"] or uuid4(), "lines": _lines(body)}
    return OrderInput(**values, source="api")


def _quantities(lines: list[dict[str, Any]] | None) -> dict[int, Decimal] | None:
    return None if lines is None else {line["line_id"]: line["qty"] for line in lines}


# --- orders -----------------------------------------------------------------------------------------------------------


@api.route(
    orders, "/orders", permission=Permission.ORDER_READ, query=schemas.OrderQuery, response=schemas.OrderOut,
    summary="Orders", paged=True,
)  # fmt: skip
def list_orders(query: dict[str, Any]) -> api.Page:
    """Orders in scope, oldest first."""
    names = ("state", "dealer_id", "warehouse_id", "source", "external_number")
    statement = _filtered(select(SalesOrder), SalesOrder, query, *names)
    if query["ordered_from"] is not None:
        statement = statement.where(SalesOrder.ordered_on >= query["ordered_from"])
    if query["ordered_to"] is not None:
        statement = statement.where(SalesOrder.ordered_on <= query["ordered_to"])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    orders, "/orders", methods=["POST"], permission=Permission.ORDER_ENTER, request=schemas.OrderIn,
    response=api.RefSchema, summary="Enter an order", creates=True, location="get_order",
)  # fmt: skip
def submit_order(body: dict[str, Any]) -> DocumentRef:
    """Confirmed with credit and stock held, or held with every reason (`state`)."""
    return service.submit_order(_order(body))


@api.route(
    orders, "/orders/preview", methods=["POST"], permission=Permission.ORDER_ENTER, request=schemas.OrderIn,
    response=schemas.PreviewOut, summary="An order as it would be saved",
)  # fmt: skip
def preview_order(body: dict[str, Any]) -> Any:
    """Prices, stock, faults and holds; writes nothing."""
    return service.preview(_order(body))


@api.route(
    orders, "/orders/<int:id>", permission=Permission.ORDER_READ, response=schemas.OrderFullOut, summary="One order"
)
def get_order(id: int) -> dict[str, Any]:
    """An order with lines and holds."""
    row = queries.order(id)
    return {**_columns(row), "lines": queries.lines_of(row.id), "holds": queries.holds_of(row.id)}


@api.route(
    orders, "/orders/<int:id>", methods=["PUT"], permission=Permission.ORDER_ENTER, request=schemas.OrderChangeIn,
    response=api.RefSchema, summary="Change an order", if_match=True,
)  # fmt: skip
def change_order(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """All lines as they shall be, through the same gate."""
    return service.change_order(id, OrderChange(**{**body, "lines": _lines(body)}), version)


@api.route(
    orders, "/orders/<int:id>/recheck", methods=["POST"], permission=Permission.ORDER_ENTER, response=api.RefSchema,
    summary="Measure a held order again", if_match=True,
)  # fmt: skip
def recheck_order(id: int, version: int | None) -> DocumentRef:
    """Confirmed when nothing holds it any more."""
    return service.recheck_order(id, version)


def _step(name: str, permission: str, request: Any, summary: str, run: Any) -> None:
    """A step of an order: POST /orders/<id>/<name> with If-Match."""

    def step(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
        ref: DocumentRef = run(id, body, version)
        return ref

    step.__name__, step.__doc__ = f"{name.replace('-', '_')}_order", summary
    api.route(
        orders, f"/orders/<int:id>/{name}", methods=["POST"], permission=permission, request=request,
        response=api.RefSchema, summary=summary, if_match=True,
    )(step)  # fmt: skip


_step(
    "cancel", Permission.ORDER_CANCEL, schemas.ReasonIn, "Cancel an order of which nothing has left",
    lambda id, body, version: service.cancel_order(id, body["reason"], version),
)  # fmt: skip
_step(
    "short-close", Permission.ORDER_CANCEL, schemas.ShortCloseIn, "Give up what is not shipped",
    lambda id, body, version: service.short_close(id, body["reason"], version, _quantities(body["lines"])),
)  # fmt: skip


@api.route(
    orders, "/orders/<int:id>/shipments", methods=["POST"], permission=Permission.SHIPMENT_POST,
    request=schemas.PickIn, response=api.RefSchema, summary="Make a shipment from an order", creates=True,
)  # fmt: skip
def pick_order(id: int, body: dict[str, Any]) -> DocumentRef:
    """A picked shipment; prepaid orders must be covered by receipts."""
    lines = _quantities(body.pop("lines"))
    return service.pick(id, lines, **{**body, "uuid": body["uuid"] or uuid4()})


@api.route(
    orders, "/orders/<int:id>/holds/<int:hold_id>/release", methods=["POST"], permission=Permission.ORDER_READ,
    request=schemas.ReleaseIn, response=api.RefSchema, summary="Release a hold",
)  # fmt: skip
def release_hold(id: int, hold_id: int, body: dict[str, Any]) -> DocumentRef:
    """By the person entitled to this kind of hold; never by who entered the order."""
    _require_hold(id, hold_id)
    return service.release_hold(hold_id, **body)


@api.route(
    orders, "/orders/<int:id>/holds/<int:hold_id>/reject", methods=["POST"], permission=Permission.ORDER_READ,
    request=schemas.RejectIn, response=api.RefSchema, summary="Refuse to release a hold",
)  # fmt: skip
def reject_hold(id: int, hold_id: int, body: dict[str, Any]) -> DocumentRef:
    """The order is cancelled."""
    _require_hold(id, hold_id)
    return service.reject_hold(hold_id, body["reason"])


def _require_hold(order_id: int, hold_id: int) -> None:
    """The hold belongs to an order in scope."""
    queries.order(order_id)
    if hold_id not in {hold.id for hold in queries.holds_of(order_id)}:
        raise NotFound("not_found", kind="order_hold", id=hold_id)


@api.route(
    orders, "/order-lines", permission=Permission.ORDER_READ, query=schemas.LineQuery, response=schemas.LineOut,
    summary="Order lines", paged=True,
)  # fmt: skip
def list_order_lines(query: dict[str, Any]) -> api.Page:
    """Lines of orders in scope, oldest first."""
    statement = select(SalesOrderLine).join(SalesOrder, SalesOrder.id == SalesOrderLine.order_id)
    return api.page(
        _filtered(statement, SalesOrderLine, query, "product_id", "order_id"), query["cursor"], query["limit"]
    )


# --- quotations -------------------------------------------------------------------------------------------------------


@api.route(
    quotations, "/quotations", permission=Permission.QUOTATION_READ, query=schemas.QuotationQuery,
    response=schemas.QuotationOut, summary="Quotations", paged=True,
)  # fmt: skip
def list_quotations(query: dict[str, Any]) -> api.Page:
    """Quotations in scope, oldest first."""
    statement = _filtered(select(Quotation), Quotation, query, "state", "dealer_id")
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    quotations, "/quotations", methods=["POST"], permission=Permission.QUOTATION_ENTER, request=schemas.OrderIn,
    response=api.RefSchema, summary="Make a quotation", creates=True, location="get_quotation",
)  # fmt: skip
def make_quotation(body: dict[str, Any]) -> DocumentRef:
    """Priced like an order; holds neither credit nor stock. `requested_on` is the last day it is valid."""
    return service.quote(_order(body))


@api.route(
    quotations, "/quotations/<int:id>", permission=Permission.QUOTATION_READ, response=schemas.QuotationFullOut,
    summary="One quotation",
)  # fmt: skip
def get_quotation(id: int) -> dict[str, Any]:
    """A quotation with its lines."""
    row = documents.get(Quotation, id)
    return {**_columns(row), "lines": queries.quotation_lines(row.id)}


@api.route(
    quotations, "/quotations/<int:id>/order", methods=["POST"], permission=Permission.ORDER_ENTER,
    response=api.RefSchema, summary="Order what was quoted", creates=True,
)  # fmt: skip
def order_quotation(id: int) -> DocumentRef:
    """The same lines at the quoted prices, through the gate; doing it twice answers the same order."""
    return service.order_from_quotation(id)


# --- returns ----------------------------------------------------------------------------------------------------------


@api.route(
    returns, "/returns", permission=Permission.RETURN_READ, query=schemas.ReturnQuery, response=schemas.ReturnOut,
    summary="Sales returns", paged=True,
)  # fmt: skip
def list_returns(query: dict[str, Any]) -> api.Page:
    """Returns in scope, oldest first."""
    statement = _filtered(select(SalesReturn), SalesReturn, query, "state", "dealer_id")
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    returns, "/returns", methods=["POST"], permission=Permission.RETURN_ENTER, request=schemas.ReturnIn,
    response=api.RefSchema, summary="Request a return", creates=True, location="get_return",
)  # fmt: skip
def request_return(body: dict[str, Any]) -> DocumentRef:
    """Each line names a delivered line and is capped by what can still come back."""
    lines = tuple(ReturnLineInput(**line) for line in body["lines"])
    return service.request_return(
        ReturnInput(**{**body, "uuid": body["uuid"] or uuid4(), "lines": lines}, source="api")
    )


@api.route(
    returns, "/returns/<int:id>", permission=Permission.RETURN_READ, response=schemas.ReturnFullOut,
    summary="One return",
)  # fmt: skip
def get_return(id: int) -> dict[str, Any]:
    """A return with its lines."""
    row = documents.get(SalesReturn, id)
    return {**_columns(row), "lines": queries.return_lines(row.id)}


@api.route(
    returns, "/returns/<int:id>/decide", methods=["POST"], permission=Permission.RETURN_APPROVE,
    request=schemas.ReturnDecisionIn, response=api.RefSchema, summary="Approve or reject a return", if_match=True,
)  # fmt: skip
def decide_return(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """By another person than the one who asked."""
    return service.decide_return(id, version=version, **body)


@api.route(
    returns, "/returns/<int:id>/receive", methods=["POST"], permission=Permission.GOODS_RECEIPT_POST,
    request=schemas.ReturnReceiptIn, response=api.RefSchema, summary="Goods are back", if_match=True,
)  # fmt: skip
def receive_return(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Stock rises; what was billed is credited right afterwards."""
    received = _quantities(body.pop("lines"))
    return service.receive_return(id, received=received, version=version, **body)


@api.route(
    returns, "/returns/<int:id>/credit", methods=["POST"], permission=Permission.RETURN_APPROVE,
    response=api.RefSchema, summary="Credit a received return",
)  # fmt: skip
def credit_return(id: int) -> DocumentRef:
    """Runs by itself after the receipt; repeats nothing."""
    return service.credit_return(id)
