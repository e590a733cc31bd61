"""From order to signature: pick, send out, sign; the goods' part is done by ``inventory.shipments`` (OS-07, OS-10).

The order is locked first, then the shipment; credit moves before stock. A short or refused quantity reopens its line, or
is given up; a reopened line goes through the gate again right after the signature, in a transaction of its own, because
its goods must be back in stock before they can be reserved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from branches.orders import queries, rules
from branches.orders.inputs import SignedLine
from branches.orders.models import SalesOrder, SalesOrderLine
from branches.orders.rules import LineQty
from branches.orders.service import gate
from branches.orders.service.cancel import count_money_when_done, exposure_of, raise_counters, refresh
from branches.orders.service.hold import recheck_order
from branches.orders.service.submit import KIND, gate_order, lock
from finance.credit import service as credit
from finance.receivables import queries as receivable_queries
from finance.receivables import service as receivables
from inventory.shipments import service as shipments
from inventory.shipments.models import Shipment
from inventory.shipments.rules import signature_faults
from sdm.kernel import clock, command, documents, outbox
from sdm.kernel.command import command as transaction
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, FieldError, InvalidInput, RuleViolation, SdmError
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.money import ZERO, portion
from sdm.kernel.permissions import Permission


@transaction(Permission.SHIPMENT_POST)
def pick(
    order_id: int,
    lines: Mapping[int, Decimal] | None = None,
    *,
    version: int | None = None,
    planned_on: date | None = None,
    expected_on: date | None = None,
    note: str = "",
    uuid: UUID | None = None,
) -> DocumentRef:
    """Make a shipment of everything still to be shipped, or of given quantities (order line id → quantity).

    A prepaid order must be covered by receipts earmarked for it. Raises InvalidInput with all faults, RuleViolation.
    """
    present = _shipment_by_uuid(uuid)
    if present is not None:
        return present.ref()
    row = lock(order_id, "pick", version)
    found = queries.lines_of(row.id)
    picked = queries.picked(row.id)
    wanted = _wanted(found, picked, lines)
    if row.settlement_mode == "prepaid":
        _require_covered(row, found, picked, wanted)
    new = shipments.NewShipment(
        unit_id=row.unit_id,
        owner_unit_id=row.owner_unit_id,
        dealer_id=row.dealer_id,
        warehouse_id=row.warehouse_id,
        lines=tuple(_shipment_line(line, picked, wanted) for line in found if wanted.get(line.id)),
        order_id=row.id,
        ownership="consigned" if row.settlement_mode == "consignment" else "bought",
        planned_on=planned_on or row.requested_on,
        expected_on=expected_on,
        ship_to=row.ship_to,
        note=note,
        uuid=uuid or uuid4(),
    )
    shipment_id = shipments.create(new)
    documents.step(row, "pick", shipment_id=shipment_id)
    return _shipment(shipment_id).ref()


def _shipment_by_uuid(uuid: UUID | None) -> Shipment | None:
    if uuid is None:
        return None
    return db.session.execute(select(Shipment).where(Shipment.uuid == uuid)).scalar_one_or_none()


def _shipment(shipment_id: int) -> Shipment:
    found: Shipment = documents.get(Shipment, shipment_id)
    return found


def _wanted(
    lines: Sequence[SalesOrderLine], picked: Mapping[int, Decimal], wanted: Mapping[int, Decimal] | None
) -> dict[int, Decimal]:
    """Quantities to pick; never more than is open and not picked yet."""
    left = {line.id: rules.line_of(line).open - picked.get(line.id, ZERO) for line in lines}
    if wanted is None:
        chosen = {line_id: qty for line_id, qty in left.items() if qty > 0}
    else:
        chosen = {line_id: qty for line_id, qty in wanted.items() if qty}
        faults = [fault for line_id, qty in chosen.items() for fault in _pick_faults(line_id, qty, left)]
        if faults:
            raise InvalidInput(faults)
    if not chosen:
        raise Conflict("order.nothing_open")
    return chosen


def _pick_faults(line_id: int, qty: Decimal, left: Mapping[int, Decimal]) -> list[FieldError]:
    where = f"lines.{line_id}.qty"
    if line_id not in left:
        return [FieldError(where, "order.not_its_line", line_id)]
    if qty < 0:
        return [FieldError(where, "input.positive", str(qty))]
    if qty > left[line_id]:
        return [FieldError(where, "order.not_pickable", str(qty), {"available": f"{left[line_id].normalize():f}"})]
    return []


def _shipment_line(line: SalesOrderLine, picked: Mapping[int, Decimal], wanted: Mapping[int, Decimal]) -> Any:
    """The part of an order line that leaves; its amount is a difference of portions, so that all parts add up."""
    start = rules.line_of(line).gone + picked.get(line.id, ZERO)
    qty = wanted[line.id]
    amount = portion(line.amount, line.qty, start + qty) - portion(line.amount, line.qty, start)
    return shipments.NewLine(line.product_id, qty, line.price, amount, line.tax_rate, line.id)


def _require_covered(
    row: SalesOrder, lines: Sequence[SalesOrderLine], picked: Mapping[int, Decimal], wanted: Mapping[int, Decimal]
) -> None:
    leaving = sum(
        (
            rules.shipped_amount(rules.line_of(line), picked.get(line.id, ZERO) + wanted.get(line.id, ZERO))
            for line in lines
        ),
        ZERO,
    )
    received = receivable_queries.earmarked(row.id)
    if not rules.is_covered(received, leaving):
        raise RuleViolation("order.not_covered", covered=f"{received:.2f}", wanted=f"{leaving:.2f}")


@transaction(Permission.SHIPMENT_POST)
def send_out(
    shipment_id: int,
    shipped_on: date | None = None,
    *,
    carrier: str = "",
    waybill: str = "",
    expected_on: date | None = None,
    version: int | None = None,
) -> DocumentRef:
    """Goods leave: warehouse → transit, reservation used up, exposure from open to shipped (consigned for consignment)."""
    shipment, row = _lock_both(shipment_id, "send_out", version)
    documents.require_state(shipment, {"picked"}, "send_out")
    if row is not None:
        lines = queries.lines_of(row.id)
        before = exposure_of(row, lines)
        leaving = _by_order_line(shipment, lambda line: {"shipped": line.qty})
        if row.settlement_mode == "prepaid":
            _require_covered(row, lines, {}, {line_id: counters["shipped"] for line_id, counters in leaving.items()})
        raise_counters(leaving)
        refresh(lines)
        state = _move_on(row, lines, before)
        if row.settlement_mode == "prepaid":
            receivables.count_earmarks(row.id)
        documents.step(row, "send_out", state, shipment_id=shipment.id)
    shipments.send_out(shipment, shipped_on or clock.today(), carrier=carrier, waybill=waybill, expected_on=expected_on)
    outbox.record("shipment.sent", Shipment.kind, shipment.id, shipment.unit_id, order_id=shipment.order_id)
    return shipment.ref()


@transaction(Permission.SHIPMENT_SIGN)
def sign(
    shipment_id: int,
    signed: Mapping[int, SignedLine] | None = None,
    signed_on: date | None = None,
    signed_by: str = "",
    *,
    reopen: bool = True,
    version: int | None = None,
) -> DocumentRef:
    """The dealer signs in full (``signed`` None), short or refused; what did not arrive reopens its line or is given up.

    Raises InvalidInput with every line whose parts do not add up.
    """
    shipment, row = _lock_both(shipment_id, "sign", version)
    documents.require_state(shipment, {"shipped"}, "sign")
    parts = _parts(shipment, signed)
    if row is not None:
        _note_signature(row, shipment, parts, reopen)
    shipments.sign(
        shipment,
        {line_id: (part.signed, part.short, part.refused) for line_id, part in parts.items()},
        signed_on or clock.today(),
        signed_by,
    )
    outbox.record("shipment.signed", Shipment.kind, shipment.id, shipment.unit_id, order_id=shipment.order_id)
    if any(part.refused for part in parts.values()):
        place = {"warehouse_id": shipment.warehouse_id}
        outbox.record("stock.freed", Shipment.kind, shipment.id, shipment.unit_id, **place)
    return shipment.ref()


def _parts(shipment: Shipment, signed: Mapping[int, SignedLine] | None) -> dict[int, SignedLine]:
    lines = shipments.lines_of(shipment.id)
    if signed is None:
        return {line.id: SignedLine(line.qty) for line in lines}
    given = {line_id: shipments.Signed(part.signed, part.short, part.refused) for line_id, part in signed.items()}
    faults = signature_faults({line.id: line.qty for line in lines}, given)
    if faults:
        raise InvalidInput(faults)
    return dict(signed)


def _note_signature(row: SalesOrder, shipment: Shipment, parts: Mapping[int, SignedLine], reopen: bool) -> None:
    """Counters, exposure and state of the order; what reopened is held until it is reserved again."""
    lines = queries.lines_of(row.id)
    before = exposure_of(row, lines)
    raise_counters(_by_order_line(shipment, lambda line: _signed_counters(parts.get(line.id), reopen)))
    refresh(lines)
    missing = any(part.short + part.refused for part in parts.values())
    reopened = missing and reopen and row.state != "held"
    if reopened:
        _hold_reopened(row, lines, before, lambda: shipments.places_of(shipment))
        state = "held"
    else:
        state = _move_on(row, lines, before)
    documents.step(row, "sign", state, shipment_id=shipment.id, reopened=reopened)


def _signed_counters(part: SignedLine | None, reopen: bool) -> dict[str, Decimal]:
    if part is None:
        return {}
    missing = part.short + part.refused
    return {"signed": part.signed, "short": missing, "cancelled": ZERO if reopen else missing}


def _hold_reopened(
    row: SalesOrder, lines: Sequence[SalesOrderLine], before: Any, moving: Callable[[], gate.Places]
) -> None:
    names = queries.products([line.product_id for line in lines])
    here = gate_order(row, lines, names, before)
    short = [
        {"product_id": line.product_id, "code": names[line.product_id].code, "name": names[line.product_id].name,
         "wanted": rules.line_of(line).open}
        for line in lines
        if rules.line_of(line).open > 0
    ]  # fmt: skip
    gate.give_back(here, moving)
    finding = rules.Finding("shortage", {"warehouse_id": row.warehouse_id, "reopened": True, "lines": short})
    gate.save_holds(here, [finding], None)
    outbox.record("order.recheck_due", KIND, row.id, row.unit_id, cause="shipment.signed")
    order_id = row.id
    command.after_commit(lambda: _try_again(order_id))


def _try_again(order_id: int) -> None:
    """Reserve a reopened line at once; when that cannot be, the outbox does it later."""
    try:
        recheck_order(order_id)
    except SdmError:
        db.session.rollback()


@transaction(Permission.SHIPMENT_POST)
def cancel_shipment(shipment_id: int, reason: str = "", version: int | None = None) -> DocumentRef:
    """A picked shipment is not sent after all; the order keeps its reservation and can be picked again."""
    shipment, row = _lock_both(shipment_id, "sign", version)
    shipments.cancel(shipment, reason)
    if row is not None:
        documents.step(row, "unpick", shipment_id=shipment.id)
    return shipment.ref()


def _lock_both(shipment_id: int, action: str, version: int | None) -> tuple[Shipment, SalesOrder | None]:
    """The order first, then its shipment; the shipment alone when it came without an order."""
    order_id = _shipment(shipment_id).order_id
    row: SalesOrder | None = None
    if order_id is not None:
        row = documents.lock(SalesOrder, order_id)
        assert row is not None
        documents.require_state(row, rules.ALLOWED[action], action)
    shipment: Shipment = documents.lock(Shipment, shipment_id, version)
    return shipment, row


def _by_order_line(shipment: Shipment, counters: Any) -> dict[int, dict[str, Decimal]]:
    """Counter differences per order line, summed over the shipment's lines."""
    total: dict[int, dict[str, Decimal]] = {}
    for line in shipments.lines_of(shipment.id):
        if line.order_line_id is None:
            continue
        here = total.setdefault(line.order_line_id, {})
        for name, qty in counters(line).items():
            here[name] = here.get(name, ZERO) + qty
    return total


def _move_on(row: SalesOrder, lines: Sequence[SalesOrderLine], before: Any) -> str:
    """Exposure and state that follow from changed counters of a locked order; returns the state."""
    left: list[LineQty] = [rules.line_of(line) for line in lines]
    state = rules.state_of(left, row.state == "held", row.state)
    counts = rules.counts_open(state, row.settlement_mode)
    after = rules.exposure(left, consigned=row.settlement_mode == "consignment", counts_open=counts)
    credit.shift(row.payer_id, after - before)
    count_money_when_done(row, left)
    return state
