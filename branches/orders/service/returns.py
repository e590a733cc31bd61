"""Sales returns: requested against delivered lines, approved, received, credited (OS-08).

Never more than was signed for comes back, counted under the shipments' locks. Units that were not billed yet leave
exposure when they are received; billed ones are credited afterwards at their original price by a red invoice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, select

from branches.orders import queries, rules, statements
from branches.orders.inputs import ReturnInput
from branches.orders.models import SalesOrder, SalesReturn, SalesReturnLine
from branches.orders.service.cancel import exposure_of, raise_counters
from branches.org import queries as org
from branches.org.models import Dealer, Warehouse
from finance.credit import service as credit
from finance.receivables import service as receivables
from inventory.channel import service as channel
from inventory.shipments.models import Shipment
from inventory.stock import locations
from inventory.stock import service as stock
from sdm.cases import service as cases
from sdm.cases.models import WorkItem
from sdm.kernel import audit, clock, documents, drafts, outbox
from sdm.kernel.actor import current, system_actor, use_actor
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError, Forbidden, InvalidInput
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.locks import lock_rows
from sdm.kernel.money import ZERO, portion
from sdm.kernel.outbox import Event
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import current_scope, whole_network

KIND = "sales_return"
BUSINESS = "b"  # the book of where goods are


@command(Permission.RETURN_ENTER)
def request_return(entered: ReturnInput) -> DocumentRef:
    """Ask to take goods back. Each line names a delivered line and is capped by what can still come back.

    Locks the shipments while counting. Raises InvalidInput with all faults at ``lines.N.field``.
    """
    present = db.session.execute(select(SalesReturn).where(SalesReturn.uuid == entered.uuid)).scalar_one_or_none()
    if present is not None:
        done: DocumentRef = present.ref()
        return done
    dealer = db.session.execute(select(Dealer).where(Dealer.id == entered.dealer_id)).scalar_one_or_none()
    if dealer is None:
        raise InvalidInput([FieldError("dealer_id", "input.unknown", entered.dealer_id)])
    delivered = _locked_delivered([line.shipment_line_id for line in entered.lines])
    _check_request(entered, delivered)
    row = SalesReturn(
        uuid=entered.uuid,
        unit_id=dealer.unit_id,
        state="requested",
        source=entered.source,
        created_by_id=current().user_id,
        dealer_id=dealer.id,
        payer_id=dealer.payer,
        requested_on=entered.requested_on or clock.today(),
        reason_code=entered.reason_code,
        note=entered.note,
        external_number=entered.external_number,
    )
    db.session.add(row)
    db.session.flush()
    _insert_lines(row, entered, delivered)
    audit.write(KIND, row.id, "request", row.unit_id, {"state": [None, "requested"], "gross": row.gross})
    outbox.record("return.requested", KIND, row.id, row.unit_id, gross=row.gross)
    _open_case(row, dealer.name)
    if entered.source == "clerk":
        drafts.discard(entered.uuid)
    db.session.flush()
    return row.ref()


def _locked_delivered(line_ids: Sequence[int], not_return: int | None = None) -> dict[int, Any]:
    """Delivered lines with their counts, in scope, with their shipments locked."""
    found = delivered(line_ids, not_return)
    lock_rows(Shipment, {row.shipment_id for row in found.values()})
    return delivered(line_ids, not_return)


def delivered(line_ids: Sequence[int], not_return: int | None = None) -> dict[int, Any]:
    scope = current_scope()
    values = {
        "lines": sorted(set(line_ids)),
        "units": None if scope.everything else sorted(scope.units),
        "not_return": not_return,
    }
    return {row.shipment_line_id: row for row in db.session.execute(statements.DELIVERED, values)}


def counts(row: Any) -> rules.Delivered:
    """What the rules need of a delivered line."""
    return rules.Delivered(
        row.signed_qty, row.returned_qty, row.pending, row.invoiced_qty, row.unbilled_returned, row.credited
    )


def _check_request(entered: ReturnInput, delivered: Mapping[int, Any]) -> None:
    faults: list[FieldError] = []
    if not entered.lines:
        faults.append(FieldError("lines", "return.no_lines"))
    if not entered.reason_code:
        faults.append(FieldError("reason_code", "input.required"))
    elif org.options("return_reason") and entered.reason_code not in {o.code for o in org.options("return_reason")}:
        faults.append(FieldError("reason_code", "input.unknown", entered.reason_code))
    used: dict[int, Decimal] = {}
    for index, line in enumerate(entered.lines):
        row = delivered.get(line.shipment_line_id)
        fault = _line_fault(entered.dealer_id, row, line.qty, used.get(line.shipment_line_id, ZERO))
        if fault is not None:
            code, field, value, details = fault
            faults.append(FieldError(f"lines.{index}.{field}", code, value, details))
        used[line.shipment_line_id] = used.get(line.shipment_line_id, ZERO) + line.qty
    if len({(row.unit_id, row.owner_unit_id) for row in delivered.values()}) > 1:
        faults.append(FieldError("lines", "return.mixed"))
    if faults:
        raise InvalidInput(faults)


def _line_fault(dealer_id: int, row: Any, qty: Decimal, used: Decimal) -> tuple[str, str, Any, dict[str, Any]] | None:
    if row is None or row.state != "signed":
        return "return.not_delivered", "shipment_line_id", None, {}
    if row.dealer_id != dealer_id:
        return "return.other_dealer", "shipment_line_id", row.shipment_number, {}
    if qty <= 0:
        return "input.positive", "qty", str(qty), {}
    left = rules.returnable(counts(row)) - used
    if qty > left:
        return "return.too_much", "qty", str(qty), {"available": f"{max(ZERO, left).normalize():f}"}
    return None


def _insert_lines(row: SalesReturn, entered: ReturnInput, delivered: Mapping[int, Any]) -> None:
    rows = []
    for number, line in enumerate(entered.lines, start=1):
        found = delivered[line.shipment_line_id]
        rows.append(
            {
                "return_id": row.id,
                "line_no": number,
                "product_id": found.product_id,
                "shipment_line_id": line.shipment_line_id,
                "qty": line.qty,
                "price": found.price,
                "amount": portion(found.amount, found.qty, line.qty),
            }
        )
    db.session.execute(insert(SalesReturnLine), rows)
    row.gross = sum((line["amount"] for line in rows), ZERO)
    documents.link_many(
        [
            {"from_kind": "shipment", "from_id": shipment_id, "to_kind": KIND, "to_id": row.id}
            for shipment_id in sorted({delivered[line.shipment_line_id].shipment_id for line in entered.lines})
        ]
    )


def _open_case(row: SalesReturn, dealer_name: str) -> None:
    cases.open_item(
        kind="sales_return",
        key=f"sales_return:{row.id}",
        title=f"{row.number} {dealer_name}",
        subject_kind=KIND,
        subject_id=row.id,
        unit_id=row.unit_id,
        figures={"amount": row.gross, "reason": row.reason_code},
        permission=Permission.RETURN_APPROVE,
    )


# --- decision ---------------------------------------------------------------------------------------------------------


@command(Permission.RETURN_APPROVE)
def decide_return(
    return_id: int, approve: bool, comment: str = "", warehouse_id: int | None = None, version: int | None = None
) -> DocumentRef:
    """Approve or reject a requested return; another person than the one who asked. ``warehouse_id``: where it goes."""
    row: SalesReturn = documents.lock(SalesReturn, return_id, version)
    documents.require_state(row, {"requested"}, "approve" if approve else "reject")
    if approve and row.created_by_id is not None and row.created_by_id == current().user_id:
        raise Forbidden("maker_checker", permission=Permission.RETURN_APPROVE)
    row.decided_by_id, row.decided_at = current().user_id, clock.now()
    if approve and warehouse_id:
        ids = [line.shipment_line_id for line in queries.return_lines(row.id) if line.shipment_line_id]
        row.warehouse_id = _warehouse(warehouse_id, delivered(ids)).id
    documents.step(row, "approve" if approve else "reject", "approved" if approve else "rejected", comment=comment)
    cases.withdraw(f"sales_return:{row.id}")
    return row.ref()


def lock_subject(item: WorkItem) -> None:
    """Lock the return of a work item before the item itself."""
    documents.lock(SalesReturn, item.subject_id)


def on_result(item: WorkItem, result: str, comment: str) -> None:
    """What deciding the work item of a return does."""
    current().require(Permission.RETURN_APPROVE)
    decide_return(item.subject_id, result == "approve", comment)


# --- receipt of the goods ---------------------------------------------------------------------------------------------


@command(Permission.GOODS_RECEIPT_POST)
def receive_return(
    return_id: int,
    warehouse_id: int | None = None,
    received: Mapping[int, Decimal] | None = None,
    received_on: date | None = None,
    version: int | None = None,
) -> DocumentRef:
    """Goods are back: dealer → transit → warehouse, the dealer's buckets fall, unbilled units leave exposure.

    ``received``: return line id → quantity (default: all). Locks orders, the return, shipments, the payer's account,
    balances, buckets. What was billed is credited afterwards (:func:`credit_return`).
    """
    lines = queries.return_lines(documents.get(SalesReturn, return_id).id)
    orders = _lock_orders([line.shipment_line_id for line in lines])
    row: SalesReturn = documents.lock(SalesReturn, return_id, version)
    documents.require_state(row, {"approved"}, "receive")
    delivered = _locked_delivered([line.shipment_line_id for line in lines if line.shipment_line_id], row.id)
    quantities = _received(lines, delivered, received)
    place = _warehouse(warehouse_id or row.warehouse_id or _only(delivered), delivered)
    unbilled = _note_received(lines, delivered, quantities)
    _leave_exposure(orders, delivered, lines, unbilled)
    row.warehouse_id, row.received_on = place.id, received_on or clock.today()
    _move_goods(row, lines, delivered, quantities)
    everything = all(unbilled[line.id] == quantities[line.id] for line in lines)
    documents.step(row, "receive", "credited" if everything else "received", received_on=row.received_on)
    outbox.record("return.received", KIND, row.id, row.unit_id)
    outbox.record("stock.freed", KIND, row.id, row.unit_id, warehouse_id=place.id)
    db.session.flush()
    return row.ref()


def _lock_orders(shipment_line_ids: Sequence[int | None]) -> list[SalesOrder]:
    ids = [line_id for line_id in shipment_line_ids if line_id is not None]
    with whole_network("orders of a return in scope"):
        order_ids = {row.order_id for row in delivered(ids).values() if row.order_id is not None}
        return lock_rows(SalesOrder, order_ids) if order_ids else []


def _received(
    lines: Sequence[SalesReturnLine], delivered: Mapping[int, Any], wanted: Mapping[int, Decimal] | None
) -> dict[int, Decimal]:
    quantities = {line.id: (line.qty if wanted is None else wanted.get(line.id, ZERO)) for line in lines}
    faults = []
    for line in lines:
        qty = quantities[line.id]
        most = min(line.qty, rules.returnable(counts(delivered[line.shipment_line_id or 0])))
        if not 0 <= qty <= most:
            detail = {"available": f"{most.normalize():f}"}
            faults.append(FieldError(f"lines.{line.id}.qty", "return.received_more", str(qty), detail))
    if not any(quantities.values()):
        faults.append(FieldError("lines", "return.no_lines"))
    if faults:
        raise InvalidInput(faults)
    return quantities


def _only(delivered: Mapping[int, Any]) -> int | None:
    """The warehouse the goods came from, when it was one."""
    found = {row.warehouse_id for row in delivered.values() if row.warehouse_id is not None}
    return found.pop() if len(found) == 1 else None


def _warehouse(warehouse_id: int | None, delivered: Mapping[int, Any]) -> Warehouse:
    """The warehouse in scope that goods come back to: one of the unit that owns them."""
    row = db.session.execute(
        select(Warehouse).where(Warehouse.id == warehouse_id, Warehouse.active)
    ).scalar_one_or_none()
    if row is None:
        raise InvalidInput(
            [FieldError("warehouse_id", "input.unknown" if warehouse_id else "input.required", warehouse_id)]
        )
    owners = {found.owner_unit_id for found in delivered.values()} - {row.unit_id}
    if owners:
        owner = org.unit(min(owners)).name
        raise InvalidInput([FieldError("warehouse_id", "return.other_owner", row.name, {"owner": owner})])
    return row


def _note_received(
    lines: Sequence[SalesReturnLine], delivered: Mapping[int, Any], quantities: Mapping[int, Decimal]
) -> dict[int, Decimal]:
    """Write received and unbilled quantities; returns the unbilled part per line. Two lines of one delivery share its rest."""
    unbilled: dict[int, Decimal] = {}
    used: dict[int, Decimal] = {}
    for line in lines:
        row = delivered[line.shipment_line_id or 0]
        spent = used.get(row.shipment_line_id, ZERO)
        part = rules.unbilled_part(counts(row), quantities[line.id] + spent) - spent
        part = max(ZERO, min(part, quantities[line.id]))
        used[row.shipment_line_id] = spent + part
        unbilled[line.id] = part
        line.received_qty, line.unbilled_qty = quantities[line.id], part
    db.session.flush()
    arrays = {"lines": [line.shipment_line_id for line in lines], "qtys": [quantities[line.id] for line in lines]}
    db.session.execute(statements.RAISE_RETURNED, arrays)
    return unbilled


def _leave_exposure(
    orders: Sequence[SalesOrder],
    delivered: Mapping[int, Any],
    lines: Sequence[SalesReturnLine],
    unbilled: Mapping[int, Decimal],
) -> None:
    """Unbilled returned units leave *shipped* (or *consigned*) of their payers; states of the orders follow."""
    changes: dict[int, dict[str, Decimal]] = {}
    for line in lines:
        order_line_id = delivered[line.shipment_line_id or 0].order_line_id
        if order_line_id is not None and unbilled[line.id]:
            here = changes.setdefault(order_line_id, {"returned": ZERO})
            here["returned"] += unbilled[line.id]
    found = queries.lines_of_orders([row.id for row in orders])
    before = {row.id: exposure_of(row, found[row.id]) for row in orders}
    raise_counters(changes)
    found = queries.lines_of_orders([row.id for row in orders])
    shifts = [(row.payer_id, exposure_of(row, found[row.id]) - before[row.id]) for row in orders]
    for row in orders:
        state = rules.state_of(map(rules.line_of, found[row.id]), row.state == "held", row.state)
        documents.step(row, "take_back", state)
    credit.shift_many([change for change in shifts if change[1]])


def _move_goods(
    row: SalesReturn, lines: Sequence[SalesReturnLine], delivered: Mapping[int, Any], quantities: Mapping[int, Decimal]
) -> None:
    """Business book: dealer → transit of the owner → warehouse; buckets of the named deliveries fall."""
    names = queries.products([line.product_id for line in lines])
    moving = [line for line in lines if quantities[line.id] and names[line.product_id].stocked]
    if not moving:
        return
    dealer = locations.dealer_key(row.dealer_id)
    place = locations.warehouse_key(row.warehouse_id or 0)
    owners = {line.id: locations.transit_key(delivered[line.shipment_line_id or 0].owner_unit_id) for line in moving}
    at = locations.ensure([dealer, place, *dict.fromkeys(owners.values())])
    moves = []
    for line in moving:
        qty, transit = quantities[line.id], at[owners[line.id]]
        moves.append(stock.Move(at[dealer], transit, line.product_id, qty, line.id))
        moves.append(stock.Move(transit, at[place], line.product_id, qty, line.id))
    facts: dict[str, Any] = {"document_kind": KIND, "document_id": row.id}
    stock.post_moves(BUSINESS, moves, reason="sales_return", occurred_on=row.received_on or clock.today(), **facts)
    wanted = [channel.TakeLine(line.product_id, quantities[line.id], line.id, line.shipment_line_id) for line in moving]
    channel.take(row.dealer_id, wanted, used_on=row.received_on or clock.today(), **facts)


# --- credit -----------------------------------------------------------------------------------------------------------


@command(Permission.RETURN_APPROVE)
def credit_return(return_id: int) -> DocumentRef:
    """Credit the billed units of a received return at their original price, less what was credited on them before.

    Runs by itself after the receipt. Locks invoices, orders, the return, then what the red invoice needs.
    """
    lines = queries.return_lines(documents.get(SalesReturn, return_id).id)
    ids = [line.shipment_line_id for line in lines if line.shipment_line_id]
    receivables.lock_billed(ids)
    orders = _lock_orders(ids)
    row: SalesReturn = documents.lock(SalesReturn, return_id)
    documents.require_state(row, {"received"}, "credit")
    with whole_network("deliveries of a return in scope"):
        delivered = _locked_delivered(ids, row.id)
    credited, unbilled = _to_credit(lines, delivered)
    if any(unbilled.values()):
        for line in lines:
            line.unbilled_qty += unbilled[line.id]
        db.session.flush()
        _leave_exposure(orders, delivered, lines, unbilled)
    documents.step(row, "credit", "credited")
    db.session.flush()
    if credited:
        receivables.credit_return((row.id, row.unit_id), credited)
    return row.ref()


def _to_credit(
    lines: Sequence[SalesReturnLine], delivered: Mapping[int, Any]
) -> tuple[list[receivables.ReturnLine], dict[int, Decimal]]:
    """What the red invoice takes back, and what is not billed any more since its invoice was reversed meanwhile."""
    credited, unbilled = [], {}
    used: dict[int, Decimal] = {}
    for line in lines:
        row = delivered[line.shipment_line_id or 0]
        open_qty = (line.received_qty or ZERO) - line.unbilled_qty
        spent = used.get(row.shipment_line_id, ZERO)
        qty = max(ZERO, min(open_qty, rules.creditable(counts(row), open_qty + spent) - spent))
        used[row.shipment_line_id] = spent + qty
        unbilled[line.id] = open_qty - qty
        if qty:
            credited.append(receivables.ReturnLine(row.shipment_line_id, qty, line.invoice_line_id))
    return credited, unbilled


def credit_received(event: Event) -> None:
    """Reader: credit a return right after its goods came back; nothing to do when all of it was unbilled."""
    row = db.session.get(SalesReturn, event.document_id)
    if row is not None and row.state == "received":
        with use_actor(system_actor("credit of returns")):
            credit_return(event.document_id)
