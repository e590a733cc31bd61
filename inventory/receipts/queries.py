"""Reads of goods receipts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from branches.catalogue.models import Product
from branches.org.models import Unit, Warehouse
from inventory.receipts.models import GoodsReceipt, GoodsReceiptLine
from sdm.kernel import documents
from sdm.kernel.db import db


@dataclass(frozen=True, slots=True)
class Line:
    """A line as shown: quantity in base units, cost net per unit, value carried."""

    id: int
    line_no: int
    product_id: int
    code: str
    name: str
    base_unit: str
    qty: Decimal
    unit_cost: Decimal | None
    value: Decimal | None

    @property
    def cost(self) -> Decimal | None:
        """Actual cost of the line, unrounded quantity times cost; None where the cost is unknown."""
        return None if self.unit_cost is None else (self.qty * self.unit_cost).quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True)
class ReceiptPage:
    """A goods receipt with what its page shows."""

    receipt: GoodsReceipt
    warehouse: str
    unit: str
    lines: list[Line]

    @property
    def qty(self) -> Decimal:
        """Sum of the quantities."""
        return sum((line.qty for line in self.lines), Decimal(0))

    @property
    def cost(self) -> Decimal:
        """Sum of the known costs."""
        return sum((line.cost or Decimal(0) for line in self.lines), Decimal(0))

    @property
    def value(self) -> Decimal | None:
        """What inventory carries for all lines; None before posting."""
        values = [line.value for line in self.lines if line.value is not None]
        return sum(values, Decimal(0)) if values else None


def receipt_page(receipt_id: int) -> ReceiptPage:
    """A goods receipt in scope with names and lines. NotFound otherwise."""
    receipt = documents.get(GoodsReceipt, receipt_id)
    warehouse, unit = db.session.execute(
        select(Warehouse.name, Unit.name)
        .join(Unit, Unit.id == Warehouse.unit_id)
        .where(Warehouse.id == receipt.warehouse_id)
    ).first() or ("", "")
    return ReceiptPage(receipt, warehouse, unit, lines(receipt_id))


def lines(receipt_id: int) -> list[Line]:
    """Lines with product names, in order; the receipt was found in scope."""
    rows = db.session.execute(
        select(
            GoodsReceiptLine.id,
            GoodsReceiptLine.line_no,
            Product.id.label("product_id"),
            Product.code,
            Product.name,
            Product.base_unit,
            GoodsReceiptLine.qty,
            GoodsReceiptLine.unit_cost,
            GoodsReceiptLine.value,
        )
        .join(Product, Product.id == GoodsReceiptLine.product_id)
        .where(GoodsReceiptLine.goods_receipt_id == receipt_id)
        .order_by(GoodsReceiptLine.line_no)
    )
    return [Line(**row._mapping) for row in rows]


def qty_of_receipt() -> object:
    """Sum of the quantities of a receipt, for lists."""
    return (
        select(func.sum(GoodsReceiptLine.qty))
        .where(GoodsReceiptLine.goods_receipt_id == GoodsReceipt.id)
        .correlate(GoodsReceipt)
        .scalar_subquery()
    )


def value_of_receipt() -> object:
    """Sum of the carried values of a receipt, for lists."""
    return (
        select(func.sum(GoodsReceiptLine.value))
        .where(GoodsReceiptLine.goods_receipt_id == GoodsReceipt.id)
        .correlate(GoodsReceipt)
        .scalar_subquery()
    )
