"""Sixteen clients on few dealers and products, with real commits: nobody sees a deadlock, and the books agree.

Most documents are random; the last units and the last headroom go through the whole of entering an order.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text

from branches.orders import service as orders
from branches.orders.inputs import OrderChange, OrderInput, OrderLineInput
from finance.credit import statements as credit_statements
from sdm.kernel import command
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from tests import proof, steps
from tests.factories.orders import clerk

pytestmark = pytest.mark.timeout(300)
CLIENTS = 16
TURNS = int(os.environ.get("SDM_TEST_TURNS", "20"))
D = Decimal


def together(app: Flask, work: Callable[[int], Any], clients: int = CLIENTS) -> list[Any]:
    """Run ``work(number)`` in threads that start at the same moment; their results."""
    barrier = Barrier(clients)

    def client(number: int) -> Any:
        with app.app_context():
            barrier.wait(30)
            try:
                return work(number)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(clients) as pool:
        return list(pool.map(client, range(clients)))


@pytest.fixture
def app(committing_db: Flask) -> Any:
    with committing_db.app_context():
        yield committing_db


def test_random_documents_of_sixteen_clients_neither_deadlock_nor_drift(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = steps.company(stock="120", limit="20000")
    retried: list[str] = []
    monkeypatch.setattr(command, "retries", [retried.append])
    steps.Player(company, 99).play(80)  # documents of every kind are there when the others come
    players = [steps.Player(company, seed) for seed in range(CLIENTS)]

    together(app, lambda number: players[number].play(TURNS))

    done = sum((player.done for player in players), Counter())
    refused = sum((player.refused for player in players), Counter())
    assert [defect for player in players for defect in player.defects] == []
    assert retried == [], "the lock order is broken somewhere: the database had to choose a victim"
    assert proof.faults() == []
    assert done["submit"] > CLIENTS and done["send_out"] and done["bill"] and done["take_back"], (done, refused)


def test_orders_that_swap_their_products_never_wait_for_each_other_in_a_circle(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = steps.company(products=2, stock="1000", limit="1000000", modes=("term",) * CLIENTS)
    retried: list[str] = []
    monkeypatch.setattr(command, "retries", [retried.append])

    def work(number: int) -> None:
        with use_actor(clerk(company.branch, user_id=100 + number)):
            first = (OrderLineInput(D(1), company.products[number % 2]),)
            made = orders.submit_order(OrderInput(company.dealers[number], company.warehouses[0], first))
            for turn in range(1, 7):
                wanted = (OrderLineInput(D(1), company.products[(number + turn) % 2]),)
                orders.change_order(made.id, OrderChange(wanted))

    together(app, work)

    assert retried == []
    assert proof.faults() == []


def small_orders(company: steps.Company, dealer_of: Callable[[int], int], lines: int = 2) -> Callable[[int], list[str]]:
    """Work of a client: three orders of one unit of each of the first products, lines in an order of his own."""

    def work(number: int) -> list[str]:
        states = []
        for turn in range(3):
            chosen = company.products[:lines]
            if (number + turn) % 2:
                chosen = chosen[::-1]
            wanted = tuple(OrderLineInput(D(1), product) for product in chosen)
            with use_actor(clerk(company.branch, user_id=100 + number)):
                states.append(orders.submit_order(OrderInput(dealer_of(number), company.warehouses[0], wanted)).state)
        return states

    return work


def test_the_last_units_go_to_exactly_as_many_orders_as_fit(app: Flask) -> None:
    company = steps.company(products=2, stock="10", limit="1000000", modes=("term",) * 4)

    states = together(app, small_orders(company, lambda number: company.dealers[number % 4]))

    counted = Counter(state for answer in states for state in answer)
    assert counted == {"confirmed": 10, "held": 3 * CLIENTS - 10}
    assert proof.faults() == []


def test_the_last_headroom_goes_to_exactly_as_many_orders_as_fit(app: Flask) -> None:
    company = steps.company(products=1, stock="1000", limit="350", modes=("term",))

    states = together(app, small_orders(company, lambda _number: company.dealers[0], lines=1))

    counted = Counter(state for answer in states for state in answer)
    assert counted == {"confirmed": 10, "held": 3 * CLIENTS - 10}  # 33.33 each: ten fit into 350, eleven do not
    assert proof.faults() == []


def test_without_the_guard_the_same_clients_overrun_the_limit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: who first looks and then adds what he saw grants more than fits."""
    company = steps.company(products=1, stock="1000", limit="350", modes=("term",))
    change, _, rest = credit_statements.HOLD.text.partition("WHERE")
    guard, _, answer = rest.partition("RETURNING")
    # The same condition on the row as it was when the statement began, not as the one waited for leaves it.
    seen = f"(SELECT pg_sleep(0.05) IS NOT NULL AND {guard} FROM credit_account WHERE payer_id = :payer)"
    unguarded = f"{change} WHERE payer_id = :payer AND {seen} RETURNING {answer}"
    monkeypatch.setattr(credit_statements, "HOLD", text(unguarded))

    states = together(app, small_orders(company, lambda _number: company.dealers[0], lines=1))

    assert Counter(state for answer in states for state in answer)["confirmed"] > 10
