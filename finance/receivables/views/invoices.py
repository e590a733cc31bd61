"""Pages of invoices: what is to bill, applications, the document, print, examination, tax invoices."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from flask import Blueprint, request
from sqlalchemy import Select, func, select
from werkzeug.wrappers import Response as AnyResponse

from branches.org.models import Dealer, Unit
from finance import pages
from finance.receivables import printing, queries, service
from finance.receivables.models import Invoice
from finance.receivables.queries.billable import billable_qty, billable_select
from finance.receivables.service import BillInput, BillLine
from inventory.shipments.models import Shipment, ShipmentLine
from inventory.stock.pages import product_names
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError, InvalidInput, SdmError
from sdm.kernel.frame import NavItem, may, nav, register_states, url_or_none
from sdm.kernel.i18n import _, _l, error_text
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, Outcome, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import errors_of, flash, page, render_422, see_other, view

blueprint = Blueprint("invoices", __name__, url_prefix="/invoices", template_folder="../templates")
LINES_SHOWN = 500
COLOURS = {"blue": _l("Invoice"), "red": _l("Red-letter invoice")}

register_states(
    "invoice",
    {
        "drafted": (_l("Drafted"), "neutral"),
        "submitted": (_l("Waits for examination"), "warn"),
        "rejected": (_l("Rejected"), "neutral"),
        "approved": (_l("Approved"), "info"),
        "issued": (_l("Issued"), "good"),
        "reversed": (_l("Reversed"), "neutral"),
    },
)
nav.register(
    NavItem("money", _l("To bill"), "invoices.to_bill", Permission.INVOICE_APPLY, "file-plus", order=5),
    NavItem("money", _l("Invoices"), "invoices.index", Permission.INVOICE_READ, "file-invoice", order=10),
)


def _select() -> Select[Any]:
    return select(Invoice).join(Dealer, Dealer.id == Invoice.dealer_id).join(Unit, Unit.id == Invoice.unit_id)


LIST = ListSpec(
    name="invoices",
    title=_l("Invoices"),
    select=_select,
    id=Invoice.id,
    default_sort="-number",
    row_endpoint="invoices.show",
    card_title="number",
    search=(Invoice.number, Invoice.legal_number, Invoice.external_number, Dealer.name),
    columns=(
        Column("number", _l("Number"), Invoice.number, "code", filter="text"),
        Column("legal_number", _l("Invoice number"), Invoice.legal_number, "code", filter="text"),
        Column("invoice_kind", _l("Kind"), Invoice.invoice_kind, filter="choice", choices=tuple(COLOURS.items())),
        Column("state", _l("State"), Invoice.state, "state", states="invoice", filter="choice"),
        Column("dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Invoice.dealer_id),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Invoice.unit_id),
        Column("invoiced_on", _l("Invoice date"), Invoice.invoiced_on, "date", filter="date-range"),
        Column("due_on", _l("Due date"), Invoice.due_on, "date", filter="date-range"),
        Column("gross", _l("Amount"), Invoice.gross, "amount", filter="number-range", total=True),
        Column("net", _l("Net"), Invoice.net, "amount", total=True, visible=False),
        Column("vat", _l("VAT"), Invoice.vat, "amount", total=True, visible=False),
        Column(
            "external_number", _l("Number elsewhere"), Invoice.external_number, "code", filter="text", visible=False
        ),
        Column("reason", _l("Reason"), Invoice.reason, visible=False),
    ),
    presets=(
        Preset(_l("Waits for examination"), "state=submitted"),
        Preset(_l("Approved, not issued"), "state=approved"),
        Preset(_l("Red-letter invoices"), "invoice_kind=red"),
    ),
    buttons=(Button(_l("Apply for an invoice"), "invoices.to_bill", Permission.INVOICE_APPLY),),
    actions=(
        BulkAction(
            "submit",
            _l("Submit"),
            lambda key: service.submit(int(key)).number,
            Permission.INVOICE_APPLY,
            confirm=_l("Submit %(count)s applications for examination"),
            icon="send",
        ),
        BulkAction(
            "issue",
            _l("Issue"),
            lambda key: service.issue(int(key)).number,
            Permission.INVOICE_APPROVE,
            confirm=_l("Issue %(count)s invoices: the receivable rises and the goods leave financial stock"),
        ),
    ),
    empty=_l("Apply for an invoice for what dealers have signed for."),
    empty_button=Button(_l("To bill"), "invoices.to_bill", Permission.INVOICE_APPLY),
)


@blueprint.route("/", methods=["GET", "POST"])
@view(Permission.INVOICE_READ)
def index() -> AnyResponse | str:
    """All invoices in scope."""
    return render_list(LIST)


# --- to bill ----------------------------------------------------------------------------------------------------------


def _to_bill() -> Select[Any]:
    lines = billable_select().with_only_columns(Shipment.id)
    return (
        select(Shipment)
        .join(Dealer, Dealer.id == Shipment.dealer_id)
        .join(Unit, Unit.id == Shipment.unit_id)
        .where(Shipment.id.in_(lines))
    )


def _amount_left() -> Any:
    """Gross of what is billable of a delivery, at the line's price."""
    amount = func.sum(billable_qty() * ShipmentLine.amount / ShipmentLine.qty)
    return (
        select(func.round(amount, 2))
        .select_from(ShipmentLine)
        .where(ShipmentLine.shipment_id == Shipment.id)
        .correlate(Shipment)
        .scalar_subquery()
    )


def _apply_one(shipment_id: Any) -> str:
    return ", ".join(ref.number for ref in service.apply_deliveries([int(shipment_id)]))


def _to_bill_list() -> ListSpec:
    return ListSpec(
        name="to_bill",
        title=_l("To bill"),
        select=_to_bill,
        id=Shipment.id,
        default_sort="signed_on",
        row_endpoint="invoices.new",
        row_arg="shipment",
        card_title="number",
        search=(Shipment.number, Dealer.name),
        note=_l("Delivered goods that are not invoiced yet"),
        columns=(
            Column("number", _l("Delivery"), Shipment.number, "code", filter="text"),
            Column(
                "dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Shipment.dealer_id
            ),
            Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Shipment.unit_id),
            Column("shipped_on", _l("Shipped on"), Shipment.shipped_on, "date", filter="date-range"),
            Column("signed_on", _l("Signed on"), Shipment.signed_on, "date", filter="date-range"),
            Column("state", _l("State"), Shipment.state, "state", states="shipment", filter="choice"),
            Column("amount", _l("Amount to bill"), _amount_left(), "amount", sortable=False),
        ),
        actions=(
            BulkAction(
                "combine",
                _l("Apply for one invoice per payer"),
                _apply_one,
                Permission.INVOICE_APPLY,
                confirm=_l("Draft invoices for %(count)s deliveries, one per payer"),
                icon="file-plus",
            ),
        ),
        empty=_l("Everything that was signed for is invoiced."),
    )


@blueprint.route("/to-bill", methods=["GET", "POST"])
@view(Permission.INVOICE_APPLY)
def to_bill() -> AnyResponse | str:
    """Deliveries with something left to bill; the chosen ones are combined per payer."""
    chosen = [int(text) for text in request.form.getlist("ids") if text.isdecimal() and len(text) < 19]
    if request.method == "POST" and chosen and request.form.get("everything") != "1":
        return _combine(chosen)
    return render_list(_to_bill_list())


def _combine(shipment_ids: list[int]) -> str:
    """Drafts for the chosen deliveries together, one per payer; answered with the report of bulk actions."""
    spec = _to_bill_list()
    try:
        refs = service.apply_deliveries(shipment_ids[:1000])
        outcomes = [Outcome(ref.id, True, ref.number) for ref in refs]
    except SdmError as error:
        db.session.rollback()
        outcomes = [Outcome(key, False, error_text(error)) for key in shipment_ids[:1]]
    failed = [outcome for outcome in outcomes if not outcome.ok]
    return page("list/report.html", action=spec.actions[0], outcomes=outcomes, failed=failed, spec=spec)


@blueprint.route("/new", methods=["GET", "POST"])
@view(Permission.INVOICE_APPLY)
def new() -> AnyResponse | str | tuple[str, int]:
    """Application for chosen lines and quantities of one dealer's deliveries."""
    shipment_id, dealer_id = pages.int_arg("shipment"), pages.int_arg("dealer")
    wanted = [shipment_id] if shipment_id else None
    found = (
        queries.billable(dealer_id=dealer_id, shipment_ids=wanted, limit=LINES_SHOWN) if (wanted or dealer_id) else []
    )
    names = product_names({line.product_id for line in found})
    context: dict[str, Any] = {"lines": found, "names": names, "key": str(uuid4())}
    if request.method == "GET":
        return page("receivables/apply.html", **context)
    try:
        ref = service.apply(BillInput(_wanted(found), note=pages.text_of("note", 2000)))
    except InvalidInput as error:
        return render_422("receivables/apply.html", errors_of(error), **context)
    flash(_("Application %(number)s drafted", number=ref.number))
    return see_other("invoices.show", id=ref.id)


def _wanted(found: list[Any]) -> list[BillLine]:
    wanted = []
    for line in found:
        qty = pages.amount_of(request.form.get(f"qty_{line.shipment_line_id}", ""), f"qty_{line.shipment_line_id}")
        if qty:
            wanted.append(BillLine(line.shipment_line_id, qty))
    return wanted


# --- document ---------------------------------------------------------------------------------------------------------


@blueprint.get("/<int:id>")
@view(Permission.INVOICE_READ)
def show(id: int) -> str:
    """One invoice with its lines, warnings, chain, tax invoices, history and postings."""
    shown = queries.invoice_page(id)
    return page(
        "receivables/invoice.html",
        shown=shown,
        invoice=shown.invoice,
        steps=_steps(shown.invoice),
        key=str(uuid4()),
        warnings=[printing.warning_text(one) for one in (shown.invoice.warnings or {}).get("warnings", [])],
        chain=pages.chain("invoice", id),
        history=pages.history("invoice", id, pages.ACTIONS),
        today=clock.today(),
        may_examine=_may_examine(shown.invoice),
        lines=[printing.line_row(line) for line in shown.lines],
        may_reverse=shown.invoice.state == "issued"
        and shown.invoice.invoice_kind == "blue"
        and may(Permission.INVOICE_REVERSE),
    )


def _may_examine(invoice: Invoice) -> bool:
    return invoice.state == "submitted" and may(Permission.INVOICE_APPROVE)


def _steps(invoice: Invoice) -> list[dict[str, Any]]:
    """What may be done next; approving, rejecting and reversing have forms of their own."""
    fields = {"version": invoice.version}
    steps: list[dict[str, Any]] = []
    if may(Permission.INVOICE_APPLY) and invoice.state in {"drafted", "submitted"}:
        steps.append(
            {
                "label": _("Withdraw"),
                "url": url_or_none("invoices.withdraw", id=invoice.id),
                "fields": fields,
                "icon": "arrow-back-up",
                "confirm": _("Withdraw %(number)s; its deliveries can be billed again", number=invoice.number),
            }
        )
    if may(Permission.INVOICE_APPLY) and invoice.state in {"drafted", "rejected"}:
        steps.append(
            {
                "label": _("Submit"),
                "url": url_or_none("invoices.submit", id=invoice.id),
                "fields": fields,
                "icon": "send",
                "primary": True,
            }
        )
    if may(Permission.INVOICE_APPROVE) and invoice.state == "approved":
        text = _("Issue %(number)s: the receivable rises by %(amount)s", number=invoice.number, amount=invoice.gross)
        steps.append(
            {
                "label": _("Issue"),
                "url": url_or_none("invoices.issue", id=invoice.id),
                "fields": fields,
                "icon": "check",
                "primary": True,
                "confirm": text,
            }
        )
    if may(Permission.TAX_INVOICE_RECORD) and invoice.state in {"issued", "reversed"}:
        steps.append(
            {
                "label": _("Record tax invoice"),
                "url": url_or_none("invoices.tax", id=invoice.id),
                "method": "get",
                "icon": "file-check",
            }
        )
    return steps


@blueprint.get("/<int:id>/print")
@view(Permission.INVOICE_READ)
def paper(id: int) -> str:
    """The invoice as printed: tax number, names, goods, amounts, the total in capitals (FI-04)."""
    shown = queries.invoice_page(id)
    return page(
        "receivables/invoice_print.html",
        shown=shown,
        invoice=shown.invoice,
        capitals=printing.in_capitals(shown.invoice.gross),
    )


@blueprint.post("/<int:id>/submit")
@view(Permission.INVOICE_APPLY)
def submit(id: int) -> AnyResponse:
    """Hand in for examination."""
    return pages.act(
        lambda: service.submit(id, pages.version()),
        lambda ref: _("%(number)s waits for examination", number=ref.number),
        "invoices.show",
        id=id,
    )


@blueprint.post("/<int:id>/withdraw")
@view(Permission.INVOICE_APPLY)
def withdraw(id: int) -> AnyResponse:
    """Take an application back."""
    return pages.act(
        lambda: service.withdraw(id, pages.version()),
        lambda ref: _("%(number)s withdrawn", number=ref.number),
        "invoices.show",
        id=id,
    )


@blueprint.post("/<int:id>/examine")
@view(Permission.INVOICE_APPROVE)
def examine(id: int) -> AnyResponse:
    """The examiner's decision: approve, approve and issue, or reject."""
    decision = request.form.get("decision", "")
    run = {
        "approve": lambda: service.approve(id, pages.text_of("reason"), pages.version()),
        "issue": lambda: service.approve_and_issue(id, pages.text_of("reason"), pages.version()),
        "reject": lambda: service.reject(id, pages.text_of("reason"), pages.version()),
    }.get(decision)
    if run is None:
        raise InvalidInput([FieldError("decision", "input.choice", decision, {"choices": "approve, issue, reject"})])
    words = {"approve": _("approved"), "issue": _("issued"), "reject": _("rejected")}
    return pages.act(
        run, lambda ref: _("%(number)s %(done)s", number=ref.number, done=words[decision]), "invoices.show", id=id
    )


@blueprint.post("/<int:id>/issue")
@view(Permission.INVOICE_APPROVE)
def issue(id: int) -> AnyResponse:
    """Issue an approved application."""
    return pages.act(
        lambda: service.issue(id, version=pages.version()),
        lambda ref: _("%(number)s issued", number=ref.number),
        "invoices.show",
        id=id,
    )


@blueprint.post("/<int:id>/reverse")
@view(Permission.INVOICE_REVERSE)
def reverse(id: int) -> AnyResponse:
    """Reverse an issued invoice by a red-letter invoice."""
    return pages.act(
        lambda: service.reverse(id, pages.text_of("reason"), pages.date_of("reversed_on"), pages.version()),
        lambda ref: _("Reversed by red-letter invoice %(number)s", number=ref.number),
        "invoices.show",
        id=id,
    )
