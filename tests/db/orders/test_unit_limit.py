"""An office with a limit of its own: larger orders wait for the branch."""

from __future__ import annotations

import pytest

from branches.org import service as org_service
from sdm.cases.models import WorkItem
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from tests.factories import orders, org

pytestmark = pytest.mark.usefixtures("session")


def test_an_order_above_the_limit_of_its_unit_waits_for_the_unit_above() -> None:
    shop = orders.shop()
    org_service.set_parameter("order.amount_limit", "500", unit_id=shop.branch.id)

    with use_actor(orders.clerk(shop.branch)):
        at_limit = shop.submit((0, 5))
        above = shop.submit((0, 6))

    assert (at_limit.state, above.state) == ("confirmed", "held")
    item = db.session.query(WorkItem).filter_by(kind="order_hold_amount", subject_id=above.id).one()
    assert item.handler_unit_id == org.head_office().id
    assert item.permission == "order:release_amount"
