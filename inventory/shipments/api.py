"""Shipments for programs."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from inventory.shipments import queries, steps
from inventory.shipments.models import Shipment
from inventory.shipments.rules import Signed
from inventory.shipments.schemas import (
    CancelIn,
    PlanIn,
    SendOutIn,
    ShipmentFullOut,
    ShipmentOut,
    ShipmentQuery,
    SignIn,
)
from sdm.kernel import api
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission

blueprint = api.blueprint("shipments", __name__)
FIELDS = (
    "kind", "id", "number", "state", "version", "uuid", "unit_id", "order_id", "dealer_id", "warehouse_id",
    "owner_unit_id", "ownership", "carrier", "waybill", "ship_to", "planned_on", "expected_on", "shipped_on",
    "signed_on", "signed_by",
)  # fmt: skip


@api.route(
    blueprint, "/shipments", permission=Permission.SHIPMENT_READ, query=ShipmentQuery, response=ShipmentOut,
    summary="Shipments", paged=True,
)  # fmt: skip
def list_shipments(query: dict[str, Any]) -> api.Page:
    """Shipments in scope, oldest first."""
    statement = select(Shipment)
    for name in ("state", "dealer_id", "warehouse_id", "order_id"):
        if query[name] is not None:
            statement = statement.where(getattr(Shipment, name) == query[name])
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    blueprint, "/shipments/<int:id>", permission=Permission.SHIPMENT_READ, response=ShipmentFullOut,
    summary="One shipment",
)  # fmt: skip
def get_shipment(id: int) -> dict[str, Any]:
    """A shipment with its lines."""
    shown = queries.shipment_page(id)
    return {**{name: getattr(shown.shipment, name) for name in FIELDS}, "lines": shown.lines}


@api.route(
    blueprint, "/shipments/<int:id>/send-out", methods=["POST"], permission=Permission.SHIPMENT_POST, request=SendOutIn,
    response=api.RefSchema, summary="Goods leave the warehouse", if_match=True,
)  # fmt: skip
def send_out(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """The goods are in transit then."""
    return steps.send_out(id, version=version, **body)


@api.route(
    blueprint, "/shipments/<int:id>/sign", methods=["POST"], permission=Permission.SHIPMENT_SIGN, request=SignIn,
    response=api.RefSchema, summary="The dealer signs", if_match=True,
)  # fmt: skip
def sign(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Per line, signed, short and refused add up to what was shipped."""
    lines = body.pop("lines")
    signed = {line["line_id"]: Signed(line["signed"], line["short"], line["refused"]) for line in lines}
    return steps.sign(id, version=version, signed=signed, **body)


@api.route(
    blueprint, "/shipments/<int:id>/plan", methods=["PATCH"], permission=Permission.SHIPMENT_POST, request=PlanIn,
    response=api.RefSchema, summary="Change the delivery plan", if_match=True,
)  # fmt: skip
def plan(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """Planned and expected day, carrier, waybill; what is left out stays."""
    return steps.plan(id, version=version, **body)


@api.route(
    blueprint, "/shipments/<int:id>/cancel", methods=["POST"], permission=Permission.SHIPMENT_POST, request=CancelIn,
    response=api.RefSchema, summary="A picked shipment is not sent", if_match=True,
)  # fmt: skip
def cancel(id: int, body: dict[str, Any], version: int | None) -> DocumentRef:
    """The order keeps its reservation."""
    return steps.cancel(id, version=version, **body)
