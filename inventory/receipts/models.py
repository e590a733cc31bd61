"""Goods receipts: goods arrive from a supplier or production at a warehouse."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Integer, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Id, Name, Price, Qty, Ref, Stamp
from sdm.kernel.db import Base
from sdm.kernel.documents import Document


class GoodsReceipt(Document, Base):
    """draft → posted; reversed. ``origin``: supplier, production or opening (initialisation)."""

    __tablename__ = "goods_receipt"
    __table_args__ = (
        CheckConstraint("state IN ('draft','posted','reversed')", name="state"),
        CheckConstraint("origin IN ('supplier','production','opening')", name="origin"),
    )
    kind = "goods_receipt"
    prefix = "GR"

    warehouse_id: Mapped[int] = mapped_column(ForeignKey("warehouse.id"), index=True)
    origin: Mapped[Code] = mapped_column(server_default="supplier", default="supplier")
    supplier_name: Mapped[Name] = mapped_column(server_default="", default="")
    reference: Mapped[Name] = mapped_column(server_default="", default="")
    received_on: Mapped[date]
    note: Mapped[str] = mapped_column(server_default="", default="")
    posted_at: Mapped[Stamp | None]
    reverses_id: Mapped[Ref | None]


class GoodsReceiptLine(Base):
    """Goods received: quantity in base units; actual cost net per unit; value = what inventory carries (supply)."""

    __tablename__ = "goods_receipt_line"
    __table_args__ = (
        UniqueConstraint("goods_receipt_id", "line_no"),
        CheckConstraint("qty > 0", name="qty"),
    )

    id: Mapped[Id]
    goods_receipt_id: Mapped[int] = mapped_column(ForeignKey("goods_receipt.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    qty: Mapped[Qty]
    unit_cost: Mapped[Price | None]
    value: Mapped[Amount | None]
