"""Dealers' stock when a dealer is merged or moves to another branch."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from inventory.channel import statements
from inventory.channel.models import StockBucket
from sdm.kernel.db import db
from sdm.kernel.errors import N_
from sdm.kernel.scope import whole_network


def holdings(dealer_id: int) -> list[Any]:
    """Hook ``dealer.holdings``: stock that would stay with a double."""
    with whole_network("stock of a dealer that is merged away"):
        found = select(StockBucket.id).where(StockBucket.dealer_id == dealer_id, StockBucket.remaining_qty > 0)
        return [N_("stock at the dealer")] if db.session.execute(found.limit(1)).first() else []


def moved(dealer_id: int, unit_id: int) -> None:
    """Hook ``dealer.moved``: the dealer's place and what he holds are seen by the new branch. The dealer is locked."""
    values = {"dealer_id": dealer_id, "unit_id": unit_id}
    db.session.execute(statements.MOVE_PLACE, values)
    db.session.execute(statements.MOVE_BUCKETS, values)
