"""What shipments say of a dealer who is merged, moved or set inactive."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from inventory.shipments.models import Shipment
from sdm.kernel.db import db
from sdm.kernel.errors import N_
from sdm.kernel.scope import whole_network


def obstacles(dealer_id: int) -> list[Any]:
    """Hook ``dealer.obstacles``: goods that are picked or on their way."""
    with whole_network("open business of a dealer who moves or ends"):
        found = select(Shipment.id).where(Shipment.dealer_id == dealer_id, Shipment.state.in_(("picked", "shipped")))
        return [N_("goods on their way")] if db.session.execute(found.limit(1)).first() else []
