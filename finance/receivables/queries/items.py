"""Open items of a payer and what the allocation planner needs of them."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from finance.receivables.models import Allocation, Invoice, InvoiceLine, OpenItem, Receipt
from finance.receivables.rules import Item
from inventory.shipments.models import Shipment, ShipmentLine
from sdm.kernel.db import db
from sdm.kernel.money import ZERO

ITEMS_MAX = 5000


def open_items(payer_id: int, limit: int = ITEMS_MAX) -> list[OpenItem]:
    """What is open of a payer in scope: debit items by due date, then credit items by date."""
    statement = (
        select(OpenItem)
        .where(OpenItem.payer_id == payer_id, OpenItem.open_amount != 0)
        .order_by((OpenItem.amount < 0), OpenItem.due_on, OpenItem.id)
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    return list(db.session.execute(statement).scalars())


def planner_items(payer_id: int) -> list[Item]:
    """The same with the numbers debit items are known by and the text credit items came with; three statements.

    Money earmarked for an order whose goods have not left is not planned with: it waits for them.
    """
    rows = [row for row in open_items(payer_id) if row.counted]
    invoices = _numbers([row.document_id for row in rows if row.document_kind == "invoice"])
    texts = _texts([row.document_id for row in rows if row.document_kind == "receipt"])
    return [
        Item(
            row.id,
            row.open_amount,
            row.dated_on,
            row.due_on,
            keys=frozenset({row.number.upper()}) | invoices.get(row.document_id, frozenset())
            if row.document_kind == "invoice"
            else frozenset({row.number.upper()}),
            text=texts.get(row.document_id, "") if row.document_kind == "receipt" else "",
        )
        for row in rows
    ]


def _numbers(ids: list[int]) -> dict[int, frozenset[str]]:
    statement = select(Invoice.id, Invoice.number, Invoice.legal_number, Invoice.external_number).where(
        Invoice.id.in_(ids)
    )
    return {
        row.id: frozenset(key.upper() for key in (row.number, row.legal_number, row.external_number) if key)
        for row in db.session.execute(statement)
    }


def _texts(ids: list[int]) -> dict[int, str]:
    statement = select(Receipt.id, Receipt.reference, Receipt.note).where(Receipt.id.in_(ids))
    return {row.id: f"{row.reference} {row.note}" for row in db.session.execute(statement)}


def earmarked(order_id: int) -> Decimal:
    """Money received for a prepaid order, less what of it settled something else; reversed receipts left out."""
    total = func.coalesce(func.sum(Receipt.amount), ZERO)
    received = select(total).where(Receipt.order_id == order_id, Receipt.state == "recorded")
    return Decimal(db.session.execute(received).scalar_one()) - _spent_elsewhere(order_id)


def _spent_elsewhere(order_id: int) -> Decimal:
    """What of an order's earmarked money is allocated to items that bill nothing of the order."""
    paid, owed = aliased(OpenItem), aliased(OpenItem)
    bills_it = (
        select(InvoiceLine.id)
        .join(ShipmentLine, ShipmentLine.id == InvoiceLine.shipment_line_id)
        .join(Shipment.__table__, Shipment.__table__.c.id == ShipmentLine.shipment_id)
        .where(InvoiceLine.invoice_id == owed.document_id, Shipment.__table__.c.order_id == order_id)
    )
    statement = (
        select(func.coalesce(func.sum(Allocation.amount), ZERO))
        .join(paid, paid.id == Allocation.credit_item_id)
        .join(owed, owed.id == Allocation.debit_item_id)
        .join(Receipt, (Receipt.id == paid.document_id) & (paid.document_kind == "receipt"))
        .where(Receipt.order_id == order_id, Receipt.state == "recorded")
        .where((owed.document_kind != "invoice") | ~bills_it.exists())
    )
    return Decimal(db.session.execute(statement).scalar_one())
