"""What invoices need to know of orders: terms fixed on the order, floor prices of its lines."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import or_, select

from branches.orders.models import Quotation, SalesOrder, SalesOrderLine, SalesReturn
from sdm.kernel.db import db
from sdm.kernel.errors import N_
from sdm.kernel.locks import lock_rows
from sdm.kernel.scope import whole_network


def of_lines(order_line_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Hook ``invoice.order_facts``: per order line term_days, floor_price, order_id, payer_id; one statement.

    The lines come from deliveries that are in the actor's scope.
    """
    line, head = SalesOrderLine.__table__, SalesOrder.__table__
    statement = (
        select(line.c.id, line.c.order_id, line.c.floor_price, head.c.term_days, head.c.payer_id)
        .join(head, head.c.id == line.c.order_id)
        .where(line.c.id.in_(sorted(set(order_line_ids))))
    )
    names = ("term_days", "floor_price", "order_id", "payer_id")
    return {row.id: {name: getattr(row, name) for name in names} for row in db.session.execute(statement)}


def of_receipt(order_id: int) -> dict[str, Any] | None:
    """Hook ``receipt.order``: payer of an order in scope, and whether it waits for money before its goods leave.

    Locks the order, so that it is not finished while money for it is recorded. None for an order that is not in scope.
    """
    found = lock_rows(SalesOrder, [order_id])
    if not found:
        return None
    (row,) = found
    waits = row.settlement_mode == "prepaid" and row.state in {"submitted", "held", "confirmed", "part_shipped"}
    return {"payer_id": row.payer_id, "waits": waits}


OPEN = (
    (SalesOrder, ("submitted", "held", "confirmed", "part_shipped"), N_("open orders")),
    (SalesOrder, ("shipped", "short_closed"), N_("deliveries to bill")),
    (SalesReturn, ("requested", "approved", "received"), N_("open returns")),
    (Quotation, ("open",), N_("open quotations")),
)


def obstacles(dealer_id: int) -> list[Any]:
    """Hook ``dealer.obstacles``: kinds of documents that are open for a dealer, or that he pays for; one short query each."""
    with whole_network("open business of a dealer who moves or ends"):
        return [word for model, states, word in OPEN if _any(model, states, dealer_id)]


def _any(model: Any, states: tuple[str, ...], dealer_id: int) -> bool:
    mine = model.dealer_id == dealer_id
    if hasattr(model, "payer_id"):
        mine = or_(mine, model.payer_id == dealer_id)
    found = select(model.id).where(mine, model.state.in_(states)).limit(1)
    return db.session.execute(found).first() is not None
