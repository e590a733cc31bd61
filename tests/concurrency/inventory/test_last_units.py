"""Many clients on the same stock, with real commits."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from sqlalchemy import func, select, text

from inventory.stock import locations, service, statements
from inventory.stock.models import BUSINESS, Location, Reservation, StockBalance, StockMove
from inventory.stock.service import Move, ReserveLine
from sdm.kernel import command
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import InsufficientStock
from tests.factories.inventory import DAY, network, put_in

D = Decimal
THREADS = 16
reserve = command.command(None)(service.reserve)
release = command.command(None)(service.release)


@pytest.fixture
def app(committing_db):
    with committing_db.app_context(), use_actor(system_actor("test")):
        yield committing_db


def together(app, work, threads=THREADS):
    """Run ``work(number)`` in threads that start at once; what each answered or raised."""
    start = threading.Barrier(threads)

    def run(number):
        with app.app_context(), use_actor(system_actor(f"thread {number}")):
            start.wait()
            try:
                return work(number)
            except InsufficientStock as refused:
                return refused
            finally:
                db.session.remove()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(threads)))


def hold_some(net, number, tries=3):
    granted = 0
    for attempt in range(tries):
        lines = [ReserveLine(number * 100 + attempt * 10 + i, product, D(2)) for i, product in enumerate(net.products)]
        random.Random(number).shuffle(lines)
        try:
            reserve(
                lines,
                warehouse_id=net.warehouses[0],
                unit_id=net.units[0],
                document_kind="sales_order",
                document_id=number * 10 + attempt + 1,
            )
            granted += 1
        except InsufficientStock:
            db.session.rollback()
    return granted


def test_of_sixteen_clients_exactly_as_many_get_the_last_units_as_fit(app):
    net = network()
    put_in(net.warehouses[0], {product: D(41) for product in net.products}, unit_id=net.units[0])

    granted = together(app, lambda number: hold_some(net, number))

    db.session.rollback()
    assert sum(granted) == 20
    rows = db.session.execute(select(StockBalance.on_hand, StockBalance.reserved).where(StockBalance.guarded)).all()
    assert {tuple(row) for row in rows} == {(D(41), D(40))}
    assert db.session.scalar(select(func.sum(Reservation.qty))) == D(120)


def test_without_the_lock_and_the_constraint_the_same_clients_oversell(app, monkeypatch):
    net = network()
    put_in(net.warehouses[0], {product: D(41) for product in net.products}, unit_id=net.units[0])
    db.session.execute(text("ALTER TABLE stock_balance DROP CONSTRAINT ck_stock_balance_reserved_within_on_hand"))
    db.session.commit()
    unlocked = statements.RESERVE.text.replace("FOR NO KEY UPDATE OF b", "")
    unlocked = unlocked.replace("SELECT id FROM location", "SELECT id, pg_sleep(0.05) FROM location")
    assert unlocked != statements.RESERVE.text
    monkeypatch.setattr(statements, "RESERVE", text(unlocked))

    granted = together(app, lambda number: hold_some(net, number))

    db.session.rollback()
    assert sum(granted) > 20
    assert db.session.scalar(select(func.sum(Reservation.qty))) > 3 * D(41)


def test_units_freed_while_somebody_waits_for_them_are_his(app):
    """A CHECK sees the row an UPDATE would make of the old one; the freed units must count nevertheless."""
    net = network(products=1)
    put_in(net.warehouses[0], {net.products[0]: D(10)}, unit_id=net.units[0])
    place = {"warehouse_id": net.warehouses[0], "unit_id": net.units[0], "document_kind": "sales_order"}
    reserve([ReserveLine(1, net.products[0], D(8))], document_id=1, **place)

    @command.command(None)
    def give_back_slowly():
        service.release("sales_order", 1)
        asked.set()
        for _ in range(200):
            waiting = db.session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))
            if waiting:
                return
            time.sleep(0.02)

    def work(number):
        if number == 0:
            return give_back_slowly()
        assert asked.wait(10)
        return reserve([ReserveLine(2, net.products[0], D(5))], document_id=2, **place)

    asked = threading.Event()
    assert together(app, work, threads=2) == [None, None]
    db.session.rollback()
    assert db.session.scalar(select(StockBalance.reserved).where(StockBalance.guarded)) == D(5)


def test_of_sixteen_clients_exactly_as_many_ship_the_last_units_as_fit(app):
    net = network()
    put_in(net.warehouses[0], {product: D(7) for product in net.products}, unit_id=net.units[0])
    place, transit = locations.warehouse(net.warehouses[0]), locations.transit(net.units[0])
    db.session.commit()

    @command.command(None)
    def ship(number):
        moves = [Move(place, transit, product, D(1)) for product in net.products]
        random.Random(number).shuffle(moves)
        service.post_moves(
            BUSINESS, moves, reason="shipment", occurred_on=DAY, document_kind="test", document_id=number + 2
        )
        return True

    answers = together(app, ship)

    db.session.rollback()
    assert answers.count(True) == 7
    assert db.session.scalar(select(func.sum(StockMove.qty)).where(StockMove.to_id == transit)) == D(21)
    assert db.session.scalar(select(func.min(StockBalance.on_hand)).where(StockBalance.guarded)) == D(0)


def test_random_moves_and_reservations_of_sixteen_clients_neither_deadlock_nor_drift(app, monkeypatch):
    net = network(units=3, products=8)
    for unit, warehouse in zip(net.units, net.warehouses, strict=True):
        put_in(warehouse, {product: D(200) for product in net.products}, unit_id=unit)
    retried = []
    monkeypatch.setattr(command, "retries", [retried.append])

    def work(number):
        dice = random.Random(number)
        for turn in range(12):
            try:
                _random_step(net, dice, number * 100 + turn)
            except InsufficientStock:
                db.session.rollback()

    together(app, work)

    db.session.rollback()
    assert retried == []
    moved = dict(
        ((row[0], row[1]), row[2])
        for row in db.session.execute(
            text(
                "SELECT location_id, product_id, sum(qty)"
                " FROM (SELECT to_id AS location_id, product_id, qty FROM stock_move"
                " UNION ALL SELECT from_id, product_id, -qty FROM stock_move) m JOIN location l ON l.id = location_id"
                " WHERE l.counted GROUP BY 1, 2"
            )
        )
    )
    balances = {
        (row.location_id, row.product_id): row.on_hand for row in db.session.execute(select(StockBalance)).scalars()
    }
    assert balances == {**dict.fromkeys(balances, D(0)), **moved}
    held = db.session.scalar(select(func.sum(Reservation.qty)).where(Reservation.state == "held"))
    assert held == db.session.scalar(select(func.sum(StockBalance.reserved)))


def _random_step(net, dice, document):
    place = dice.randrange(3)
    products = dice.sample(net.products, dice.randint(1, 6))
    if dice.random() < 0.6:
        lines = [ReserveLine(document * 10 + i, product, D(dice.randint(1, 5))) for i, product in enumerate(products)]
        reserve(
            lines,
            warehouse_id=net.warehouses[place],
            unit_id=net.units[place],
            document_kind="sales_order",
            document_id=document,
        )
        if dice.random() < 0.4:
            release("sales_order", document)
        elif dice.random() < 0.7:
            _ship(net, place, document, lines)
    else:
        _ship(net, place, document, [ReserveLine(0, product, D(dice.randint(1, 9))) for product in products])


@command.command(None)
def _ship(net, place, document, lines):
    source, target = locations.warehouse(net.warehouses[place]), locations.transit(net.units[place - 1])
    moves = [Move(source, target, line.product_id, line.qty, line_id=line.line_id or None) for line in lines]
    service.post_moves(
        BUSINESS,
        moves,
        reason="shipment",
        occurred_on=DAY,
        document_kind="test",
        document_id=document,
        consume_from="sales_order",
    )


def test_many_transactions_make_the_same_new_places_and_balances_once(app):
    net = network(units=2, products=6)
    outside = locations.outside
    db.session.commit()

    @command.command(None)
    def receive(number):
        source, target = outside(BUSINESS, "supplier"), locations.dealer(net.dealers[number % 2])
        products = random.Random(number).sample(net.products, 6)
        moves = [Move(source, target, product, D(1)) for product in products]
        service.post_moves(
            BUSINESS, moves, reason="test", occurred_on=DAY, document_kind="test", document_id=number + 1
        )
        return True

    assert together(app, receive).count(True) == THREADS

    db.session.rollback()
    rows = db.session.execute(select(StockBalance.on_hand)).scalars().all()
    assert rows == [D(8)] * 12


def test_places_made_in_a_transaction_that_is_undone_are_not_remembered(app):
    net = network()

    @command.command(None)
    def fail():
        locations.dealer(net.dealers[0])
        locations.dealer(net.dealers[0])
        raise InsufficientStock("stock.insufficient")

    with pytest.raises(InsufficientStock):
        fail()

    make = command.command(None)(locations.dealer)
    assert make(net.dealers[0]) == locations.dealer(net.dealers[0])
    row = db.session.execute(select(Location.kind).where(Location.id == locations.dealer(net.dealers[0]))).scalar()
    assert row == "dealer"
    with pytest.raises(KeyError):
        command.command(None)(locations.warehouse)(999_999)
