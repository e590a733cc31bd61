"""Entering an order: priced, checked, held or confirmed in one transaction (OS-01 … OS-06).

The number of statements does not depend on the number of lines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, update

from branches.orders import rules, statements
from branches.orders.inputs import OrderInput
from branches.orders.models import SalesOrder
from branches.orders.service import gate
from branches.orders.service.pricing import OrderLine, Priced, facts_of, price_order
from finance.credit.rules import Buckets
from sdm.kernel import audit, clock, documents, drafts, outbox
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import AlreadyExists
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.permissions import Permission

KIND = "sales_order"


@command(Permission.ORDER_ENTER)
def submit_order(order: OrderInput) -> DocumentRef:
    """Save an order: confirmed with credit and stock held, or held with every reason and its figures.

    The same UUID again answers the order that is there. Locks: the payer's account, balances. Raises InvalidInput with
    all faults (``lines.N.field``), NotFound outside the scope.
    """
    priced = price_order(order)
    facts = facts_of(priced)
    findings = rules.find_holds(facts, clock.today())
    rows = _insert(order, priced, "held" if findings else "confirmed")
    if not rows:
        return _present(order)
    here = _gate_order(priced, rows)
    found = gate.take(here, findings)
    state = "held" if found else "confirmed"
    if found:
        if not findings:
            _set_held(here.id)
        gate.save_holds(here, found, facts)
    _tell(order, here, state, priced, found)
    return DocumentRef(KIND, here.id, here.number, state, 1, order.uuid)


@command(Permission.ORDER_ENTER)
def submit_for_later(order: OrderInput) -> DocumentRef:
    """Save an order of a batch as *submitted*; it goes through the gate right afterwards in a transaction of its own.

    So that many orders can be saved in one transaction without holding everybody's credit and stock. Checks everything
    that nobody may waive at once; the same UUID again answers the order that is there.
    """
    priced = price_order(order)
    findings = rules.find_holds(facts_of(priced), clock.today())
    rows = _insert(order, priced, "submitted")
    if not rows:
        return _present(order)
    order_id, number = rows[0].order_id, rows[0].number
    unit_id = priced.context.unit_id
    audit.write(KIND, order_id, "submit", unit_id, {"state": [None, "submitted"], "gross": priced.gross})
    outbox.record("order.submitted", KIND, order_id, unit_id, gross=priced.gross)
    told = [{"kind": finding.kind, "figures": finding.figures} for finding in findings]
    outbox.record("order.gate_due", KIND, order_id, unit_id, findings=told)
    return DocumentRef(KIND, order_id, number, "submitted", 1, order.uuid)


def _insert(order: OrderInput, priced: Priced, state: str) -> list[Any]:
    """Order and lines in one statement; nothing when the UUID is taken."""
    context, actor = priced.context, current()
    confirmed = state == "confirmed"
    head = {
        "uuid": order.uuid,
        "unit_id": context.unit_id,
        "state": state,
        "source": order.source,
        "created_by_id": actor.user_id,
        "dealer_id": context.dealer_id,
        "payer_id": context.payer_id,
        "warehouse_id": context.warehouse_id,
        "owner_unit_id": context.owner_unit_id,
        "legal_entity_id": context.legal_entity_id,
        "ordered_on": priced.on,
        "requested_on": order.requested_on,
        "settlement_mode": context.settlement_mode,
        "term_days": context.term_days,
        "external_number": order.external_number,
        "ship_to": order.ship_to or context.address,
        "note": order.note,
        "gross": priced.gross,
        "net": priced.net,
        "list_gross": priced.list_gross,
        "cost": priced.cost,
        "quotation_id": order.quotation_id,
        "confirmed_at": clock.now() if confirmed else None,
        "confirmed_by_id": actor.user_id if confirmed else None,
    }
    return list(db.session.execute(statements.INSERT_ORDER, head | {"lines": _line_rows(priced.lines)}).all())


def _line_rows(lines: list[OrderLine]) -> str:
    """New lines as a JSON array of records; decimals as exact numbers in text."""
    rows = [
        {
            "line_no": line.line_no,
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
            "explanation": line.priced.explanation,
            "price_reason": line.entered.price_reason,
        }
        for line in lines
    ]
    return json.dumps(rows, ensure_ascii=False, default=str)


def _gate_order(priced: Priced, rows: list[Any]) -> gate.GateOrder:
    context = priced.context
    return gate.GateOrder(
        id=rows[0].order_id,
        number=rows[0].number,
        unit_id=context.unit_id,
        payer_id=context.payer_id,
        dealer_name=context.dealer_name,
        warehouse_id=context.warehouse_id,
        settlement_mode=context.settlement_mode,
        lines=[
            gate.GateLine(
                row.line_id, line.priced.product_id, line.stocked, rules.LineQty(line.qty, line.priced.amount)
            )
            for row, line in zip(rows, priced.lines, strict=True)
        ],
        before=Buckets(),
        fresh=True,
    )


def _set_held(order_id: int) -> None:
    db.session.execute(
        update(SalesOrder)
        .where(SalesOrder.id == order_id)
        .values(state="held", confirmed_at=None, confirmed_by_id=None)
        .execution_options(synchronize_session=False)
    )


def _tell(order: OrderInput, here: gate.GateOrder, state: str, priced: Priced, found: list[rules.Finding]) -> None:
    """Audit row and facts for readers; the draft of the screen goes with the document it became."""
    changes = {"state": [None, state], "gross": priced.gross, "lines": len(priced.lines)}
    if found:
        changes["holds"] = [finding.kind for finding in found]
    audit.write(KIND, here.id, "submit", here.unit_id, changes)
    outbox.record("order.submitted", KIND, here.id, here.unit_id, gross=priced.gross)
    if found:
        outbox.record("order.held", KIND, here.id, here.unit_id, holds=[finding.kind for finding in found])
    else:
        outbox.record("order.confirmed", KIND, here.id, here.unit_id, gross=priced.gross)
    if order.source == "clerk":
        drafts.discard(order.uuid)


def _present(order: OrderInput) -> DocumentRef:
    """The order that already has this UUID; AlreadyExists when it is not the actor's to see or another dealer's."""
    row = db.session.execute(select(SalesOrder).where(SalesOrder.uuid == order.uuid)).scalar_one_or_none()
    if row is None or row.dealer_id != order.dealer_id:
        raise AlreadyExists("exists", field="uuid", value=str(order.uuid))
    ref: DocumentRef = row.ref()
    return ref


# --- orders that exist: shared by the other commands ------------------------------------------------------------------


def gate_order(
    row: SalesOrder, lines: Sequence[Any], names: dict[int, Any], before: Buckets, **values: Any
) -> gate.GateOrder:
    """An existing, locked order at the gate. ``names`` as :func:`branches.orders.queries.products` gives them."""
    return gate.GateOrder(
        id=row.id,
        number=row.number,
        unit_id=row.unit_id,
        payer_id=row.payer_id,
        dealer_name=values.pop("dealer_name", ""),
        warehouse_id=row.warehouse_id,
        settlement_mode=row.settlement_mode,
        lines=[
            gate.GateLine(line.id, line.product_id, names[line.product_id].stocked, rules.line_of(line))
            for line in lines
        ],
        before=before,
        fresh=False,
        **values,
    )


def lock(order_id: int, action: str, version: int | None = None) -> SalesOrder:
    """Lock an order in scope; the action must be allowed in its state."""
    row: SalesOrder = documents.lock(SalesOrder, order_id, version)
    documents.require_state(row, rules.ALLOWED[action], action)
    return row
