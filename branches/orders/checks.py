"""What `sdm doctor` asks about orders: counters, exposure, reservations, states, holds, totals, returns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import TextClause

from branches.orders import rules, statements
from finance.credit.rules import Buckets
from sdm.kernel.checks import Check
from sdm.kernel.db import db
from sdm.kernel.errors import N_

STREAM = 5000


def _rows(statement: TextClause, form: str) -> list[str]:
    return [form.format(row) for row in db.session.execute(statement)]


def counters() -> list[str]:
    """Counters of order lines equal the sums of shipment, return and invoice lines."""
    return _rows(statements.WRONG_COUNTERS, "{0.number} line {0.line_no}")


def exposure() -> list[str]:
    """Open, shipped and consigned amounts of every payer equal what the rules give for the lines."""
    expected: dict[int, Buckets] = {}
    for row in _lines():
        counts = rules.counts_open(row.state, row.settlement_mode)
        here = rules.line_exposure(
            rules.line_of(row), consigned=row.settlement_mode == "consignment", counts_open=counts
        )
        expected[row.payer_id] = expected.get(row.payer_id, Buckets()) + here
    offenders = []
    for row in db.session.execute(statements.CREDIT_BUCKETS):
        wanted = expected.pop(row.payer_id, Buckets())
        found = (row.open_orders, row.shipped, row.consigned)
        if found != (wanted.open_orders, wanted.shipped, wanted.consigned):
            text = f"{wanted.open_orders}/{wanted.shipped}/{wanted.consigned}"
            offenders.append(f"payer {row.payer_id}: {'/'.join(map(str, found))}, lines give {text}")
    offenders += [f"payer {payer_id}: no account" for payer_id, buckets in expected.items() if buckets]
    return offenders[:20]


def _lines() -> Iterator[Any]:
    options = {"stream_results": True, "yield_per": STREAM}
    return iter(db.session.execute(statements.LINES_IN_EXPOSURE, execution_options=options))


def reservations() -> list[str]:
    """Confirmed orders hold exactly their open quantity; nobody else holds anything."""
    return _rows(statements.WRONG_RESERVATIONS, "{0.number} line {0.line_no}: {0.held} held") + _rows(
        statements.LOST_RESERVATIONS, "order {0.document_id} line {0.line_id}: reserved, no such line"
    )


def states() -> list[str]:
    """States follow from quantities."""
    return _rows(statements.WRONG_STATES, "{0.number}: {0.state}, quantities say {0.expected}")


def holds() -> list[str]:
    """An order is held exactly when a hold is open, and every open hold has its work item."""
    return _rows(statements.WRONG_HOLDS, "{0.number}: {0.state}") + _rows(
        statements.HOLDS_WITHOUT_ITEM, "{0.number}: nobody is asked about {0.kind}"
    )


def totals() -> list[str]:
    """The amount of an order is the sum of its lines."""
    return _rows(statements.WRONG_TOTALS, "{0.number}")


def returned() -> list[str]:
    """What came back of a delivered line is what received returns say."""
    return _rows(statements.WRONG_RETURNED, "{0.number} line {0.line_no}")


CHECKS = (
    Check(N_("Order lines agree with shipments, returns and invoices"), "orders.counters", counters),
    Check(N_("Exposure agrees with order lines"), "orders.exposure", exposure),
    Check(N_("Reservations agree with open quantities"), "orders.reservations", reservations),
    Check(N_("Order states follow from quantities"), "orders.states", states),
    Check(N_("Orders are held exactly while a hold is open"), "orders.holds", holds),
    Check(N_("Order amounts are the sums of their lines"), "orders.totals", totals),
    Check(N_("Returned quantities agree with received returns"), "orders.returned", returned),
)
