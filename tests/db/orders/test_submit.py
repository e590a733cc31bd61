"""Entering an order: confirmed with credit and stock held, or held with every reason."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import event

from branches.orders import queries, service
from branches.orders.inputs import OrderLineInput
from branches.orders.models import OrderHold, SalesOrder
from inventory.stock import queries as stock_queries
from sdm.cases import queries as cases
from sdm.cases import service as case_service
from sdm.cases.models import WorkItem
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Forbidden, InvalidInput, NotFound
from tests.factories import org
from tests.factories.orders import Shop, clerk, fill, line_ids, shop

D = Decimal


def reserved(made: Shop, index: int = 0) -> Decimal:
    there = stock_queries.availability(made.warehouse.id, made.products)
    return there[made.products[index]].reserved


def holds(order_id: int) -> list[str]:
    return [hold.kind for hold in queries.open_holds(order_id)]


def test_an_order_within_credit_and_stock_is_confirmed_and_holds_both(session):
    made = shop()

    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 10), (1, 5))

    row = db.session.get(SalesOrder, ref.id)
    assert (ref.state, row.gross) == ("confirmed", D("2000.00"))
    assert row.net == D("884.96") + D("884.96")
    assert made.exposure == D("2000.00")
    assert (reserved(made, 0), reserved(made, 1)) == (10, 5)


def test_the_same_uuid_makes_one_order_only(session):
    made = shop()
    order = made.order((0, 10))

    with use_actor(clerk(made.branch)):
        first = service.submit_order(order)
        second = service.submit_order(order)

    assert first.id == second.id
    assert made.exposure == D("1000.00")


def test_an_order_over_the_limit_is_held_and_shows_limit_exposure_order_and_excess(session):
    made = shop(limit="1500")

    with use_actor(clerk(made.branch)):
        made.submit((0, 10))
        ref = made.submit((0, 10))

    hold = queries.open_holds(ref.id)[0]
    assert (ref.state, hold.kind) == ("held", "credit")
    assert hold.figures == {"limit": "1500.00", "exposure": "1000.00", "amount": "1000.00", "excess": "500.00"}
    assert made.exposure == D("1000.00")
    assert reserved(made) == 10


def test_a_shortage_names_the_missing_quantity_and_warehouses_that_could_supply(session):
    made = shop(stock=4)
    other = org.warehouse(org.branch())
    with use_actor(clerk()):
        fill(Shop(made.branch, other, made.dealer), {made.products[0]: "50"})

    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 10), (1, 2))

    hold = queries.open_holds(ref.id)[0]
    line = hold.figures["lines"][0]
    assert (ref.state, hold.kind) == ("held", "shortage")
    assert (D(line["wanted"]), D(line["available"]), D(line["missing"])) == (10, 4, 6)
    assert [row["warehouse"] for row in line["elsewhere"]] == [other.name]
    assert made.exposure == 0
    assert reserved(made) == 0 and reserved(made, 1) == 0


def test_every_reason_to_hold_is_found_at_once(session):
    made = shop(stock=1, limit="10", floor="90")
    made.dealer.status, made.dealer.block_reason = "blocked", "欠款"
    case_service.ensure_routes()
    db.session.flush()
    line = OrderLineInput(D(1000), made.products[0], price=D("80"), price_reason="促销")

    with use_actor(clerk_with(made, "order:enter")):
        ref = service.submit_order(made.order(line))

    assert set(holds(ref.id)) == {"dealer", "price", "authority", "amount", "credit", "shortage"}
    found = db.session.query(WorkItem).filter_by(subject_id=ref.id, subject_kind="sales_order").all()
    assert {item.kind for item in found} == {f"order_hold_{kind}" for kind in holds(ref.id)}


def clerk_with(made: Shop, *permissions: str, user_id: int = 501):
    from sdm.kernel.actor import Actor
    from sdm.kernel.scope import Scope

    return Actor(
        user_id=user_id,
        name="王店员",
        permissions=frozenset(permissions),
        scope=Scope(units=frozenset({made.branch.id})),
        roles=frozenset({"clerk"}),
    )


def test_all_faults_of_an_order_are_named_with_their_fields(session):
    made = shop()
    order = made.order(
        OrderLineInput(D(-1), made.products[0]),
        OrderLineInput(D(1), 999_999_999),
        OrderLineInput(D(1), product_code="不存在"),
        OrderLineInput(D(1), made.products[1], price=D("150")),
        OrderLineInput(D(1), made.products[1], unit="桶"),
        OrderLineInput(D("0.0001"), made.products[2]),
    )

    with use_actor(clerk(made.branch)), pytest.raises(InvalidInput) as caught:
        service.submit_order(order)

    assert {(fault.field, fault.code) for fault in caught.value.errors} == {
        ("lines.0.qty", "input.positive"),
        ("lines.1.product_id", "price.unknown_product"),
        ("lines.2.product_id", "input.unknown"),
        ("lines.3.price_reason", "price.reason_required"),
        ("lines.4.unit", "order.unit_unknown"),
        ("lines.5.qty", "input.decimals"),
    }
    assert db.session.query(SalesOrder).filter_by(uuid=order.uuid).count() == 0


def test_more_than_a_thousand_lines_are_refused(session):
    made = shop()

    with use_actor(clerk(made.branch)), pytest.raises(InvalidInput) as caught:
        made.submit(*[(0, 1)] * 1001)

    assert caught.value.errors[0].code == "order.too_many_lines"


def test_a_dealer_or_warehouse_of_another_branch_does_not_exist(session):
    mine, foreign = shop(), shop()

    with use_actor(clerk(mine.branch)), pytest.raises(InvalidInput) as caught:
        mine.submit((0, 1), dealer_id=foreign.dealer.id)
    assert caught.value.errors[0].field == "dealer_id"

    with use_actor(clerk(mine.branch)), pytest.raises(InvalidInput) as caught:
        mine.submit((0, 1), warehouse_id=foreign.warehouse.id)
    assert caught.value.errors[0].field == "warehouse_id"


def test_an_order_of_another_branch_is_not_found(session):
    mine, foreign = shop(), shop()
    with use_actor(clerk(foreign.branch)):
        ref = foreign.submit((0, 1))

    with use_actor(clerk(mine.branch)):
        for step in (service.recheck_order, service.cancel_order, service.short_close, service.pick):
            with pytest.raises(NotFound):
                step(ref.id)


def recorder(seen: list[str]):
    return lambda conn, cursor, statement, *rest: seen.append(statement)


def test_the_number_of_statements_does_not_grow_with_the_lines(session, app):
    made = shop(products=2, stock=100_000, limit="100000000")
    counted: list[int] = []
    outside = ("SAVEPOINT", "RELEASE", "SELECT version FROM access_version")  # a request reads the version once

    with use_actor(clerk(made.branch)):
        made.submit((0, 1))
        for lines in (1, 5, 200):
            seen: list[str] = []
            listen = recorder(seen)
            event.listen(db.engine, "before_cursor_execute", listen)
            made.submit(*[(index % 2, 1) for index in range(lines)])
            event.remove(db.engine, "before_cursor_execute", listen)
            counted.append(len([s for s in seen if not s.startswith(outside)]))

    assert len(set(counted)) == 1, seen
    assert counted[0] <= 7, seen


def test_a_pack_is_counted_in_base_units(session):
    made = shop()
    from tests.factories import catalogue, pricing

    product = catalogue.product("矿泉水", packs={"箱": "24"})
    pricing.price(made.price_list, product.id, "2")
    with use_actor(clerk()):
        fill(made, {product.id: "100"})
    with use_actor(clerk(made.branch)):
        ref = service.submit_order(made.order(OrderLineInput(D(2), product.id, unit="箱")))

    line = queries.lines_of(ref.id)[0]
    assert (line.entered_qty, line.entered_unit, line.qty, line.amount) == (2, "箱", 48, D("96.00"))


def test_a_prepaid_order_is_confirmed_without_credit(session):
    made = shop(limit="0", mode="prepaid")

    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 10))

    assert ref.state == "confirmed"
    assert made.exposure == 0
    assert reserved(made) == 10


def test_the_maker_cannot_release_his_own_order(session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 1))
        hold = queries.open_holds(ref.id)[0]
        with pytest.raises(Forbidden):
            service.release_hold(hold.id)


def test_a_release_lets_the_order_pass_and_is_honoured_by_later_steps(session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 1))
    with use_actor(clerk(made.branch, user_id=502)):
        item = cases.of_subject("sales_order", ref.id)[0]
        case_service.handle(item.id, "release", "老客户")

    row = db.session.get(SalesOrder, ref.id, populate_existing=True)
    assert row.state == "confirmed"
    assert made.exposure == D("100.00")
    hold = db.session.query(OrderHold).filter_by(order_id=ref.id).one()
    assert (hold.state, hold.released_amount) == ("released", D("90.00"))
    assert cases.of_subject("sales_order", ref.id) == []

    with use_actor(clerk(made.branch)):
        change = service.OrderChange(
            (OrderLineInput(D(1), made.products[0], line_id=line_ids(ref.id)[0]),), note="改备注"
        )
        assert service.change_order(ref.id, change).state == "confirmed"


def test_a_release_that_does_not_reach_far_enough_leaves_the_order_held(session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 1))
    with use_actor(clerk(made.branch, user_id=502)):
        item = cases.of_subject("sales_order", ref.id)[0]
        case_service.handle(item.id, "release", "一半", values={"amount": D(50)})

    assert db.session.get(SalesOrder, ref.id, populate_existing=True).state == "held"
    assert holds(ref.id) == ["credit"]
    assert [found.id for found in cases.of_subject("sales_order", ref.id)] != [item.id]


def test_rejecting_a_hold_cancels_the_order(session):
    made = shop(limit="10")
    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 1))
    with use_actor(clerk(made.branch, user_id=502)):
        item = cases.of_subject("sales_order", ref.id)[0]
        case_service.handle(item.id, "reject", "不同意")

    assert db.session.get(SalesOrder, ref.id, populate_existing=True).state == "cancelled"
    assert made.exposure == 0


def test_a_held_order_is_confirmed_by_itself_when_goods_arrive(session):
    from sdm.kernel import outbox

    made = shop(stock=4)
    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 10))
    with use_actor(clerk()):
        fill(made, {made.products[0]: "6"})
        outbox.run_readers()

    assert db.session.get(SalesOrder, ref.id, populate_existing=True).state == "confirmed"
    assert reserved(made) == 10
    assert cases.of_subject("sales_order", ref.id) == []


def test_a_held_order_is_confirmed_by_itself_when_another_one_is_cancelled(session):
    from sdm.kernel import outbox

    made = shop(limit="1000")
    with use_actor(clerk(made.branch)):
        first = made.submit((0, 10))
        second = made.submit((0, 10))
        service.cancel_order(first.id)
        outbox.run_readers()

    assert second.state == "held"
    assert db.session.get(SalesOrder, second.id, populate_existing=True).state == "confirmed"
    assert made.exposure == D("1000.00")


def test_releasing_a_shortage_confirms_what_is_there(session):
    made = shop(stock=4)
    with use_actor(clerk(made.branch)):
        ref = made.submit((0, 10))
        ref = service.release_hold(queries.open_holds(ref.id)[0].id)

    line = queries.lines_of(ref.id)[0]
    assert (ref.state, line.cancelled_qty) == ("confirmed", 6)
    assert made.exposure == D("400.00")
    assert reserved(made) == 4


def test_an_order_above_the_route_stops_at_the_branch_and_a_larger_one_at_head_office(session):
    made = shop(products=1, stock=100_000, limit="100000000")
    case_service.ensure_routes()
    with use_actor(clerk_with(made, "order:enter")):
        small = made.submit((0, 800))
        large = made.submit((0, 8000))

    items = {item.subject_id: item for item in db.session.query(WorkItem).filter_by(kind="order_hold_amount")}
    assert holds(small.id) == holds(large.id) == ["amount"]
    assert items[small.id].handler_unit_id == made.branch.id
    assert items[large.id].handler_unit_id == made.branch.path[0]


def test_preview_answers_price_stock_headroom_and_what_would_hold(session):
    made = shop(stock=4, limit="500")
    with use_actor(clerk(made.branch)):
        seen = service.preview(made.order((0, 10), (1, 1)))

    assert [line.price for line in seen.lines] == [D(100), D(200)]
    assert (seen.lines[0].available, seen.lines[0].short) == (4, 6)
    assert {finding.kind for finding in seen.holds} == {"credit", "shortage"}
    assert (seen.gross, seen.headroom.headroom) == (D(1200), D(500))
    assert seen.profit == seen.net - D("60") * 10 - D("120")
