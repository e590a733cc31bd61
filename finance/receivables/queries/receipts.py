"""A receipt with what it settles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import aliased

from branches.org.models import Dealer, Unit
from finance.receivables.models import Allocation, OpenItem, Receipt
from sdm.kernel import documents
from sdm.kernel.db import db


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """Everything the document page shows of a receipt; ``allocations`` include undone ones and their undoing."""

    receipt: Receipt
    dealer: Dealer
    unit: Unit
    item: OpenItem
    allocations: list[Any]


_item = aliased(OpenItem, name="receipt_item")


def item_query() -> tuple[Any, Any]:
    """(entity, ON) of a receipt's open item, for joins from Receipt."""
    return _item, (_item.document_kind == "receipt") & (_item.document_id == Receipt.id) & (_item.part == 0)


def receipt_page(receipt_id: int) -> ReceiptPage:
    """A receipt in scope; NotFound out of scope."""
    row = documents.get(Receipt, receipt_id)
    item = db.session.execute(
        select(OpenItem).where(OpenItem.document_kind == "receipt", OpenItem.document_id == row.id, OpenItem.part == 0)
    ).scalar_one()
    return ReceiptPage(
        row,
        db.session.get_one(Dealer, row.dealer_id),
        db.session.get_one(Unit, row.unit_id),
        item,
        allocations_of(item.id, credit=True),
    )


def allocations_of(item_id: int, credit: bool) -> list[Any]:
    """Allocations of an item with the item at the other end: id, amount, day, number, due date, document."""
    own, other = (
        (Allocation.credit_item_id, Allocation.debit_item_id)
        if credit
        else (Allocation.debit_item_id, Allocation.credit_item_id)
    )
    statement = (
        select(
            Allocation.id,
            Allocation.amount,
            Allocation.allocated_on,
            Allocation.automatic,
            OpenItem.number,
            OpenItem.due_on,
            OpenItem.document_kind,
            OpenItem.document_id,
        )
        .join(OpenItem, OpenItem.id == other)
        .where(own == item_id)
        .order_by(Allocation.id)
        .limit(500)
    )
    return list(db.session.execute(statement))
