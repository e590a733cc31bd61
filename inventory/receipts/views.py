"""Pages of goods receipts: list, entry grid, document."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, Response, request
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org.models import Unit, Warehouse
from inventory.receipts import grid, queries, rules, service
from inventory.receipts.models import GoodsReceipt
from inventory.receipts.schemas import ReverseIn
from inventory.stock import pages
from sdm.kernel import clock, drafts
from sdm.kernel.db import db
from sdm.kernel.documents import DocumentKind
from sdm.kernel.errors import FieldError, InvalidInput, NotFound
from sdm.kernel.frame import NavItem, may, nav, register_states, url_or_none
from sdm.kernel.i18n import _, error_text
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.schema import load
from sdm.kernel.web import flash, form_values, grid_problem, json_reply, page, see_other, view

blueprint = Blueprint("goods_receipts", __name__, url_prefix="/goods-receipts", template_folder="templates")
NO_ID = UUID(int=0)
KINDS = (
    DocumentKind(
        GoodsReceipt.kind, GoodsReceipt, "goods_receipts.show", Permission.GOODS_RECEIPT_READ, _l("Goods receipt")
    ),
)
ORIGINS = {"supplier": _l("Supplier"), "production": _l("Production"), "opening": _l("Opening stock")}
ACTIONS = {
    "create": _l("Entered"),
    "change": _l("Changed"),
    "post": _l("Posted"),
    "reverse": _l("Reversed"),
    "discard": _l("Discarded"),
}

register_states(
    GoodsReceipt.kind,
    {"draft": (_l("Draft"), "info"), "posted": (_l("Posted"), "good"), "reversed": (_l("Reversed"), "neutral")},
)
nav.register(
    NavItem("stock", _l("Goods receipts"), "goods_receipts.index", Permission.GOODS_RECEIPT_READ, "package", order=30)
)


def _select() -> Select[Any]:
    return (
        select(GoodsReceipt)
        .join(Warehouse, Warehouse.id == GoodsReceipt.warehouse_id)
        .join(Unit, Unit.id == GoodsReceipt.unit_id)
    )


def _post_one(receipt_id: Any) -> str:
    return service.post_receipt(int(receipt_id)).number


LIST = ListSpec(
    name="goods_receipts",
    title=_l("Goods receipts"),
    select=_select,
    id=GoodsReceipt.id,
    default_sort="-number",
    row_endpoint="goods_receipts.show",
    search=(GoodsReceipt.number, GoodsReceipt.supplier_name, GoodsReceipt.reference),
    card_title="number",
    columns=(
        Column("number", _l("Number"), GoodsReceipt.number, "code", filter="text"),
        Column("received_on", _l("Received on"), GoodsReceipt.received_on, "date", filter="date-range"),
        Column(
            "warehouse", _l("Warehouse"), Warehouse.name, filter="picker", picker="warehouse", filter_expr=Warehouse.id
        ),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id, visible=False),
        Column("origin", _l("Origin"), GoodsReceipt.origin, filter="choice", choices=tuple(ORIGINS.items())),
        Column("supplier_name", _l("Supplier"), GoodsReceipt.supplier_name, filter="text"),
        Column("reference", _l("Reference"), GoodsReceipt.reference, filter="text"),
        Column("state", _l("State"), GoodsReceipt.state, "state", states=GoodsReceipt.kind, filter="choice"),
        Column("qty", _l("Quantity"), queries.qty_of_receipt(), "quantity", total=True),
        Column("value", _l("Carrying value"), queries.value_of_receipt(), "amount", total=True),
        Column("note", _l("Note"), GoodsReceipt.note, visible=False),
    ),
    presets=(Preset(_l("Not posted yet"), "state=draft"),),
    buttons=(Button(_l("New goods receipt"), "goods_receipts.new", Permission.GOODS_RECEIPT_POST),),
    actions=(
        BulkAction(
            "post",
            _l("Post"),
            _post_one,
            Permission.GOODS_RECEIPT_POST,
            confirm=_l("Post %(count)s goods receipts: the goods are in stock then"),
        ),
    ),
    empty=_l("Enter what arrived at a warehouse, or import the opening stock."),
    empty_button=Button(_l("New goods receipt"), "goods_receipts.new", Permission.GOODS_RECEIPT_POST),
)


@blueprint.route("/", methods=["GET", "POST"])
@view(Permission.GOODS_RECEIPT_READ)
def index() -> AnyResponse | str:
    """All goods receipts in scope."""
    return render_list(LIST)


@blueprint.get("/<int:id>")
@view(Permission.GOODS_RECEIPT_READ)
def show(id: int) -> str:
    """One goods receipt."""
    shown = queries.receipt_page(id)
    return page(
        "receipts/show.html",
        shown=shown,
        receipt=shown.receipt,
        origin=pages.word(ORIGINS, shown.receipt.origin),
        steps=_steps(shown),
        key=str(uuid4()),
        today=clock.today(),
        may_reverse=_may_post() and "reverse" in rules.allowed_steps(shown.receipt.state),
        chain=pages.chain(GoodsReceipt.kind, id),
        history=pages.history(GoodsReceipt.kind, id, ACTIONS),
        moves=pages.move_rows(GoodsReceipt.kind, id),
        move_columns=pages.MOVE_COLUMNS,
    )


def _may_post() -> bool:
    return may(Permission.GOODS_RECEIPT_POST)


def _steps(shown: queries.ReceiptPage) -> list[dict[str, Any]]:
    """What may be done next, as buttons; the reversal has a form of its own."""
    receipt = shown.receipt
    if not _may_post() or receipt.state != "draft":
        return []
    fields = {"version": receipt.version}
    return [
        {"label": _("Discard"), "url": url_or_none("goods_receipts.discard", id=receipt.id), "tone": "bad",
         "icon": "trash", "fields": fields, "confirm": _("Discard the draft %(number)s", number=receipt.number)},
        {"label": _("Change"), "url": url_or_none("goods_receipts.edit", id=receipt.id), "method": "get",
         "icon": "edit"},
        {"label": _("Post"), "url": url_or_none("goods_receipts.post", id=receipt.id), "primary": True,
         "icon": "check", "fields": fields},
    ]  # fmt: skip


def _version() -> int | None:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


@blueprint.post("/<int:id>/post")
@view(Permission.GOODS_RECEIPT_POST)
def post(id: int) -> AnyResponse:
    """Post a draft."""
    ref = service.post_receipt(id, _version())
    flash(_("Goods receipt %(number)s posted", number=ref.number))
    return see_other("goods_receipts.show", id=id)


@blueprint.post("/<int:id>/reverse")
@view(Permission.GOODS_RECEIPT_POST)
def reverse(id: int) -> AnyResponse:
    """Take a posted receipt back."""
    values = load(ReverseIn(), {k: v for k, v in form_values(ReverseIn()).items() if k in {"reversed_on", "reason"}})
    ref = service.reverse_receipt(id, _version(), **values)
    flash(_("Goods receipt %(number)s reversed", number=ref.number))
    return see_other("goods_receipts.show", id=id)


@blueprint.post("/<int:id>/discard")
@view(Permission.GOODS_RECEIPT_POST)
def discard(id: int) -> AnyResponse:
    """Delete a draft."""
    service.discard_receipt(id, _version())
    flash(_("The draft is discarded"))
    return see_other("goods_receipts.index")


# --- entry ------------------------------------------------------------------------------------------------------------


@blueprint.get("/new")
@view(Permission.GOODS_RECEIPT_POST)
def new() -> str:
    """The entry grid for a new receipt."""
    return page("receipts/entry.html", config=_config([], None), receipt=None, origins=_origins(), today=clock.today())


@blueprint.get("/<int:id>/edit")
@view(Permission.GOODS_RECEIPT_POST)
def edit(id: int) -> AnyResponse | str:
    """The entry grid on a draft; a posted receipt shows its page."""
    shown = queries.receipt_page(id)
    if shown.receipt.state != "draft":
        return see_other("goods_receipts.show", id=id)
    lines = [
        {
            "product": {"id": line.product_id, "code": line.code, "label": line.name},
            "qty": grid.plain(line.qty),
            "unit": line.base_unit,
            "unit_cost": "" if line.unit_cost is None else grid.plain(line.unit_cost),
        }
        for line in shown.lines
    ]
    config = _config(lines, shown.receipt)
    return page(
        "receipts/entry.html",
        config=config,
        receipt=shown.receipt,
        warehouse=shown.warehouse,
        origins=_origins(),
        today=clock.today(),
    )


def _origins() -> list[tuple[str, str]]:
    return [(code, str(label)) for code, label in ORIGINS.items()]


def _config(lines: list[dict[str, Any]], receipt: GoodsReceipt | None) -> dict[str, Any]:
    submit = url_or_none("goods_receipts.submit")
    if receipt is not None:
        submit = url_or_none("goods_receipts.submit", id=receipt.id, version=receipt.version)
    config: dict[str, Any] = {
        "kind": GoodsReceipt.kind,
        "columns": [
            {"key": "product", "label": _("Product"), "type": "picker", "edit": True, "required": True,
             "pick": url_or_none("pick.product"), "width": 320},
            {"key": "qty", "label": _("Quantity"), "type": "quantity", "edit": True, "required": True, "default": "1",
             "width": 110},
{"key": "unit", "label": _("Unit"), "type": "text", "edit": True, "width": 90},
            {"key": "base_qty", "label": _("In base units"), "type": "text", "width": 120, "phone": False},
            {"key": "unit_cost", "label": _("Cost per unit, net"), "type": "price", "edit": True, "width": 140},
            {"key": "cost", "label": _("Cost"), "type": "amount", "width": 130},
        ],
        "lines": lines,
        "urls": {
            "quote": url_or_none("goods_receipts.quote"),
            "submit": submit,
            "draft": url_or_none("goods_receipts.draft", uuid=NO_ID),
            "leave": url_or_none("goods_receipts.index"),
        },
        "actions": [{"key": "save", "label": _("Save as draft")}, {"key": "post", "label": _("Post"), "primary": True}],
        "line_max": rules.LINES_MAX,
        "scan": "product",
        "quantity": "qty",
    }  # fmt: skip
    if receipt is not None:
        config["id"] = str(receipt.uuid)
    return config


def _body() -> dict[str, Any]:
    body = request.get_json(silent=True)
    return body if isinstance(body, dict) else {}


def _lines(body: dict[str, Any]) -> list[Any]:
    lines = body.get("lines")
    return lines if isinstance(lines, list) else []


@blueprint.post("/quote")
@view(Permission.GOODS_RECEIPT_POST)
def quote() -> Response:
    """Answer of one change of the grid: products, faults per cell, totals."""
    body = _body()
    lines = grid.read_lines(_lines(body))
    filled = [line for line in lines if not line.empty]
    qty = sum(line.base_qty for line in filled)
    facts = [
        {"label": _("Lines"), "value": str(len(filled))},
        {"label": _("Quantity"), "value": f"{qty:,f}".rstrip("0").rstrip(".") if qty else "0"},
        {"label": _("Cost"), "value": f"{sum(line.cost for line in filled):,.2f}"},
    ]
    answers = {line.key: grid.answer(line) for line in lines}
    return json_reply({"lines": answers, "head_errors": {}, "holds": [], "facts": facts, "note": ""})


@blueprint.post("/submit")
@view(Permission.GOODS_RECEIPT_POST)
def submit() -> Response:
    """Save or post what the grid holds; all faults at once, each with its cell."""
    body = _body()
    given = body.get("head")
    head, faults = grid.read_head(given if isinstance(given, dict) else {})
    lines = grid.read_lines(_lines(body))
    pointers = {f"/head/{key}": text for key, text in faults.items()}
    pointers |= {f"/lines/{i}/{key}": text for i, line in enumerate(lines) for key, text in line.errors.items()}
    if len(_lines(body)) > rules.LINES_MAX:
        many = FieldError("lines", "receipt.too_many_lines", len(_lines(body)), {"max": rules.LINES_MAX})
        pointers["/lines"] = error_text(many)
    elif all(line.empty for line in lines):
        pointers["/lines"] = error_text(FieldError("lines", "receipt.no_lines"))
    uuid = _uuid(body.get("document_id"))
    if uuid is None:
        pointers["/document_id"] = error_text(
            FieldError("document_id", "input.uuid", str(body.get("document_id"))[:80])
        )
    if pointers or uuid is None:
        return grid_problem(pointers)
    try:
        ref = _save(grid.to_input(uuid, head, lines), body.get("action") == "post")
    except InvalidInput as error:
        db.session.rollback()
        return grid_problem({_pointer(fault.field): error_text(fault) for fault in error.errors})
    return json_reply({"location": url_or_none("goods_receipts.show", id=ref.id)}, 201)


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _save(entered: rules.ReceiptInput, post_it: bool) -> DocumentRef:
    receipt_id, version = request.args.get("id", type=int), request.args.get("version", type=int)
    if receipt_id is not None and version is not None:
        return service.change_receipt(receipt_id, version, entered, post=post_it)
    return service.save_receipt(entered, post=post_it)


def _pointer(field: str) -> str:
    """Pointer of a service's fault: ``lines.0.product_id`` → ``/lines/0/product``."""
    path = field.replace(".product_id", ".product").replace(".", "/")
    return f"/{path}" if path.startswith("lines") else f"/head/{path}"


@blueprint.route("/drafts/<uuid:uuid>", methods=["GET", "PUT", "DELETE"])
@view(Permission.GOODS_RECEIPT_POST)
def draft(uuid: UUID) -> Response:
    """What is being typed, kept for its author."""
    if request.method == "PUT":
        body = _body()
        drafts.save(uuid, GoodsReceipt.kind, {"head": body.get("head") or {}, "lines": body.get("lines") or []})
        return json_reply({"saved_at": clock.now()})
    if request.method == "DELETE":
        drafts.discard(uuid)
        return Response(status=204)
    found = drafts.load(uuid)
    if found is None:
        raise NotFound("not_found", kind="draft", id=str(uuid))
    return json_reply({"saved_at": found.updated_at, "content": found.content})
