"""Periodic work of orders: closed when paid, reopened when an allocation was undone, quotations that ran out."""

from __future__ import annotations

from sqlalchemy import update

from branches.orders import statements
from branches.orders.models import Quotation
from sdm.kernel import audit, clock, locks
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.jobs import JobSpec

BATCH = 500
BATCHES_MAX = 20


@command(None)
def follow_payments(limit: int = BATCH) -> int:
    """Close invoiced orders whose invoices are all paid, reopen closed ones that are not; answers how many changed."""
    locks.reach(locks.Rank.DOCUMENT)
    closed = db.session.execute(statements.CLOSE_PAID, {"batch": limit}).all()
    opened = db.session.execute(statements.REOPEN_UNPAID, {"batch": limit}).all()
    for row in closed:
        audit.write("sales_order", row.id, "close", row.unit_id, {"state": ["invoiced", "closed"]})
    for row in opened:
        audit.write("sales_order", row.id, "reopen", row.unit_id, {"state": ["closed", "invoiced"]})
    return len(closed) + len(opened)


@command(None)
def expire_quotations() -> int:
    """Mark open quotations whose last day is over; answers how many."""
    done = db.session.execute(
        update(Quotation)
        .where(Quotation.state == "open", Quotation.valid_until < clock.today())
        .values(state="expired", version=Quotation.version + 1)
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def run_payments() -> str:
    """Follow payments in batches, each a transaction of its own."""
    changed = 0
    for _ in range(BATCHES_MAX):
        batch = follow_payments()
        changed += batch
        if batch < BATCH:
            break
    return f"{changed} orders"


def run_quotations() -> str:
    """Expire quotations once a night."""
    return f"{expire_quotations()} quotations"


JOBS = (
    JobSpec("orders.follow_payments", run_payments, seconds=120),
    JobSpec("orders.expire_quotations", run_quotations, cron="10 0 * * *"),
)
