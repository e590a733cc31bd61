"""The life of an invoice: drafted from deliveries, submitted, examined, issued (FI-01 to FI-03)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from branches.org import queries as org
from branches.org.models import Dealer
from branches.pricing import queries as pricing
from finance.ledger import service as ledger
from finance.receivables.models import Invoice, InvoiceLine
from finance.receivables.queries.billable import billable, billable_lines
from finance.receivables.queries.invoices import exam_figures, lines_of, order_facts
from finance.receivables.rules import Billable, BillLine, amounts, line_cost, line_gross, warnings_of
from finance.receivables.service.posting import (
    Issue,
    bill_shipment_lines,
    due_on,
    made_before,
    post_issued,
    tell_orders,
)
from inventory.shipments.models import Shipment
from sdm.cases import queries as case_queries
from sdm.cases import service as cases
from sdm.cases.models import WorkItem
from sdm.kernel import clock, documents, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, FieldError, Forbidden, InvalidInput, describe
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.locks import lock_rows
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission

LINES_MAX = 1000

describe(
    {
        "invoice.empty": N_("Choose at least one delivered line to bill"),
        "invoice.too_many": N_("%(value)s lines are more than one invoice takes; bill at most %(max)s at once"),
        "invoice.not_billable": N_("%(value)s units cannot be billed: %(left)s are left of this delivery"),
        "invoice.mixed": N_("The deliveries belong to different branches, owners or payers; bill each of them apart"),
        "invoice.reason": N_("Say why: the application has warnings"),
        "invoice.nothing_billable": N_("Nothing is left to bill of these deliveries"),
        "invoice.gone": N_(
            "Deliveries of this application were billed or taken back meanwhile; reject it and apply anew"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class BillInput:
    """An application: lines of one seller, owner and payer; several deliveries and orders, any part of each."""

    lines: Sequence[BillLine]
    uuid: UUID = field(default_factory=uuid4)
    note: str = ""
    source: str = "clerk"


@command(Permission.INVOICE_APPLY)
def apply(application: BillInput) -> DocumentRef:
    """Draft an invoice; the same UUID again answers the one made before. InvalidInput with all faults (``lines.N``)."""
    known = made_before(Invoice, application.uuid)
    if known is not None:
        return known
    found = _checked(application.lines)
    return _draft(found, application)


@command(Permission.INVOICE_APPLY)
def apply_deliveries(shipment_ids: Collection[int], source: str = "clerk") -> list[DocumentRef]:
    """Draft invoices for all that is billable of deliveries: one per seller, owner and payer."""
    groups: dict[tuple[int, int, int], list[Billable]] = {}
    for line in _as_ordered(billable(shipment_ids=shipment_ids, limit=10 * LINES_MAX)):
        groups.setdefault((line.unit_id, line.owner_unit_id, line.payer_id), []).append(line)
    if not groups:
        raise Conflict("invoice.nothing_billable")
    made = []
    for lines in groups.values():
        wanted = BillInput([BillLine(line.shipment_line_id) for line in lines], source=source)
        made.append(_draft([(line, line.billable) for line in lines], wanted))
    return made


def _checked(lines: Sequence[BillLine]) -> list[tuple[Billable, Decimal]]:
    if not lines:
        raise InvalidInput([FieldError("lines", "invoice.empty")])
    if len(lines) > LINES_MAX:
        raise InvalidInput([FieldError("lines", "invoice.too_many", len(lines), {"max": LINES_MAX})])
    read = billable_lines([line.shipment_line_id for line in lines])
    left = {line.shipment_line_id: line for line in _as_ordered(list(read.values()))}
    faults, found = [], []
    for index, line in enumerate(lines):
        known = left.get(line.shipment_line_id)
        if known is None:
            faults.append(FieldError(f"lines.{index}.shipment_line_id", "input.unknown", line.shipment_line_id))
            continue
        qty = known.billable if line.qty is None else line.qty
        if not ZERO < qty <= known.billable:
            detail = {"left": str(known.billable)}
            faults.append(FieldError(f"lines.{index}.qty", "invoice.not_billable", str(qty), detail))
        found.append((known, qty))
    faults += _mixed([known for known, _ in found])
    if faults:
        raise InvalidInput(faults)
    return found


def _as_ordered(lines: Sequence[Billable]) -> list[Billable]:
    """The lines with the payer of their order, whose exposure they are in, whoever pays for the dealer now."""
    facts = order_facts([line.order_line_id for line in lines if line.order_line_id])
    payers = {line_id: fact["payer_id"] for line_id, fact in facts.items() if fact.get("payer_id")}
    return [replace(line, payer_id=payers.get(line.order_line_id or 0, line.payer_id)) for line in lines]


def _mixed(found: Sequence[Billable]) -> list[FieldError]:
    parties = {(line.unit_id, line.owner_unit_id, line.payer_id) for line in found}
    doubled = len({line.shipment_line_id for line in found}) < len(found)
    faults = [FieldError("lines", "invoice.mixed")] if len(parties) > 1 else []
    return faults + ([FieldError("lines", "exists", None, {"field": "line", "value": ""})] if doubled else [])


def _draft(found: Sequence[tuple[Billable, Decimal]], application: BillInput) -> DocumentRef:
    first = found[0][0]
    dealers = {line.dealer_id for line, _ in found}
    invoice = Invoice(
        uuid=application.uuid,
        unit_id=first.unit_id,
        state="drafted",
        source=application.source,
        created_by_id=current().user_id,
        dealer_id=dealers.pop() if len(dealers) == 1 else first.payer_id,
        payer_id=first.payer_id,
        legal_entity_id=org.legal_entity_id_of(first.unit_id),
        owner_unit_id=first.owner_unit_id,
        note=application.note,
        term_days=_terms([line for line, _ in found]),
    )
    db.session.add(invoice)
    db.session.flush()
    db.session.add_all(
        [
            InvoiceLine(
                invoice_id=invoice.id,
                line_no=number,
                shipment_line_id=line.shipment_line_id,
                order_line_id=line.order_line_id,
                product_id=line.product_id,
                qty=qty,
                price=line.price,
                tax_rate=line.tax_rate,
                **amounts(line_gross(line, qty), line.tax_rate),
            )
            for number, (line, qty) in enumerate(found, start=1)
        ]
    )
    _add_up(invoice, lines_of_new(invoice))
    _link(invoice, {line.shipment_id for line, _ in found})
    documents.step(invoice, "draft")
    db.session.flush()
    return invoice.ref()


def lines_of_new(invoice: Invoice) -> list[InvoiceLine]:
    """The lines just added, flushed."""
    db.session.flush()
    return lines_of([invoice.id])


def _add_up(invoice: Invoice, lines: Sequence[InvoiceLine]) -> None:
    for name in ("gross", "net", "vat"):
        setattr(invoice, name, sum((getattr(line, name) for line in lines), ZERO))


def _link(invoice: Invoice, shipment_ids: set[int]) -> None:
    documents.link_many(
        [
            {"from_kind": "shipment", "from_id": shipment_id, "to_kind": "invoice", "to_id": invoice.id}
            for shipment_id in sorted(shipment_ids)
        ]
    )


def _terms(lines: Sequence[Billable]) -> int:
    """Days to pay: the shortest of the orders' terms; the payer's own where no order says."""
    facts = order_facts([line.order_line_id for line in lines if line.order_line_id])
    days = [fact["term_days"] for fact in facts.values() if fact.get("term_days") is not None]
    if days:
        return int(min(days))
    dealer = Dealer.__table__
    return int(
        db.session.execute(
            dealer.select().with_only_columns(dealer.c.term_days).where(dealer.c.id == lines[0].payer_id)
        ).scalar_one()
    )


# --- examination ------------------------------------------------------------------------------------------------------


@command(Permission.INVOICE_APPLY)
def submit(invoice_id: int, version: int | None = None) -> DocumentRef:
    """Hand the application to the examiner with its warnings; a rejected one can be handed in again."""
    invoice: Invoice = documents.lock(Invoice, invoice_id, version)
    documents.require_state(invoice, {"drafted", "rejected"}, "submitted")
    lines = lines_of([invoice.id])
    _require_billable(invoice, lines)
    found = warnings_of(exam_figures(invoice, lines))
    invoice.warnings, invoice.reason = {"warnings": case_queries.plain({"w": found})["w"]}, ""
    documents.step(invoice, "submit", "submitted", warnings=[warning["code"] for warning in found])
    _open_case(invoice, found)
    return invoice.ref()


def _require_billable(invoice: Invoice, lines: Sequence[InvoiceLine]) -> dict[int, Billable]:
    left = billable_lines([line.shipment_line_id for line in lines if line.shipment_line_id], drafts=False)
    short = [
        {"line_no": line.line_no, "qty": str(line.qty), "left": str(left[line.shipment_line_id].billable)}
        for line in lines
        if line.shipment_line_id and left[line.shipment_line_id].billable < line.qty
    ]
    if short:
        raise Conflict("invoice.gone", lines=short)
    return left


def _open_case(invoice: Invoice, found: Sequence[dict[str, Any]]) -> None:
    routed = case_queries.route("invoice", invoice.unit_id, invoice.gross)
    permission, unit_id = routed or (Permission.INVOICE_APPROVE, invoice.unit_id)
    name = db.session.get_one(Dealer, invoice.dealer_id).name if invoice.dealer_id else ""
    figures: dict[str, Any] = {"number": invoice.number, "gross": invoice.gross}
    figures["warnings"] = ", ".join(warning["code"] for warning in found)
    over = next((warning for warning in found if warning["code"] == "limit"), None)
    if over:
        figures |= {"percent": over["percent"], "limit": over["limit"]}
    cases.open_item(
        kind="invoice_application",
        key=f"invoice:{invoice.id}",
        title=f"{invoice.number} {name}".strip(),
        subject_kind="invoice",
        subject_id=invoice.id,
        unit_id=invoice.unit_id,
        permission=permission,
        handler_unit_id=unit_id,
        figures=figures,
        owner_id=invoice.created_by_id,
    )


@command(Permission.INVOICE_APPROVE)
def approve(invoice_id: int, reason: str = "", version: int | None = None) -> DocumentRef:
    """The examiner's yes; with warnings it needs a reason, and always another person than the applicant."""
    invoice = _approve(invoice_id, reason, version)
    cases.withdraw(f"invoice:{invoice.id}")
    return invoice.ref()


def _approve(invoice_id: int, reason: str, version: int | None = None) -> Invoice:
    invoice = _examined(invoice_id, version)
    if (invoice.warnings or {}).get("warnings") and not reason.strip():
        raise InvalidInput([FieldError("reason", "invoice.reason")])
    invoice.approved_by_id, invoice.reason = current().user_id, reason.strip()[:200]
    documents.step(invoice, "approve", "approved", reason=reason)
    return invoice


@command(Permission.INVOICE_APPROVE)
def reject(invoice_id: int, reason: str, version: int | None = None) -> DocumentRef:
    """The examiner's no, with a reason; the goods can be applied for again."""
    invoice = _reject(invoice_id, reason, version)
    cases.withdraw(f"invoice:{invoice.id}")
    return invoice.ref()


def _reject(invoice_id: int, reason: str, version: int | None = None) -> Invoice:
    if not reason.strip():
        raise InvalidInput([FieldError("reason", "input.required")])
    invoice = _examined(invoice_id, version)
    invoice.reason = reason.strip()[:200]
    documents.step(invoice, "reject", "rejected", reason=reason)
    return invoice


@command(Permission.INVOICE_APPLY)
def withdraw(invoice_id: int, version: int | None = None) -> DocumentRef:
    """The applicant takes a draft or submitted application back; its deliveries can be billed again."""
    invoice: Invoice = documents.lock(Invoice, invoice_id, version)
    documents.require_state(invoice, {"drafted", "submitted"}, "withdrawn")
    documents.step(invoice, "withdraw", "rejected")
    cases.withdraw(f"invoice:{invoice.id}")
    return invoice.ref()


def _examined(invoice_id: int, version: int | None) -> Invoice:
    invoice: Invoice = documents.lock(Invoice, invoice_id, version)
    documents.require_state(invoice, {"submitted"}, "approved")
    actor = current()
    if invoice.created_by_id is not None and invoice.created_by_id == actor.user_id:
        raise Forbidden("maker_checker", permission=Permission.INVOICE_APPROVE)
    return invoice


def on_case(item: WorkItem, result: str, comment: str, **_: Any) -> None:
    """What the work item does when it is handled: approve and issue, or reject."""
    current().require(Permission.INVOICE_APPROVE)
    if result == "approve":
        _approve(item.subject_id, comment)
        issue(item.subject_id)
    else:
        _reject(item.subject_id, comment)


@command(Permission.INVOICE_APPROVE)
def approve_and_issue(invoice_id: int, reason: str = "", version: int | None = None) -> DocumentRef:
    """Approve and issue today in one transaction."""
    approve(invoice_id, reason, version)
    return issue(invoice_id)


# --- issue ------------------------------------------------------------------------------------------------------------


@command(Permission.INVOICE_APPROVE)
def issue(invoice_id: int, invoiced_on: date | None = None, version: int | None = None) -> DocumentRef:
    """Issue an approved invoice: receivable, exposure, financial stock, ledger and legal number in one transaction.

    Locks invoice, orders (hook), shipments, the payer's account, balances, the counter. Raises PeriodClosed; Conflict
    when deliveries were billed or taken back meanwhile.
    """
    invoice: Invoice = documents.lock(Invoice, invoice_id, version)
    documents.require_state(invoice, {"approved"}, "issued")
    invoice.invoiced_on = invoiced_on or clock.today()
    ledger.ensure_open(invoice.invoiced_on, "invoiced_on")
    lines = lines_of([invoice.id])
    exposure = tell_orders(lines)
    _bill(invoice, lines)
    invoice.due_on = due_on(invoice)
    invoice.issued_at = clock.now()
    post_issued([Issue(invoice, lines)], exposure)
    documents.step(invoice, "issue", "issued", gross=invoice.gross)
    outbox.record(
        "invoice.issued", "invoice", invoice.id, invoice.unit_id, payer_id=invoice.payer_id, gross=invoice.gross
    )
    return invoice.ref()


def _bill(invoice: Invoice, lines: Sequence[InvoiceLine]) -> None:
    """Final amounts and cost of the lines under the shipments' locks; raises what is billed of them."""
    ids = [line.shipment_line_id for line in lines if line.shipment_line_id]
    lock_rows(Shipment, {line.shipment_id for line in billable_lines(ids).values()})
    left = _require_billable(invoice, lines)
    supply = pricing.supply_prices({line.product_id for line in lines}, invoice.invoiced_on or clock.today())
    for line in lines:
        if line.shipment_line_id:
            for name, value in amounts(line_gross(left[line.shipment_line_id], line.qty), line.tax_rate).items():
                setattr(line, name, value)
        price = supply.get(line.product_id)
        line.supply_price = price or Decimal(0)
        line.cost = line_cost(line.qty, price or Decimal(0), ZERO)
    _add_up(invoice, lines)
    bill_shipment_lines(lines)
