"""Price lists, prices, supply prices and authorities for tests."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import count
from typing import Any

from sqlalchemy.dialects.postgresql import Range

from branches.pricing.models import DiscountAuthority, ListPrice, PriceList, SupplyPrice
from sdm.kernel.db import db
from tests.factories.org import keep

_serial = count(1)
START = date(2020, 1, 1)


def price_list(target: str = "all", **values: Any) -> PriceList:
    """A list; give `grade_code`, `unit_id` or `dealer_id` with the other targets."""
    number = next(_serial)
    values.setdefault("code", f"L{number:04d}")
    row = PriceList(target=target, name=values.pop("name", f"价目表 {number}"), **values)
    db.session.add(row)
    keep()
    return row


def price(
    in_list: PriceList | int,
    product_id: int,
    amount: str | Decimal,
    qty_from: str | int = 0,
    floor: str | None = None,
    **validity: date | None,
) -> ListPrice:
    """A price from `since` (default 2020-01-01) up to and including `until` (default open)."""
    row = ListPrice(
        list_id=in_list if isinstance(in_list, int) else in_list.id,
        product_id=product_id,
        qty_from=Decimal(qty_from),
        price=Decimal(amount),
        floor_price=Decimal(floor) if floor is not None else None,
        valid=_range(validity.get("since", START), validity.get("until")),
    )
    db.session.add(row)
    keep()
    return row


def supply_price(product_id: int, amount: str | Decimal, **validity: date | None) -> SupplyPrice:
    """A net supply price in a period."""
    row = SupplyPrice(
        product_id=product_id,
        price=Decimal(amount),
        valid=_range(validity.get("since", START), validity.get("until")),
    )
    db.session.add(row)
    keep()
    return row


def authority(role_code: str, rate: str) -> DiscountAuthority:
    """How far a role may go below the list price."""
    row = DiscountAuthority(role_code=role_code, discount_rate=Decimal(rate))
    db.session.add(row)
    keep()
    return row


def _range(since: date | None, until: date | None) -> Range[date]:
    upper = date.fromordinal(until.toordinal() + 1) if until else None
    return Range(since, upper, bounds="[)")
