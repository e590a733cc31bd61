"""Shipments to dealers: picked, shipped (in transit), signed in full, short or refused."""

from __future__ import annotations

from datetime import date

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Id, Name, Price, Qty, Rate, Ref, Stamp
from sdm.kernel.db import Base
from sdm.kernel.documents import Document


class Shipment(Document, Base):
    """picked → shipped → signed; cancelled while picked. ``unit_id`` sells; ``owner_unit_id`` owns the goods."""

    __tablename__ = "shipment"
    __table_args__ = (
        CheckConstraint("state IN ('picked','shipped','signed','cancelled')", name="state"),
        Index("ix_shipment_order", "order_id"),
        Index("ix_shipment_shipped_on", "shipped_on"),
    )
    kind = "shipment"
    prefix = "SH"

    order_id: Mapped[Ref | None]
    dealer_id: Mapped[int] = mapped_column(ForeignKey("dealer.id"), index=True)
    warehouse_id: Mapped[int | None] = mapped_column(ForeignKey("warehouse.id"), index=True)
    owner_unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    ownership: Mapped[Code] = mapped_column(server_default="bought", default="bought")
    external_number: Mapped[Code] = mapped_column(server_default="", default="")
    carrier: Mapped[Name] = mapped_column(server_default="", default="")
    waybill: Mapped[Code] = mapped_column(server_default="", default="")
    ship_to: Mapped[Name] = mapped_column(server_default="", default="")
    planned_on: Mapped[date | None]
    expected_on: Mapped[date | None]
    shipped_on: Mapped[date | None]
    shipped_at: Mapped[Stamp | None]
    signed_on: Mapped[date | None]
    signed_by: Mapped[Name] = mapped_column(server_default="", default="")
    note: Mapped[str] = mapped_column(server_default="", default="")


class ShipmentLine(Base):
    """Goods of a shipment; price, tax and amount are copied from the order line.

    signed + short + refused = qty once signed. ``returned``: taken back later. ``invoiced`` ≤ signed (or qty where the
    parameter bills what is shipped): kept here so that billing twice is impossible; doctor recomputes it.
    """

    __tablename__ = "shipment_line"
    __table_args__ = (
        UniqueConstraint("shipment_id", "line_no"),
        CheckConstraint("qty > 0", name="qty"),
        CheckConstraint("signed_qty >= 0 AND short_qty >= 0 AND refused_qty >= 0", name="parts"),
        CheckConstraint("signed_qty + short_qty + refused_qty <= qty", name="parts_within_qty"),
        CheckConstraint("0 <= invoiced_qty AND invoiced_qty <= qty", name="invoiced"),
        CheckConstraint("0 <= returned_qty AND returned_qty <= qty", name="returned"),
        Index("ix_shipment_line_order_line", "order_line_id"),
        Index("ix_shipment_line_unbilled", "shipment_id", postgresql_where=text("invoiced_qty < qty")),
    )

    id: Mapped[Id]
    shipment_id: Mapped[int] = mapped_column(ForeignKey("shipment.id"))
    line_no: Mapped[int] = mapped_column(Integer)
    order_line_id: Mapped[Ref | None]
    product_id: Mapped[int] = mapped_column(ForeignKey("product.id"), index=True)
    qty: Mapped[Qty]
    signed_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    short_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    refused_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    returned_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    invoiced_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    listed_qty: Mapped[Qty] = mapped_column(server_default="0", default=0)
    price: Mapped[Price]
    amount: Mapped[Amount]
    tax_rate: Mapped[Rate]
