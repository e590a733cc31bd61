"""Reads of prices."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, select

from branches.org import parameters
from branches.pricing import statements
from branches.pricing.models import DiscountAuthority, SupplyPrice
from branches.pricing.rules import PriceBasis, ProductBasis, Step, ordered
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import N_

FALLBACK = "pricing.fallback_list_price"
EVERY_DISCOUNT = Decimal(1)

parameters.register(
    parameters.ParameterSpec(
        FALLBACK,
        N_("Sell at the product's suggested price where no price list has one"),
        "bool",
        False,
        N_("Without this, a product that no valid price list names for the dealer cannot be ordered"),
        group="sales",
        per_unit=False,
    )
)


def price_basis(
    dealer_id: int, product_ids: Iterable[int], on: date, roles: Collection[str] | None = None
) -> PriceBasis:
    """Facts for pricing lines of a dealer (whom the caller has read in scope): one statement whatever their number.

    A second one reads a parameter, only when a product has no list price. `roles` default to the actor's; jobs and the
    command line, which have none, may give every discount.
    """
    wanted = sorted(set(product_ids))
    if not wanted:
        return PriceBasis(dealer_id, on, {})
    given = sorted(current().roles if roles is None else roles)
    values = {"dealer_id": dealer_id, "products": wanted, "on": on, "roles": given}
    rows = db.session.execute(statements.PRICE_BASIS, values).all()
    products = _products(rows)
    unlimited = roles is None and not given and current().all_permissions
    authority = EVERY_DISCOUNT if unlimited else (rows[0].authority if rows else None) or Decimal(0)
    unlisted = any(not product.steps for product in products.values())
    return PriceBasis(dealer_id, on, products, authority, unlisted and bool(parameters.value(FALLBACK, on=on)))


def _products(rows: Iterable[Any]) -> dict[int, ProductBasis]:
    grouped: dict[int, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.id, []).append(row)
    return {product_id: _product(found) for product_id, found in grouped.items()}


def _product(rows: list[Any]) -> ProductBasis:
    row = rows[0]
    steps = [_step(found) for found in rows if found.list_id is not None]
    return ProductBasis(
        row.id,
        row.code,
        row.name,
        row.base_unit,
        row.tax_rate,
        row.stocked,
        row.status != "active",
        row.supply_price,
        row.list_price,
        ordered(steps) if len(steps) > 1 else tuple(steps),
    )


def _step(row: Any) -> Step:
    last_day = row.valid_until - timedelta(days=1) if row.valid_until else None
    return Step(
        row.rank,
        row.target,
        row.list_id,
        row.list_code,
        row.list_name,
        row.qty_from,
        row.price,
        row.floor_price,
        row.valid_from,
        last_day,
    )


def supply_prices(product_ids: Iterable[int], on: date) -> dict[int, Decimal]:
    """Net supply price of each product at a date; products without one are missing (PP-07)."""
    wanted = sorted(set(product_ids))
    if not wanted:
        return {}
    statement = select(SupplyPrice.product_id, SupplyPrice.price).where(
        SupplyPrice.product_id.in_(wanted), SupplyPrice.valid.contains(on)
    )
    return {row.product_id: row.price for row in db.session.execute(statement)}


def discount_authority(roles: Collection[str]) -> Decimal:
    """The highest discount rate any of the roles may give; 0 without one."""
    if not roles:
        return Decimal(0)
    statement = select(func.max(DiscountAuthority.discount_rate)).where(
        DiscountAuthority.role_code.in_(sorted(roles))
    )
    return db.session.execute(statement).scalar() or Decimal(0)
