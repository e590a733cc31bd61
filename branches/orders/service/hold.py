"""Held orders: released or rejected by the entitled person, measured again by themselves (OS-04, OS-05, OS-06)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from branches.orders import queries, rules, statements
from branches.orders.models import OrderHold, SalesOrder
from branches.orders.rules import Finding
from branches.orders.service import gate
from branches.orders.service.cancel import cancel_locked, cut_lines, refuse_picked
from branches.orders.service.pricing import Context, Faults, read_context, route_of
from branches.orders.service.submit import KIND, gate_order, lock
from branches.org import parameters
from branches.org.models import Dealer
from inventory.stock import queries as stock_queries
from sdm.cases import service as cases
from sdm.cases.models import WorkItem
from sdm.kernel import clock, documents, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, FieldError, Forbidden, InvalidInput
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.money import ZERO
from sdm.kernel.outbox import Event
from sdm.kernel.permissions import Permission
from sdm.kernel.scope import whole_network


@command(Permission.ORDER_ENTER)
def recheck_order(order_id: int, version: int | None = None) -> DocumentRef:
    """Measure a held order again: confirmed when nothing holds it any more, else its figures are brought up to date."""
    row = lock(order_id, "recheck", version)
    pass_again(row, "recheck")
    return row.ref()


def pass_again(row: SalesOrder, action: str) -> list[Finding]:
    """Send a locked, held order through the gate again; what a person must decide stays open until he does."""
    holds = queries.holds_of(row.id)
    lines = queries.lines_of(row.id)
    names = queries.products([line.product_id for line in lines])
    before = _held_exposure(row, lines)
    dealer_name = db.session.execute(select(Dealer.name).where(Dealer.id == row.dealer_id)).scalar() or ""
    here = gate_order(row, lines, names, before, dealer_name=dealer_name, releases=queries.releases_of(holds))
    findings = _still_found(row, holds, here)
    found = gate.take(here, findings)
    _settle(row, here, found, action)
    return found


def _held_exposure(row: SalesOrder, lines: Sequence[Any]) -> Any:
    counts = rules.counts_open(row.state, row.settlement_mode)
    consigned = row.settlement_mode == "consignment"
    return rules.exposure(map(rules.line_of, lines), consigned=consigned, counts_open=counts)


def _still_found(row: SalesOrder, holds: Sequence[OrderHold], here: gate.GateOrder) -> list[Finding]:
    """Open holds for a person to decide, and what is measured anew of dealer and overdue amounts."""
    waiting = [Finding(h.kind, h.figures) for h in holds if h.state == "open" and h.kind in rules.STICKY]
    context = read_context_of(row)
    facts = rules.Facts(
        gross=row.gross,
        dealer_status=context.dealer_status,
        block_reason=context.block_reason,
        overdue_amount=context.overdue_amount,
        overdue_days=context.overdue_days,
        overdue_amount_tolerated=parameters.value("credit.overdue_amount_tolerated", row.unit_id),
        overdue_days_tolerated=parameters.value("credit.overdue_days_tolerated", row.unit_id),
        prepaid=row.settlement_mode == "prepaid",
        releases=here.releases,
    )
    return [*rules.find_holds(facts, clock.today()), *waiting]


def read_context_of(row: SalesOrder) -> Context:
    """Dealer and payer of an order that was locked in scope; its warehouse may lie outside the actor's."""
    faults = Faults()
    with whole_network("dealer and payer of an order in scope"):
        context = read_context(row.dealer_id, row.warehouse_id, faults)
    if context is None:
        raise InvalidInput(faults.errors)
    return context


def _settle(row: SalesOrder, here: gate.GateOrder, found: Sequence[Finding], action: str) -> None:
    """New state and holds of an order that went through the gate again."""
    if found:
        gate.save_holds(here, found, None)
    else:
        gate.clear(row.id, queries.open_holds(row.id))
    state = rules.state_of((line.quantities for line in here.lines), bool(found))
    if state == "cancelled":
        outbox.record("order.cancelled", KIND, row.id, row.unit_id, reason=action, state=state)
    elif not found:
        row.confirmed_at, row.confirmed_by_id = clock.now(), current().user_id
        outbox.record("order.confirmed", KIND, row.id, row.unit_id, gross=row.gross)
    documents.step(row, action, state, holds=[finding.kind for finding in found])


# --- decisions --------------------------------------------------------------------------------------------------------


@command(None)
def release_hold(
    hold_id: int, reason: str = "", amount: Decimal | None = None, until: date | None = None
) -> DocumentRef:
    """Release one hold of an order by the entitled person; the order then goes through the gate again.

    ``amount``: how far the release goes (default: the order's amount, for credit the excess); ``until``: its last day (default
    a week). Another person than the one who entered the order. Raises Forbidden, Conflict when it was decided meanwhile.
    """
    row, hold = _locked_hold(hold_id)
    _require_entitled(row, hold)
    if hold.kind == "shortage":
        _cut_to_available(row, hold)
    day = until or clock.today() + timedelta(days=parameters.value("order.release_days", row.unit_id))
    if day < clock.today():
        raise InvalidInput([FieldError("until", "order.release_past", str(day))])
    hold.state, hold.reason = "released", reason[:200]
    hold.released_amount = amount if amount is not None else default_amount(hold, row)
    hold.released_until = day
    hold.decided_at, hold.decided_by_id = clock.now(), current().user_id
    db.session.flush()
    cases.withdraw(gate.case_key(row.id, hold.kind))
    pass_again(row, f"release:{hold.kind}")
    return row.ref()


@command(None)
def reject_hold(hold_id: int, reason: str) -> DocumentRef:
    """Refuse to release: the order is cancelled (its unshipped part, when something has left already)."""
    row, hold = _locked_hold(hold_id)
    _require_entitled(row, hold, maker_may=True)
    hold.state, hold.reason = "rejected", reason[:200]
    hold.decided_at, hold.decided_by_id = clock.now(), current().user_id
    db.session.flush()
    cases.withdraw(gate.case_key(row.id, hold.kind))
    cancel_locked(row, f"reject:{hold.kind}", reason)
    return row.ref()


def _locked_hold(hold_id: int) -> tuple[SalesOrder, OrderHold]:
    """The order of a hold, locked in scope, and the hold as it is under that lock."""
    row = lock(queries.hold(hold_id).order_id, "release")
    hold = queries.hold(hold_id)
    if hold.state != "open":
        raise Conflict("order.not_held")
    return row, hold


def _require_entitled(row: SalesOrder, hold: OrderHold, maker_may: bool = False) -> None:
    """Permission over the unit; maker and checker differ, except that a shortage may be cut by the maker himself."""
    permission, unit_id = who_releases(row, hold)
    actor = current()
    actor.require(permission)
    if not actor.scope.has_unit(unit_id):
        raise Forbidden("forbidden", permission=permission)
    maker = row.created_by_id is not None and row.created_by_id == actor.user_id
    if maker and not maker_may and hold.kind != "shortage":
        raise Forbidden("maker_checker", permission=permission)


def who_releases(row: SalesOrder, hold: OrderHold) -> tuple[str, int]:
    """(permission, unit) that may release a hold: the approval route for amounts, else by kind over the order's unit."""
    if hold.kind == "amount":
        permission, unit_id, _from = route_of(row.unit_id, row.gross)
        if permission:
            return permission, unit_id or row.unit_id
    return rules.RELEASE_PERMISSION[hold.kind], row.unit_id


def default_amount(hold: OrderHold, row: SalesOrder) -> Decimal:
    """How far a release goes unless said otherwise."""
    key = {"credit": "excess", "overdue": "overdue_amount"}.get(hold.kind)
    value = hold.figures.get(key) if key else None
    return Decimal(str(value)) if value is not None else row.gross


def _cut_to_available(row: SalesOrder, hold: OrderHold) -> None:
    """A released shortage: what is missing now is taken off the order, last lines first; nothing left cancels it."""
    lines = queries.lines_of(row.id)
    names = queries.products([line.product_id for line in lines])
    stocked = [line for line in lines if names[line.product_id].stocked and rules.line_of(line).open > 0]
    there = stock_queries.availability(row.warehouse_id, [line.product_id for line in stocked])
    left = {product_id: max(ZERO, found.available) for product_id, found in there.items()}
    cuts: dict[int, Decimal] = {}
    for line in stocked:
        wanted = rules.line_of(line).open
        given = min(wanted, left[line.product_id])
        left[line.product_id] -= given
        if given < wanted:
            cuts[line.id] = wanted - given
    refuse_picked(row.id, lines, cuts)
    cut_lines(row, lines, cuts)


# --- the work item of a hold ------------------------------------------------------------------------------------------


def lock_subject(item: WorkItem) -> None:
    """Lock the order of a hold's work item before the item itself."""
    lock(item.subject_id, "release")


def on_result(item: WorkItem, result: str, comment: str, amount: Any = None, until: Any = None) -> None:
    """What deciding the work item of a hold does."""
    kind = item.key.rpartition(":")[2]
    hold = next((hold for hold in queries.open_holds(item.subject_id) if hold.kind == kind), None)
    if hold is None:
        raise Conflict("order.not_held")
    if result == "release":
        release_hold(hold.id, comment, amount, until)
    else:
        reject_hold(hold.id, comment)


# --- by themselves, from the outbox -----------------------------------------------------------------------------------


def note_what_may_go_on(event: Event) -> None:
    """Reader: find the held orders an event may free, and give each a delivery of its own."""
    values: dict[str, Any] = {"payer_id": None, "warehouse_id": None}
    if event.name in {"credit.freed", "receipt.recorded"}:
        values |= {"payer_id": _payer_of(event), "kinds": ["credit", "overdue", "dealer"]}
    else:
        values |= {"warehouse_id": event.payload.get("warehouse_id"), "kinds": ["shortage"]}
    if values["payer_id"] is None and values["warehouse_id"] is None:
        return
    for found in db.session.execute(statements.TO_RECHECK, values):
        outbox.record("order.recheck_due", KIND, found.id, found.unit_id, cause=event.name)


def _payer_of(event: Event) -> int | None:
    if event.name == "credit.freed":
        return event.document_id
    return event.payload.get("payer_id")


def recheck_due(event: Event) -> None:
    """Reader: one held order through the gate again; nothing to do when it is not held any more."""
    row = documents.lock(SalesOrder, event.document_id)
    if row.state == "held" and not only_people_can_help(row.id):
        pass_again(row, "recheck")


def gate_due(event: Event) -> None:
    """Reader: send an order of a batch through the gate, with what was found when it was entered."""
    row = documents.lock(SalesOrder, event.document_id)
    if row.state != "submitted":
        return
    lines = queries.lines_of(row.id)
    names = queries.products([line.product_id for line in lines])
    dealer_name = db.session.execute(select(Dealer.name).where(Dealer.id == row.dealer_id)).scalar() or ""
    here = gate_order(row, lines, names, _held_exposure(row, lines), dealer_name=dealer_name)
    findings = [Finding(found["kind"], found["figures"]) for found in event.payload.get("findings", [])]
    found = gate.take(here, findings)
    _settle(row, here, found, "gate")
    if found:
        outbox.record("order.held", KIND, row.id, row.unit_id, holds=[finding.kind for finding in found])


def only_people_can_help(order_id: int) -> bool:
    """Whether every open hold waits for a decision, or an expired reservation for its clerk."""
    holds = queries.open_holds(order_id)
    return all(hold.kind in rules.STICKY or hold.figures.get("expired") for hold in holds)


def reservation_expired(event: Event) -> None:
    """Reader: an order whose reservation ran out is held until its clerk re-checks, changes or cancels it."""
    if event.kind != KIND:
        return
    row = documents.lock(SalesOrder, event.document_id)
    if row.state not in {"confirmed", "part_shipped"}:
        return
    lines = queries.lines_of(row.id)
    names = queries.products([line.product_id for line in lines])
    here = gate_order(row, lines, names, _held_exposure(row, lines))
    gate.give_back(here)
    left = [line for line in lines if rules.line_of(line).open > 0]
    figures = {
        "warehouse_id": row.warehouse_id,
        "expired": True,
        "lines": [
            {"code": names[x.product_id].code, "name": names[x.product_id].name, "wanted": rules.line_of(x).open}
            for x in left
        ],
    }
    gate.save_holds(here, [Finding("shortage", figures)], None)
    documents.step(row, "expire", "held", line_ids=event.payload.get("line_ids"))
    outbox.record("order.held", KIND, row.id, row.unit_id, holds=["shortage"])
