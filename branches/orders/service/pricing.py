"""An order as entered → an order with dealer, prices and amounts, or all its faults at once. Reads only, set-based."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from branches.orders import queries, rules, statements
from branches.orders.inputs import OrderInput, OrderLineInput
from branches.org import parameters
from branches.org import queries as org
from branches.pricing import queries as prices
from branches.pricing.rules import (
    ABOVE_AUTHORITY,
    BELOW_FLOOR,
    NO_LIST,
    PRODUCT_ENDED,
    REASON_REQUIRED,
    UNKNOWN_PRODUCT,
    PriceBasis,
    PricedLine,
    WantedLine,
    price_lines,
)
from sdm.cases import queries as cases
from sdm.cases import rules as case_rules
from sdm.kernel import clock
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError, InvalidInput, NotFound
from sdm.kernel.money import AMOUNT_MAX, ZERO
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import current_scope
from sdm.kernel.units import is_valid_qty

PROBLEM_FIELD = {
    UNKNOWN_PRODUCT: "product_id",
    PRODUCT_ENDED: "product_id",
    NO_LIST: "price",
    REASON_REQUIRED: "price_reason",
}


@dataclass(frozen=True, slots=True)
class Context:
    """Dealer, payer, warehouse and who answers for them, in the actor's scope."""

    dealer_id: int
    dealer_name: str
    dealer_status: str
    block_reason: str
    unit_id: int
    payer_id: int
    settlement_mode: str
    term_days: int
    address: str
    warehouse_id: int
    warehouse_name: str
    owner_unit_id: int
    legal_entity_id: int
    overdue_amount: Decimal
    overdue_days: int


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line with its price; ``qty`` in base units; ``entered_qty`` of ``entered_unit`` as typed."""

    line_no: int
    entered: OrderLineInput
    entered_unit: str
    qty: Decimal
    priced: PricedLine
    stocked: bool
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Priced:
    """An order ready for the gate. Amounts gross except ``net`` and ``cost``."""

    context: Context
    on: date
    lines: list[OrderLine]
    authority: Decimal

    @property
    def gross(self) -> Decimal:
        """What the dealer owes."""
        return sum((line.priced.amount for line in self.lines), ZERO)

    @property
    def net(self) -> Decimal:
        """Without VAT."""
        return sum((line.priced.net for line in self.lines), ZERO)

    @property
    def list_gross(self) -> Decimal:
        """At list prices."""
        return sum(((line.priced.list_price or line.priced.price) * line.qty for line in self.lines), ZERO).quantize(
            Decimal("0.01")
        )

    @property
    def cost(self) -> Decimal:
        """At supply price, net."""
        return sum((line.priced.cost for line in self.lines), ZERO)


@dataclass(slots=True)
class Faults:
    """Faults gathered on the way, raised once."""

    errors: list[FieldError] = field(default_factory=list)

    def add(self, where: str, code: str, value: Any = None, **details: Any) -> None:
        """Note one fault of one field."""
        self.errors.append(FieldError(where, code, value, details))

    def refuse(self) -> None:
        """Raise InvalidInput when there is any."""
        if self.errors:
            raise InvalidInput(self.errors)


def price_order(order: OrderInput) -> Priced:
    """Dealer, warehouse, products and prices of an order in two statements. InvalidInput with all faults."""
    faults = Faults()
    on = order.ordered_on or clock.today()
    _check_shape(order, on, faults)
    context = read_context(order.dealer_id, order.warehouse_id, faults)
    lines, authority = (
        price_all(order.dealer_id, order.lines, on, faults) if len(order.lines) <= rules.LINES_MAX else ([], ZERO)
    )
    faults.refuse()
    assert context is not None
    return Priced(context, on, lines, authority)


def _check_shape(order: OrderInput, on: date, faults: Faults) -> None:
    if not order.lines:
        faults.add("lines", "order.no_lines")
    if len(order.lines) > rules.LINES_MAX:
        faults.add("lines", "order.too_many_lines", len(order.lines), max=rules.LINES_MAX)
    if order.requested_on is not None and order.requested_on < on:
        faults.add("requested_on", "order.requested_before", str(order.requested_on))
    for name, most in (("external_number", 64), ("ship_to", 200), ("note", 2000)):
        if len(getattr(order, name)) > most:
            faults.add(name, "input.length", None, max=most)


def read_context(dealer_id: int, warehouse_id: int | None, faults: Faults) -> Context | None:
    """Dealer and warehouse in scope with the payer's overdue amount, in one statement; faults name what is missing."""
    scope = current_scope()
    row = db.session.execute(
        statements.CONTEXT,
        {
            "dealer_id": dealer_id,
            "warehouse_id": warehouse_id,
            "units": None if scope.everything else sorted(scope.units),
            "dealers": None if scope.dealers is None else sorted(scope.dealers),
            "warehouses": None if scope.warehouses is None else sorted(scope.warehouses),
            "today": clock.today(),
        },
    ).one_or_none()
    if row is None:
        faults.add("dealer_id", "input.unknown", dealer_id)
        return None
    if row.dealer_status == "inactive":
        faults.add("dealer_id", "order.dealer_inactive", row.dealer_name)
    if row.warehouse_id is None:
        faults.add("warehouse_id", "input.unknown", warehouse_id)
        return None
    if not row.warehouse_active:
        faults.add("warehouse_id", "order.warehouse_inactive", row.warehouse_name)
    return _context(row, faults)


def _context(row: Any, faults: Faults) -> Context | None:
    try:
        legal_entity_id = org.legal_entity_id_of(row.unit_id)
    except NotFound:
        faults.add("dealer_id", "order.no_legal_entity", row.dealer_name)
        return None
    if queries.sells_for_head_office(row.unit_id) and row.warehouse_unit_id != org.head_office().id:
        name = org.unit(row.unit_id).name
        faults.add("warehouse_id", "order.not_head_office", row.warehouse_name, unit=name)
    since = row.overdue_since
    return Context(
        dealer_id=row.dealer_id,
        dealer_name=row.dealer_name,
        dealer_status=row.dealer_status,
        block_reason=row.block_reason,
        unit_id=row.unit_id,
        payer_id=row.payer_id,
        settlement_mode=row.settlement_mode,
        term_days=row.term_days,
        address=row.address,
        warehouse_id=row.warehouse_id,
        warehouse_name=row.warehouse_name,
        owner_unit_id=row.warehouse_unit_id,
        legal_entity_id=legal_entity_id,
        overdue_amount=row.overdue_amount,
        overdue_days=(clock.today() - since).days if since else 0,
    )


def price_all(
    dealer_id: int, entered: Sequence[OrderLineInput], on: date, faults: Faults
) -> tuple[list[OrderLine], Decimal]:
    """Lines with prices, and the actor's discount authority. Faults are added at ``lines.N.field``."""
    ids = _product_ids(entered, faults)
    basis = prices.price_basis(dealer_id, [i for i in ids if i is not None], on)
    factors = _factors(entered, ids, basis)
    wanted: list[tuple[int, WantedLine]] = []
    for index, (line, product_id) in enumerate(zip(entered, ids, strict=True)):
        qty = _base_qty(index, line, product_id, basis, factors, faults)
        if qty is not None and product_id is not None:
            _check_price(index, line, faults)
            wanted.append((index, WantedLine(product_id, qty, line.price, line.discount_rate, line.price_reason)))
    lines = []
    for (index, _want), priced in zip(wanted, price_lines(basis, [want for _, want in wanted]), strict=True):
        made = _line(index, entered[index], priced, basis, faults)
        if made is not None:
            lines.append(made)
    return lines, basis.authority


def _product_ids(entered: Sequence[OrderLineInput], faults: Faults) -> list[int | None]:
    codes = {line.product_code for line in entered if line.product_id is None and line.product_code}
    by_code = queries.product_ids(codes) if codes else {}
    ids: list[int | None] = []
    for index, line in enumerate(entered):
        product_id = line.product_id if line.product_id is not None else by_code.get(line.product_code)
        if product_id is None:
            code = "input.unknown" if line.product_code else "input.required"
            faults.add(f"lines.{index}.product_id", code, line.product_code or None)
        ids.append(product_id)
    return ids


def _factors(
    entered: Sequence[OrderLineInput], ids: Sequence[int | None], basis: PriceBasis
) -> dict[tuple[int, str], Decimal]:
    """Pack factors of the lines that are not in base units; no statement when all are."""
    packed = {
        product_id
        for line, product_id in zip(entered, ids, strict=True)
        if product_id in basis.products and line.unit and line.unit != basis.products[product_id].base_unit
    }
    return queries.pack_factors(packed) if packed else {}


def _base_qty(
    index: int,
    line: OrderLineInput,
    product_id: int | None,
    basis: PriceBasis,
    factors: dict[tuple[int, str], Decimal],
    faults: Faults,
) -> Decimal | None:
    """Quantity in base units, or None with a fault."""
    where = f"lines.{index}.qty"
    if line.qty <= 0:
        faults.add(where, "input.positive", str(line.qty))
        return None
    product = basis.products.get(product_id) if product_id is not None else None
    if product is None or not line.unit or line.unit == product.base_unit:
        qty = line.qty
    else:
        factor = factors.get((product.product_id, line.unit))
        if factor is None:
            names = [product.base_unit, *(name for pid, name in factors if pid == product.product_id)]
            faults.add(f"lines.{index}.unit", "order.unit_unknown", line.unit, choices=", ".join(names))
            return None
        qty = line.qty * factor
    if not is_valid_qty(qty):
        faults.add(
            where, "order.pack_fraction" if is_valid_qty(line.qty) else "input.decimals", str(line.qty), step="0.001"
        )
        return None
    return qty


def _check_price(index: int, line: OrderLineInput, faults: Faults) -> None:
    if line.price is not None and line.price < 0:
        faults.add(f"lines.{index}.price", "input.not_negative", str(line.price))
    if line.price is not None and line.discount_rate:
        faults.add(f"lines.{index}.discount_rate", "order.price_and_discount", str(line.discount_rate))
    if line.discount_rate is not None and not 0 <= line.discount_rate <= 1:
        faults.add(f"lines.{index}.discount_rate", "input.range", str(line.discount_rate), low="0", high="1")
    if len(line.price_reason) > 200:
        faults.add(f"lines.{index}.price_reason", "input.length", None, max=200)


def _line(
    index: int, entered: OrderLineInput, priced: PricedLine, basis: PriceBasis, faults: Faults
) -> OrderLine | None:
    for code in priced.refused:
        faults.add(f"lines.{index}.{PROBLEM_FIELD[code]}", code, _shown(code, entered, priced))
    if priced.amount > AMOUNT_MAX:
        faults.add(f"lines.{index}.qty", "order.amount_too_large", str(entered.qty))
        return None
    product = basis.products.get(priced.product_id)
    if product is None:
        return None
    unit = entered.unit or product.base_unit
    return OrderLine(index + 1, entered, unit, priced.qty, priced, product.stocked, product.code, product.name)


def _shown(code: str, entered: OrderLineInput, priced: PricedLine) -> Any:
    return str(priced.price) if code == REASON_REQUIRED else entered.product_code or entered.product_id


# --- what the gate looks at -------------------------------------------------------------------------------------------


def facts_of(priced: Priced, releases: Sequence[rules.Release] = ()) -> rules.Facts:
    """The facts of a newly entered or changed order, judged by the authority of the acting person."""
    context = priced.context
    permission, unit_id, amount_from = route_of(context.unit_id, priced.gross)
    return rules.Facts(
        gross=priced.gross,
        dealer_status=context.dealer_status,
        block_reason=context.block_reason,
        overdue_amount=context.overdue_amount,
        overdue_days=context.overdue_days,
        overdue_amount_tolerated=parameters.value("credit.overdue_amount_tolerated", context.unit_id),
        overdue_days_tolerated=parameters.value("credit.overdue_days_tolerated", context.unit_id),
        below_floor=[_below_floor(line) for line in priced.lines if BELOW_FLOOR in line.priced.problems],
        above_authority=[_above(line) for line in priced.lines if ABOVE_AUTHORITY in line.priced.problems],
        authority=priced.authority,
        route_permission=permission,
        route_unit_id=unit_id,
        route_from=amount_from,
        may_approve=_may_approve(permission, unit_id),
        prepaid=context.settlement_mode == "prepaid",
        releases=releases,
    )


def _below_floor(line: OrderLine) -> dict[str, Any]:
    return {
        "line_no": line.line_no,
        "code": line.code,
        "name": line.name,
        "price": line.priced.price,
        "floor": line.priced.floor_price,
    }


def _above(line: OrderLine) -> dict[str, Any]:
    return {"line_no": line.line_no, "code": line.code, "name": line.name, "discount_rate": line.priced.discount_rate}


def route_of(unit_id: int, gross: Decimal) -> tuple[str, int | None, Decimal]:
    """(permission, unit, amount from) at which an order of this amount stops; empty permission when it does not."""
    step = case_rules.step_for(cases.kept_steps("sales_order"), gross)
    if step is None:
        return _limit_of_unit(unit_id, gross)
    return step.permission, cases.level_unit_id(unit_id, step.unit_level), step.amount_from


def _limit_of_unit(unit_id: int, gross: Decimal) -> tuple[str, int | None, Decimal]:
    """Where an order above the unit's own limit stops: at the unit above the one that has the limit."""
    limit = parameters.value("order.amount_limit", unit_id)
    if not limit or gross <= limit:
        return "", None, ZERO
    owner_id = parameters.owner("order.amount_limit", unit_id)
    above = org.unit(owner_id).parent_id if owner_id is not None else None
    return Permission.ORDER_RELEASE_AMOUNT, above or org.head_office().id, limit


def _may_approve(permission: str, unit_id: int | None) -> bool:
    actor = current()
    return bool(permission) and actor.can(permission) and actor.scope.has_unit(unit_id)
