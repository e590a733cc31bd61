"""Open items of a payer and what the allocation planner needs of them."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select

from finance.receivables.models import Invoice, OpenItem, Receipt
from finance.receivables.rules import Item
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
    """The same with the numbers debit items are known by and the text credit items came with; three statements."""
    rows = open_items(payer_id)
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
    """Money received for a prepaid order, reversed receipts left out."""
    total = func.coalesce(func.sum(Receipt.amount), ZERO)
    return Decimal(
        db.session.execute(select(total).where(Receipt.order_id == order_id, Receipt.state == "recorded")).scalar_one()
    )
