"""Money documents from sixteen clients on real commits: no deadlock, numbers without gaps, books right afterwards."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier

from flask import Flask

from finance.checks import CHECKS
from finance.receivables import queries, service
from finance.receivables.models import Invoice, Receipt
from finance.receivables.service import BillInput, BillLine, ReceiptInput
from sdm.kernel import command
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, InvalidInput
from tests.factories import finance, inventory

D = Decimal
CLIENTS = 16
DAY = date(2026, 3, 2)


def together(app: Flask, work: Callable[[int], object]) -> list[object]:
    """Run ``work(number)`` in sixteen threads that start at the same moment."""
    barrier = Barrier(CLIENTS)

    def client(number: int) -> object:
        with app.app_context(), use_actor(system_actor(f"client {number}")):
            barrier.wait(10)
            try:
                return work(number)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(client, range(CLIENTS)))


def books_are_right(app: Flask) -> None:
    with app.app_context(), use_actor(system_actor("doctor")):
        assert {check.code: rows for check in CHECKS if (rows := list(check.function()))} == {}


def issue(line_id: int, qty: Decimal) -> int:
    ref = service.apply(BillInput([BillLine(line_id, qty)]))
    service.submit(ref.id)
    return service.approve_and_issue(ref.id, "seen").id


def test_the_last_units_of_a_delivery_are_billed_once(committing_db: Flask) -> None:
    with committing_db.app_context(), use_actor(system_actor("test")):
        net = inventory.network()
        finance.account(net.dealers[0], "100000")
        made = finance.delivered(net.units[0], net.dealers[0], [(net.products[0], "5", "113")])
        line = finance.lines_of(made)[0].id

    def work(_: int) -> bool:
        try:
            issue(line, D(1))
        except (InvalidInput, Conflict):
            return False
        return True

    assert sum(map(bool, together(committing_db, work))) == 5
    with committing_db.app_context(), use_actor(system_actor("test")):
        billed = queries.billable_lines([line])[line]
        assert billed.billed_amount == D(113) * billed.invoiced
        assert billed.invoiced == 5
    books_are_right(committing_db)


def test_random_documents_neither_deadlock_nor_break_the_books(committing_db: Flask) -> None:
    with committing_db.app_context(), use_actor(system_actor("test")):
        net = inventory.network(units=2)
        for dealer in net.dealers:
            finance.account(dealer, "1000000")
        goods = [(product, "20", "113") for product in net.products]
        lines = [
            line.id
            for place in (0, 1)
            for _ in range(4)
            for line in finance.lines_of(finance.delivered(net.units[place], net.dealers[place], goods))
        ]
    retried: list[str] = []
    command.retries.append(retried.append)

    def work(number: int) -> int:
        rng, done = random.Random(number), 0
        for _ in range(6):
            try:
                done += 1
                _anything(rng, net, lines)
            except (InvalidInput, Conflict):
                done -= 1
        return done

    try:
        assert sum(map(int, together(committing_db, work))) > CLIENTS  # type: ignore[call-overload]
    finally:
        command.retries.remove(retried.append)
    assert "40P01" not in retried
    books_are_right(committing_db)


def _anything(rng: random.Random, net: inventory.Network, lines: list[int]) -> None:
    choice, dealer = rng.random(), rng.choice(net.dealers)
    if choice < 0.45:
        picked = rng.sample(lines, 2)
        found = queries.billable_lines(picked)
        same = [line for line in picked if found[line].unit_id == found[picked[0]].unit_id]
        ref = service.apply(BillInput([BillLine(line, D(1)) for line in same]))
        service.submit(ref.id)
        service.approve_and_issue(ref.id, "seen")
    elif choice < 0.65:
        service.record_receipt(ReceiptInput(dealer, D(rng.randint(1, 300)), DAY))
    elif choice < 0.85:
        service.allocate_automatically(dealer)
    elif choice < 0.93:
        ids = [row.id for row in db.session.query(Invoice).filter_by(state="issued", invoice_kind="blue").limit(20)]
        service.reverse(rng.choice(ids), "random") if ids else None
    else:
        ids = [row.id for row in db.session.query(Receipt).filter_by(state="recorded").limit(20)]
        service.reverse_receipt(rng.choice(ids), "random", undo_allocations=True) if ids else None
