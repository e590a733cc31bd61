"""Invoices (from application to issue), tax invoices, receipts, open items, allocation, adjustments."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Created, Id, Json, Name, Price, Qty, Rate, Ref, Stamp
from sdm.kernel.db import Base
from sdm.kernel.documents import Document
from sdm.kernel.scope import Scoped


class Invoice(Document, Base):
    """drafted → submitted → approved → issued; rejected; issued ones are reversed by a red-letter invoice.

    ``invoice_kind``: blue (charges), red (credits an invoice or a return). ``legal_number`` is gapless per legal entity
    and year, drawn at issue. Amounts are signed: red ones negative.
    """

    __tablename__ = "invoice"
    __table_args__ = (
        CheckConstraint("state IN ('drafted','submitted','rejected','approved','issued','reversed')", name="state"),
        CheckConstraint("invoice_kind IN ('blue','red')", name="invoice_kind"),
        Index(
            "uq_invoice_legal_number", "legal_number", unique=True, postgresql_where=text("legal_number IS NOT NULL")
        ),
        Index("ix_invoice_invoiced_on", "invoiced_on"),
        Index("ix_invoice_external", "external_number"),
        Index("ix_invoice_original", "original_id", postgresql_where=text("original_id IS NOT NULL")),
    )
    kind = "invoice"
    prefix = "IV"

    invoice_kind: Mapped[Code] = mapped_column(server_default="blue", default="blue")
    legal_number: Mapped[str | None] = mapped_column(String(40))
    external_number: Mapped[Code] = mapped_column(server_default="", default="")
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    legal_entity_id: Mapped[int] = mapped_column(ForeignKey("legal_entity.id"))
    owner_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    currency: Mapped[str] = mapped_column(String(3), server_default="CNY", default="CNY")
    invoiced_on: Mapped[date | None]
    due_on: Mapped[date | None]
    term_days: Mapped[int] = mapped_column(Integer, server_default="30", default=30)
    gross: Mapped[Amount] = mapped_column(server_default="0", default=0)
    net: Mapped[Amount] = mapped_column(server_default="0", default=0)
    vat: Mapped[Amount] = mapped_column(server_default="0", default=0)
    cost: Mapped[Amount] = mapped_column(server_default="0", default=0)
    warnings: Mapped[Json | None]
    tax_treatment: Mapped[Code] = mapped_column(server_default="", default="")
    reason: Mapped[Name] = mapped_column(server_default="", default="")
    original_id: Mapped[int | None] = mapped_column(ForeignKey("invoice.id"))
    return_id: Mapped[Ref | None]
    issued_at: Mapped[Stamp | None]
    approved_by_id: Mapped[Ref | None]
    note: Mapped[str] = mapped_column(server_default="", default="")


class InvoiceLine(Base):
    """A billed line, signed quantity and amounts. ``cost`` = qty × supply price of the invoice date (net);
    ``carrying`` = what left inventory; ``credited_qty``: taken back by red lines so far.
    """

    __tablename__ = "invoice_line"
    __table_args__ = (
        UniqueConstraint("invoice_id", "line_no"),
        CheckConstraint("credited_qty >= 0", name="credited"),
        Index("ix_invoice_line_shipment_line", "shipment_line_id"),
        Index("ix_invoice_line_original", "original_line_id"),
    )

    id: Mapped[Id]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    shipment_line_id: Mapped[Ref | None]
    order_line_id: Mapped[Ref | None]
    original_line_id: Mapped[int | None] = mapped_column(ForeignKey("invoice_line.id"))
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    qty: Mapped[Qty]
    price: Mapped[Price]
    gross: Mapped[Amount]
    net: Mapped[Amount]
    vat: Mapped[Amount]
    tax_rate: Mapped[Rate]
    supply_price: Mapped[Price] = mapped_column(server_default="0", default=0)
    cost: Mapped[Amount] = mapped_column(server_default="0", default=0)
    carrying: Mapped[Amount] = mapped_column(server_default="0", default=0)
    credited_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)


class TaxInvoice(Scoped, Base):
    """The tax platform's invoice (发票): its number, blue or red with its original."""

    __tablename__ = "tax_invoice"
    __table_args__ = (CheckConstraint("colour IN ('blue','red')", name="colour"),)

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    number: Mapped[Code] = mapped_column(unique=True)
    colour: Mapped[Code]
    original_id: Mapped[int | None] = mapped_column(ForeignKey("tax_invoice.id"))
    issued_on: Mapped[date]
    gross: Mapped[Amount]
    vat: Mapped[Amount]
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]


class TaxInvoiceLink(Base):
    """Which invoices a tax invoice covers, n to m, with the amount."""

    __tablename__ = "tax_invoice_link"

    tax_invoice_id: Mapped[int] = mapped_column(ForeignKey("tax_invoice.id"), primary_key=True)
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoice.id"), primary_key=True, index=True)
    gross: Mapped[Amount]


class Receipt(Document, Base):
    """Money from a dealer (回款): recorded → reversed. ``legal_number`` gapless.

    ``order_id``: earmarked for a prepaid order.
    """

    __tablename__ = "receipt"
    __table_args__ = (
        CheckConstraint("state IN ('recorded','reversed')", name="state"),
        CheckConstraint("amount > 0", name="amount"),
        Index(
            "uq_receipt_legal_number", "legal_number", unique=True, postgresql_where=text("legal_number IS NOT NULL")
        ),
        Index(
            "uq_receipt_reference",
            "payer_id",
            "reference",
            unique=True,
            postgresql_where=text("reference <> '' AND state = 'recorded'"),
        ),
        Index("ix_receipt_received_on", "received_on"),
        Index("ix_receipt_reference", "reference", postgresql_where=text("reference <> ''")),
        Index("ix_receipt_order", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    )
    kind = "receipt"
    prefix = "RC"

    legal_number: Mapped[str | None] = mapped_column(String(40))
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    legal_entity_id: Mapped[int] = mapped_column(ForeignKey("legal_entity.id"))
    currency: Mapped[str] = mapped_column(String(3), server_default="CNY", default="CNY")
    amount: Mapped[Amount]
    received_on: Mapped[date]
    method: Mapped[Code]
    bank_account: Mapped[Name] = mapped_column(server_default="", default="")
    reference: Mapped[Name] = mapped_column(server_default="", default="")
    order_id: Mapped[Ref | None]
    note: Mapped[str] = mapped_column(server_default="", default="")


class ReceivableAdjustment(Document, Base):
    """Correction of a dealer's account (调帐): requested → posted or rejected. ``amount`` signed: + charges."""

    __tablename__ = "receivable_adjustment"
    __table_args__ = (
        CheckConstraint("state IN ('requested','posted','rejected')", name="state"),
        CheckConstraint("amount <> 0", name="amount"),
    )
    kind = "receivable_adjustment"
    prefix = "AD"

    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"))
    legal_entity_id: Mapped[int] = mapped_column(ForeignKey("legal_entity.id"))
    amount: Mapped[Amount]
    adjusted_on: Mapped[date]
    reason_code: Mapped[Code]
    account_code: Mapped[str] = mapped_column(ForeignKey("account.code"))
    reason: Mapped[Name]
    decided_by_id: Mapped[Ref | None]
    decided_at: Mapped[Stamp | None]


class OpenItem(Scoped, Base):
    """What a payer owes (amount > 0) or is owed (< 0): invoice, debit or credit memo, receipt, opening. Ageing,
    statement, days outstanding and the control account all read these rows.

    ``open_amount`` goes from ``amount`` to 0 by allocations; both have the same sign. ``counted``: false for a receipt
    earmarked for a prepaid order, which stays outside exposure until that order's goods are picked.
    """

    __tablename__ = "open_item"
    __table_args__ = (
        CheckConstraint("kind IN ('invoice','credit','debit','receipt','opening')", name="kind"),
        CheckConstraint(
            "(amount > 0 AND open_amount BETWEEN 0 AND amount) OR (amount < 0 AND open_amount BETWEEN amount AND 0)",
            name="open_within_amount",
        ),
        UniqueConstraint("document_kind", "document_id", "part"),
        Index("ix_open_item_payer", "payer_id", postgresql_where=text("open_amount <> 0")),
        Index("ix_open_item_unit", "unit_id", "due_on", postgresql_where=text("open_amount <> 0")),
        Index("ix_open_item_payer_dated", "payer_id", "dated_on"),
        Index("ix_open_item_dated_on", "dated_on"),
    )

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"))
    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"))
    legal_entity_id: Mapped[int] = mapped_column(ForeignKey("legal_entity.id"))
    kind: Mapped[Code]
    document_kind: Mapped[Code]
    document_id: Mapped[Ref]
    part: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    number: Mapped[Code]
    dated_on: Mapped[date]
    due_on: Mapped[date]
    amount: Mapped[Amount]
    open_amount: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3), server_default="CNY", default="CNY")
    closed_on: Mapped[date | None]
    counted: Mapped[bool] = mapped_column(Boolean, server_default="true", default=True)


class Allocation(Scoped, Base):
    """A link (勾对) of a debit item with a credit item for an amount > 0; undone by a row with negative amount."""

    __tablename__ = "allocation"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_allocation_debit", "debit_item_id"),
        Index("ix_allocation_credit", "credit_item_id"),
        Index("ix_allocation_allocated_on", "allocated_on"),
        Index("uq_allocation_reverses", "reverses_id", unique=True, postgresql_where=text("reverses_id IS NOT NULL")),
    )

    id: Mapped[Id]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    debit_item_id: Mapped[int] = mapped_column(ForeignKey("open_item.id"))
    credit_item_id: Mapped[int] = mapped_column(ForeignKey("open_item.id"))
    amount: Mapped[Amount]
    allocated_on: Mapped[date]
    automatic: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    reverses_id: Mapped[int | None] = mapped_column(ForeignKey("allocation.id"))
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]
