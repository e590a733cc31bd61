"""The stock ledger: locations, moves (append-only), balances, reservations, carrying value.

A move takes a positive quantity from one location to another in one of two books: *business* = where the goods are,
*financial* = whose goods they are. Over all locations every product sums to zero per book.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, or_
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Created, Id, Qty, Ref, Stamp
from sdm.kernel.db import Base, append_only
from sdm.kernel.scope import Scope, Scoped, among

BUSINESS, FINANCIAL = "b", "f"
INSIDE_KINDS = ("warehouse", "transit", "dealer", "claims", "owner", "sold")
OUTSIDE_KINDS = ("supplier", "production", "consumer", "adjustment", "scrap", "take_on", "outside")


class Location(Scoped, Base):
    """A place in a book. Inside kinds have balances; outside kinds have none.

    Business: warehouse, transit (one per owning unit), dealer, claims (per unit); outside: supplier, production,
    consumer, adjustment, scrap, take_on. Financial: owner (per unit), sold; outside: outside.
    """

    __tablename__ = "location"
    __table_args__ = (
        UniqueConstraint("book", "kind", "unit_id", "warehouse_id", "dealer_id", postgresql_nulls_not_distinct=True),
        CheckConstraint("book IN ('b','f')", name="book"),
    )

    id: Mapped[Id]
    book: Mapped[str] = mapped_column(String(1))
    kind: Mapped[Code]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    warehouse_id: Mapped[int | None] = mapped_column(ForeignKey("warehouse.id"), unique=True)
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"), unique=True)
    counted: Mapped[bool] = mapped_column(Boolean)
    guarded: Mapped[bool] = mapped_column(Boolean)

    @classmethod
    def scope_clause(cls, scope: Scope) -> Any:
        """Places of the units; of dealers and warehouses only the named ones where the person is bound to some."""
        clause = among(cls.unit_id, scope.units)
        if scope.dealers is not None:
            clause &= or_(cls.dealer_id.is_(None), among(cls.dealer_id, scope.dealers))
        if scope.warehouses is not None:
            clause &= or_(cls.warehouse_id.is_(None), among(cls.warehouse_id, scope.warehouses))
        return clause


class StockMove(Base):
    """Posted movement, never changed; ``qty`` > 0 in base units; ``occurred_on`` business date, ``posted_at`` when."""

    __tablename__ = "stock_move"
    __table_args__ = (
        CheckConstraint("qty > 0", name="qty"),
        CheckConstraint("from_id <> to_id", name="places"),
        CheckConstraint("book IN ('b','f')", name="book"),
        Index("ix_stock_move_document", "document_kind", "document_id"),
        Index("ix_stock_move_from", "from_id", "product_id", "occurred_on"),
        Index("ix_stock_move_to", "to_id", "product_id", "occurred_on"),
    )

    id: Mapped[Id]
    book: Mapped[str] = mapped_column(String(1))
    from_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    to_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    lot_id: Mapped[Ref] = mapped_column(server_default="0", default=0)
    qty: Mapped[Qty]
    reason: Mapped[Code]
    occurred_on: Mapped[date]
    posted_at: Mapped[Created]
    document_kind: Mapped[Code]
    document_id: Mapped[Ref]
    line_id: Mapped[Ref | None]
    corrects_id: Mapped[Ref | None]


class StockBalance(Base):
    """Quantity per (location, product, lot), changed only with the move that explains it.

    ``guarded`` (business warehouses): overselling is impossible in the database. Dealers' and financial balances may
    fall below zero where the design allows it.
    """

    __tablename__ = "stock_balance"
    __table_args__ = (
        CheckConstraint("NOT guarded OR (0 <= reserved AND reserved <= on_hand)", name="reserved_within_on_hand"),
        Index("ix_stock_balance_product", "product_id"),
    )

    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    lot_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, server_default="0", default=0)
    on_hand: Mapped[Qty] = mapped_column(server_default="0")
    reserved: Mapped[Qty] = mapped_column(server_default="0")
    guarded: Mapped[bool] = mapped_column(Boolean)


class Reservation(Scoped, Base):
    """Stock promised to an order line (订单锁定): held, then consumed by its shipment, released or expired.

    ``qty`` is what is still held; the row stays with qty 0 and its final state. ``source`` names the line.
    """

    __tablename__ = "reservation"
    __table_args__ = (
        CheckConstraint("qty >= 0", name="qty"),
        CheckConstraint("state IN ('held','consumed','released','expired')", name="state"),
        CheckConstraint("(state = 'held') = (qty > 0)", name="state_qty"),
        Index("ix_reservation_document", "document_kind", "document_id"),
        Index(
            "ix_reservation_line", "document_kind", "line_id", unique=True, postgresql_where=sql_text("state = 'held'")
        ),
        Index(
            "ix_reservation_expiry",
            "expires_at",
            postgresql_where=sql_text("state = 'held' AND expires_at IS NOT NULL"),
        ),
        Index("ix_reservation_location", "location_id", "product_id", postgresql_where=sql_text("state = 'held'")),
    )

    id: Mapped[Id]
    unit_id: Mapped[Ref]
    location_id: Mapped[int] = mapped_column(ForeignKey("location.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    lot_id: Mapped[Ref] = mapped_column(server_default="0", default=0)
    document_kind: Mapped[Code]
    document_id: Mapped[Ref]
    line_id: Mapped[Ref]
    qty: Mapped[Qty]
    state: Mapped[Code] = mapped_column(server_default="held", default="held")
    expires_at: Mapped[Stamp | None]
    created_at: Mapped[Created]


class StockValue(Base):
    """Carrying value of a product in an owner unit's financial stock (moving average = value / qty)."""

    __tablename__ = "stock_value"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), primary_key=True)
    qty: Mapped[Qty] = mapped_column(server_default="0")
    value: Mapped[Amount] = mapped_column(server_default="0")


class StockValueMove(Base):
    """Every change of a carrying value, with the document that caused it; sums to ``StockValue``."""

    __tablename__ = "stock_value_move"
    __table_args__ = (
        Index("ix_stock_value_move_document", "document_kind", "document_id"),
        Index("ix_stock_value_move_key", "unit_id", "product_id", "occurred_on"),
    )

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    qty: Mapped[Qty]
    value: Mapped[Amount]
    occurred_on: Mapped[date]
    posted_at: Mapped[Created]
    document_kind: Mapped[Code]
    document_id: Mapped[Ref]
    line_id: Mapped[Ref | None]


append_only(StockMove)
append_only(StockValueMove)
