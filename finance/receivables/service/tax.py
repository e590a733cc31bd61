"""Tax invoices (发票) of the tax platform and which invoices they cover, n to m."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import func, select

from finance.receivables.models import Invoice, TaxInvoice, TaxInvoiceLink
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, describe
from sdm.kernel.locks import lock_rows
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission

describe(
    {
        "tax.exceeds": N_("%(value)s is more than what is left of invoice %(number)s: %(left)s"),
        "tax.links": N_("The parts add up to %(sum)s, the tax invoice is over %(value)s"),
        "tax.original": N_("A red tax invoice names the blue one it takes back"),
        "tax.vat": N_("The VAT %(value)s does not fit the amount"),
    }
)


@dataclass(frozen=True, slots=True)
class TaxInvoiceInput:
    """A tax invoice: ``links`` are (invoice, gross part, signed like the invoice)."""

    number: str
    issued_on: date
    gross: Decimal
    vat: Decimal
    links: Sequence[tuple[int, Decimal]]
    colour: str = "blue"
    original_number: str = ""


@command(Permission.TAX_INVOICE_RECORD)
def record_tax_invoice(tax: TaxInvoiceInput) -> int:
    """Record a tax invoice with the invoices it covers; all faults at once. Locks the invoices. Answers its id."""
    invoices = {row.id: row for row in lock_rows(Invoice, [invoice_id for invoice_id, _ in tax.links])}
    original = db.session.execute(
        select(TaxInvoice).where(TaxInvoice.number == tax.original_number)
    ).scalar_one_or_none()
    faults = _faults(tax, original) + _link_faults(tax, invoices)
    if faults:
        raise InvalidInput(faults)
    unit_id = invoices[tax.links[0][0]].unit_id
    row = TaxInvoice(
        unit_id=unit_id,
        number=tax.number.strip(),
        colour=tax.colour,
        original_id=original.id if original else None,
        issued_on=tax.issued_on,
        gross=tax.gross,
        vat=tax.vat,
        created_by_id=current().user_id,
    )
    db.session.add(row)
    db.session.flush()
    db.session.add_all(
        [TaxInvoiceLink(tax_invoice_id=row.id, invoice_id=invoice_id, gross=gross) for invoice_id, gross in tax.links]
    )
    for invoice_id, gross in tax.links:
        changes = {"number": row.number, "gross": gross}
        audit.write("invoice", invoice_id, "tax_invoice", invoices[invoice_id].unit_id, changes)
    return row.id


def _faults(tax: TaxInvoiceInput, original: TaxInvoice | None) -> list[FieldError]:
    faults: list[FieldError] = []
    if not tax.number.strip():
        faults.append(FieldError("number", "input.required"))
    if tax.issued_on > clock.today():
        faults.append(FieldError("issued_on", "ledger.future", str(tax.issued_on)))
    if tax.colour not in {"blue", "red"}:
        faults.append(FieldError("colour", "input.choice", tax.colour, {"choices": "blue, red"}))
    if tax.colour == "red" and original is None:
        faults.append(FieldError("original_number", "tax.original", tax.original_number))
    if (tax.gross < 0) != (tax.colour == "red") or not tax.gross:
        faults.append(FieldError("gross", "input.range", str(tax.gross), {"low": "-", "high": "-"}))
    if abs(tax.vat) > abs(tax.gross) or tax.vat * tax.gross < 0:
        faults.append(FieldError("vat", "tax.vat", str(tax.vat)))
    return faults


def _link_faults(tax: TaxInvoiceInput, invoices: dict[int, Invoice]) -> list[FieldError]:
    covered = _covered(list(invoices))
    faults: list[FieldError] = []
    for index, (invoice_id, gross) in enumerate(tax.links):
        invoice = invoices.get(invoice_id)
        if invoice is None or invoice.state not in {"issued", "reversed"}:
            faults.append(FieldError(f"links.{index}.invoice_id", "input.unknown", invoice_id))
            continue
        left = invoice.gross - covered.get(invoice_id, ZERO)
        if not gross or gross * left <= 0 or abs(gross) > abs(left):
            detail = {"number": invoice.legal_number or invoice.number, "left": str(left)}
            faults.append(FieldError(f"links.{index}.gross", "tax.exceeds", str(gross), detail))
    total = sum((gross for _, gross in tax.links), ZERO)
    if not tax.links or total != tax.gross:
        faults.append(FieldError("links", "tax.links", str(tax.gross), {"sum": str(total)}))
    return faults


def _covered(invoice_ids: list[int]) -> dict[int, Decimal]:
    rows = db.session.execute(
        select(TaxInvoiceLink.invoice_id, func.sum(TaxInvoiceLink.gross).label("gross"))
        .where(TaxInvoiceLink.invoice_id.in_(invoice_ids))
        .group_by(TaxInvoiceLink.invoice_id)
    )
    return {row.invoice_id: row.gross for row in rows}
