"""Periodic work of stock: reservations whose time is over are given back."""

from __future__ import annotations

from inventory.stock import statements
from sdm.kernel import clock, locks, outbox
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.jobs import JobSpec

BATCH = 500
BATCHES_MAX = 20


@command(None)
def expire_reservations(limit: int = BATCH) -> int:
    """End up to ``limit`` expired reservations; answers how many. Rows others work on are left for the next run.

    Records ``reservation.expired`` once per document with the lines that lost their stock.
    """
    locks.reach(locks.Rank.BALANCE)
    rows = db.session.execute(statements.EXPIRED, {"now": clock.now(), "limit": limit}).all()
    if not rows:
        return 0
    db.session.execute(statements.END_EXPIRED, {"ids": [row.id for row in rows]})
    lines: dict[tuple[str, int, int], list[int]] = {}
    for row in rows:
        lines.setdefault((row.document_kind, row.document_id, row.unit_id), []).append(row.line_id)
    for (kind, document_id, unit_id), line_ids in lines.items():
        outbox.record("reservation.expired", kind, document_id, unit_id, line_ids=sorted(line_ids))
    return len(rows)


def run() -> str:
    """Expire in batches, each a transaction of its own."""
    ended = 0
    for _ in range(BATCHES_MAX):
        batch = expire_reservations()
        ended += batch
        if batch < BATCH:
            break
    return f"{ended} reservations expired"


JOBS = (JobSpec("stock.expire_reservations", run, seconds=60),)
