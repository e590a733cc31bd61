"""Quotations, sales orders with holds, sales returns."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, String, UniqueConstraint, text
from sqlalchemy import text as sql_text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Created, Id, Json, Name, Price, Qty, Rate, Ref, Stamp
from sdm.kernel.db import Base
from sdm.kernel.documents import Document

ORDER_STATES = (
    "submitted",
    "held",
    "confirmed",
    "part_shipped",
    "shipped",
    "invoiced",
    "closed",
    "cancelled",
    "short_closed",
)


class SalesOrder(Document, Base):
    """submitted → (held) → confirmed → part shipped → shipped → invoiced → closed; cancelled; short-closed.

    Drafts live in ``sdm.kernel.drafts``: saving makes the order. ``owner_unit_id`` owns the goods, ``unit_id`` sells and
    collects.
    """

    __tablename__ = "sales_order"
    __table_args__ = (
        CheckConstraint(
            "state IN ('submitted','held','confirmed','part_shipped','shipped','invoiced','closed','cancelled','short_closed')",
            name="state",
        ),
        Index("ix_sales_order_ordered_on", "ordered_on"),
        Index("ix_sales_order_external", "external_number", postgresql_where=text("external_number <> ''")),
    )
    kind = "sales_order"
    prefix = "SO"

    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"))
    warehouse_id: Mapped[int] = mapped_column(ForeignKey("warehouse.id"), index=True)
    owner_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    legal_entity_id: Mapped[int] = mapped_column(ForeignKey("legal_entity.id"))
    currency: Mapped[str] = mapped_column(String(3), server_default="CNY", default="CNY")
    ordered_on: Mapped[date]
    requested_on: Mapped[date | None]
    settlement_mode: Mapped[Code]
    term_days: Mapped[int] = mapped_column(Integer)
    external_number: Mapped[Code] = mapped_column(server_default="", default="")
    ship_to: Mapped[Name] = mapped_column(server_default="", default="")
    note: Mapped[str] = mapped_column(server_default="", default="")
    gross: Mapped[Amount] = mapped_column(server_default="0", default=0)
    net: Mapped[Amount] = mapped_column(server_default="0", default=0)
    list_gross: Mapped[Amount] = mapped_column(server_default="0", default=0)
    cost: Mapped[Amount] = mapped_column(server_default="0", default=0)
    quotation_id: Mapped[int | None] = mapped_column(ForeignKey("quotation.id"))
    confirmed_at: Mapped[Stamp | None]
    confirmed_by_id: Mapped[Ref | None]


class SalesOrderLine(Base):
    """Quantities of a line in base units, all cumulative; amounts gross after discount; exposure follows from them.

    shipped: left the warehouse; short: short or refused at signature; returned: taken back before billing; listed:
    sold on (consignment); invoiced: falls by reversal only. ``price_reason``: why another price than the lists'.
    """

    __tablename__ = "sales_order_line"
    __table_args__ = (
        UniqueConstraint("order_id", "line_no"),
        CheckConstraint("qty > 0", name="qty"),
        CheckConstraint("0 <= cancelled_qty AND cancelled_qty <= qty", name="cancelled"),
        CheckConstraint("0 <= short_qty AND short_qty <= shipped_qty", name="short"),
        CheckConstraint("cancelled_qty + shipped_qty - short_qty <= qty", name="shipped"),
        CheckConstraint("invoiced_qty >= 0 AND returned_qty >= 0 AND listed_qty >= 0", name="counts"),
        Index("ix_sales_order_line_product", "product_id"),
    )

    id: Mapped[Id]
    order_id: Mapped[int] = mapped_column(ForeignKey("sales_order.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    entered_qty: Mapped[Qty]
    entered_unit: Mapped[Code]
    qty: Mapped[Qty]
    list_price: Mapped[Price]
    price: Mapped[Price]
    floor_price: Mapped[Price | None]
    supply_price: Mapped[Price] = mapped_column(server_default="0", default=0)
    tax_rate: Mapped[Rate]
    amount: Mapped[Amount]
    explanation: Mapped[Json]
    price_reason: Mapped[Name] = mapped_column(server_default="", default="")
    cancelled_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    shipped_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    short_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    signed_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    returned_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    listed_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    invoiced_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)


class OrderHold(Base):
    """Why an order is held, with the figures of that moment; released by an entitled person, or cleared by a re-check.

    A release has amount and expiry (``released_amount``, ``released_until``) and later steps honour it.
    """

    __tablename__ = "order_hold"
    __table_args__ = (
        CheckConstraint("kind IN ('credit','overdue','price','authority','dealer','shortage','amount')", name="kind"),
        CheckConstraint("state IN ('open','released','rejected','cleared')", name="state"),
        Index("uq_order_hold_open", "order_id", "kind", unique=True, postgresql_where=sql_text("state = 'open'")),
        Index("ix_order_hold_order", "order_id"),
    )

    id: Mapped[Id]
    order_id: Mapped[int] = mapped_column(ForeignKey("sales_order.id"))
    kind: Mapped[Code]
    state: Mapped[Code] = mapped_column(server_default="open", default="open")
    figures: Mapped[Json]
    released_amount: Mapped[Amount | None]
    released_until: Mapped[date | None]
    reason: Mapped[Name] = mapped_column(server_default="", default="")
    created_at: Mapped[Created]
    decided_at: Mapped[Stamp | None]
    decided_by_id: Mapped[Ref | None]


class Quotation(Document, Base):
    """A priced offer; becomes an order with the same lines by one action (OS-22)."""

    __tablename__ = "quotation"
    __table_args__ = (CheckConstraint("state IN ('open','ordered','expired','withdrawn')", name="state"),)
    kind = "quotation"
    prefix = "QU"

    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    warehouse_id: Mapped[int] = mapped_column(ForeignKey("warehouse.id"))
    quoted_on: Mapped[date]
    valid_until: Mapped[date]
    gross: Mapped[Amount] = mapped_column(server_default="0", default=0)
    note: Mapped[str] = mapped_column(server_default="", default="")


class QuotationLine(Base):
    """A quoted line."""

    __tablename__ = "quotation_line"
    __table_args__ = (UniqueConstraint("quotation_id", "line_no"), CheckConstraint("qty > 0", name="qty"))

    id: Mapped[Id]
    quotation_id: Mapped[int] = mapped_column(ForeignKey("quotation.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"))
    qty: Mapped[Qty]
    list_price: Mapped[Price]
    price: Mapped[Price]
    amount: Mapped[Amount]
    explanation: Mapped[Json]
    price_reason: Mapped[Name] = mapped_column(server_default="", default="")


class SalesReturn(Document, Base):
    """requested → approved → received → credited; rejected. Lines are linked to what was delivered and capped by it."""

    __tablename__ = "sales_return"
    __table_args__ = (
        CheckConstraint("state IN ('requested','approved','rejected','received','credited')", name="state"),
        Index("ix_sales_return_external", "external_number", postgresql_where=text("external_number <> ''")),
    )
    kind = "sales_return"
    prefix = "RT"

    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    payer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"))
    warehouse_id: Mapped[int | None] = mapped_column(ForeignKey("warehouse.id"))
    requested_on: Mapped[date]
    received_on: Mapped[date | None]
    reason_code: Mapped[Code]
    note: Mapped[str] = mapped_column(server_default="", default="")
    gross: Mapped[Amount] = mapped_column(server_default="0", default=0)
    external_number: Mapped[Code] = mapped_column(server_default="", default="")
    decided_by_id: Mapped[Ref | None]
    decided_at: Mapped[Stamp | None]


class SalesReturnLine(Base):
    """Units taken back from one delivered line (and, where billed, its invoice line). Only take-on has neither.

    ``unbilled_qty``: how many of the received units were not billed yet; the rest is credited.
    """

    __tablename__ = "sales_return_line"
    __table_args__ = (UniqueConstraint("return_id", "line_no"), CheckConstraint("qty > 0", name="qty"))

    id: Mapped[Id]
    return_id: Mapped[int] = mapped_column(ForeignKey("sales_return.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    shipment_line_id: Mapped[int | None] = mapped_column(ForeignKey("shipment_line.id"), index=True)
    invoice_line_id: Mapped[int | None] = mapped_column(ForeignKey("invoice_line.id"))
    qty: Mapped[Qty]
    received_qty: Mapped[Qty | None]
    unbilled_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    price: Mapped[Price]
    amount: Mapped[Amount]
