"""What invoices need to know of orders: terms fixed on the order, floor prices of its lines."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select

from branches.orders.models import SalesOrder, SalesOrderLine
from sdm.kernel.db import db


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
