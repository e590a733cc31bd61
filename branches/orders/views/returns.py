"""Sales returns: list, request from delivered lines, page with its steps (OS-08)."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.orders import reads, service
from branches.orders.inputs import ReturnInput, ReturnLineInput
from branches.orders.models import SalesReturn
from branches.orders.views.common import ACTIONS, number_of, reason, version
from branches.org import queries as org
from branches.org.models import Dealer, Unit
from inventory.stock import pages
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.frame import NavItem, may, nav, url_or_none
from sdm.kernel.i18n import _, _l, current_locale
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import errors_of, flash, page, render_422, see_other, view

blueprint = Blueprint("returns", __name__, url_prefix="/returns", template_folder="../templates")
nav.register(NavItem("sales", _l("Sales returns"), "returns.index", Permission.RETURN_READ, "truck-return", order=50))
NEW = Button(_l("New return"), "returns.new", Permission.RETURN_ENTER)
REASONS = {
    "damaged": _l("Damaged"),
    "wrong_goods": _l("Wrong goods"),
    "quality": _l("Quality"),
    "unsold": _l("Not sold"),
    "other": _l("Other"),
}


def _select() -> Select[Any]:
    return (
        select(SalesReturn).join(Dealer, Dealer.id == SalesReturn.dealer_id).join(Unit, Unit.id == SalesReturn.unit_id)
    )


LIST = ListSpec(
    name="returns",
    title=_l("Sales returns"),
    select=_select,
    id=SalesReturn.id,
    default_sort="-number",
    row_endpoint="returns.show",
    search=(SalesReturn.number, Dealer.name, Dealer.pinyin, SalesReturn.external_number),
    card_title="number",
    columns=(
        Column("number", _l("Number"), SalesReturn.number, "code", filter="text"),
        Column("date", _l("Requested on"), SalesReturn.requested_on, "date", filter="date-range"),
        Column(
            "dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=SalesReturn.dealer_id
        ),
        Column("state", _l("State"), SalesReturn.state, "state", states="sales_return", filter="choice"),
        Column("gross", _l("Amount"), SalesReturn.gross, "amount", filter="number-range", total=True),
        Column("reason", _l("Reason"), SalesReturn.reason_code, choices=lambda: reasons(), filter="choice"),
        Column("received_on", _l("Received on"), SalesReturn.received_on, "date", filter="date-range"),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=SalesReturn.unit_id),
    ),
    presets=(Preset(_l("To approve"), "state=requested"), Preset(_l("To receive"), "state=approved")),
    buttons=(NEW,),
    empty=_l("Request a return from the delivered lines of a dealer."),
    empty_button=NEW,
)


def reasons() -> list[tuple[str, Any]]:
    """(code, word) of the reasons: the company's option list, or the delivered one."""
    english = current_locale() == "en"
    own = org.options("return_reason")
    return [(row.code, row.name_en if english and row.name_en else row.name) for row in own] or [*REASONS.items()]


@blueprint.get("/")
@view(Permission.RETURN_READ)
def index() -> AnyResponse | str:
    """All returns in scope."""
    return render_list(LIST)


@blueprint.get("/new")
@view(Permission.RETURN_ENTER)
def new() -> str:
    """Choose a dealer, then what comes back of his deliveries."""
    return page("returns/new.html", **_form(number_of("dealer_id", request.args), number_of("order_id", request.args)))


def _form(dealer_id: int | None, order_id: int | None) -> dict[str, Any]:
    dealer = None
    if dealer_id is not None:
        dealer = db.session.execute(select(Dealer).where(Dealer.id == dealer_id)).scalar_one_or_none()
    return {
        "dealer": dealer,
        "order_id": order_id,
        "rows": reads.returnable(dealer.id, order_id) if dealer else [],
        "reasons": reasons(),
        "uuid": request.form.get("uuid") or str(uuid4()),
        "typed": {key: value for key, value in request.form.items() if key.startswith("qty-")},
    }


@blueprint.post("/new")
@view(Permission.RETURN_ENTER)
def create() -> AnyResponse | tuple[str, int]:
    """Request the return."""
    try:
        ref = service.request_return(_entered())
    except InvalidInput as error:
        db.session.rollback()
        context = _form(number_of("dealer_id"), number_of("order_id"))
        return render_422("returns/new.html", _by_row(errors_of(error), _line_ids()), **context)
    flash(_("Return %(number)s requested", number=ref.number))
    return see_other("returns.show", id=ref.id)


def _line_ids() -> list[int]:
    return [
        int(key[4:])
        for key, value in request.form.items()
        if key.startswith("qty-") and key[4:].isdecimal() and value.strip()
    ]


def _entered() -> ReturnInput:
    faults: list[FieldError] = []
    lines = [ReturnLineInput(line_id, _qty(line_id, index, faults)) for index, line_id in enumerate(_line_ids())]
    if faults:
        raise InvalidInput(faults)
    return ReturnInput(
        dealer_id=number_of("dealer_id") or 0,
        reason_code=request.form.get("reason_code", ""),
        lines=tuple(lines),
        uuid=_uuid(request.form.get("uuid", "")),
        note=request.form.get("note", "").replace("\x00", "")[:2000],
    )


def _qty(line_id: int, index: int, faults: list[FieldError]) -> Decimal:
    text = request.form.get(f"qty-{line_id}", "").replace(",", "").strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number != number.quantize(Decimal("0.001")) or abs(number) > 10**12:
        faults.append(FieldError(f"lines.{index}.qty", "input.number", text[:40]))
        return Decimal(0)
    return number


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return uuid4()


def _by_row(errors: Any, line_ids: list[int]) -> Any:
    """Faults of lines under the name of their field."""
    for name in [name for name in errors if name.startswith("lines.")]:
        index = name.split(".")[1]
        if index.isdecimal() and int(index) < len(line_ids):
            errors[f"qty-{line_ids[int(index)]}"] = errors.pop(name)
    if "lines" in errors:
        errors.setdefault("_schema", []).extend(errors.pop("lines"))
    return errors


@blueprint.get("/<int:id>")
@view(Permission.RETURN_READ)
def show(id: int) -> str:
    """One return."""
    shown = reads.return_page(id)
    return page("returns/show.html", **_shown(shown))


def _shown(shown: reads.ReturnPage) -> dict[str, Any]:
    row = shown.row
    words = {code: str(word) for code, word in reasons()}
    return {
        "shown": shown,
        "row": row,
        "reason_word": words.get(row.reason_code, row.reason_code),
        "steps": _steps(shown),
        "may_receive": row.state == "approved" and may(Permission.GOODS_RECEIPT_POST),
        "chain": reads.chain("sales_return", row.id),
        "history": pages.history("sales_return", row.id, ACTIONS),
        "moves": pages.move_rows("sales_return", row.id),
        "move_columns": pages.MOVE_COLUMNS,
        "key": str(uuid4()),
    }


def _steps(shown: reads.ReturnPage) -> list[dict[str, Any]]:
    row = shown.row
    fields = {"version": row.version}
    steps: list[dict[str, Any]] = []
    if row.state == "requested" and may(Permission.RETURN_APPROVE):
        url = url_or_none("returns.decide", id=row.id)
        told = _("Reject return %(number)s", number=row.number)
        steps.append(
            {
                "label": _("Reject"),
                "url": url,
                "tone": "bad",
                "icon": "x",
                "fields": fields | {"result": "reject"},
                "confirm": told,
            }
        )
        if row.created_by_id != current().user_id or row.created_by_id is None:
            steps.append(
                {
                    "label": _("Approve"),
                    "url": url,
                    "primary": True,
                    "icon": "check",
                    "fields": fields | {"result": "approve"},
                }
            )
    if row.state == "received" and may(Permission.RETURN_APPROVE):
        url = url_or_none("returns.credit", id=row.id)
        steps.append({"label": _("Credit"), "url": url, "primary": True, "icon": "file-invoice"})
    return steps


@blueprint.post("/<int:id>/decide")
@view(Permission.RETURN_APPROVE)
def decide(id: int) -> AnyResponse:
    """Approve or reject."""
    ref = service.decide_return(id, request.form.get("result") == "approve", reason(), version=version())
    flash(_("Return %(number)s decided", number=ref.number))
    return see_other("returns.show", id=id)


@blueprint.post("/<int:id>/receive")
@view(Permission.GOODS_RECEIPT_POST)
def receive(id: int) -> AnyResponse | tuple[str, int]:
    """Goods are back in a warehouse."""
    shown = reads.return_page(id)
    faults: list[FieldError] = []
    quantities = {}
    for line in shown.lines:
        if f"qty-{line['id']}" in request.form:
            quantities[line["id"]] = _qty(line["id"], line["id"], faults)
    try:
        if faults:
            raise InvalidInput(faults)
        ref = service.receive_return(id, number_of("warehouse_id"), quantities or None, version=version())
    except InvalidInput as error:
        db.session.rollback()
        errors = errors_of(error)
        for name in [name for name in errors if name.startswith("lines.")]:
            errors[f"qty-{name.split('.')[1]}"] = errors.pop(name)
        return render_422("returns/show.html", errors, **_shown(reads.return_page(id)))
    flash(_("Return %(number)s received", number=ref.number))
    return see_other("returns.show", id=id)


@blueprint.post("/<int:id>/credit")
@view(Permission.RETURN_APPROVE)
def credit(id: int) -> AnyResponse:
    """Credit what was billed; runs by itself after the receipt too."""
    ref = service.credit_return(id)
    flash(_("Return %(number)s credited", number=ref.number))
    return see_other("returns.show", id=id)
