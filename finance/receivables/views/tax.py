"""Recording tax invoices (发票) on the page of an invoice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

from flask import request
from sqlalchemy import func, select
from werkzeug.wrappers import Response as AnyResponse

from finance import pages
from finance.receivables import queries, service
from finance.receivables.models import Invoice, TaxInvoiceLink
from finance.receivables.service import TaxInvoiceInput
from finance.receivables.views.invoices import blueprint
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import InvalidInput
from sdm.kernel.i18n import _
from sdm.kernel.permissions import Permission
from sdm.kernel.web import errors_of, flash, page, render_422, see_other, view

InvoiceHead = Invoice.__table__.alias("covered_invoice")


@blueprint.route("/<int:id>/tax", methods=["GET", "POST"])
@view(Permission.TAX_INVOICE_RECORD)
def tax(id: int) -> AnyResponse | str | tuple[str, int]:
    """Record the tax invoice of this invoice (and of others of the same payer)."""
    shown = queries.invoice_page(id)
    covered = sum((gross for _tax, gross in shown.tax_invoices), Decimal(0))
    others = _same_payer(shown.invoice)
    context: dict[str, Any] = {
        "shown": shown,
        "invoice": shown.invoice,
        "left": shown.invoice.gross - covered,
        "others": others,
        "today": clock.today(),
        "key": str(uuid4()),
    }
    if request.method == "GET":
        return page("receivables/tax_invoice.html", **context)
    try:
        service.record_tax_invoice(_tax_input(shown.invoice, others))
    except InvalidInput as error:
        return render_422("receivables/tax_invoice.html", errors_of(error), **context)
    flash(_("Tax invoice recorded"))
    return see_other("invoices.show", id=id)


def _same_payer(invoice: Invoice) -> list[Invoice]:
    statement = select(Invoice).where(
        Invoice.payer_id == invoice.payer_id,
        Invoice.state == "issued",
        Invoice.id != invoice.id,
        Invoice.invoice_kind == invoice.invoice_kind,
        ~Invoice.id.in_(_covered_fully()),
    )
    return list(db.session.execute(statement.order_by(Invoice.id.desc()).limit(20)).scalars())


def _covered_fully() -> Any:
    total = func.sum(TaxInvoiceLink.gross)
    return (
        select(TaxInvoiceLink.invoice_id)
        .join(InvoiceHead, InvoiceHead.c.id == TaxInvoiceLink.invoice_id)
        .group_by(TaxInvoiceLink.invoice_id, InvoiceHead.c.gross)
        .having(total == InvoiceHead.c.gross)
    )


def _tax_input(invoice: Invoice, others: list[Invoice]) -> TaxInvoiceInput:
    links = []
    for row in (invoice, *others):
        gross = pages.amount_of(request.form.get(f"gross_{row.id}", ""), f"gross_{row.id}")
        if gross:
            links.append((row.id, gross))
    total = sum((gross for _id, gross in links), Decimal(0))
    return TaxInvoiceInput(
        number=pages.text_of("number", 64),
        issued_on=pages.date_of("issued_on") or date.min,
        gross=total,
        vat=pages.amount_of(request.form.get("vat", ""), "vat") or Decimal(0),
        links=links,
        colour="red" if invoice.gross < 0 else "blue",
        original_number=pages.text_of("original_number", 64),
    )
