"""Reads of dealers' stock."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import func, select

from branches.catalogue.models import Product
from branches.org.models import Dealer
from inventory.channel.models import StockBucket
from inventory.stock import queries as stock
from inventory.stock.queries import Card
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound


def dealer(dealer_id: int) -> Dealer:
    """A dealer in scope; NotFound otherwise."""
    found = db.session.execute(select(Dealer).where(Dealer.id == dealer_id)).scalar_one_or_none()
    if found is None:
        raise NotFound("not_found", kind="dealer", id=dealer_id)
    return found


def stock_card(dealer_id: int, product_id: int, page: int = 1) -> Card:
    """The dealer's stock card (IL-08): signed deliveries plus, sales lists and returns minus, balance after each."""
    return stock.card(stock.place_of(dealer_id=dealer_id), product_id, page)


def held(dealer_id: int, product_ids: list[int] | None = None) -> dict[int, Decimal]:
    """What a dealer in scope holds per product, from his buckets; products he holds nothing of are missing."""
    statement = (
        select(StockBucket.product_id, func.sum(StockBucket.remaining_qty))
        .where(StockBucket.dealer_id == dealer_id, StockBucket.remaining_qty > 0)
        .group_by(StockBucket.product_id)
    )
    if product_ids is not None:
        statement = statement.where(StockBucket.product_id.in_(product_ids))
    return dict(db.session.execute(statement).all())


def buckets(dealer_id: int, product_id: int) -> list[StockBucket]:
    """Buckets of a dealer in scope that still hold something, in the order they are used."""
    statement = (
        select(StockBucket)
        .where(StockBucket.dealer_id == dealer_id, StockBucket.product_id == product_id, StockBucket.remaining_qty > 0)
        .order_by(StockBucket.received_on, StockBucket.id)
        .limit(500)
    )
    return list(db.session.execute(statement).scalars())


def product(product_id: int) -> Product:
    """A product; NotFound when there is none."""
    found = db.session.get(Product, product_id)
    if found is None:
        raise NotFound("not_found", kind="product", id=product_id)
    return found
