"""Reads of shipments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, case, cast, func, select

from branches.catalogue.models import Product
from branches.org.models import Dealer, Unit, Warehouse
from inventory.shipments import rules
from inventory.shipments.models import Shipment, ShipmentLine
from sdm.kernel import clock, documents
from sdm.kernel.db import db


@dataclass(frozen=True, slots=True)
class Line:
    """A line as shown; amounts gross."""

    id: int
    line_no: int
    order_line_id: int | None
    product_id: int
    code: str
    name: str
    base_unit: str
    qty: Decimal
    signed_qty: Decimal
    short_qty: Decimal
    refused_qty: Decimal
    returned_qty: Decimal
    invoiced_qty: Decimal
    price: Decimal
    amount: Decimal
    tax_rate: Decimal


@dataclass(frozen=True, slots=True)
class ShipmentPage:
    """A shipment with what its page shows."""

    shipment: Shipment
    dealer: str
    dealer_unit: str
    warehouse: str
    owner: str
    lines: list[Line]

    @property
    def amount(self) -> Decimal:
        """Gross amount of all lines."""
        return sum((line.amount for line in self.lines), Decimal(0))

    @property
    def qty(self) -> Decimal:
        """Sum of the quantities."""
        return sum((line.qty for line in self.lines), Decimal(0))

    @property
    def days_late(self) -> int:
        """Whole days after the expected arrival."""
        row = self.shipment
        return rules.days_late(row.state, row.expected_on, row.signed_on, clock.today())


def shipment_page(shipment_id: int) -> ShipmentPage:
    """A shipment in scope with names and lines. NotFound otherwise."""
    shipment = documents.get(Shipment, shipment_id)
    owner = db.session.get(Unit, shipment.owner_unit_id)
    dealer = db.session.execute(select(Dealer.name).where(Dealer.id == shipment.dealer_id)).scalar() or ""
    warehouse = db.session.execute(select(Warehouse.name).where(Warehouse.id == shipment.warehouse_id)).scalar() or ""
    unit = db.session.get(Unit, shipment.unit_id)
    return ShipmentPage(
        shipment, dealer, unit.name if unit else "", warehouse, owner.name if owner else "", lines(shipment_id)
    )


def lines(shipment_id: int) -> list[Line]:
    """Lines with product names, in order; the shipment was found in scope."""
    rows = db.session.execute(
        select(
            ShipmentLine.id,
            ShipmentLine.line_no,
            ShipmentLine.order_line_id,
            Product.id.label("product_id"),
            Product.code,
            Product.name,
            Product.base_unit,
            ShipmentLine.qty,
            ShipmentLine.signed_qty,
            ShipmentLine.short_qty,
            ShipmentLine.refused_qty,
            ShipmentLine.returned_qty,
            ShipmentLine.invoiced_qty,
            ShipmentLine.price,
            ShipmentLine.amount,
            ShipmentLine.tax_rate,
        )
        .join(Product, Product.id == ShipmentLine.product_id)
        .where(ShipmentLine.shipment_id == shipment_id)
        .order_by(ShipmentLine.line_no)
    )
    return [Line(**row._mapping) for row in rows]


def sum_of_lines(column: Any) -> Any:
    """Sum of a column of the lines of a shipment, for lists."""
    return select(func.sum(column)).where(ShipmentLine.shipment_id == Shipment.id).correlate(Shipment).scalar_subquery()


def late_by(today: date) -> ColumnElement[int]:
    """Days a shipment is late at this moment, for lists; 0 when it is not."""
    arrived = case((Shipment.state == "signed", Shipment.signed_on), else_=today)
    late = func.greatest(arrived - Shipment.expected_on, 0)
    return case((Shipment.state.in_(["shipped", "signed"]), func.coalesce(late, 0)), else_=0)


def in_transit_by_warehouse() -> Any:
    """Sub-query (warehouse_id, product_id, qty): what left warehouses and is not signed yet."""
    return (
        select(
            Shipment.warehouse_id,
            ShipmentLine.product_id,
            cast(func.sum(ShipmentLine.qty), Numeric(18, 3)).label("qty"),
        )
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .where(Shipment.state == "shipped", Shipment.warehouse_id.is_not(None))
        .group_by(Shipment.warehouse_id, ShipmentLine.product_id)
        .subquery("in_transit")
    )
