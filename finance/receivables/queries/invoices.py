"""An invoice with its lines, and the figures its examiner needs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from branches.catalogue.models import Product
from branches.org.models import Dealer, LegalEntity, Unit
from finance.credit import queries as credit
from finance.receivables.models import Invoice, InvoiceLine, OpenItem, TaxInvoice, TaxInvoiceLink
from finance.receivables.queries.billable import billable_lines
from finance.receivables.rules import ExamFigures
from inventory.shipments.models import Shipment, ShipmentLine
from sdm.kernel import documents, hooks
from sdm.kernel.db import db


@dataclass(frozen=True, slots=True)
class ShownLine:
    """A line as shown: goods, quantity, price, amounts; revenue, cost at supply price, margin (FI-23)."""

    line_no: int
    product_id: int
    code: str
    name: str
    specification: str
    base_unit: str
    qty: Decimal
    price: Decimal
    gross: Decimal
    net: Decimal
    vat: Decimal
    tax_rate: Decimal
    cost: Decimal
    shipment_id: int | None
    shipment: str | None
    credited_qty: Decimal

    @property
    def margin(self) -> Decimal:
        """Net revenue less cost at supply price."""
        return self.net - self.cost


@dataclass(frozen=True, slots=True)
class InvoicePage:
    """Everything the document page, the print and the API show of an invoice."""

    invoice: Invoice
    dealer: Dealer
    payer: Dealer
    unit: Unit
    legal_entity: LegalEntity
    lines: list[ShownLine]
    tax_invoices: list[tuple[TaxInvoice, Decimal]]
    open_amount: Decimal | None
    reversed_by: Invoice | None

    @property
    def margin(self) -> Decimal:
        """Net less cost."""
        return self.invoice.net - self.invoice.cost


def invoice_page(invoice_id: int) -> InvoicePage:
    """An invoice in scope with everything around it; NotFound out of scope."""
    row = documents.get(Invoice, invoice_id)
    dealers = Dealer.__table__
    ids = {row.dealer_id, row.payer_id}
    people = {
        d.id: d
        for d in db.session.execute(
            select(Dealer).from_statement(select(dealers).where(dealers.c.id.in_(ids)))
        ).scalars()
    }
    back = select(Invoice).where(Invoice.original_id == row.id, Invoice.return_id.is_(None))
    taxes = (
        select(TaxInvoice, TaxInvoiceLink.gross)
        .join(TaxInvoiceLink, TaxInvoiceLink.tax_invoice_id == TaxInvoice.id)
        .where(TaxInvoiceLink.invoice_id == row.id)
        .order_by(TaxInvoice.issued_on, TaxInvoice.id)
    )
    left = select(OpenItem.open_amount).where(OpenItem.document_kind == "invoice", OpenItem.document_id == row.id)
    return InvoicePage(
        row,
        people[row.dealer_id],
        people[row.payer_id],
        db.session.get_one(Unit, row.unit_id),
        db.session.get_one(LegalEntity, row.legal_entity_id),
        shown_lines(row.id),
        [(tax, gross) for tax, gross in db.session.execute(taxes)],
        db.session.execute(left).scalar_one_or_none(),
        db.session.execute(back).scalars().first(),
    )


def shown_lines(invoice_id: int) -> list[ShownLine]:
    """The lines of an invoice that is in scope, one statement."""
    rows = db.session.execute(
        select(
            InvoiceLine.line_no,
            InvoiceLine.product_id,
            Product.code,
            Product.name,
            Product.specification,
            Product.base_unit,
            InvoiceLine.qty,
            InvoiceLine.price,
            InvoiceLine.gross,
            InvoiceLine.net,
            InvoiceLine.vat,
            InvoiceLine.tax_rate,
            InvoiceLine.cost,
            ShipmentLine.shipment_id,
            Shipment.number.label("shipment"),
            InvoiceLine.credited_qty,
        )
        .join(Product, Product.id == InvoiceLine.product_id)
        .outerjoin(ShipmentLine, ShipmentLine.id == InvoiceLine.shipment_line_id)
        .outerjoin(Shipment, Shipment.id == ShipmentLine.shipment_id)
        .where(InvoiceLine.invoice_id == invoice_id)
        .order_by(InvoiceLine.line_no)
    )
    return [ShownLine(**row._mapping) for row in rows]


def lines_of(invoice_ids: list[int]) -> list[InvoiceLine]:
    """Lines of locked invoices, freshly read, in order."""
    statement = select(InvoiceLine).where(InvoiceLine.invoice_id.in_(invoice_ids)).order_by(InvoiceLine.id)
    return list(db.session.execute(statement.execution_options(populate_existing=True)).scalars())


def order_facts(order_line_ids: list[int]) -> dict[int, dict[str, Any]]:
    """What the orders package knows of order lines: term_days, price, floor_price, product, order."""
    facts: dict[int, dict[str, Any]] = {}
    if order_line_ids:
        for found in hooks.call("invoice.order_facts", order_line_ids):
            facts.update(found)
    return facts


def exam_figures(invoice: Invoice, lines: list[InvoiceLine]) -> ExamFigures:
    """Figures behind the examiner's warnings; the dealer's account is read across branches."""
    room = credit.headroom(invoice.payer_id)
    facts = order_facts([line.order_line_id for line in lines if line.order_line_id])
    delivered = billable_lines([line.shipment_line_id for line in lines if line.shipment_line_id])
    dealer = Dealer.__table__
    status = db.session.execute(select(dealer.c.status).where(dealer.c.id == invoice.payer_id)).scalar_one()
    return ExamFigures(
        limit=room.limit,
        receivable=room.buckets.items - room.buckets.receipts,
        gross=invoice.gross,
        overdue_amount=room.overdue_amount,
        overdue_days=room.overdue_days,
        dealer_status=status,
        unsigned_lines=sum(1 for line in delivered.values() if not line.signed),
        below_floor=_below_floor(lines, facts),
    )


def _below_floor(lines: list[InvoiceLine], facts: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        floor = facts.get(line.order_line_id or 0, {}).get("floor_price")
        if floor is not None and line.price < floor:
            found.append({"line_no": line.line_no, "price": line.price, "floor": floor})
    return found


def due_date(invoiced_on: date, term_days: int) -> date:
    """The day an invoice falls due."""
    return date.fromordinal(invoiced_on.toordinal() + term_days)
