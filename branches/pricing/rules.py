"""One price for one dealer, product, quantity and date, with its explanation (PP-01, PP-02, PP-06, PP-07). Pure.

The most special list that has a price for the quantity wins: the dealer's own, then those of its unit and the units
above (nearest first), then its grade's, then everyone's. Within a list the largest `qty_from` that the quantity
reaches. Two lists of the same rank: the one whose price became valid later, then the one whose code comes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sdm.kernel.errors import N_, describe
from sdm.kernel.money import line_amount, round_amount, split_vat

PRICE_STEP = Decimal("0.0001")
RATE_STEP = Decimal("0.000001")
NO_DISCOUNT = Decimal(0)
NEVER = -(10**9)

UNKNOWN_PRODUCT = "price.unknown_product"
PRODUCT_ENDED = "price.product_ended"
NO_LIST = "price.no_list"
REASON_REQUIRED = "price.reason_required"
BELOW_FLOOR = "price.below_floor"
ABOVE_AUTHORITY = "price.above_authority"
NO_SUPPLY_PRICE = "price.no_supply_price"
REFUSED = frozenset({UNKNOWN_PRODUCT, PRODUCT_ENDED, NO_LIST, REASON_REQUIRED})
HELD = frozenset({BELOW_FLOOR, ABOVE_AUTHORITY})

describe(
    {
        UNKNOWN_PRODUCT: N_("This product does not exist; choose one from the list"),
        PRODUCT_ENDED: N_("This product is no longer sold; choose its successor"),
        NO_LIST: N_("No price list has a price for this dealer, quantity and date; ask for one in the price lists"),
        REASON_REQUIRED: N_("The price differs from the price list; give a reason"),
        BELOW_FLOOR: N_("The price is below the floor price %(floor)s"),
        ABOVE_AUTHORITY: N_("The discount is above your authority of %(authority)s"),
        NO_SUPPLY_PRICE: N_("The product has no supply price at this date, so its margin is unknown"),
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """A price of one list that holds at the date, from `qty_from` base units on. Prices are gross, per base unit.

    `rank`: 0 the dealer's own list, 1 + distance for the unit and those above, then grade, then all.
    """

    rank: int
    target: str
    list_id: int
    list_code: str
    list_name: str
    qty_from: Decimal
    price: Decimal
    floor_price: Decimal | None
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, slots=True)
class ProductBasis:
    """What pricing needs of a product. `supply_price` is net; `steps` in the order of precedence (:func:`ordered`)."""

    product_id: int
    code: str
    name: str
    base_unit: str
    tax_rate: Decimal
    stocked: bool
    ended: bool
    supply_price: Decimal | None
    fallback_price: Decimal | None
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class PriceBasis:
    """All facts for any number of lines of one dealer at one date. `authority` is the highest discount rate allowed."""

    dealer_id: int
    on: date
    products: dict[int, ProductBasis]
    authority: Decimal = NO_DISCOUNT
    use_fallback: bool = False


@dataclass(frozen=True, slots=True)
class WantedLine:
    """A line as entered: quantity in base units; a price or a discount rate only where it differs from the list."""

    product_id: int
    qty: Decimal
    price: Decimal | None = None
    discount_rate: Decimal | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PricedLine:
    """A line with its price. `amount` gross, `net` without VAT, `cost` and `margin` net at supply price.

    `problems` are codes: those in REFUSED nobody may waive, those in HELD an entitled person may release.
    `explanation` is JSON: list and why, quantity step, validity, discount, floor, supply price, margin.
    """

    product_id: int
    qty: Decimal
    list_price: Decimal | None
    price: Decimal
    floor_price: Decimal | None
    supply_price: Decimal
    tax_rate: Decimal
    amount: Decimal
    net: Decimal
    cost: Decimal
    discount_rate: Decimal
    explanation: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def margin(self) -> Decimal:
        """Net amount less cost at supply price."""
        return self.net - self.cost

    @property
    def refused(self) -> list[str]:
        """Problems nobody may waive."""
        return [code for code in self.problems if code in REFUSED]


def ordered(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps in the order in which they are asked: rank, later start of validity, list code, larger quantity first."""
    listed = list(steps)
    start: dict[int, int] = {}
    for step in listed:
        start[step.list_id] = max(start.get(step.list_id, NEVER), _day(step.valid_from))
    return tuple(sorted(listed, key=lambda s: (s.rank, -start[s.list_id], s.list_code, s.list_id, -s.qty_from)))


def _day(moment: date | None) -> int:
    return moment.toordinal() if moment else NEVER


def choose(steps: Sequence[Step], qty: Decimal) -> Step | None:
    """The step that applies to a quantity; None when no list has a price for it. `steps` are in order of precedence."""
    for step in steps:
        if step.qty_from <= qty:
            return step
    return None


def price_lines(basis: PriceBasis, lines: Sequence[WantedLine]) -> list[PricedLine]:
    """Price all lines, in their order. Never raises for a bad line: it carries its problems."""
    return [_price_line(basis, line) for line in lines]


def _price_line(basis: PriceBasis, line: WantedLine) -> PricedLine:
    product = basis.products.get(line.product_id)
    if product is None:
        return _unknown(line)
    step = choose(product.steps, line.qty)
    list_price = _list_price(basis, product, step)
    price, discount_rate = _net_of_discount(line, list_price)
    floor_price = step.floor_price if step else None
    amount = line_amount(line.qty, price)
    net = split_vat(amount, product.tax_rate)[0]
    supply_price = product.supply_price or Decimal(0)
    cost = round_amount(line.qty * supply_price)
    priced = PricedLine(
        product_id=line.product_id,
        qty=line.qty,
        list_price=list_price,
        price=price,
        floor_price=floor_price,
        supply_price=supply_price,
        tax_rate=product.tax_rate,
        amount=amount,
        net=net,
        cost=cost,
        discount_rate=discount_rate,
    )
    priced.problems.extend(_problems(basis, product, line, priced))
    priced.explanation.update(_explain(product, step, priced, basis.on))
    return priced


def _unknown(line: WantedLine) -> PricedLine:
    zero = Decimal(0)
    price = line.price or zero
    return PricedLine(
        line.product_id,
        line.qty,
        None,
        price,
        None,
        zero,
        zero,
        line_amount(line.qty, price),
        zero,
        zero,
        zero,
        {},
        [UNKNOWN_PRODUCT],
    )


def _list_price(basis: PriceBasis, product: ProductBasis, step: Step | None) -> Decimal | None:
    if step is not None:
        return step.price
    return product.fallback_price if basis.use_fallback else None


def _net_of_discount(line: WantedLine, list_price: Decimal | None) -> tuple[Decimal, Decimal]:
    """(price, discount rate). An entered price goes before an entered rate; without either the list price."""
    if line.price is not None:
        return line.price, _rate(list_price, line.price)
    if list_price is None:
        return Decimal(0), NO_DISCOUNT
    if line.discount_rate:
        price = (list_price * (1 - line.discount_rate)).quantize(PRICE_STEP, ROUND_HALF_UP)
        return price, line.discount_rate
    return list_price, NO_DISCOUNT


def _rate(list_price: Decimal | None, price: Decimal) -> Decimal:
    """How far below the list price, as a rate; negative above it; 0 without a list price."""
    if not list_price or price == list_price:
        return NO_DISCOUNT
    return ((list_price - price) / list_price).quantize(RATE_STEP, ROUND_HALF_UP)


def _problems(basis: PriceBasis, product: ProductBasis, line: WantedLine, priced: PricedLine) -> list[str]:
    found = []
    if product.ended:
        found.append(PRODUCT_ENDED)
    if priced.list_price is None:
        found.append(NO_LIST)
    elif priced.price != priced.list_price and not line.reason.strip():
        found.append(REASON_REQUIRED)
    if priced.floor_price is not None and priced.price < priced.floor_price:
        found.append(BELOW_FLOOR)
    if priced.discount_rate > basis.authority:
        found.append(ABOVE_AUTHORITY)
    return found


def _explain(product: ProductBasis, step: Step | None, priced: PricedLine, on: date) -> dict[str, Any]:
    story: dict[str, Any] = {"on": on.isoformat(), "price": str(priced.price)}
    if step is not None:
        story.update(_list_of(step))
    elif priced.list_price is not None:
        story.update(why="fallback", list_price=str(priced.list_price))
    if priced.list_price is not None and priced.price != priced.list_price:
        story["discount_rate"] = str(priced.discount_rate)
    if product.supply_price is None:
        story["note"] = NO_SUPPLY_PRICE
        return story
    story["supply_price"] = str(product.supply_price)
    story["margin"] = str(priced.margin)
    if priced.net:
        story["margin_rate"] = str((priced.margin / priced.net).quantize(RATE_STEP, ROUND_HALF_UP))
    return story


def _list_of(step: Step) -> dict[str, Any]:
    story: dict[str, Any] = {
        "why": step.target,
        "list": step.list_code,
        "list_id": step.list_id,
        "list_name": step.list_name,
        "list_price": str(step.price),
        "valid": [
            step.valid_from.isoformat() if step.valid_from else None,
            step.valid_to.isoformat() if step.valid_to else None,
        ],
    }
    if step.qty_from:
        story["qty_from"] = str(step.qty_from)
    if step.floor_price is not None:
        story["floor_price"] = str(step.floor_price)
    return story
