"""Pages of receipts: list, entry, document, reversal."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from flask import Blueprint, request
from marshmallow import fields, validate
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries as org
from branches.org.models import Dealer, Unit
from finance import pages
from finance.receivables import service
from finance.receivables.models import Receipt
from finance.receivables.queries.receipts import item_query, receipt_page
from finance.receivables.service import ReceiptInput
from sdm.kernel import clock
from sdm.kernel.forms import submitted
from sdm.kernel.frame import NavItem, may, nav, register_states, url_or_none
from sdm.kernel.i18n import _, _l, current_locale
from sdm.kernel.listing import Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.schema import AmountField, BaseSchema, positive
from sdm.kernel.web import flash, page, see_other, view

blueprint = Blueprint("receipts", __name__, url_prefix="/receipts", template_folder="../templates")
METHOD_WORDS = {
    "transfer": _l("Bank transfer"),
    "cash": _l("Cash"),
    "card": _l("Card"),
    "online": _l("Online payment"),
    "cheque": _l("Cheque"),
}

register_states("receipt", {"recorded": (_l("Recorded"), "good"), "reversed": (_l("Reversed"), "neutral")})
nav.register(NavItem("money", _l("Receipts"), "receipts.index", Permission.RECEIPT_READ, "cash", order=20))


def methods(active_only: bool = True) -> list[tuple[str, Any]]:
    """(code, word) of the ways in which money arrives: the company's option list, or the delivered ones."""
    english = current_locale() == "en"
    own = org.options("payment_method", active_only)
    return [(row.code, row.name_en if english and row.name_en else row.name) for row in own] or [*METHOD_WORDS.items()]


class ReceiptForm(BaseSchema):
    """A receipt as entered on the page."""

    uuid = fields.UUID(required=True)
    dealer_id = fields.Integer(required=True)
    amount = AmountField(required=True, validate=positive)
    received_on = fields.Date(required=True)
    method = fields.String(required=True, validate=validate.Length(max=64, error="input.length"))
    bank_account = fields.String(load_default="", validate=validate.Length(max=200, error="input.length"))
    reference = fields.String(load_default="", validate=validate.Length(max=200, error="input.length"))
    note = fields.String(load_default="", validate=validate.Length(max=2000, error="input.length"))
    order_id = fields.Integer(load_default=None, allow_none=True)


def _select() -> Select[Any]:
    return (
        select(Receipt)
        .join(Dealer, Dealer.id == Receipt.dealer_id)
        .join(Unit, Unit.id == Receipt.unit_id)
        .outerjoin(*item_query())
    )


def _list() -> ListSpec:
    item = item_query()[0]
    return ListSpec(
        name="receipts",
        title=_l("Receipts"),
        select=_select,
        id=Receipt.id,
        default_sort="-number",
        row_endpoint="receipts.show",
        card_title="number",
        search=(Receipt.number, Receipt.legal_number, Receipt.reference, Dealer.name),
        columns=(
            Column("number", _l("Number"), Receipt.number, "code", filter="text"),
            Column("legal_number", _l("Receipt number"), Receipt.legal_number, "code", filter="text"),
            Column("received_on", _l("Paid on"), Receipt.received_on, "date", filter="date-range"),
            Column(
                "dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Receipt.dealer_id
            ),
            Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Receipt.unit_id),
            Column("method", _l("Method"), Receipt.method, filter="choice", choices=lambda: methods(False)),
            Column("reference", _l("Bank reference"), Receipt.reference, filter="text"),
            Column("amount", _l("Amount"), Receipt.amount, "amount", filter="number-range", total=True),
            Column("unallocated", _l("Not allocated"), -item.open_amount, "amount", filter="number-range", total=True),
            Column("state", _l("State"), Receipt.state, "state", states="receipt", filter="choice"),
            Column("note", _l("Note"), Receipt.note, visible=False),
        ),
        presets=(Preset(_l("Not fully allocated"), "unallocated.from=0.01"),),
        buttons=(Button(_l("New receipt"), "receipts.new", Permission.RECEIPT_ENTER),),
        empty=_l("Enter the money that dealers have paid."),
        empty_button=Button(_l("New receipt"), "receipts.new", Permission.RECEIPT_ENTER),
    )


@blueprint.route("/", methods=["GET", "POST"])
@view(Permission.RECEIPT_READ)
def index() -> AnyResponse | str:
    """All receipts in scope."""
    return render_list(_list())


@blueprint.route("/new", methods=["GET", "POST"])
@view(Permission.RECEIPT_ENTER)
def new() -> AnyResponse | str | tuple[str, int]:
    """Entry of a receipt; the page's UUID makes a second click harmless."""
    context = {
        "methods": methods(),
        "today": clock.today(),
        "uuid": str(uuid4()),
        "dealer_id": pages.int_arg("dealer"),
        "dealer": request.args.get("dealer_text", "")[:200],
    }
    if request.method == "GET":
        return page("receivables/receipt_form.html", **context)
    return submitted(ReceiptForm(), _record, "receivables/receipt_form.html", **context)


def _record(uuid: UUID, **values: Any) -> AnyResponse:
    ref = service.record_receipt(ReceiptInput(uuid=uuid, **values))
    flash(_("Receipt %(number)s recorded", number=ref.number))
    if request.form.get("next") == "again":
        return see_other("receipts.new")
    return see_other("receipts.show", id=ref.id)


@blueprint.get("/<int:id>")
@view(Permission.RECEIPT_READ)
def show(id: int) -> str:
    """One receipt with what it settles."""
    shown = receipt_page(id)
    return page(
        "receivables/receipt.html",
        shown=shown,
        receipt=shown.receipt,
        key=str(uuid4()),
        today=clock.today(),
        method=str(dict(methods(False)).get(shown.receipt.method, shown.receipt.method)),
        steps=_steps(shown.receipt),
        chain=pages.chain("receipt", id),
        history=pages.history("receipt", id, pages.ACTIONS),
        may_reverse=shown.receipt.state == "recorded" and may(Permission.RECEIPT_REVERSE),
        allocations=[_allocation_row(row) for row in shown.allocations],
    )


def _allocation_row(row: Any) -> dict[str, Any]:
    return {
        "number": row.number,
        "due_on": row.due_on,
        "amount": row.amount,
        "on": row.allocated_on,
        "url": url_or_none("invoices.show", id=row.document_id) if row.document_kind == "invoice" else None,
    }


def _steps(receipt: Receipt) -> list[dict[str, Any]]:
    if receipt.state != "recorded" or not may(Permission.ALLOCATION_ENTER):
        return []
    return [
        {
            "label": _("Allocate"),
            "url": url_or_none("receivables.allocate_payer", payer_id=receipt.payer_id),
            "method": "get",
            "primary": True,
            "icon": "arrows-exchange",
        }
    ]


@blueprint.post("/<int:id>/reverse")
@view(Permission.RECEIPT_REVERSE)
def reverse(id: int) -> AnyResponse:
    """Reverse a receipt, with its allocations where chosen."""
    undo = request.form.get("undo") == "1"
    return pages.act(
        lambda: service.reverse_receipt(
            id, pages.text_of("reason"), pages.date_of("reversed_on"), pages.version(), undo_allocations=undo
        ),
        lambda ref: _("Receipt %(number)s reversed", number=ref.number),
        "receipts.show",
        id=id,
    )
