"""Price lists with validity, supply prices by period, discount authority. Two prices can never apply at once."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, exists, func, or_, select
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, aliased, mapped_column

from branches.org.models import Dealer, Unit
from sdm.kernel.columns import Code, Created, Id, Name, Price, Qty, Rate, Ref
from sdm.kernel.db import Base, explain_constraint
from sdm.kernel.errors import Conflict
from sdm.kernel.scope import Scope, Scoped, among, current_scope


class PriceList(Scoped, Base):
    """A list for everyone, a grade, a unit (and below) or one dealer; the most special list that has a price wins."""

    __tablename__ = "price_list"
    __table_args__ = (
        CheckConstraint("target IN ('all','grade','unit','dealer')", name="target"),
        CheckConstraint(
            "(target = 'grade') = (grade_code IS NOT NULL) AND (target = 'unit') = (unit_id IS NOT NULL)"
            " AND (target = 'dealer') = (dealer_id IS NOT NULL)",
            name="target_column",
        ),
    )

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    target: Mapped[Code]
    grade_code: Mapped[str | None] = mapped_column(ForeignKey("dealer_grade.code"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"), index=True)
    active: Mapped[bool] = mapped_column(server_default="true", default=True)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)

    @classmethod
    def scope_clause(cls, scope: Scope) -> Any:
        """Lists for everyone and for grades; those of units in scope and above them; those of dealers in scope."""
        inside = aliased(Unit)
        own_unit = exists().where(among(inside.id, scope.units), inside.path.contains(func.to_jsonb(cls.unit_id)))
        dealers = select(Dealer.id).where(Dealer.scope_clause(scope)).correlate(None)
        return or_(cls.target.in_(("all", "grade")), own_unit.correlate(cls), cls.dealer_id.in_(dealers))

    def scope_units(self) -> set[int | None]:
        """Every unit: who may write which list is decided by the service (``require_list``)."""
        return set(current_scope().units)


class ListPrice(Base):
    """A gross price (VAT included) of a product from a quantity on; versions are closed, never edited."""

    __tablename__ = "list_price"
    __table_args__ = (
        ExcludeConstraint(
            (Column("list_id"), "="),
            (Column("product_id"), "="),
            (Column("qty_from"), "="),
            (Column("valid"), "&&"),
            name="ex_list_price_overlap",
            using="gist",
        ),
        CheckConstraint("price >= 0", name="price"),
        Index("ix_list_price_product", "product_id", "list_id"),
    )

    id: Mapped[Id]
    list_id: Mapped[int] = mapped_column(ForeignKey("price_list.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    qty_from: Mapped[Qty] = mapped_column(server_default="0")
    price: Mapped[Price]
    floor_price: Mapped[Price | None]
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]


class SupplyPrice(Base):
    """Net price (without VAT) at which head office supplies branches in a period; cost base of margin (PP-07)."""

    __tablename__ = "supply_price"
    __table_args__ = (
        ExcludeConstraint(
            (Column("product_id"), "="), (Column("valid"), "&&"), name="ex_supply_price_overlap", using="gist"
        ),
        CheckConstraint("price >= 0", name="price"),
    )

    id: Mapped[Id]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    price: Mapped[Price]
    valid: Mapped[Range[date]] = mapped_column(DATERANGE)
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]


class DiscountAuthority(Base):
    """How far below the list price a role may go on a line, and how large an order it may confirm (gross)."""

    __tablename__ = "discount_authority"

    role_code: Mapped[Code] = mapped_column(primary_key=True)
    discount_rate: Mapped[Rate]


explain_constraint("ex_list_price_overlap", Conflict)
explain_constraint("ex_supply_price_overlap", Conflict)
