from decimal import Decimal

import pytest
from sqlalchemy import event, func, select

from inventory.stock import locations, queries, service
from inventory.stock.models import BUSINESS, Reservation, StockBalance, StockMove
from inventory.stock.service import Move, ReserveLine, ValueMove
from sdm.kernel import command
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import InsufficientStock, InvalidInput
from tests.factories.inventory import DAY, clerk, network, put_in

D = Decimal
FACTS = {"reason": "test", "occurred_on": DAY, "document_kind": "test", "document_id": 1}


@pytest.fixture
def net(session):
    with use_actor(system_actor("test")):
        yield network(units=2)


def reserve(net, lines, **kwargs):
    values = {"document_kind": "sales_order", "document_id": 9, "unit_id": net.units[0], **kwargs}
    command.command(None)(service.reserve)(lines, warehouse_id=net.warehouses[0], **values)


def on_hand(location_id, product_id):
    row = db.session.execute(
        select(StockBalance.on_hand, StockBalance.reserved).where(
            StockBalance.location_id == location_id, StockBalance.product_id == product_id
        )
    ).first()
    return tuple(row) if row else None


def test_a_move_changes_the_balances_of_both_places(net):
    a, b, _ = net.products
    put_in(net.warehouses[0], {a: D(10), b: D(4)}, unit_id=net.units[0])

    @command.command(None)
    def ship():
        place, transit = locations.warehouse(net.warehouses[0]), locations.transit(net.units[0])
        service.post_moves(BUSINESS, [Move(place, transit, a, D(3)), Move(place, transit, a, D(1))], **FACTS)

    ship()

    assert on_hand(locations.warehouse(net.warehouses[0]), a) == (D(6), D(0))
    assert on_hand(locations.transit(net.units[0]), a) == (D(4), D(0))
    assert queries.availability(net.warehouses[0], [a, b, net.products[2]])[a].available == D(6)
    assert queries.availability(net.warehouses[0], [net.products[2]])[net.products[2]].on_hand == D(0)


def test_all_shortages_are_told_at_once_and_nothing_is_changed(net):
    a, b, c = net.products
    put_in(net.warehouses[0], {a: D(10), b: D(4)}, unit_id=net.units[0])
    before = db.session.scalar(select(func.count(StockMove.id)))

    @command.command(None)
    def ship():
        place, transit = locations.warehouse(net.warehouses[0]), locations.transit(net.units[0])
        moves = [Move(place, transit, a, D(3)), Move(place, transit, b, D(5)), Move(place, transit, c, D(1))]
        service.post_moves(BUSINESS, moves, **FACTS)

    with pytest.raises(InsufficientStock) as refused:
        ship()

    told = {item["product_id"]: (item["wanted"], item["available"]) for item in refused.value.details["shortages"]}
    assert told == {b: (D(5), D(4)), c: (D(1), D(0))}
    assert on_hand(locations.warehouse(net.warehouses[0]), a) == (D(10), D(0))
    assert db.session.scalar(select(func.count(StockMove.id))) == before


def test_moves_refuse_nothing_negative_and_a_place_to_itself(net):
    place = locations.warehouse(net.warehouses[0])
    bad = [Move(place, place, net.products[0], D(1)), Move(place, place + 1, net.products[0], D("-2"))]

    with pytest.raises(InvalidInput) as refused:
        command.command(None)(service.post_moves)(BUSINESS, bad, **FACTS)

    assert {fault.field for fault in refused.value.errors} == {"lines.0", "lines.1.qty"}


def test_reserving_holds_all_lines_or_none_and_the_transaction_goes_on(net):
    a, b, c = net.products
    put_in(net.warehouses[0], {a: D(10), b: D(4)}, unit_id=net.units[0])

    @command.command(None)
    def try_then_hold():
        lines = [ReserveLine(1, a, D(6)), ReserveLine(2, a, D(5)), ReserveLine(3, c, D(1)), ReserveLine(4, b, D(4))]
        facts = {"warehouse_id": net.warehouses[0], "unit_id": net.units[0], "document_kind": "sales_order"}
        with pytest.raises(InsufficientStock) as refused:
            service.reserve(lines, document_id=9, **facts)
        service.reserve([ReserveLine(4, b, D(4))], document_id=9, **facts)
        return refused.value.details["shortages"]

    short = try_then_hold()

    assert [(s["product_id"], s["wanted"], s["available"]) for s in short] == [(a, D(11), D(10)), (c, D(1), D(0))]
    found = queries.availability(net.warehouses[0], [a, b])
    assert (found[a].reserved, found[b].reserved, found[b].available) == (D(0), D(4), D(0))


def test_shipping_consumes_the_reservation_first_and_only_its_own(net):
    a = net.products[0]
    put_in(net.warehouses[0], {a: D(10)}, unit_id=net.units[0])
    reserve(net, [ReserveLine(1, a, D(6))])
    reserve(net, [ReserveLine(2, a, D(4))], document_id=10)

    @command.command(None)
    def ship(qty, line):
        place, transit = locations.warehouse(net.warehouses[0]), locations.transit(net.units[0])
        move = Move(place, transit, a, qty, line_id=77, reserve_line_id=line)
        service.post_moves(BUSINESS, [move], consume_from="sales_order", **FACTS)

    ship(D(4), 1)
    assert on_hand(locations.warehouse(net.warehouses[0]), a) == (D(6), D(6))
    with pytest.raises(InsufficientStock):
        ship(D(3), 1)  # two held by line 1, four by line 2, nothing free
    ship(D(2), 1)

    assert on_hand(locations.warehouse(net.warehouses[0]), a) == (D(4), D(4))
    states = dict(db.session.execute(select(Reservation.line_id, Reservation.state)).all())
    assert states == {1: "consumed", 2: "held"}


def test_releasing_some_lines_frees_only_those(net):
    a, b, _ = net.products
    put_in(net.warehouses[0], {a: D(10), b: D(5)}, unit_id=net.units[0])
    reserve(net, [ReserveLine(1, a, D(6)), ReserveLine(2, b, D(5))])
    release = command.command(None)(service.release)

    freed = release("sales_order", 9, [1])

    assert freed == {a: D(6)}
    assert queries.availability(net.warehouses[0], [a, b])[b].reserved == D(5)
    assert release("sales_order", 9) == {b: D(5)}
    assert release("sales_order", 9) == {}


def test_reserving_and_moving_take_a_constant_number_of_statements(net):
    put_in(net.warehouses[0], {p: D(1000) for p in net.products}, unit_id=net.units[0])
    seen = []
    connection = db.session.connection()
    event.listen(connection, "before_cursor_execute", lambda *args: "SAVEPOINT" in args[2] or seen.append(args[2]))

    @command.command(None)
    def work(lines):
        del seen[:]
        service.reserve(
            [ReserveLine(lines * 1000 + i, net.products[i % 3], D(1)) for i in range(lines)],
            warehouse_id=net.warehouses[0],
            unit_id=net.units[0],
            document_kind="sales_order",
            document_id=lines,
        )
        return len(seen)

    assert (work(5), work(200)) == (1, 1)


def test_as_of_answers_from_the_moves_of_both_dates(net):
    from datetime import timedelta

    a = net.products[0]
    put_in(net.warehouses[0], {a: D(10)}, unit_id=net.units[0], on=DAY)
    put_in(net.warehouses[0], {a: D(5)}, unit_id=net.units[0], on=DAY + timedelta(days=2))
    place = locations.warehouse(net.warehouses[0])

    assert queries.as_of([place], DAY) == {(place, a): D(10)}
    assert queries.as_of([place], DAY + timedelta(days=2)) == {(place, a): D(15)}
    assert queries.as_of([place], DAY - timedelta(days=1)) == {}


def test_elsewhere_names_warehouses_the_actor_cannot_see_but_not_their_rows(net):
    a = net.products[0]
    put_in(net.warehouses[1], {a: D(8)}, unit_id=net.units[1])

    with use_actor(clerk([net.units[0]])):
        found = queries.elsewhere([a], net.warehouses[0])

    assert [(row.warehouse_id, row.available) for row in found] == [(net.warehouses[1], D(8))]


def test_value_follows_the_moving_average_and_the_last_unit_takes_the_rest(net):
    a, unit = net.products[0], net.units[0]
    post = command.command(None)(service.post_value)
    facts = {"occurred_on": DAY, "document_kind": "test", "document_id": 1}

    post([ValueMove(unit, a, D(3), D("10.00"))], **facts)
    taken = [post([ValueMove(unit, a, D(-1))], **facts)[0] for _ in range(3)]

    assert taken == [D("-3.33"), D("-3.34"), D("-3.33")]
    assert sum(taken) == D("-10.00")
    assert queries.carrying(unit, [a]) == {a: (D(0), D(0))}


def test_an_issue_beyond_the_stock_costs_the_fallback_per_unit(net):
    a, unit = net.products[0], net.units[0]
    post = command.command(None)(service.post_value)
    facts = {"occurred_on": DAY, "document_kind": "test", "document_id": 1}
    post([ValueMove(unit, a, D(2), D("20.00"))], **facts)

    assert post([ValueMove(unit, a, D(-3), fallback=D("12"))], **facts) == [D("-32.00")]
    assert queries.carrying(unit, [a]) == {a: (D(-1), D("-12.00"))}
