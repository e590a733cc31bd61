"""Channel stock: what dealers hold, in buckets; what consumed what is stored and never reassigned."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Code, Created, Id, Price, Qty, Ref
from sdm.kernel.db import Base, append_only
from sdm.kernel.scope import Scoped


class StockBucket(Scoped, Base):
    """Units of a product at a dealer from one delivery line, ownership and protected price; first in, first out."""

    __tablename__ = "stock_bucket"
    __table_args__ = (
        CheckConstraint("0 <= remaining_qty AND remaining_qty <= qty", name="remaining"),
        CheckConstraint("ownership IN ('bought','consigned')", name="ownership"),
        Index("ix_stock_bucket_fifo", "dealer_id", "product_id", "received_on", "id"),
    )

    id: Mapped[Id]
    unit_id: Mapped[Ref]
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    ownership: Mapped[Code]
    received_on: Mapped[date]
    source_kind: Mapped[Code]
    source_line_id: Mapped[Ref | None]
    protected_price: Mapped[Price]
    qty: Mapped[Qty]
    remaining_qty: Mapped[Qty]
    created_at: Mapped[Created]


class BucketUse(Base):
    """What a document line took from a bucket (negative: put back by its reversal)."""

    __tablename__ = "bucket_use"
    __table_args__ = (Index("ix_bucket_use_document", "document_kind", "line_id"),)

    id: Mapped[Id]
    bucket_id: Mapped[int] = mapped_column(ForeignKey("stock_bucket.id"), index=True)
    qty: Mapped[Qty]
    document_kind: Mapped[Code]
    document_id: Mapped[Ref]
    line_id: Mapped[Ref]
    used_on: Mapped[date]
    at: Mapped[Created]


append_only(BucketUse)
