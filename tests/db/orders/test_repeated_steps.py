"""Steps taken twice, or with parts that do not add up, are refused with a reason and change nothing."""

from __future__ import annotations

from decimal import Decimal

import pytest

from branches.orders import queries, service
from branches.orders.inputs import SignedLine
from inventory.shipments import service as shipments
from sdm.kernel.actor import use_actor
from sdm.kernel.errors import IllegalTransition, InvalidInput
from tests import proof
from tests.factories.orders import clerk, line_ids, shop

D = Decimal


def part_of_an_order() -> tuple[object, int, int]:
    """(shop, order id, shipment id): four of ten units are picked."""
    made = shop(products=1)
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        [line] = line_ids(order.id)
        return made, order.id, service.pick(order.id, {line: D(4)}).id


def test_sending_a_shipment_twice_is_refused_although_its_order_is_still_open(session: object) -> None:
    made, order_id, shipment_id = part_of_an_order()
    with use_actor(clerk(made.branch)):
        service.send_out(shipment_id)
        for _ in range(3):
            with pytest.raises(IllegalTransition):
                service.send_out(shipment_id)
    assert queries.lines_of(order_id)[0].shipped_qty == 4
    assert proof.faults() == []


def test_signing_a_shipment_twice_is_refused(session: object) -> None:
    made, order_id, shipment_id = part_of_an_order()
    with use_actor(clerk(made.branch)):
        service.send_out(shipment_id)
        service.sign(shipment_id)
        with pytest.raises(IllegalTransition):
            service.sign(shipment_id)
    assert queries.lines_of(order_id)[0].signed_qty == 4
    assert proof.faults() == []


@pytest.mark.parametrize(
    "parts", [("5", "0", "0"), ("0", "5", "0"), ("-1", "5", "0"), ("1", "1", "1"), ("0", "0", "99")]
)
def test_a_signature_that_does_not_add_up_names_the_line(session: object, parts: tuple[str, str, str]) -> None:
    made, order_id, shipment_id = part_of_an_order()
    with use_actor(clerk(made.branch)):
        service.send_out(shipment_id)
        [line] = shipments.lines_of(shipment_id)
        with pytest.raises(InvalidInput) as caught:
            service.sign(shipment_id, {line.id: SignedLine(*map(D, parts))})
    assert caught.value.errors[0].field.startswith(f"lines.{line.id}")
    assert queries.lines_of(order_id)[0].signed_qty == 0
    assert proof.faults() == []
