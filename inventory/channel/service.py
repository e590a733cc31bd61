"""Changes of dealers' stock in buckets, called by commands that have locked their document and posted the moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from inventory.channel import statements
from inventory.channel.rules import Bucket, Lack, TakeLine, Taken, allocate, give_back
from sdm.kernel import locks
from sdm.kernel.db import db
from sdm.kernel.errors import N_, InsufficientStock, describe

__all__ = ["Received", "TakeLine", "Taken", "put_back", "receive", "take"]

describe(
    {
        "channel.insufficient": N_("The dealer does not hold as much of these deliveries"),
        "channel.not_used": N_("More would be put back than was taken"),
    }
)


@dataclass(frozen=True, slots=True)
class Received:
    """Goods a dealer received: one bucket. ``protected_price`` gross per unit; ``ownership`` bought or consigned."""

    product_id: int
    qty: Decimal
    protected_price: Decimal
    received_on: date
    source_line_id: int | None
    ownership: str = "bought"
    source_kind: str = "shipment"


def receive(dealer_id: int, unit_id: int, rows: Sequence[Received]) -> list[int]:
    """Make the buckets of a signed delivery; answers their ids in the order given. One statement."""
    if not rows:
        return []
    locks.reach(locks.Rank.BUCKET)
    values: dict[str, Any] = {
        "unit_id": unit_id,
        "dealer_id": dealer_id,
        "products": [row.product_id for row in rows],
        "ownerships": [row.ownership for row in rows],
        "days": [row.received_on for row in rows],
        "kinds": [row.source_kind for row in rows],
        "lines": [row.source_line_id for row in rows],
        "prices": [row.protected_price for row in rows],
        "qtys": [row.qty for row in rows],
    }
    return sorted(db.session.execute(statements.RECEIVE, values).scalars())


def take(
    dealer_id: int, lines: Sequence[TakeLine], *, document_kind: str, document_id: int, used_on: date
) -> list[Taken]:
    """Use up buckets of a dealer, first in, first out, or those of the delivery line a line names.

    Locks the dealer's buckets of these products by id. Raises InsufficientStock with every lacking line.
    """
    if not lines:
        return []
    locks.reach(locks.Rank.BUCKET)
    rows = db.session.execute(
        statements.LOCK_BUCKETS, {"dealer_id": dealer_id, "products": sorted({line.product_id for line in lines})}
    )
    taken, lacks = allocate([Bucket(*row) for row in rows], lines)
    if lacks:
        raise InsufficientStock("channel.insufficient", shortages=[_shortage(lack, dealer_id) for lack in lacks])
    _use(taken, document_kind, document_id, used_on)
    return taken


def put_back(
    *,
    document_kind: str,
    document_id: int,
    used_on: date,
    quantities: Mapping[int, Decimal] | None = None,
) -> list[Taken]:
    """Undo what a document took, all of it or ``{line id: quantity}``, newest use first; answers what went back where.

    Raises InsufficientStock when a line took less than is to be put back.
    """
    locks.reach(locks.Rank.BUCKET)
    rows = db.session.execute(
        statements.LOCK_USES,
        {"kind": document_kind, "id": document_id, "lines": None if quantities is None else sorted(quantities)},
    )
    uses = [Taken(row.bucket_id, row.line_id, row.qty) for row in rows]
    back, lacks = give_back(uses, None if quantities is None else dict(quantities))
    if lacks:
        raise InsufficientStock("channel.not_used", shortages=[_shortage(lack, None) for lack in lacks])
    _use([Taken(item.bucket_id, item.line_id, -item.qty) for item in back], document_kind, document_id, used_on)
    return back


def _use(taken: Sequence[Taken], kind: str, document_id: int, used_on: date) -> None:
    if not taken:
        return
    db.session.execute(
        statements.USE_BUCKETS,
        {
            "buckets": [item.bucket_id for item in taken],
            "lines": [item.line_id for item in taken],
            "qtys": [item.qty for item in taken],
            "kind": kind,
            "id": document_id,
            "used_on": used_on,
        },
    )


def _shortage(lack: Lack, dealer_id: int | None) -> dict[str, Any]:
    return {
        "product_id": lack.product_id,
        "dealer_id": dealer_id,
        "line_id": lack.line_id,
        "wanted": lack.wanted,
        "available": lack.available,
    }
