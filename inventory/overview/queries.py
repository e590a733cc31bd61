"""Reads across all of inventory: stock at every level, the bridge, goods placed with dealers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Numeric, case, cast, func, select, true

from branches.catalogue.models import Product
from branches.org.models import Unit, Warehouse
from inventory.channel.models import StockBucket
from inventory.overview import rules, statements
from inventory.shipments.models import Shipment, ShipmentLine
from inventory.stock.models import BUSINESS, Location, StockBalance, StockValue
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.scope import among, current_scope

NONE = Decimal(0)
LEVELS = ("central", "region", "branch", "office", "transit", "claims", "dealer")
_LEVEL_OF_UNIT = {"head_office": "central", "region": "region", "branch": "branch", "office": "office"}


@dataclass(frozen=True, slots=True)
class LevelRow:
    """Stock of one product at one place or, for dealers, at all dealers of a unit."""

    level: str
    unit_id: int
    unit: str
    warehouse_id: int | None
    place: str
    on_hand: Decimal
    reserved: Decimal
    holders: int

    @property
    def available(self) -> Decimal:
        """on hand − reserved"""
        return self.on_hand - self.reserved


def level_of() -> Any:
    """Level of a balance: of the unit for warehouses, else the kind of place."""
    unit = case({kind: level for kind, level in _LEVEL_OF_UNIT.items()}, value=Unit.kind, else_="branch")
    return case((Location.kind == "warehouse", unit), else_=Location.kind)


def levels(product_id: int) -> list[LevelRow]:
    """Where a product is, at every level the actor may see (IL-01), top level first."""
    level = level_of()
    place = case((Location.kind == "warehouse", Warehouse.name), else_="")
    rows = db.session.execute(
        select(
            level.label("level"),
            Unit.id.label("unit_id"),
            Unit.name.label("unit"),
            Warehouse.id.label("warehouse_id"),
            place.label("place"),
            func.sum(StockBalance.on_hand).label("on_hand"),
            func.sum(StockBalance.reserved).label("reserved"),
            func.count(Location.dealer_id).label("holders"),
        )
        .select_from(StockBalance)
        .join(Location, Location.id == StockBalance.location_id)
        .join(Unit, Unit.id == Location.unit_id)
        .outerjoin(Warehouse, Warehouse.id == Location.warehouse_id)
        .where(StockBalance.product_id == product_id, Location.book == BUSINESS, StockBalance.on_hand != 0)
        .group_by(level, Unit.id, Unit.name, Warehouse.id, place)
    ).all()
    found = [LevelRow(**row._mapping) for row in rows]
    return sorted(found, key=lambda row: (LEVELS.index(row.level), row.unit, row.place))


def level_totals() -> Any:
    """Sub-query (product_id, one column per level, total) over the actor's scope."""
    level = level_of()
    columns = [
        cast(func.sum(case((level == name, StockBalance.on_hand), else_=0)), Numeric(18, 3)).label(name)
        for name in LEVELS
    ]
    return (
        select(
            StockBalance.product_id,
            *columns,
            cast(func.sum(StockBalance.on_hand), Numeric(18, 3)).label("total"),
        )
        .join(Location, Location.id == StockBalance.location_id)
        .join(Unit, Unit.id == Location.unit_id)
        .where(Location.book == BUSINESS)
        .group_by(StockBalance.product_id)
        .subquery("levels")
    )


def placed() -> Any:
    """Sub-query (dealer_id, qty, value, consigned, consigned_value) of what dealers hold, at the price they got it."""
    value = StockBucket.remaining_qty * StockBucket.protected_price
    consigned = StockBucket.ownership == "consigned"
    return (
        select(
            StockBucket.dealer_id,
            cast(func.sum(StockBucket.remaining_qty), Numeric(18, 3)).label("qty"),
            cast(func.sum(value), Numeric(18, 2)).label("value"),
            cast(func.sum(case((consigned, value), else_=0)), Numeric(18, 2)).label("consigned"),
        )
        .where(StockBucket.remaining_qty > 0)
        .group_by(StockBucket.dealer_id)
        .subquery("placed")
    )


def unbilled() -> Any:
    """Sub-query (dealer_id, qty, amount) of what was delivered and is not billed yet."""
    open_qty = ShipmentLine.signed_qty - ShipmentLine.returned_qty - ShipmentLine.invoiced_qty
    return (
        select(
            Shipment.dealer_id,
            cast(func.sum(open_qty), Numeric(18, 3)).label("qty"),
            cast(func.sum(open_qty * ShipmentLine.price), Numeric(18, 2)).label("amount"),
        )
        .join(ShipmentLine, ShipmentLine.shipment_id == Shipment.id)
        .where(Shipment.state == "signed", open_qty > 0)
        .group_by(Shipment.dealer_id)
        .subquery("unbilled")
    )


def nothing_available() -> Decimal:
    """How many products have nothing available in a warehouse that knows them, in scope."""
    statement = (
        select(func.count())
        .select_from(StockBalance)
        .join(Location, Location.id == StockBalance.location_id)
        .join(Warehouse, Warehouse.id == Location.warehouse_id)
        .where(StockBalance.on_hand - StockBalance.reserved <= 0)
    )
    return Decimal(db.session.execute(statement).scalar_one())


def value_in_scope() -> ColumnElement[bool]:
    """Carrying values of the units in scope."""
    scope = current_scope()
    return true() if scope.everything else among(StockValue.unit_id, scope.units)


def stock_value() -> Decimal:
    """Carrying value (net) of the financial stock of all units in scope."""
    total = select(func.coalesce(func.sum(StockValue.value), 0)).where(value_in_scope())
    return Decimal(db.session.execute(total).scalar_one())


# --- the bridge -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BridgePage:
    """The bridge of an owner on a day: per product and in total, with the documents behind each cause."""

    unit: Unit
    products: list[tuple[Product, rules.Bridge]]
    total: rules.Bridge
    documents: list[Any]


def bridge(unit_id: int, on: date, product_id: int | None = None) -> BridgePage:
    """Explain the financial stock of a unit in scope. NotFound for a foreign unit."""
    unit = db.session.get(Unit, unit_id)
    if unit is None or not current_scope().has_unit(unit_id):
        raise NotFound("not_found", kind="unit", id=unit_id)
    values = {"unit_id": unit_id, "on": on, "product_id": product_id}
    places = db.session.execute(statements.PLACES_AS_OF, values).all()
    causes = db.session.execute(statements.CAUSES, values).all()
    found = rules.bridges(
        ((row.kind, row.product_id, row.qty) for row in places),
        ((row.cause, row.product_id, row.qty) for row in causes),
    )
    products = {
        row.id: row for row in db.session.execute(select(Product).where(Product.id.in_(sorted(found)))).scalars()
    }
    shown = sorted(((products[key], value) for key, value in found.items()), key=lambda pair: pair[0].code)
    return BridgePage(unit, shown, rules.total(found.values()), list(causes))


def units_in_scope() -> Sequence[Unit]:
    """Active units the actor may choose, in the order of the tree."""
    scope = current_scope()
    rows = db.session.execute(select(Unit).where(Unit.active).order_by(Unit.path, Unit.id)).scalars()
    return [row for row in rows if scope.has_unit(row.id)]


def warehouse(warehouse_id: int) -> Warehouse:
    """A warehouse in scope; NotFound otherwise."""
    found = db.session.execute(select(Warehouse).where(Warehouse.id == warehouse_id)).scalar_one_or_none()
    if found is None:
        raise NotFound("not_found", kind="warehouse", id=warehouse_id)
    return found
