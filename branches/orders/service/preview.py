"""What the entry grid is told after every change: prices, stock, headroom, totals, faults per cell. Writes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from branches.orders import rules
from branches.orders.inputs import OrderInput
from branches.orders.service import gate
from branches.orders.service.pricing import Context, Faults, OrderLine, Priced, facts_of, price_all, read_context
from finance.credit import queries as credit_queries
from finance.credit.rules import Headroom
from inventory.stock import queries as stock_queries
from sdm.kernel import clock
from sdm.kernel.errors import FieldError
from sdm.kernel.money import ZERO


@dataclass(frozen=True, slots=True)
class PreviewLine:
    """One line as it would be saved; ``index`` is its place in the input; quantities in base units."""

    index: int
    product_id: int
    code: str
    name: str
    unit: str
    qty: Decimal
    list_price: Decimal | None
    price: Decimal
    discount_rate: Decimal
    amount: Decimal
    margin: Decimal
    available: Decimal | None
    short: Decimal
    elsewhere: Sequence[dict[str, Any]]
    explanation: dict[str, Any]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole order as it would be saved. Amounts gross, ``net``, ``cost`` and ``profit`` without VAT (OS-21)."""

    lines: list[PreviewLine]
    errors: list[FieldError]
    holds: list[rules.Finding] = field(default_factory=list)
    gross: Decimal = ZERO
    net: Decimal = ZERO
    discount: Decimal = ZERO
    cost: Decimal = ZERO
    headroom: Headroom | None = None
    settlement_mode: str = ""

    @property
    def profit(self) -> Decimal:
        """Net revenue less cost at supply price."""
        return self.net - self.cost


def preview(order: OrderInput) -> Preview:
    """Answer the grid in at most seven statements, whatever the number of lines. Raises nothing for bad input."""
    faults = Faults()
    on = order.ordered_on or clock.today()
    context = read_context(order.dealer_id, order.warehouse_id, faults) if order.dealer_id else None
    if context is None or len(order.lines) > rules.LINES_MAX:
        if len(order.lines) > rules.LINES_MAX:
            faults.add("lines", "order.too_many_lines", len(order.lines), max=rules.LINES_MAX)
        return Preview([], faults.errors)
    lines, authority = price_all(context.dealer_id, order.lines, on, faults)
    priced = Priced(context, on, lines, authority)
    shown = _lines(context, lines)
    credit = credit_queries.headroom(context.payer_id)
    return Preview(
        lines=shown,
        errors=faults.errors,
        holds=_holds(priced, shown, credit),
        gross=priced.gross,
        net=priced.net,
        discount=priced.list_gross - priced.gross,
        cost=priced.cost,
        headroom=credit,
        settlement_mode=context.settlement_mode,
    )


def _lines(context: Context, lines: Sequence[OrderLine]) -> list[PreviewLine]:
    """Lines with what is available for each, earlier lines of the same product served first."""
    ids = sorted({line.priced.product_id for line in lines if line.stocked})
    there = stock_queries.availability(context.warehouse_id, ids) if ids else {}
    left = {product_id: max(ZERO, found.available) for product_id, found in there.items()}
    short: dict[int, Decimal] = {}
    for line in lines:
        if line.stocked:
            given = min(line.qty, left[line.priced.product_id])
            left[line.priced.product_id] -= given
            short[line.line_no] = line.qty - given
    missing = sorted({line.priced.product_id for line in lines if short.get(line.line_no)})
    others = gate.other_warehouses(missing, context.warehouse_id) if missing else {}
    return [_shown(line, there, short, others) for line in lines]


def _shown(line: OrderLine, there: Any, short: dict[int, Decimal], others: dict[int, Any]) -> PreviewLine:
    product_id = line.priced.product_id
    return PreviewLine(
        index=line.line_no - 1,
        product_id=product_id,
        code=line.code,
        name=line.name,
        unit=line.entered_unit,
        qty=line.qty,
        list_price=line.priced.list_price,
        price=line.priced.price,
        discount_rate=line.priced.discount_rate,
        amount=line.priced.amount,
        margin=line.priced.margin,
        available=there[product_id].available if line.stocked else None,
        short=short.get(line.line_no, ZERO),
        elsewhere=others.get(product_id, []),
        explanation=line.priced.explanation,
        problems=line.priced.problems,
    )


def _holds(priced: Priced, shown: Sequence[PreviewLine], credit: Headroom) -> list[rules.Finding]:
    """What would hold the order as it stands."""
    found = rules.find_holds(facts_of(priced), clock.today())
    counts = priced.context.settlement_mode != "prepaid"
    if counts and credit.exposure + priced.gross > credit.limit:
        found.append(rules.credit_finding(credit.limit, credit.exposure, priced.gross))
    short = [{"code": line.code, "missing": line.short} for line in shown if line.short]
    if short:
        found.append(rules.shortage_finding(short, priced.context.warehouse_id))
    return found
