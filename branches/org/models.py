"""Units, people, dealers, warehouses, option lists and parameters."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Boolean, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Code, Created, Id, Name
from sdm.kernel.db import Base
from sdm.kernel.scope import Scope, Scoped, among

UNIT_KINDS = ("head_office", "region", "branch", "office")
SETTLEMENT_MODES = ("prepaid", "term", "consignment")


class LegalEntity(Base):
    """A company that invoices: name, tax and bank data as printed on invoices (BA-03)."""

    __tablename__ = "legal_entity"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    tax_no: Mapped[Code] = mapped_column(server_default="")
    address: Mapped[Name] = mapped_column(server_default="")
    phone: Mapped[Code] = mapped_column(server_default="")
    bank_name: Mapped[Name] = mapped_column(server_default="")
    bank_account: Mapped[Code] = mapped_column(server_default="")
    currency: Mapped[Code] = mapped_column(server_default="CNY")
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class Unit(Base):
    """Head office, region, branch or office, readable by everyone. ``path`` holds the ids from the root to this unit."""

    __tablename__ = "unit"
    __table_args__ = (
        CheckConstraint("kind IN ('head_office','region','branch','office')", name="kind"),
        Index("ix_unit_path", "path", postgresql_using="gin"),
        Index("uq_unit_head_office", "kind", unique=True, postgresql_where=text("kind = 'head_office'")),
    )

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    pinyin: Mapped[Name] = mapped_column(server_default="")
    kind: Mapped[Code]
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)
    path: Mapped[list[int]] = mapped_column(JSONB, server_default=text("'[]'"))
    legal_entity_id: Mapped[int | None] = mapped_column(ForeignKey("legal_entity.id"))
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", use_alter=True))
    deputy_id: Mapped[int | None] = mapped_column(ForeignKey("person.id", use_alter=True))
    province: Mapped[Name] = mapped_column(server_default="")
    city: Mapped[Name] = mapped_column(server_default="")
    address: Mapped[Name] = mapped_column(server_default="")
    phone: Mapped[Code] = mapped_column(server_default="")
    active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class Person(Scoped, Base):
    """Somebody who works for us; may have a sign-in (``sdm.auth``)."""

    __tablename__ = "person"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    pinyin: Mapped[Name] = mapped_column(server_default="")
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    job_title: Mapped[Name] = mapped_column(server_default="")
    phone: Mapped[Code] = mapped_column(server_default="")
    email: Mapped[Name] = mapped_column(server_default="")
    active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class Deputy(Base):
    """Who stands in for a person, from day to day, both included."""

    __tablename__ = "deputy"
    __table_args__ = (CheckConstraint("valid_from <= valid_to", name="dates"),)

    id: Mapped[Id]
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    deputy_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date]


class Warehouse(Scoped, Base):
    """A place that holds our goods; ``owner`` of its stock is its unit."""

    __tablename__ = "warehouse"

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    pinyin: Mapped[Name] = mapped_column(server_default="")
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    keeper_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    province: Mapped[Name] = mapped_column(server_default="")
    city: Mapped[Name] = mapped_column(server_default="")
    address: Mapped[Name] = mapped_column(server_default="")
    lead_days: Mapped[int] = mapped_column(Integer, server_default="3", default=3)
    active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)

    @classmethod
    def scope_clause(cls, scope: Scope) -> Any:
        """Own warehouses where the person is bound to some, else those of the units."""
        if scope.warehouses is not None:
            return among(cls.id, scope.warehouses)
        return among(cls.unit_id, scope.units)


class DealerGrade(Base):
    """Own classification of dealers, used in prices and reports (CD-04). ``rank`` 1 is best."""

    __tablename__ = "dealer_grade"

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    rank: Mapped[int] = mapped_column(Integer, server_default="9")
    active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)


class Dealer(Scoped, Base):
    """A business that buys for resale. ``payer_id`` owes the money (itself by default); ``unit_id`` is its branch.

    ``collective``: stands for buyers without a record of their own. ``merged_into_id``: a double, inactive, its documents
    now belong to that dealer.
    """

    __tablename__ = "dealer"
    __table_args__ = (
        CheckConstraint("settlement_mode IN ('prepaid','term','consignment')", name="settlement_mode"),
        CheckConstraint("status IN ('active','blocked','inactive')", name="status"),
        CheckConstraint("term_days BETWEEN 0 AND 3650", name="term_days"),
        Index("ix_dealer_search", "search", postgresql_using="gin", postgresql_ops={"search": "gin_trgm_ops"}),
        Index("ix_dealer_tax_no", "tax_no"),
        Index("ix_dealer_name_core", "name_core", postgresql_using="gin", postgresql_ops={"name_core": "gin_trgm_ops"}),
        CheckConstraint("parent_dealer_id <> id AND merged_into_id <> id", name="not_itself"),
    )

    id: Mapped[Id]
    code: Mapped[Code] = mapped_column(unique=True)
    name: Mapped[Name]
    short_name: Mapped[Name] = mapped_column(server_default="")
    pinyin: Mapped[Name] = mapped_column(server_default="")
    pinyin_fixed: Mapped[Code] = mapped_column(server_default="", default="")
    name_core: Mapped[Name] = mapped_column(server_default="", default="")
    search: Mapped[str] = mapped_column(server_default="")
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    parent_dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"), index=True)
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"), index=True)
    grade_code: Mapped[str] = mapped_column(ForeignKey("dealer_grade.code"))
    channel: Mapped[Code] = mapped_column(server_default="")
    settlement_mode: Mapped[Code] = mapped_column(server_default="term", default="term")
    term_days: Mapped[int] = mapped_column(Integer, server_default="30", default=30)
    status: Mapped[Code] = mapped_column(server_default="active", default="active")
    block_reason: Mapped[Name] = mapped_column(server_default="")
    collective: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    tax_no: Mapped[Code] = mapped_column(server_default="")
    invoice_name: Mapped[Name] = mapped_column(server_default="")
    address: Mapped[Name] = mapped_column(server_default="")
    phone: Mapped[Code] = mapped_column(server_default="")
    bank_name: Mapped[Name] = mapped_column(server_default="")
    bank_account: Mapped[Code] = mapped_column(server_default="")
    province: Mapped[Name] = mapped_column(server_default="")
    city: Mapped[Name] = mapped_column(server_default="")
    manager_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    taken_on: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    note: Mapped[str] = mapped_column(server_default="")
    merged_into_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"), index=True)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)
    created_at: Mapped[Created]

    @classmethod
    def scope_clause(cls, scope: Scope) -> Any:
        """Dealers of the units; only the named ones where the person is bound to some."""
        clause = among(cls.unit_id, scope.units)
        return clause & among(cls.id, scope.dealers) if scope.dealers is not None else clause

    @property
    def payer(self) -> int:
        """Id of the dealer that owes the money."""
        return self.payer_id or self.id


class DealerParent(Base):
    """The channel tree over time: a move keeps history and changes totals from its date (CD-03)."""

    __tablename__ = "dealer_parent"
    __table_args__ = (UniqueConstraint("dealer_id", "valid_from"),)

    id: Mapped[Id]
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"))
    parent_dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"))
    valid_from: Mapped[date]


class DealerContact(Base):
    """A person at a dealer."""

    __tablename__ = "dealer_contact"

    id: Mapped[Id]
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    name: Mapped[Name]
    job_title: Mapped[Name] = mapped_column(server_default="")
    phone: Mapped[Code] = mapped_column(server_default="")
    email: Mapped[Name] = mapped_column(server_default="")
    ship_to: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    address: Mapped[Name] = mapped_column(server_default="")


class OptionList(Base):
    """A list of choices that administrators maintain (BA-07), such as return reasons."""

    __tablename__ = "option_list"

    code: Mapped[Code] = mapped_column(primary_key=True)
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")


class Option(Base):
    """One choice of a list."""

    __tablename__ = "option"
    __table_args__ = (UniqueConstraint("list_code", "code"),)

    id: Mapped[Id]
    list_code: Mapped[str] = mapped_column(ForeignKey("option_list.code"))
    code: Mapped[Code]
    name: Mapped[Name]
    name_en: Mapped[Name] = mapped_column(server_default="")
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    active: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)


class Parameter(Base):
    """A value of a registered parameter for the company (``unit_id`` null) or one unit, from a day on."""

    __tablename__ = "parameter"
    __table_args__ = (UniqueConstraint("key", "unit_id", "valid_from", postgresql_nulls_not_distinct=True),)

    id: Mapped[Id]
    key: Mapped[Code]
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    value: Mapped[Any] = mapped_column(JSONB)
    valid_from: Mapped[date]
    set_at: Mapped[Created]


class AccessVersion(Base):
    """One row set anew by every change of units, roles, users or parameters: caches compare it on each request.

    ``version`` is the microsecond of the change: it never repeats, not even after a rollback.
    """

    __tablename__ = "access_version"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(BigInteger)
