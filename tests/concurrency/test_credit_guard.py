"""Sixteen clients on the last headroom, on real commits: exactly as many are granted as fit."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from threading import Barrier

from flask import Flask
from sqlalchemy import text

from finance.credit import queries, service
from finance.credit.rules import Buckets
from sdm.kernel import command
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import finance, inventory

D = Decimal
CLIENTS = 16


def together(app: Flask, work: Callable[[int], bool]) -> list[bool]:
    """Run ``work(number)`` in sixteen threads that start at the same moment; answers their results."""
    barrier = Barrier(CLIENTS)

    def client(number: int) -> bool:
        with app.app_context(), use_actor(system_actor(f"client {number}")):
            barrier.wait(10)
            try:
                return work(number)
            finally:
                db.session.remove()

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(client, range(CLIENTS)))


def payer_with(app: Flask, limit: str) -> int:
    with app.app_context():
        net = inventory.network()
        with use_actor(system_actor("test")):
            return finance.account(net.dealers[0], limit)


def exposure(app: Flask, payer: int) -> Decimal:
    with app.app_context(), use_actor(system_actor("test")):
        return queries.headroom(payer).exposure


def test_exactly_as_many_holds_are_granted_as_fit(committing_db: Flask) -> None:
    payer = payer_with(committing_db, "550")
    granted = together(committing_db, lambda _: finance.run(service.hold, payer, Buckets(open_orders=D(100))).granted)
    assert sum(granted) == 5
    assert exposure(committing_db, payer) == D(500)


def test_reading_first_and_writing_then_would_overrun(committing_db: Flask) -> None:
    """The control: the same clients without the guard in the UPDATE grant more than fits."""
    payer = payer_with(committing_db, "550")
    read = Barrier(CLIENTS)

    @command.command(None)
    def naive() -> bool:
        fits = queries.headroom(payer).headroom >= D(100)
        read.wait(10)
        if fits:
            db.session.execute(
                text("UPDATE credit_account SET open_orders = open_orders + 100 WHERE payer_id = :p"), {"p": payer}
            )
        return fits

    assert sum(together(committing_db, lambda _: naive())) > 5
    assert exposure(committing_db, payer) > D(550)


def test_holds_payments_and_limit_cuts_never_grant_above_the_limit_of_that_moment(committing_db: Flask) -> None:
    payer = payer_with(committing_db, "1000")
    verdicts: list[service.Verdict] = []

    def work(number: int) -> bool:
        rng = random.Random(number)
        for _ in range(8):
            choice = rng.random()
            if choice < 0.7:
                verdicts.append(finance.run(service.hold, payer, Buckets(open_orders=D(rng.randint(50, 300)))))
            elif choice < 0.9:
                finance.run(service.shift, payer, Buckets(receipts=D(rng.randint(10, 100))))
            else:
                finance.run(service.set_limit, payer, D(rng.randint(500, 1000)), date(2999, 1, 1))
        return True

    together(committing_db, work)
    granted = [verdict for verdict in verdicts if verdict.granted]
    refused = [verdict for verdict in verdicts if not verdict.granted]
    assert granted and refused
    assert all(verdict.exposure + verdict.requested <= verdict.limit for verdict in granted)
    assert all(verdict.exposure + verdict.requested > verdict.limit for verdict in refused)
