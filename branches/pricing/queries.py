"""Reads of prices."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import func, or_, select

from branches.catalogue.models import Product
from branches.org import parameters
from branches.org import queries as org
from branches.org.models import Dealer, DealerGrade, Unit
from branches.pricing import statements
from branches.pricing.models import DiscountAuthority, ListPrice, PriceList, SupplyPrice
from branches.pricing.rules import PriceBasis, ProductBasis, Step, ordered
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import N_, NotFound
from sdm.kernel.pinyin import like

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
    statement = select(func.max(DiscountAuthority.discount_rate)).where(DiscountAuthority.role_code.in_(sorted(roles)))
    return db.session.execute(statement).scalar() or Decimal(0)


# --- pages ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SupplyFact:
    """Net supply price at a date and the VAT rate of a product."""

    price: Decimal | None
    tax_rate: Decimal


@dataclass(frozen=True, slots=True)
class ListRow:
    """A price list that counts for a dealer, in order of precedence, and how many products it prices today."""

    id: int
    code: str
    name: str
    name_en: str
    target: str
    products: int


def price_list(list_id: int) -> PriceList:
    """A price list in scope, or NotFound."""
    row = db.session.execute(select(PriceList).where(PriceList.id == list_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="price_list", id=list_id)
    return row


def target_name(row: PriceList) -> str:
    """Whom a list is for: name of the grade, unit or dealer; empty for everyone."""
    if row.target == "grade":
        statement = select(DealerGrade.name).where(DealerGrade.code == row.grade_code)
    elif row.target == "unit":
        statement = select(Unit.name).where(Unit.id == row.unit_id)
    elif row.target == "dealer":
        statement = select(Dealer.name).where(Dealer.id == row.dealer_id)
    else:
        return ""
    return db.session.execute(statement).scalar() or ""


def prices_now(list_id: int, product_ids: Collection[int], on: date) -> dict[tuple[int, Decimal], Decimal]:
    """(product, quantity from) → price of a list at a date."""
    if not product_ids:
        return {}
    statement = select(ListPrice.product_id, ListPrice.qty_from, ListPrice.price).where(
        ListPrice.list_id == list_id, ListPrice.product_id.in_(sorted(product_ids)), ListPrice.valid.contains(on)
    )
    return {(row.product_id, row.qty_from): row.price for row in db.session.execute(statement)}


def supply_facts(product_ids: Collection[int], on: date) -> dict[int, SupplyFact]:
    """Supply price and VAT rate of products at a date."""
    if not product_ids:
        return {}
    statement = (
        select(Product.id, Product.tax_rate, SupplyPrice.price)
        .outerjoin(SupplyPrice, (SupplyPrice.product_id == Product.id) & SupplyPrice.valid.contains(on))
        .where(Product.id.in_(sorted(product_ids)))
    )
    return {row.id: SupplyFact(row.price, row.tax_rate) for row in db.session.execute(statement)}


def prices_of_product(product_id: int) -> list[Any]:
    """All prices of a product in lists in scope: list, quantity from, price, floor, validity; newest first per list."""
    statement = (
        select(
            PriceList.id.label("list_id"), PriceList.code, PriceList.name, PriceList.target, ListPrice.qty_from,
            ListPrice.price, ListPrice.floor_price, ListPrice.valid,
        )
        .join(PriceList, PriceList.id == ListPrice.list_id)
        .where(ListPrice.product_id == product_id)
        .order_by(PriceList.code, ListPrice.qty_from, func.lower(ListPrice.valid).desc().nulls_last())
        .limit(500)
    )  # fmt: skip
    return list(db.session.execute(statement))


def first_prices(list_id: int, on: date, limit: int = 50) -> list[Any]:
    """The first prices of a list that hold at a date, by product code and quantity."""
    statement = (
        select(
            Product.id.label("product_id"), Product.code, Product.name, ListPrice.qty_from, ListPrice.price,
            ListPrice.floor_price, ListPrice.valid,
        )
        .join(Product, Product.id == ListPrice.product_id)
        .where(ListPrice.list_id == list_id, ListPrice.valid.contains(on))
        .order_by(Product.code, ListPrice.qty_from)
        .limit(limit)
    )  # fmt: skip
    return list(db.session.execute(statement))


def supply_history(product_id: int) -> list[SupplyPrice]:
    """Supply prices of a product, newest first (PP-07)."""
    statement = select(SupplyPrice).where(SupplyPrice.product_id == product_id)
    return list(db.session.execute(statement.order_by(func.lower(SupplyPrice.valid).desc().nulls_last())).scalars())


def lists_of_dealer(dealer: Dealer, on: date) -> list[ListRow]:
    """Lists that count for a dealer the caller has read in scope, the one that wins first."""
    chain = [node.id for node in org.chain_up(dealer.unit_id)]
    mine = or_(
        PriceList.target == "all",
        PriceList.dealer_id == dealer.id,
        PriceList.grade_code == dealer.grade_code,
        PriceList.unit_id.in_(chain),
    )
    products = select(func.count(ListPrice.product_id.distinct())).where(
        ListPrice.list_id == PriceList.id, ListPrice.valid.contains(on)
    )
    statement = select(PriceList, products.correlate(PriceList).scalar_subquery().label("products"))
    rows = db.session.execute(statement.where(PriceList.active, mine)).all()
    rank = {"dealer": 0, "unit": 1, "grade": 2, "all": 3}

    def place(found: Any) -> tuple[int, int, str]:
        row = found[0]
        return rank[row.target], chain.index(row.unit_id) if row.unit_id else 0, row.code

    return [
        ListRow(row.id, row.code, row.name, row.name_en, row.target, products)
        for row, products in sorted(rows, key=place)
    ]


def pick_lists(q: str, limit: int = 10) -> list[PriceList]:
    """Price lists in scope whose code or name contains the text."""
    text = like(q)
    found = or_(func.lower(PriceList.code).like(text, escape="\\"), func.lower(PriceList.name).like(text, escape="\\"))
    return list(db.session.execute(select(PriceList).where(found).order_by(PriceList.code).limit(limit)).scalars())


def authorities() -> dict[str, Decimal]:
    """Discount authority by role."""
    rows = db.session.execute(select(DiscountAuthority.role_code, DiscountAuthority.discount_rate))
    return {row.role_code: row.discount_rate for row in rows}
