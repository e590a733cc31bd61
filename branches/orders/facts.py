"""What invoices need to know of orders: terms fixed on the order, floor prices of its lines."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from branches.orders.models import SalesOrder, SalesOrderLine
from sdm.kernel.db import db
from sdm.kernel.locks import lock_rows


def of_lines(order_line_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Hook ``invoice.order_facts``: per order line term_days, floor_price, order_id; one statement.

    The lines come from deliveries that are in the actor's scope.
    """
    line, head = SalesOrderLine.__table__, SalesOrder.__table__
    statement = (
        select(line.c.id, line.c.order_id, line.c.floor_price, head.c.term_days)
        .join(head, head.c.id == line.c.order_id)
        .where(line.c.id.in_(sorted(set(order_line_ids))))
    )
    return {
        row.id: {"term_days": row.term_days, "floor_price": row.floor_price, "order_id": row.order_id}
        for row in db.session.execute(statement)
    }


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
