"""From order to credited return: states, stock and exposure at each step."""

from __future__ import annotations

from decimal import Decimal

import pytest

from branches.orders import queries, service
from branches.orders.inputs import OrderChange, OrderLineInput, ReturnInput, ReturnLineInput, SignedLine
from branches.orders.models import SalesOrder, SalesReturn
from finance.receivables import service as receivables
from inventory.shipments import service as shipments
from inventory.stock import queries as stock_queries
from sdm.kernel import clock, outbox
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, Forbidden, IllegalTransition, InvalidInput, RuleViolation
from tests.factories.orders import Shop, clerk, fill, line_ids, shipped, shop, signed

D = Decimal


def state(order_id: int) -> str:
    return db.session.get(SalesOrder, order_id, populate_existing=True).state


def stock_of(made: Shop, index: int = 0) -> tuple[Decimal, Decimal]:
    found = stock_queries.availability(made.warehouse.id, made.products)[made.products[index]]
    return found.on_hand, found.reserved


def bill(shipment_id: int) -> int:
    draft = receivables.apply_deliveries([shipment_id])[0]
    receivables.submit(draft.id)
    with use_actor(clerk(user_id=900)):
        return receivables.approve_and_issue(draft.id).id


def back(made: Shop, shipment_id: int, qty: str) -> int:
    line = shipments.lines_of(shipment_id)[0]
    entered = ReturnInput(made.dealer.id, "damaged", (ReturnLineInput(line.id, D(qty)),))
    return service.request_return(entered).id


def approve(return_id: int) -> None:
    with use_actor(clerk(user_id=901)):
        service.decide_return(return_id, True)


def test_shipping_moves_exposure_and_goods_and_signing_brings_them_to_the_dealer(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        assert stock_of(made) == (100, 10)
        shipment = service.pick(order.id)
        assert (state(order.id), stock_of(made), made.exposure) == ("confirmed", (100, 10), D(1000))
        service.send_out(shipment.id)
        assert (state(order.id), stock_of(made), made.exposure) == ("shipped", (90, 0), D(1000))
        service.sign(shipment.id, signed_by="李老板")
        assert (state(order.id), made.exposure) == ("shipped", D(1000))


def test_an_order_in_two_shipments_is_part_shipped_in_between(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        line = line_ids(order.id)[0]
        first = service.pick(order.id, {line: D(4)})
        service.send_out(first.id)
        assert (state(order.id), stock_of(made), made.exposure) == ("part_shipped", (96, 6), D(1000))
        with pytest.raises(InvalidInput):
            service.pick(order.id, {line: D(7)})
        second = service.pick(order.id)
        with pytest.raises(Conflict):
            service.pick(order.id)
        service.send_out(second.id)
    assert (state(order.id), stock_of(made)) == ("shipped", (90, 0))


def test_short_and_refused_goods_reopen_the_line_and_are_reserved_again(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order, shipment = shipped(made, (0, 10))
        line = shipments.lines_of(shipment.id)[0]
        service.sign(shipment.id, {line.id: SignedLine(D(6), D(1), D(3))}, signed_by="李老板")

    assert state(order.id) == "part_shipped"
    assert stock_of(made) == (93, 4)
    assert made.exposure == D(1000)


def test_short_goods_can_be_given_up_instead(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order, shipment = shipped(made, (0, 10))
        line = shipments.lines_of(shipment.id)[0]
        service.sign(shipment.id, {line.id: SignedLine(D(6), D(1), D(3))}, signed_by="李老板", reopen=False)

    assert state(order.id) == "short_closed"
    assert stock_of(made) == (93, 0)
    assert made.exposure == D(600)


def test_a_reopened_line_without_stock_is_held_with_the_shortage(session):
    made = shop(stock=10)
    with use_actor(clerk(made.branch)):
        order, shipment = shipped(made, (0, 10))
        line = shipments.lines_of(shipment.id)[0]
        service.sign(shipment.id, {line.id: SignedLine(D(6), D(4), D(0))}, signed_by="李老板")
        assert (state(order.id), made.exposure) == ("held", D(600))
        service.short_close(order.id, "不补发")
    assert (state(order.id), made.exposure) == ("short_closed", D(600))
    assert queries.open_holds(order.id) == []


def test_short_closing_frees_stock_and_credit_of_what_is_left(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10), (1, 5))
        first = service.pick(order.id, {line_ids(order.id)[0]: D(10)})
        service.send_out(first.id)
        service.short_close(order.id, "客户不要了")

    assert state(order.id) == "short_closed"
    assert made.exposure == D(1000)
    assert stock_of(made, 1) == (100, 0)


def test_cancelling_restores_stock_and_credit_but_not_once_something_is_picked(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        shipment = service.pick(order.id)
        with pytest.raises(Conflict):
            service.cancel_order(order.id)
        service.cancel_shipment(shipment.id, "拣错")
        service.cancel_order(order.id, "客户取消")
        with pytest.raises(IllegalTransition):
            service.cancel_order(order.id)

    assert (state(order.id), made.exposure, stock_of(made)) == ("cancelled", 0, (100, 0))


def test_a_changed_order_takes_only_the_difference(session):
    made = shop(limit="1500")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        line = line_ids(order.id)[0]
        change = OrderChange(
            (OrderLineInput(D(8), made.products[0], line_id=line), OrderLineInput(D(3), made.products[1]))
        )
        assert service.change_order(order.id, change).state == "confirmed"
        assert (made.exposure, stock_of(made), stock_of(made, 1)) == (D(1400), (100, 8), (100, 3))
        more = OrderChange((OrderLineInput(D(16), made.products[0], line_id=line),))
        assert service.change_order(order.id, more).state == "held"
        assert (made.exposure, stock_of(made), stock_of(made, 1)) == (0, (100, 0), (100, 0))
        less = OrderChange((OrderLineInput(D(5), made.products[0], line_id=line),))
        assert service.change_order(order.id, less).state == "confirmed"
    assert (made.exposure, stock_of(made)) == (D(500), (100, 5))


def test_what_was_shipped_stays_when_an_order_is_changed(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        line = line_ids(order.id)[0]
        service.send_out(service.pick(order.id, {line: D(4)}).id)
        with pytest.raises(InvalidInput) as caught:
            service.change_order(order.id, OrderChange((OrderLineInput(D(3), made.products[0], line_id=line),)))
        assert caught.value.errors[0].code == "order.below_shipped"
        service.change_order(order.id, OrderChange((OrderLineInput(D(6), made.products[0], line_id=line),)))
    assert (state(order.id), made.exposure, stock_of(made)) == ("part_shipped", D(600), (96, 2))


def test_billing_makes_the_order_invoiced_and_paying_closes_it(session):
    from branches.orders.jobs import follow_payments

    made = shop()
    with use_actor(clerk(made.branch)):
        order, shipment = signed(made, (0, 10))
        bill(shipment.id)
        assert (state(order.id), made.exposure) == ("invoiced", D(1000))
        receivables.record_receipt(receivables.ReceiptInput(made.dealer.id, D(1000), clock.today()))
        receivables.allocate_automatically(made.dealer.id)
    follow_payments()
    assert (state(order.id), made.exposure) == ("closed", 0)


def test_unbilled_goods_that_come_back_only_leave_exposure(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order, shipment = signed(made, (0, 10))
        return_id = back(made, shipment.id, "3")
        with pytest.raises(Forbidden):
            service.decide_return(return_id, True)
    approve(return_id)
    with use_actor(clerk(made.branch)):
        service.receive_return(return_id)

    assert db.session.get(SalesReturn, return_id, populate_existing=True).state == "credited"
    assert (made.exposure, stock_of(made), state(order.id)) == (D(700), (93, 0), "shipped")


def test_a_billed_return_restores_stock_and_lowers_the_receivable_by_the_original_price(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order, shipment = signed(made, (0, 10))
        bill(shipment.id)
        return_id = back(made, shipment.id, "3")
    approve(return_id)
    with use_actor(clerk(made.branch)):
        service.receive_return(return_id)
        assert made.exposure == D(1000)
    outbox.run_readers()

    assert db.session.get(SalesReturn, return_id, populate_existing=True).state == "credited"
    assert (made.exposure, stock_of(made), state(order.id)) == (D(700), (93, 0), "invoiced")


def test_a_partly_billed_return_takes_unbilled_units_first(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        _order, shipment = signed(made, (0, 10))
        line = shipments.lines_of(shipment.id)[0]
        draft = receivables.apply(receivables.BillInput((receivables.BillLine(line.id, D(8)),)))
        receivables.submit(draft.id)
    with use_actor(clerk(user_id=900)):
        receivables.approve_and_issue(draft.id)
    with use_actor(clerk(made.branch)):
        return_id = back(made, shipment.id, "5")
    approve(return_id)
    service.receive_return(return_id)
    found = queries.return_lines(return_id)[0]
    outbox.run_readers()

    assert (found.unbilled_qty, made.exposure) == (2, D(500))


def test_never_more_comes_back_than_was_signed_for(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        _order, shipment = signed(made, (0, 10))
        first = back(made, shipment.id, "7")
        with pytest.raises(InvalidInput) as caught:
            back(made, shipment.id, "4")
        assert caught.value.errors[0].details["available"] == "3"
        back(made, shipment.id, "3")
    with use_actor(clerk(user_id=901)):
        service.decide_return(first, False, "不退")
    with use_actor(clerk(made.branch)):
        back(made, shipment.id, "7")


def test_a_prepaid_order_leaves_only_when_receipts_cover_it(session):
    made = shop(limit="0", mode="prepaid")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        with pytest.raises(RuleViolation):
            service.pick(order.id)
        pay = receivables.ReceiptInput(made.dealer.id, D(400), clock.today(), order_id=order.id)
        receivables.record_receipt(pay)
        assert made.exposure == 0
        with pytest.raises(RuleViolation):
            service.pick(order.id)
        shipment = service.pick(order.id, {line_ids(order.id)[0]: D(4)})
        service.send_out(shipment.id)
    assert (state(order.id), made.exposure) == ("part_shipped", 0)


def test_a_quotation_becomes_an_order_with_the_same_lines_once(session):
    made = shop()
    line = OrderLineInput(D(2), made.products[0], price=D(100))
    with use_actor(clerk(made.branch)):
        offer = service.quote(made.order(line, (1, 3)))
        first = service.order_from_quotation(offer.id)
        second = service.order_from_quotation(offer.id)

    assert first.id == second.id
    lines = queries.lines_of(first.id)
    assert [(x.product_id, x.qty, x.price) for x in lines] == [
        (made.products[0], 2, D(100)),
        (made.products[1], 3, D(200)),
    ]


def test_an_expired_reservation_holds_the_order_until_its_clerk_acts(session):
    from datetime import timedelta

    import time_machine

    from inventory.stock.jobs import expire_reservations

    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
    with time_machine.travel(clock.now() + timedelta(days=15)):
        expire_reservations()
    outbox.run_readers()
    fill(made, {made.products[0]: "5"})
    outbox.run_readers()
    assert (state(order.id), made.exposure, stock_of(made)) == ("held", 0, (105, 0))

    with use_actor(clerk(made.branch)):
        service.recheck_order(order.id)
    assert (state(order.id), made.exposure, stock_of(made)) == ("confirmed", D(1000), (105, 10))
