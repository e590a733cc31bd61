"""The one gate: an order passes with credit and stock held, or is held with every reason and holds neither.

Used when an order is entered, changed, released, re-checked or reopened by a short signature. The order's row is locked
(or just made) by the caller; credit is taken before stock. A *held* order keeps neither credit nor stock for its open
part; what has left already stays in exposure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import insert, update

from branches.orders import queries, rules
from branches.orders.models import OrderHold
from branches.orders.rules import Finding, LineQty
from branches.org import parameters
from finance.credit import queries as credit_queries
from finance.credit import service as credit
from finance.credit.rules import Buckets, Verdict
from inventory.stock import queries as stock_queries
from inventory.stock import service as stock
from sdm.cases import service as cases
from sdm.kernel import clock, locks
from sdm.kernel.db import db
from sdm.kernel.errors import InsufficientStock
from sdm.kernel.money import ZERO

ELSEWHERE_MAX = 3
Places = tuple[Iterable[int], Iterable[int]]  # locations, products


@dataclass(frozen=True, slots=True)
class GateLine:
    """A line at the gate: its quantities, and whether stock is held for it."""

    line_id: int
    product_id: int
    stocked: bool
    quantities: LineQty


@dataclass(frozen=True, slots=True)
class GateOrder:
    """An order at the gate. ``before``: what it has in the payer's buckets now; ``fresh``: it never held stock."""

    id: int
    number: str
    unit_id: int
    payer_id: int
    dealer_name: str
    warehouse_id: int
    settlement_mode: str
    lines: Sequence[GateLine]
    before: Buckets
    fresh: bool
    releases: Sequence[rules.Release] = ()

    @property
    def consigned(self) -> bool:
        """Whether its goods stay ours at the dealer."""
        return self.settlement_mode == "consignment"

    def exposure(self, held: bool) -> Buckets:
        """What it has in the buckets when held, or when confirmed."""
        counts = not held and self.settlement_mode != "prepaid"
        return rules.exposure((line.quantities for line in self.lines), consigned=self.consigned, counts_open=counts)

    def to_reserve(self) -> list[stock.ReserveLine]:
        """The open quantity of its stocked lines."""
        return [
            stock.ReserveLine(line.line_id, line.product_id, line.quantities.open)
            for line in self.lines
            if line.stocked and line.quantities.open > 0
        ]


def take(order: GateOrder, findings: Sequence[Finding]) -> list[Finding]:
    """Hold credit and stock for the open part; with findings, or when either does not suffice, give everything back.

    Returns every reason to hold; empty: the order is confirmed. Locks the payer's account, then balances.
    """
    if findings:
        give_back(order)
        return [*findings, *_credit_verdict(order), *_stock_verdict(order)]
    verdict = _take_credit(order)
    if verdict is not None and not verdict.granted:
        give_back(order)
        return [rules.credit_finding(verdict.limit, verdict.exposure, verdict.requested), *_stock_verdict(order)]
    short = _take_stock(order)
    if not short:
        return []
    with locks.holding(locks.Rank.CREDIT):
        credit.shift(order.payer_id, order.exposure(held=True) - order.exposure(held=False))
    return [_shortage(order, short)]


def give_back(order: GateOrder, moving: Callable[[], Places] | None = None) -> None:
    """Keep neither credit nor stock for the open part.

    ``moving`` finds, after credit, the places whose balances the same transaction changes as well; locked together.
    """
    credit.shift(order.payer_id, order.exposure(held=True) - order.before)
    if moving is not None:
        stock.lock_balances(*moving(), held_by=("sales_order", order.id))
    if not order.fresh:
        stock.release("sales_order", order.id)


def _take_credit(order: GateOrder) -> Verdict | None:
    """The verdict of the guard; None when nothing more is asked for.

    Also where nothing changes the account is locked now: a shortage gives the open part back after balances are locked.
    """
    change = order.exposure(held=False) - order.before
    if change.exposure <= 0:
        if not change and order.exposure(held=True) != order.exposure(held=False):
            credit.lock([order.payer_id])
        credit.shift(order.payer_id, change)
        return None
    return credit.hold(order.payer_id, change, allow_over=_allowed_over(order))


def _allowed_over(order: GateOrder) -> Decimal:
    return max(ZERO, rules.released_amount("credit", order.releases, clock.today()))


def _take_stock(order: GateOrder) -> list[dict[str, Any]]:
    """Reserve the open part all or nothing; the shortages when it does not suffice."""
    wanted = order.to_reserve()
    if not order.fresh:
        products = {line.product_id for line in wanted}
        stock.lock_balances((), products, warehouse_id=order.warehouse_id, held_by=("sales_order", order.id))
        stock.release("sales_order", order.id)
    try:
        reserve(order.id, order.warehouse_id, order.unit_id, wanted)
    except InsufficientStock as error:
        return list(error.details["shortages"])
    return []


def reserve(order_id: int, warehouse_id: int, unit_id: int, lines: Sequence[stock.ReserveLine]) -> None:
    """Hold stock for lines of an order, all or nothing, until the reservation expires."""
    stock.reserve(
        lines,
        warehouse_id=warehouse_id,
        unit_id=unit_id,
        document_kind="sales_order",
        document_id=order_id,
        expires_at=clock.now() + timedelta(days=parameters.value("order.reservation_days", unit_id)),
    )


# --- verdicts of an order that is held anyway, so that all reasons show at once ----------------------------------------


def _credit_verdict(order: GateOrder) -> list[Finding]:
    requested = order.exposure(held=False).exposure - order.exposure(held=True).exposure
    if requested <= 0:
        return []
    now = credit_queries.headroom(order.payer_id)
    if now.exposure + requested <= now.limit + _allowed_over(order):
        return []
    return [rules.credit_finding(now.limit, now.exposure, requested)]


def _stock_verdict(order: GateOrder) -> list[Finding]:
    wanted: dict[int, Decimal] = {}
    for line in order.to_reserve():
        wanted[line.product_id] = wanted.get(line.product_id, ZERO) + line.qty
    if not wanted:
        return []
    there = stock_queries.availability(order.warehouse_id, list(wanted))
    short = [
        {"product_id": product_id, "wanted": qty, "available": max(ZERO, there[product_id].available)}
        for product_id, qty in wanted.items()
        if there[product_id].available < qty
    ]
    return [_shortage(order, short)] if short else []


def _shortage(order: GateOrder, short: Sequence[dict[str, Any]]) -> Finding:
    """What is missing per product, with other warehouses that could supply it (OS-03)."""
    ids = [row["product_id"] for row in short]
    names = queries.products(ids)
    others = other_warehouses(ids, order.warehouse_id)
    lines = [
        {
            "product_id": row["product_id"],
            "code": names[row["product_id"]].code,
            "name": names[row["product_id"]].name,
            "wanted": row["wanted"],
            "available": row["available"],
            "missing": row["wanted"] - row["available"],
            "elsewhere": others.get(row["product_id"], []),
        }
        for row in short
    ]
    return rules.shortage_finding(lines, order.warehouse_id)


def other_warehouses(product_ids: Sequence[int], warehouse_id: int) -> dict[int, list[dict[str, Any]]]:
    """Per product the warehouses with most of it available, at most three."""
    found: dict[int, list[dict[str, Any]]] = {}
    for row in stock_queries.elsewhere(product_ids, warehouse_id):
        rows = found.setdefault(row.product_id, [])
        if len(rows) < ELSEWHERE_MAX:
            rows.append({"warehouse": row.warehouse_name, "unit": row.unit_name, "available": row.available})
    return found


# --- holds and their work items ---------------------------------------------------------------------------------------


def save_holds(order: GateOrder, findings: Sequence[Finding], facts: rules.Facts | None) -> None:
    """Make the open holds of an order equal to the findings: new ones opened, changed ones updated, the others cleared."""
    present = {} if order.fresh else {hold.kind: hold for hold in queries.open_holds(order.id)}
    wanted = {finding.kind: finding for finding in findings}
    gone = [hold for kind, hold in present.items() if kind not in wanted]
    clear(order.id, gone)
    for kind, hold in present.items():
        if kind in wanted:
            hold.figures = cases.plain(wanted[kind].figures)
    new = [finding for kind, finding in wanted.items() if kind not in present]
    if new:
        db.session.execute(insert(OrderHold), [_hold_row(order.id, finding) for finding in new])
    cases.open_items([_case(order, finding, facts) for finding in findings])


def _hold_row(order_id: int, finding: Finding) -> dict[str, Any]:
    return {"order_id": order_id, "kind": finding.kind, "figures": cases.plain(finding.figures)}


def clear(order_id: int, holds: Sequence[OrderHold], state: str = "cleared") -> None:
    """Take back open holds whose cause is gone, and their work items."""
    if not holds:
        return
    ids = [hold.id for hold in holds]
    db.session.execute(
        update(OrderHold)
        .where(OrderHold.id.in_(ids), OrderHold.state == "open")
        .values(state=state, decided_at=clock.now())
        .execution_options(synchronize_session="fetch")
    )
    cases.withdraw_all(case_key(order_id, hold.kind) for hold in holds)


def case_key(order_id: int, kind: str) -> str:
    """Key of the work item of a hold."""
    return f"order_hold:{order_id}:{kind}"


def _case(order: GateOrder, finding: Finding, facts: rules.Facts | None) -> cases.NewItem:
    permission, unit_id = rules.RELEASE_PERMISSION[finding.kind], order.unit_id
    if finding.kind == "amount" and facts is not None and facts.route_permission:
        permission, unit_id = facts.route_permission, facts.route_unit_id or order.unit_id
    return cases.NewItem(
        kind=f"order_hold_{finding.kind}",
        key=case_key(order.id, finding.kind),
        title=f"{order.number} {order.dealer_name}",
        subject_kind="sales_order",
        subject_id=order.id,
        unit_id=order.unit_id,
        figures=finding.figures,
        permission=permission,
        handler_unit_id=unit_id,
    )
