"""Pages of shipments: lists of the storekeeper, the document with its steps, the signature form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import uuid4

from flask import Blueprint, request
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, or_, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org.models import Dealer, Unit, Warehouse
from inventory.shipments import queries, steps
from inventory.shipments.models import Shipment, ShipmentLine
from inventory.shipments.rules import Signed
from inventory.shipments.schemas import CancelIn, PlanIn, SendOutIn
from inventory.stock import pages
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.documents import DocumentKind
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.frame import NavItem, may, nav, register_states, url_or_none
from sdm.kernel.i18n import _
from sdm.kernel.listing import BulkAction, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.schema import load
from sdm.kernel.web import FormErrors, errors_of, flash, form_values, page, see_other, view

blueprint = Blueprint("shipments", __name__, url_prefix="/shipments", template_folder="templates")
KINDS = (DocumentKind(Shipment.kind, Shipment, "shipments.show", Permission.SHIPMENT_READ, _l("Shipment")),)
OWNERSHIPS = {"bought": _l("Bought"), "consigned": _l("Consignment stock")}
ACTIONS = {
    "pick": _l("Picked"),
    "plan": _l("Delivery plan changed"),
    "send_out": _l("Shipped"),
    "sign": _l("Signed"),
    "cancel": _l("Cancelled"),
}
PARTS = ("signed", "short", "refused")

register_states(
    Shipment.kind,
    {
        "picked": (_l("Picked"), "info"),
        "shipped": (_l("In transit"), "warn"),
        "signed": (_l("Signed"), "good"),
        "cancelled": (_l("Cancelled"), "neutral"),
    },
)
nav.register(
    NavItem("stock", _l("To ship"), "shipments.to_ship", Permission.SHIPMENT_READ, "truck-delivery", order=10),
    NavItem("stock", _l("In transit"), "shipments.in_transit", Permission.SHIPMENT_READ, "truck", order=20),
    NavItem("stock", _l("Shipments"), "shipments.index", Permission.SHIPMENT_READ, "list-details", order=40),
)


def _select() -> Select[Any]:
    return (
        select(Shipment)
        .join(Dealer, Dealer.id == Shipment.dealer_id)
        .join(Unit, Unit.id == Shipment.unit_id)
        .outerjoin(Warehouse, Warehouse.id == Shipment.warehouse_id)
    )


def _send_today(shipment_id: Any) -> str:
    return steps.send_out(int(shipment_id), shipped_on=clock.today()).number


def columns() -> tuple[Column, ...]:
    """Columns of every list of shipments."""
    return (
        Column("number", _l("Number"), Shipment.number, "code", filter="text"),
        Column("state", _l("Delivery state"), Shipment.state, "state", states=Shipment.kind, filter="choice"),
        Column("dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Shipment.dealer_id),
        Column(
            "warehouse",
            _l("Warehouse"),
            Warehouse.name,
            filter="picker",
            picker="warehouse",
            filter_expr=Shipment.warehouse_id,
        ),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id, visible=False),
        Column("planned_on", _l("Planned on"), Shipment.planned_on, "date", filter="date-range"),
        Column("shipped_on", _l("Shipped on"), Shipment.shipped_on, "date", filter="date-range"),
        Column("expected_on", _l("Expected on"), Shipment.expected_on, "date", filter="date-range"),
        Column("late", _l("Days late"), queries.late_by(clock.today()), "integer", filter="number-range"),
        Column("signed_on", _l("Signed on"), Shipment.signed_on, "date", filter="date-range"),
        Column("signed_by", _l("Signed by"), Shipment.signed_by, filter="text", visible=False),
        Column("carrier", _l("Carrier"), Shipment.carrier, filter="text", visible=False),
        Column("waybill", _l("Waybill"), Shipment.waybill, filter="text", visible=False),
        Column("qty", _l("Quantity"), queries.sum_of_lines(ShipmentLine.qty), "quantity", total=True),
        Column("amount", _l("Amount"), queries.sum_of_lines(ShipmentLine.amount), "amount", total=True),
        Column(
            "ownership",
            _l("Ownership"),
            Shipment.ownership,
            filter="choice",
            choices=tuple(OWNERSHIPS.items()),
            visible=False,
        ),
    )


def _spec() -> ListSpec:
    return ListSpec(
        name="shipments",
        title=_l("Shipments"),
        select=_select,
        id=Shipment.id,
        default_sort="-number",
        row_endpoint="shipments.show",
        search=(Shipment.number, Dealer.name, Dealer.pinyin, Shipment.waybill, Shipment.external_number),
        card_title="number",
        columns=columns(),
        presets=(
            Preset(_l("Picked"), "state=picked"),
            Preset(_l("In transit"), "state=shipped"),
            Preset(_l("Late"), "state=shipped&late.from=1"),
        ),
        empty=_l("Shipments are made from confirmed sales orders."),
    )


@blueprint.get("/")
@view(Permission.SHIPMENT_READ)
def index() -> AnyResponse | str:
    """All shipments in scope."""
    return render_list(_spec())


@blueprint.route("/to-ship", methods=["GET", "POST"])
@view(Permission.SHIPMENT_READ)
def to_ship() -> AnyResponse | str:
    """Picked shipments that are due today or have no day."""
    today = clock.today()

    def wanted() -> Select[Any]:
        due = or_(Shipment.planned_on.is_(None), Shipment.planned_on <= today)
        return _select().where(Shipment.state == "picked", due)

    send = BulkAction(
        "send",
        _l("Ship today"),
        _send_today,
        Permission.SHIPMENT_POST,
        confirm=_l("Ship %(count)s shipments today: the goods leave the warehouse"),
        icon="truck",
    )
    return render_list(
        replace(
            _spec(),
            name="shipments_to_ship",
            title=_l("To ship today"),
            select=wanted,
            default_sort="planned_on",
            actions=(send,),
            presets=(),
            empty=_l("Nothing waits to be shipped."),
        )
    )


@blueprint.get("/in-transit")
@view(Permission.SHIPMENT_READ)
def in_transit() -> AnyResponse | str:
    """Shipments on their way, the longest expected first."""
    return render_list(
        replace(
            _spec(),
            name="shipments_in_transit",
            title=_l("In transit"),
            select=lambda: _select().where(Shipment.state == "shipped"),
            default_sort="expected_on",
            presets=(Preset(_l("Late"), "late.from=1"),),
            empty=_l("Nothing is on its way."),
        )
    )


# --- the document -----------------------------------------------------------------------------------------------------


@blueprint.get("/<int:id>")
@view(Permission.SHIPMENT_READ)
def show(id: int) -> str:
    """One shipment."""
    return _page(id)


def _page(shipment_id: int, errors: FormErrors | None = None) -> str:
    shown = queries.shipment_page(shipment_id)
    shipment, today = shown.shipment, clock.today()
    context: dict[str, Any] = {"errors": errors, "form": request.form} if errors else {}
    return page(
        "shipments/show.html",
        shown=shown,
        shipment=shipment,
        ownership=pages.word(OWNERSHIPS, shipment.ownership),
        may_send=shipment.state == "picked" and may(Permission.SHIPMENT_POST),
        may_sign=shipment.state == "shipped" and may(Permission.SHIPMENT_SIGN),
        may_plan=shipment.state == "shipped" and may(Permission.SHIPMENT_POST),
        key=str(uuid4()),
        today=today,
        expected=shipment.expected_on or today + timedelta(days=_lead_days(shipment)),
        order_url=url_or_none("orders.show", id=shipment.order_id) if shipment.order_id else None,
        chain=pages.chain(Shipment.kind, shipment_id),
        history=pages.history(Shipment.kind, shipment_id, ACTIONS),
        moves=pages.move_rows(Shipment.kind, shipment_id),
        move_columns=pages.MOVE_COLUMNS,
        **context,
    )


def _lead_days(shipment: Shipment) -> int:
    days = db.session.execute(select(Warehouse.lead_days).where(Warehouse.id == shipment.warehouse_id)).scalar()
    return days if days is not None else 3


def _version() -> int | None:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _own(schema: Any) -> dict[str, Any]:
    """The form's values that the schema knows."""
    values = {key: value for key, value in form_values(schema).items() if key in schema.fields}
    loaded: dict[str, Any] = load(schema, values)
    return loaded


@blueprint.post("/<int:id>/send-out")
@view(Permission.SHIPMENT_POST)
def send_out(id: int) -> AnyResponse | tuple[str, int]:
    """Goods leave the warehouse."""
    try:
        ref = steps.send_out(id, version=_version(), **_own(SendOutIn()))
    except InvalidInput as error:
        return _again(id, errors_of(error))
    flash(_("Shipment %(number)s is on its way", number=ref.number))
    return see_other("shipments.show", id=id)


@blueprint.post("/<int:id>/plan")
@view(Permission.SHIPMENT_POST)
def plan(id: int) -> AnyResponse | tuple[str, int]:
    """Change the delivery plan."""
    try:
        steps.plan(id, version=_version(), **_own(PlanIn()))
    except InvalidInput as error:
        return _again(id, errors_of(error))
    flash(_("The delivery plan is changed"))
    return see_other("shipments.show", id=id)


@blueprint.post("/<int:id>/cancel")
@view(Permission.SHIPMENT_POST)
def cancel(id: int) -> AnyResponse:
    """A picked shipment is not sent."""
    ref = steps.cancel(id, version=_version(), **_own(CancelIn()))
    flash(_("Shipment %(number)s is cancelled", number=ref.number))
    return see_other("shipments.show", id=id)


@blueprint.post("/<int:id>/sign")
@view(Permission.SHIPMENT_SIGN)
def sign(id: int) -> AnyResponse | tuple[str, int]:
    """The dealer signed: in full, short or refused, per line."""
    shown = queries.shipment_page(id)
    signed, faults = _read_signature(request.form, [line.id for line in shown.lines])
    day = request.form.get("signed_on", "").strip()
    signed_by = request.form.get("signed_by", "").strip()[:200]
    if not signed_by:
        faults.append(FieldError("signed_by", "input.required"))
    try:
        signed_on = clock.today() if not day else type(clock.today()).fromisoformat(day)
    except ValueError:
        faults.append(FieldError("signed_on", "input.date", day[:40]))
        signed_on = clock.today()
    if faults:
        return _again(id, errors_of(InvalidInput(faults)))
    reopen = request.form.get("rest", "reopen") == "reopen"
    try:
        ref = steps.sign(id, version=_version(), signed=signed, signed_on=signed_on, signed_by=signed_by, reopen=reopen)
    except InvalidInput as error:
        return _again(id, errors_of(error))
    flash(_("Shipment %(number)s is signed", number=ref.number))
    return see_other("shipments.show", id=id)


def _read_signature(form: Mapping[str, str], line_ids: list[int]) -> tuple[dict[int, Signed], list[FieldError]]:
    """Parts of every line from fields like ``signed-12``; an empty field is zero."""
    signed: dict[int, Signed] = {}
    faults: list[FieldError] = []
    for line_id in line_ids:
        parts: dict[str, Decimal] = {}
        for name in PARTS:
            text = form.get(f"{name}-{line_id}", "").replace(",", "").strip()
            try:
                parts[name] = Decimal(text or "0")
            except InvalidOperation:
                faults.append(FieldError(f"lines.{line_id}.{name}", "input.number", text[:40]))
        if len(parts) == len(PARTS) and all(part.is_finite() for part in parts.values()):
            signed[line_id] = Signed(**parts)
    return signed, faults


def _again(shipment_id: int, errors: FormErrors) -> tuple[str, int]:
    """The page again with what was typed and every error in place."""
    db.session.rollback()
    return _page(shipment_id, errors), 422
