"""Sixteen clients on the last units and the last headroom, through the whole command, with real commits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

from flask import Flask

from branches.orders import checks, service
from branches.orders.models import SalesOrder
from finance.credit import queries as credit_queries
from finance.credit import service as credit
from inventory.stock import queries as stock_queries
from sdm.kernel import command
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories.orders import Shop, clerk, shop

CLIENTS = 16
D = Decimal


def made_shop(app: Flask, **values: Any) -> Shop:
    with app.app_context(), use_actor(system_actor("test")):
        made = shop(**values)
        db.session.commit()
        return made


def at_once(app: Flask, made: Shop, work: Callable[[int], Any]) -> list[Any]:
    """The results of `work(n)` of all clients, started together, each in its own session as its own clerk."""
    gate = threading.Barrier(CLIENTS)

    def one(number: int) -> Any:
        with app.app_context(), use_actor(clerk(user_id=600 + number, units=[made.branch.id], unit=made.branch)):
            gate.wait()
            return work(number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(one, range(CLIENTS)))


def offenders(app: Flask) -> dict[str, list[str]]:
    with app.app_context(), use_actor(system_actor("test")):
        return {check.code: rows for check in checks.CHECKS if (rows := list(check.function()))}


def test_exactly_as_many_orders_are_confirmed_as_units_are_there(committing_db):
    made = made_shop(committing_db, products=2, stock=10, limit="10000000")

    states = at_once(committing_db, made, lambda n: made.submit((n % 2, 1), (1 - n % 2, 1)).state)

    assert (states.count("confirmed"), states.count("held")) == (10, 6)
    with committing_db.app_context(), use_actor(system_actor("test")):
        found = stock_queries.availability(made.warehouse.id, made.products)
        assert [found[i].reserved for i in made.products] == [10, 10]
    assert offenders(committing_db) == {}


def test_exactly_as_many_orders_are_confirmed_as_headroom_allows(committing_db):
    made = made_shop(committing_db, stock=1000, limit="700")

    states = at_once(committing_db, made, lambda _n: made.submit((0, 1)).state)

    assert (states.count("confirmed"), states.count("held")) == (7, 9)
    with committing_db.app_context(), use_actor(system_actor("test")):
        assert credit_queries.headroom(made.dealer.id).exposure == D(700)
    assert offenders(committing_db) == {}


def test_without_the_guards_more_is_promised_than_is_there(committing_db, monkeypatch):
    """The control: with both guards replaced by read-then-write the race must happen, else the tests above prove nothing."""
    made = made_shop(committing_db, stock=1000, limit="700")
    together = threading.Barrier(CLIENTS)

    def careless(payer_id: int, buckets: Any, allow_over: Any = None) -> Any:
        before = credit_queries.headroom(payer_id)
        together.wait(timeout=20)
        fits = before.exposure + buckets.exposure <= before.limit
        if fits:
            credit.shift(payer_id, buckets)
        return credit.Verdict(fits, before.limit, before.exposure, buckets.exposure, D(0))

    monkeypatch.setattr(credit, "hold", careless)

    states = at_once(committing_db, made, lambda _n: made.submit((0, 1)).state)

    assert states.count("confirmed") > 7


def test_the_same_order_sent_by_all_clients_is_saved_once(committing_db):
    made = made_shop(committing_db, stock=100, limit="100000")
    order = made.order((0, 2))

    refs = at_once(committing_db, made, lambda _n: service.submit_order(order))

    assert len({ref.id for ref in refs}) == 1
    with committing_db.app_context(), use_actor(system_actor("test")):
        assert db.session.query(SalesOrder).count() == 1
        assert credit_queries.headroom(made.dealer.id).exposure == D(200)


def test_one_shipment_leaves_when_all_clients_send_it(committing_db):
    made = made_shop(committing_db, stock=100, limit="100000")
    with committing_db.app_context(), use_actor(clerk(made.branch)):
        shipment = service.pick(made.submit((0, 2)).id)

    def send(_n: int) -> str:
        try:
            return service.send_out(shipment.id).state
        except service_errors() as error:
            return error.code

    answers = at_once(committing_db, made, send)

    assert answers.count("shipped") == 1
    assert offenders(committing_db) == {}


def service_errors() -> Any:
    from sdm.kernel.errors import SdmError

    return SdmError


def test_random_documents_of_all_clients_end_without_deadlock_and_with_books_that_agree(committing_db):
    made = made_shop(committing_db, products=4, stock=40, limit="20000")
    deadlocks: list[str] = []
    command.retries.append(deadlocks.append)

    try:
        at_once(committing_db, made, lambda n: _day(made, n))
    finally:
        command.retries.remove(deadlocks.append)

    assert deadlocks == []
    assert offenders(committing_db) == {}


def _day(made: Shop, number: int) -> None:
    """Orders, shipments and signatures in another order of products for each client."""
    from branches.orders.inputs import SignedLine
    from inventory.shipments import service as shipments
    from sdm.kernel.errors import SdmError

    for turn in range(4):
        lines = [((number + turn + step) % 4, 1 + step) for step in range(3)]
        if number % 2:
            lines.reverse()
        try:
            ref = made.submit(*lines)
            if ref.state == "held":
                service.cancel_order(ref.id)
                continue
            if (number + turn) % 4 == 0:
                service.cancel_order(ref.id)
                continue
            shipment = service.send_out(service.pick(ref.id).id)
            parts = {line.id: SignedLine(line.qty - 1, D(0), D(1)) for line in shipments.lines_of(shipment.id)}
            service.sign(shipment.id, parts if turn % 2 else None)
        except SdmError:
            db.session.rollback()


def test_stock_is_never_promised_twice_while_clients_change_and_cancel(committing_db):
    made = made_shop(committing_db, products=1, stock=8, limit="10000000")

    def work(number: int) -> str:
        ref = made.submit((0, 1 + number % 3))
        if number % 4 == 0 and ref.state == "confirmed":
            service.cancel_order(ref.id)
        return ref.state

    at_once(committing_db, made, work)

    with committing_db.app_context(), use_actor(system_actor("test")):
        found = stock_queries.availability(made.warehouse.id, made.products)[made.products[0]]
        assert 0 <= found.reserved <= found.on_hand
    assert offenders(committing_db) == {}
