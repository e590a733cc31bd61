"""Stock for programs."""

from __future__ import annotations

from typing import Any

from marshmallow import fields
from sqlalchemy import select

from branches.catalogue.models import Product
from inventory.channel import queries as channel
from inventory.overview import queries
from inventory.stock.models import Location, StockBalance
from sdm.kernel import api
from sdm.kernel.permissions import Permission
from sdm.kernel.schema import BaseSchema, QtyField

blueprint = api.blueprint("stock", __name__)


class StockOut(BaseSchema):
    """Stock of a product in a warehouse; available = on hand − reserved."""

    product_id = fields.Integer()
    code = fields.String()
    name = fields.String()
    on_hand = QtyField()
    reserved = QtyField()
    available = QtyField()


class LevelOut(BaseSchema):
    """Stock of a product at one place; dealers are summed per unit."""

    level = fields.String()
    unit_id = fields.Integer()
    unit = fields.String()
    warehouse_id = fields.Integer(allow_none=True)
    on_hand = QtyField()
    reserved = QtyField()
    available = QtyField()
    holders = fields.Integer()


class LevelsOut(BaseSchema):
    """Stock of a product at every level and its total in the caller's scope."""

    product_id = fields.Integer()
    total = QtyField()
    levels = fields.List(fields.Nested(LevelOut))


class HeldOut(BaseSchema):
    """What a dealer holds of a product."""

    product_id = fields.Integer()
    qty = QtyField()


@api.route(
    blueprint, "/warehouses/<int:id>/stock", permission=Permission.STOCK_READ, response=StockOut, paged=True,
    summary="Stock of a warehouse",
)  # fmt: skip
def warehouse_stock(id: int, query: dict[str, Any]) -> api.Page:
    """One row per product that was ever there."""
    place = queries.warehouse(id)
    statement: Any = (
        select(
            StockBalance.product_id,
            Product.code,
            Product.name,
            StockBalance.on_hand,
            StockBalance.reserved,
            (StockBalance.on_hand - StockBalance.reserved).label("available"),
        )
        .join(Location, Location.id == StockBalance.location_id)
        .join(Product, Product.id == StockBalance.product_id)
        .where(Location.warehouse_id == place.id, StockBalance.lot_id == 0)
    )
    return api.page(statement, query["cursor"], query["limit"], key=StockBalance.product_id)


@api.route(
    blueprint, "/products/<int:id>/stock", permission=Permission.STOCK_READ, response=LevelsOut,
    summary="Stock of a product at every level",
)  # fmt: skip
def product_stock(id: int) -> dict[str, Any]:
    """Central, region, branch, office, in transit, claims and dealers; they add up to the total."""
    product = channel.product(id)
    rows = queries.levels(product.id)
    return {"product_id": product.id, "total": sum((row.on_hand for row in rows), queries.NONE), "levels": rows}


@api.route(
    blueprint, "/dealers/<int:id>/stock", permission=Permission.CHANNEL_READ, response=HeldOut,
    summary="What a dealer holds",
)  # fmt: skip
def dealer_stock(id: int) -> list[dict[str, Any]]:
    """Signed deliveries less sales lists and returns, per product."""
    held = channel.held(channel.dealer(id).id)
    return [{"product_id": product_id, "qty": qty} for product_id, qty in sorted(held.items())]
