"""Credit accounts: one row per payer with exposure buckets, locked when something that changes exposure happens."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Created, Id, Name, Ref, Stamp
from sdm.kernel.db import Base
from sdm.kernel.numbering import generated
from sdm.kernel.scope import Scoped


class CreditAccount(Scoped, Base):
    """Limit and buckets of a payer, gross. No CHECK on the sum: limits can be cut below what is used.

    exposure = open_orders + shipped + consigned (if the parameter says so) + items + acceptances − receipts
    items: open invoices and debit memos − open credit memos; receipts: not yet applied.
    """

    __tablename__ = "credit_account"

    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), primary_key=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    limit_amount: Mapped[Amount] = mapped_column(server_default="0", default=0)
    limit_until: Mapped[date | None]
    temporary_amount: Mapped[Amount] = mapped_column(server_default="0", default=0)
    temporary_until: Mapped[date | None]
    open_orders: Mapped[Amount] = mapped_column(server_default="0", default=0)
    shipped: Mapped[Amount] = mapped_column(server_default="0", default=0)
    consigned: Mapped[Amount] = mapped_column(server_default="0", default=0)
    items: Mapped[Amount] = mapped_column(server_default="0", default=0)
    acceptances: Mapped[Amount] = mapped_column(server_default="0", default=0)
    receipts: Mapped[Amount] = mapped_column(server_default="0", default=0)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class UnitLimit(Base):
    """Limit of a branch's capital in use (FI-27, FI-30)."""

    __tablename__ = "unit_limit"

    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), primary_key=True)
    limit_amount: Mapped[Amount]
    limit_until: Mapped[date | None]


class CreditLimitChange(Scoped, Base):
    """A proposed or decided limit of a dealer (``payer_id``) or branch; who asked, who decided, until when (FI-27)."""

    __tablename__ = "credit_limit_change"
    __table_args__ = (
        CheckConstraint("state IN ('proposed','approved','rejected')", name="state"),
        CheckConstraint("kind IN ('limit','temporary','unit')", name="kind"),
        Index("ix_credit_limit_change_payer", "payer_id"),
    )

    id: Mapped[Id]
    number: Mapped[str] = mapped_column(generated("CL"), unique=True)
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    payer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"))
    kind: Mapped[Code]
    old_amount: Mapped[Amount]
    amount: Mapped[Amount]
    valid_until: Mapped[date | None]
    reason: Mapped[Name]
    state: Mapped[Code] = mapped_column(server_default="proposed", default="proposed")
    proposed_at: Mapped[Created]
    proposed_by_id: Mapped[Ref | None]
    decided_at: Mapped[Stamp | None]
    decided_by_id: Mapped[Ref | None]
