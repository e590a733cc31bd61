"""Changing an order that is not fully shipped: its lines, warehouse or dates, through the same gate again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, insert, select

from branches.orders import queries, rules
from branches.orders.inputs import OrderChange, OrderLineInput
from branches.orders.models import SalesOrder, SalesOrderLine
from branches.orders.service import gate
from branches.orders.service.cancel import exposure_of
from branches.orders.service.pricing import Faults, OrderLine, Priced, facts_of, price_all, read_context
from branches.orders.service.submit import KIND, gate_order, lock
from branches.org.models import Dealer
from sdm.kernel import clock, documents, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, InvalidInput
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission


@command(Permission.ORDER_ENTER)
def change_order(order_id: int, change: OrderChange, version: int | None = None) -> DocumentRef:
    """Change lines, warehouse, dates or notes; prices and rules are applied anew, differences of credit and stock taken.

    What was shipped or picked stays. The result is confirmed (or part shipped), or held with every reason. Raises
    InvalidInput with all faults, StaleVersion, IllegalTransition.
    """
    row = lock(order_id, "change", version)
    lines = queries.lines_of(row.id)
    picked = queries.picked(row.id)
    warehouse_id = change.warehouse_id or row.warehouse_id
    if warehouse_id != row.warehouse_id and (picked or any(line.shipped_qty for line in lines)):
        raise Conflict("order.picked_first", number=queries.picked_number(row.id))
    priced = _priced(row, lines, picked, change, warehouse_id)
    before = exposure_of(row, lines)
    old_warehouse = row.warehouse_id
    told = _write(row, lines, priced, change)
    here = _at_gate(row, before)
    facts = facts_of(priced, here.releases)
    found = gate.take(here, rules.find_holds(facts, clock.today()))
    if found:
        gate.save_holds(here, found, facts)
    else:
        gate.clear(row.id, queries.open_holds(row.id))
    _finish(row, here, found, told)
    outbox.record("stock.freed", KIND, row.id, row.unit_id, warehouse_id=old_warehouse)
    return row.ref()


def _priced(
    row: SalesOrder,
    lines: Sequence[SalesOrderLine],
    picked: Mapping[int, Decimal],
    change: OrderChange,
    warehouse_id: int,
) -> Priced:
    """The order as it shall be, with prices; all faults at once."""
    faults = Faults()
    if not change.lines:
        faults.add("lines", "order.no_lines")
    if len(change.lines) > rules.LINES_MAX:
        faults.add("lines", "order.too_many_lines", len(change.lines), max=rules.LINES_MAX)
        faults.refuse()
    context = read_context(row.dealer_id, warehouse_id, faults)
    present = {line.id: line for line in lines}
    kept = [_kept_price(line, present, picked) for line in change.lines]
    priced, authority = price_all(row.dealer_id, kept, row.ordered_on, faults)
    _check_bounds(change.lines, priced, present, picked, faults)
    faults.refuse()
    if context is None:
        raise InvalidInput(faults.errors)
    terms = replace(context, settlement_mode=row.settlement_mode, term_days=row.term_days)
    return Priced(terms, row.ordered_on, priced, authority)


def _kept_price(
    line: OrderLineInput, present: Mapping[int, SalesOrderLine], picked: Mapping[int, Decimal]
) -> OrderLineInput:
    """A line of which something was shipped or picked keeps its price; others are priced as entered."""
    old = present.get(line.line_id or 0)
    if old is None or not _on_its_way(old, picked):
        return line
    return OrderLineInput(
        qty=line.qty,
        product_id=line.product_id,
        product_code=line.product_code,
        unit=line.unit,
        price=old.price,
        price_reason=old.price_reason or line.price_reason or "shipped at this price",
        line_id=line.line_id,
    )


def _check_bounds(
    entered: Sequence[OrderLineInput],
    priced: Sequence[OrderLine],
    present: Mapping[int, SalesOrderLine],
    picked: Mapping[int, Decimal],
    faults: Faults,
) -> None:
    """No line falls below what was shipped, picked or given up; started lines keep their product and stay."""
    named = {line.line_id for line in entered if line.line_id}
    for index, line in enumerate(entered):
        if line.line_id and line.line_id not in present:
            faults.add(f"lines.{index}.line_id", "order.not_its_line", line.line_id)
    for found in priced:
        old = present.get(found.entered.line_id or 0)
        if old is not None:
            _check_line(found, old, picked, faults)
    for line_id, left_out in present.items():
        low = _started(left_out, picked)
        if low and line_id not in named:
            faults.add("lines", "order.below_shipped", "0", low=f"{low.normalize():f}")
        elif line_id not in named and _on_its_way(left_out, picked):
            faults.add("lines", "order.line_shipped", left_out.line_no)


def _check_line(found: OrderLine, old: SalesOrderLine, picked: Mapping[int, Decimal], faults: Faults) -> None:
    where, low = f"lines.{found.line_no - 1}", _started(old, picked)
    if found.qty < low:
        faults.add(f"{where}.qty", "order.below_shipped", str(found.qty), low=f"{low.normalize():f}")
    if (low or _on_its_way(old, picked)) and found.priced.product_id != old.product_id:
        faults.add(f"{where}.product_id", "order.line_shipped", old.product_id)


def _on_its_way(line: SalesOrderLine, picked: Mapping[int, Decimal]) -> bool:
    """Whether a shipment names the line, even one that came back as a whole."""
    return bool(line.shipped_qty or picked.get(line.id))


def _started(line: SalesOrderLine, picked: Mapping[int, Decimal]) -> Decimal:
    quantities = rules.line_of(line)
    return quantities.gone + line.cancelled_qty + picked.get(line.id, ZERO)


def _write(
    row: SalesOrder, lines: Sequence[SalesOrderLine], priced: Priced, change: OrderChange
) -> dict[str, list[Any]]:
    """Write head and lines; returns what changed for the audit."""
    before = {"gross": row.gross, "warehouse_id": row.warehouse_id, "requested_on": row.requested_on, "note": row.note}
    present = {line.id: line for line in lines}
    kept = {line.entered.line_id for line in priced.lines if line.entered.line_id}
    gone = [line_id for line_id in present if line_id not in kept]
    if gone:
        db.session.execute(delete(SalesOrderLine).where(SalesOrderLine.id.in_(gone)))
    number = max((line.line_no for line in lines), default=0)
    new = []
    for line in priced.lines:
        old = present.get(line.entered.line_id or 0)
        if old is not None:
            _overwrite(old, line)
        else:
            number += 1
            new.append(_line_values(row.id, number, line))
    db.session.flush()
    if new:
        db.session.execute(insert(SalesOrderLine), new)
    row.gross, row.net = priced.gross, priced.net
    row.list_gross, row.cost = priced.list_gross, priced.cost
    row.warehouse_id, row.owner_unit_id = priced.context.warehouse_id, priced.context.owner_unit_id
    row.requested_on = change.requested_on
    row.ship_to = change.ship_to if change.ship_to is not None else row.ship_to
    row.note = change.note if change.note is not None else row.note
    after = {"gross": row.gross, "warehouse_id": row.warehouse_id, "requested_on": row.requested_on, "note": row.note}
    return {key: [before[key], value] for key, value in after.items() if before[key] != value}


def _line_values(order_id: int, number: int, line: OrderLine) -> dict[str, Any]:
    return {"order_id": order_id, "line_no": number, **_columns(line)}


def _columns(line: OrderLine) -> dict[str, Any]:
    return {
        "product_id": line.priced.product_id,
        "entered_qty": line.entered.qty,
        "entered_unit": line.entered_unit,
        "qty": line.qty,
        "list_price": line.priced.list_price,
        "price": line.priced.price,
        "floor_price": line.priced.floor_price,
        "supply_price": line.priced.supply_price,
        "tax_rate": line.priced.tax_rate,
        "amount": line.priced.amount,
        "explanation": json.loads(json.dumps(line.priced.explanation, default=str)),
        "price_reason": line.entered.price_reason,
    }


def _overwrite(old: SalesOrderLine, line: OrderLine) -> None:
    for name, value in _columns(line).items():
        setattr(old, name, value)


def _at_gate(row: SalesOrder, before: Any) -> gate.GateOrder:
    lines = queries.lines_of(row.id)
    names = queries.products([line.product_id for line in lines])
    dealer_name = db.session.execute(select(Dealer.name).where(Dealer.id == row.dealer_id)).scalar() or ""
    releases = queries.releases_of(queries.holds_of(row.id))
    return gate_order(row, lines, names, before, dealer_name=dealer_name, releases=releases)


def _finish(row: SalesOrder, here: gate.GateOrder, found: Sequence[rules.Finding], told: dict[str, list[Any]]) -> None:
    state = rules.state_of((line.quantities for line in here.lines), bool(found), row.state)
    if not found and row.confirmed_at is None:
        row.confirmed_at, row.confirmed_by_id = clock.now(), current().user_id
    documents.step(row, "change", state, holds=[finding.kind for finding in found], **told)
    outbox.record("order.held" if found else "order.confirmed", KIND, row.id, row.unit_id, gross=row.gross)
