"""What invoicing does to orders: called by finance in the transaction that issues or reverses an invoice."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from branches.orders import queries, rules
from branches.orders.models import SalesOrder, SalesOrderLine
from branches.orders.service.cancel import exposure_of, raise_counters
from finance.credit.rules import Buckets
from sdm.kernel import documents
from sdm.kernel.db import db
from sdm.kernel.locks import lock_rows
from sdm.kernel.money import ZERO
from sdm.kernel.scope import posting_scope, whole_network


def on_lines_issued(lines: Iterable[tuple[int, Decimal]]) -> list[tuple[int, Buckets]]:
    """Raise (negative: lower) what is invoiced of order lines; answers the change of the buckets per payer.

    Locks the orders in order of their ids, before the caller locks credit accounts. Finance moves the amounts.
    """
    total: dict[int, Decimal] = {}
    for line_id, qty in lines:
        total[line_id] = total.get(line_id, ZERO) + qty
    if not total:
        return []
    with whole_network("orders of an invoice in scope"), posting_scope():
        return _raise_invoiced(total)


def _raise_invoiced(total: dict[int, Decimal]) -> list[tuple[int, Buckets]]:
    ids = db.session.execute(select(SalesOrderLine.order_id).where(SalesOrderLine.id.in_(sorted(total)))).scalars()
    orders = lock_rows(SalesOrder, set(ids))
    lines = queries.lines_of_orders([row.id for row in orders])
    before = {row.id: exposure_of(row, lines[row.id]) for row in orders}
    raise_counters({line_id: {"invoiced": qty} for line_id, qty in total.items()})
    lines = queries.lines_of_orders([row.id for row in orders])
    changes: list[tuple[int, Buckets]] = []
    for row in orders:
        changes.append((row.payer_id, exposure_of(row, lines[row.id]) - before[row.id]))
        _follow(row, lines[row.id])
    db.session.flush()
    return changes


def _follow(row: SalesOrder, lines: list[Any]) -> None:
    """Billing changes neither the open part nor holds; only the state may follow."""
    state = rules.state_of(map(rules.line_of, lines), row.state == "held", "")
    documents.step(row, "bill", state)
