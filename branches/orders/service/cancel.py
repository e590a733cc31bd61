"""Cancelling and short-closing: what is not shipped leaves the order and frees credit and stock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from branches.orders import queries, rules, statements
from branches.orders.models import SalesOrder, SalesOrderLine
from branches.orders.service import gate
from branches.orders.service.submit import KIND, lock
from finance.credit import service as credit
from finance.receivables import service as receivables
from inventory.stock import service as stock
from sdm.kernel import documents, outbox
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, FieldError, InvalidInput
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.money import ZERO
from sdm.kernel.permissions import Permission

COUNTERS = ("cancelled", "shipped", "short", "signed", "returned", "invoiced")


@command(Permission.ORDER_CANCEL)
def cancel_order(order_id: int, reason: str = "", version: int | None = None) -> DocumentRef:
    """Cancel an order of which nothing has left or is picked; credit and stock are free again."""
    row = lock(order_id, "cancel", version)
    cancel_locked(row, "cancel", reason)
    return row.ref()


@command(Permission.ORDER_CANCEL)
def short_close(
    order_id: int, reason: str = "", version: int | None = None, lines: Mapping[int, Decimal] | None = None
) -> DocumentRef:
    """Give up what is not shipped (all of it, or quantities of some lines); frees stock and credit."""
    row = lock(order_id, "short_close", version)
    found = queries.lines_of(row.id)
    cuts = _checked_cuts(found, lines)
    refuse_picked(row.id, found, cuts)
    close_open(row, found, cuts, "short_close", reason)
    return row.ref()


def cancel_locked(row: SalesOrder, action: str, reason: str) -> None:
    """Take everything open off a locked order, whatever its holds."""
    lines = queries.lines_of(row.id)
    cuts = {line.id: rules.line_of(line).open for line in lines if rules.line_of(line).open > 0}
    refuse_picked(row.id, lines, cuts)
    close_open(row, lines, cuts, action, reason)


def _checked_cuts(lines: Sequence[SalesOrderLine], wanted: Mapping[int, Decimal] | None) -> dict[int, Decimal]:
    open_qty = {line.id: rules.line_of(line).open for line in lines}
    if wanted is None:
        cuts = {line_id: qty for line_id, qty in open_qty.items() if qty > 0}
    else:
        cuts = {line_id: qty for line_id, qty in wanted.items() if qty}
        faults = [_cut_fault(line_id, qty, open_qty) for line_id, qty in cuts.items()]
        real = [fault for fault in faults if fault is not None]
        if real:
            raise InvalidInput(real)
    if not cuts:
        raise Conflict("order.nothing_open")
    return cuts


def _cut_fault(line_id: int, qty: Decimal, open_qty: Mapping[int, Decimal]) -> FieldError | None:
    where = f"lines.{line_id}.qty"
    if line_id not in open_qty:
        return FieldError(where, "order.not_its_line", line_id)
    if qty < 0 or qty > open_qty[line_id]:
        return FieldError(where, "input.range", str(qty), {"low": "0", "high": str(open_qty[line_id])})
    return None


def refuse_picked(order_id: int, lines: Sequence[SalesOrderLine], cuts: Mapping[int, Decimal]) -> None:
    """Goods on a picked shipment are not given up behind the storekeeper's back."""
    picked = queries.picked(order_id)
    for line in lines:
        if rules.line_of(line).open - cuts.get(line.id, ZERO) < picked.get(line.id, ZERO):
            raise Conflict("order.picked_first", number=queries.picked_number(order_id))


def close_open(
    row: SalesOrder, lines: Sequence[SalesOrderLine], cuts: Mapping[int, Decimal], action: str, reason: str
) -> None:
    """Cut lines of a locked order, free credit and reservations, clear its holds, and take the state that follows."""
    before = exposure_of(row, lines)
    cut_lines(row, lines, cuts)
    left = [rules.line_of(line) for line in lines]
    still_held = row.state == "held" and any(line.open for line in left)
    if not still_held:
        gate.clear(row.id, queries.open_holds(row.id))
    state = rules.state_of(left, still_held, row.state)
    counts = rules.counts_open(state, row.settlement_mode)
    after = rules.exposure(left, consigned=row.settlement_mode == "consignment", counts_open=counts)
    credit.shift(row.payer_id, after - before)
    count_money_when_done(row, left)
    reserve_exactly(row, lines, state)
    documents.step(row, action, state, reason=reason, cancelled={line_id: str(qty) for line_id, qty in cuts.items()})
    outbox.record("order.cancelled", KIND, row.id, row.unit_id, reason=reason, state=state)
    outbox.record("stock.freed", KIND, row.id, row.unit_id, warehouse_id=row.warehouse_id)


def count_money_when_done(row: SalesOrder, lines: Sequence[rules.LineQty]) -> None:
    """Money earmarked for a prepaid order of which nothing more will leave counts in exposure like any other."""
    if row.settlement_mode == "prepaid" and not any(line.open for line in lines):
        receivables.count_earmarks(row.id)


def exposure_of(row: SalesOrder, lines: Sequence[SalesOrderLine]) -> Any:
    """What an order has in its payer's buckets now."""
    counts = rules.counts_open(row.state, row.settlement_mode)
    return rules.exposure(map(rules.line_of, lines), consigned=row.settlement_mode == "consignment", counts_open=counts)


def cut_lines(row: SalesOrder, lines: Sequence[SalesOrderLine], cuts: Mapping[int, Decimal]) -> None:
    """Raise the cancelled quantity of lines, and keep the order's totals as they were ordered."""
    raise_counters({line_id: {"cancelled": qty} for line_id, qty in cuts.items() if qty})
    refresh(lines)


def raise_counters(changes: Mapping[int, Mapping[str, Decimal]]) -> None:
    """Add to counters of order lines (line id → counter → difference), in one statement."""
    if not changes:
        return
    ids = sorted(changes)
    arrays: dict[str, list[Any]] = {"lines": ids}
    for counter in COUNTERS:
        arrays[counter] = [changes[line_id].get(counter, ZERO) for line_id in ids]
    db.session.flush()
    db.session.execute(statements.RAISE_COUNTERS, arrays)


def refresh(lines: Sequence[SalesOrderLine]) -> None:
    """Read the counters of lines again, in one statement."""
    if lines:
        queries.lines_of_orders(sorted({line.order_id for line in lines}))


def reserve_exactly(row: SalesOrder, lines: Sequence[SalesOrderLine], state: str) -> None:
    """Hold exactly the open quantity after it fell: reservations are given back and taken anew under one lock."""
    stock.release(KIND, row.id)
    if state not in {"confirmed", "part_shipped"}:
        return
    names = queries.products([line.product_id for line in lines])
    wanted = [
        stock.ReserveLine(line.id, line.product_id, rules.line_of(line).open)
        for line in lines
        if names[line.product_id].stocked and rules.line_of(line).open > 0
    ]
    gate.reserve(row.id, row.warehouse_id, row.unit_id, wanted)
