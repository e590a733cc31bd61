"""What goes wrong at the edges of orders: picked goods, second lines of a delivery, unchanged amounts, paid in advance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import event, update

from branches.orders import checks, queries, service
from branches.orders.inputs import OrderChange, OrderLineInput, ReturnInput, ReturnLineInput, SignedLine
from branches.orders.models import SalesOrder
from branches.org import parameters
from branches.org.models import Dealer
from finance.receivables import service as receivables
from inventory.shipments import service as shipments
from sdm.kernel import clock, outbox
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, InvalidInput, RuleViolation
from tests.factories import org
from tests.factories.orders import Shop, clerk, line_ids, shipped, shop, signed

D = Decimal


def state(order_id: int) -> str:
    return db.session.get(SalesOrder, order_id, populate_existing=True).state


def proved() -> None:
    """No check of orders finds an offender."""
    assert {check.code: check.function() for check in checks.CHECKS if check.function()} == {}


def approve(return_id: int, **values: Any) -> None:
    with use_actor(clerk(user_id=901)):
        service.decide_return(return_id, True, **values)


def release(order_id: int) -> None:
    (hold,) = queries.open_holds(order_id)
    with use_actor(clerk(user_id=900)):
        service.release_hold(hold.id, "同意")


def pay(made: Shop, amount: str, order_id: int | None = None) -> int:
    money = receivables.ReceiptInput(made.dealer.id, D(amount), clock.today(), order_id=order_id)
    return receivables.record_receipt(money).id


@contextmanager
def statements() -> Iterator[list[str]]:
    """What is sent to the database meanwhile."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        seen.append(text)

    engine = db.session.get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_two_lines_of_a_return_may_name_the_same_delivery_and_both_count(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        _order, shipment = signed(made, (0, 10))
        line = shipments.lines_of(shipment.id)[0]
        both = (ReturnLineInput(line.id, D(2)), ReturnLineInput(line.id, D(3)))
        ref = service.request_return(ReturnInput(made.dealer.id, "damaged", both))
    approve(ref.id)
    with use_actor(clerk(made.branch)):
        service.receive_return(ref.id)
        assert shipments.lines_of(shipment.id)[0].returned_qty == 5
        with pytest.raises(InvalidInput):
            service.request_return(ReturnInput(made.dealer.id, "damaged", (ReturnLineInput(line.id, D(6)),)))
    proved()


def test_a_picked_line_keeps_product_and_price_when_the_order_is_changed(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        (line,) = line_ids(order.id)
        shipment = service.pick(order.id, {line: D(4)})
        cheaper = OrderLineInput(D(10), made.products[0], price=D(50), price_reason="特价", line_id=line)
        service.change_order(order.id, OrderChange((cheaper,)))
    (changed,), (picked,) = queries.lines_of(order.id), shipments.lines_of(shipment.id)
    assert (changed.price, changed.amount, picked.amount) == (D(100), D(1000), D(400))


def test_a_line_that_came_back_refused_as_a_whole_stays_on_the_order(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order, shipment = shipped(made, (0, 10))
        (delivered,) = shipments.lines_of(shipment.id)
        service.sign(shipment.id, {delivered.id: SignedLine(D(0), D(0), D(10))}, signed_by="李老板")
        for lines in (
            (OrderLineInput(D(1), made.products[1]),),
            (OrderLineInput(D(10), made.products[1], line_id=delivered.order_line_id),),
        ):
            with pytest.raises(InvalidInput):
                service.change_order(order.id, OrderChange(lines))


def test_releasing_a_shortage_never_cuts_goods_that_are_picked(session):
    made = shop(stock=10)
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        (line,) = line_ids(order.id)
        shipment = service.pick(order.id, {line: D(6)})
        more = OrderLineInput(D(30), made.products[0], line_id=line)
        assert service.change_order(order.id, OrderChange((more,))).state == "held"
        made.submit((0, 5))
        with pytest.raises(Conflict) as caught:
            release(order.id)
        assert caught.value.code == "order.picked_first"
        service.cancel_shipment(shipment.id)
        release(order.id)
    assert [line.cancelled_qty for line in queries.lines_of(order.id)] == [25]
    proved()


def test_an_order_whose_last_goods_are_cut_away_is_cancelled_and_not_confirmed(session):
    made = shop(stock=0)
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        release(order.id)
    row = db.session.get(SalesOrder, order.id, populate_existing=True)
    assert (row.state, row.confirmed_at, queries.open_holds(order.id)) == ("cancelled", None, [])


def test_the_payers_account_is_locked_before_stock_even_when_the_amount_stays(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        elsewhere = org.warehouse(made.branch)
        order = made.submit((0, 10))
        same = OrderLineInput(D(10), made.products[0], line_id=line_ids(order.id)[0])
        with statements() as seen:
            assert service.change_order(order.id, OrderChange((same,), warehouse_id=elsewhere.id)).state == "held"
    touched = ["credit" if "credit_account" in text else "stock" for text in seen
               if "credit_account" in text or "stock_balance" in text]  # fmt: skip
    assert touched[0] == "credit"
    assert made.exposure == 0


def test_terms_of_payment_stay_those_of_the_order_when_it_is_changed(session):
    made = shop(limit="0", mode="prepaid")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        db.session.execute(update(Dealer).where(Dealer.id == made.dealer.id).values(settlement_mode="term"))
        receivables.post_opening([receivables.OpeningItem(made.dealer.id, "A-1", _past(), _past(), D(5))])
        same = OrderLineInput(D(9), made.products[0], line_id=line_ids(order.id)[0])
        assert service.change_order(order.id, OrderChange((same,))).state == "confirmed"


def _past() -> Any:
    from datetime import timedelta

    return clock.today() - timedelta(days=20)


def test_goods_that_were_refused_and_given_up_free_an_order_that_waits_for_them(session):
    made = shop(stock=10)
    with use_actor(clerk(made.branch)):
        _order, shipment = shipped(made, (0, 10))
        waiting = made.submit((0, 3))
        assert state(waiting.id) == "held"
        (line,) = shipments.lines_of(shipment.id)
        service.sign(shipment.id, {line.id: SignedLine(D(6), D(0), D(4))}, signed_by="李老板", reopen=False)
    outbox.run_readers()
    assert state(waiting.id) == "confirmed"


# --- paid in advance --------------------------------------------------------------------------------------------------


def test_money_is_earmarked_only_for_an_order_of_its_own_dealer(session):
    made, other = shop(mode="prepaid"), shop(mode="prepaid")
    with use_actor(clerk(units=[made.branch.id, other.branch.id], unit=made.branch)):
        order = made.submit((0, 10))
        for wrong in (999_999, other.submit((0, 1)).id):
            with pytest.raises(InvalidInput) as caught:
                pay(made, "1000", wrong)
            assert caught.value.errors[0].field == "order_id"
        pay(made, "1000", order.id)
    assert made.exposure == 0


def test_money_named_for_an_order_on_term_counts_at_once(session):
    made = shop()
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        pay(made, "400", order.id)
    assert made.exposure == D(600)


def test_money_of_a_cancelled_order_counts_from_then_on(session):
    made = shop(mode="prepaid")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        pay(made, "1000", order.id)
        assert made.exposure == 0
        service.cancel_order(order.id, "不要了")
    assert made.exposure == D(-1000)
    proved()


def test_money_that_settled_something_else_covers_no_goods_any_more(session):
    made = shop(mode="prepaid")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        receivables.post_opening([receivables.OpeningItem(made.dealer.id, "A-1", _past(), _past(), D(700))])
        pay(made, "1000", order.id)
        assert receivables.allocate_automatically(made.dealer.id) == []
        _settle_by_hand(made, "700")
        with pytest.raises(RuleViolation):
            service.pick(order.id)
        service.pick(order.id, {line_ids(order.id)[0]: D(3)})


def _settle_by_hand(made: Shop, amount: str) -> None:
    from finance.receivables.queries import open_items

    owed, paid = open_items(made.dealer.id)
    receivables.allocate([(owed.id, paid.id, D(amount))])


def test_goods_do_not_leave_when_the_money_was_taken_back_after_picking(session):
    made = shop(mode="prepaid")
    with use_actor(clerk(made.branch)):
        order = made.submit((0, 10))
        receipt_id = pay(made, "1000", order.id)
        shipment = service.pick(order.id)
        receivables.reverse_receipt(receipt_id, "退票")
        with pytest.raises(RuleViolation):
            service.send_out(shipment.id)


# --- whose goods, whose branch ----------------------------------------------------------------------------------------


def test_goods_come_back_into_a_warehouse_of_their_owner_only(session):
    made = shop()
    foreign = org.warehouse(org.branch())
    with use_actor(clerk(made.branch)):
        _order, shipment = signed(made, (0, 10))
        line = shipments.lines_of(shipment.id)[0]
        ref = service.request_return(ReturnInput(made.dealer.id, "damaged", (ReturnLineInput(line.id, D(2)),)))
    with pytest.raises(InvalidInput) as caught:
        approve(ref.id, warehouse_id=foreign.id)
    assert caught.value.errors[0].field == "warehouse_id"
    approve(ref.id)
    with pytest.raises(InvalidInput) as caught:
        service.receive_return(ref.id, warehouse_id=foreign.id)
    assert caught.value.errors[0].code == "return.other_owner"


def test_units_already_billed_cannot_be_signed_for_as_short(session, monkeypatch):
    made = shop()
    found = parameters.value
    monkeypatch.setattr(
        parameters, "value", lambda key, *rest: "shipped" if key == "billing.basis" else found(key, *rest)
    )
    with use_actor(clerk(made.branch)):
        _order, shipment = shipped(made, (0, 10))
        draft = receivables.apply_deliveries([shipment.id])[0]
        receivables.submit(draft.id)
    with use_actor(clerk(user_id=900)):
        invoice = receivables.approve_and_issue(draft.id, "看过")
    (line,) = shipments.lines_of(shipment.id)
    with use_actor(clerk(made.branch)):
        with pytest.raises(InvalidInput) as caught:
            service.sign(shipment.id, {line.id: SignedLine(D(7), D(3), D(0))}, signed_by="李老板")
        assert caught.value.errors[0].code == "shipment.billed"
        receivables.reverse(invoice.id, "少货")
        service.sign(shipment.id, {line.id: SignedLine(D(7), D(3), D(0))}, signed_by="李老板")
    proved()


def test_a_branch_that_sells_goods_of_head_office_sells_them_from_head_offices_warehouse(session, monkeypatch):
    made = shop()
    found = parameters.value
    monkeypatch.setattr(
        parameters, "value", lambda key, *rest: "head_office" if key == "goods.owner" else found(key, *rest)
    )
    with use_actor(clerk(made.branch)), pytest.raises(InvalidInput) as caught:
        made.submit((0, 1))
    assert [(fault.field, fault.code) for fault in caught.value.errors] == [("warehouse_id", "order.not_head_office")]
    above = org.warehouse(org.head_office())
    with use_actor(clerk()):
        order = made.submit((0, 1), warehouse_id=above.id)
    assert db.session.get(SalesOrder, order.id).owner_unit_id == above.unit_id
