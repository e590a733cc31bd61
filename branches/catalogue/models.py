"""Products, their tree, packs and barcodes. Readable by everyone in the company."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Code, Created, Id, Name, Price, Qty, Rate
from sdm.kernel.db import Base


class ProductCategory(Base):
    """A class of goods; ``path`` holds the ids from the root to this class."""

    __tablename__ = "product_category"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("product_category.id"), index=True)
    path: Mapped[list[int]] = mapped_column(JSONB, server_default=text("'[]'"))
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)


class Product(Base):
    """Something we sell. ``stocked`` is false for services, postage, fees: no stock, no moves.

    ``pinyin`` holds the initials in every reading, codes set by hand (``pinyin_fixed``) first; ``search`` what finds
    it.
    """

    __tablename__ = "product"
    __table_args__ = (
        CheckConstraint("status IN ('active','ended')", name="status"),
        CheckConstraint("tax_rate >= 0 AND tax_rate < 1", name="tax_rate"),
        Index("ix_product_search", "search", postgresql_using="gin", postgresql_ops={"search": "gin_trgm_ops"}),
        Index("ix_product_pinyin", text("string_to_array(pinyin::text, ' ')"), postgresql_using="gin"),
    )

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    pinyin: Mapped[Name] = mapped_column(server_default="")
    pinyin_fixed: Mapped[Code] = mapped_column(server_default="", default="")
    search: Mapped[str] = mapped_column(server_default="")
    category_id: Mapped[int] = mapped_column(ForeignKey("product_category.id"), index=True)
    brand: Mapped[Name] = mapped_column(server_default="")
    specification: Mapped[Name] = mapped_column(server_default="")
    attributes: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=text("'{}'"))
    base_unit: Mapped[Code] = mapped_column(server_default="台")
    tax_rate: Mapped[Rate] = mapped_column(server_default="0.13")
    stocked: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    status: Mapped[Code] = mapped_column(server_default="active", default="active")
    list_price: Mapped[Price | None]
    taken_on: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)
    created_at: Mapped[Created]


class ProductPack(Base):
    """A larger unit: one ``name`` holds ``factor`` base units."""

    __tablename__ = "product_pack"
    __table_args__ = (UniqueConstraint("product_id", "name"), CheckConstraint("factor > 0", name="factor"))

    id: Mapped[Id]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    name: Mapped[Code]
    factor: Mapped[Qty]


class Barcode(Base):
    """A barcode of a product or of one of its packs."""

    __tablename__ = "barcode"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    pack_id: Mapped[int | None] = mapped_column(ForeignKey("product_pack.id"))
