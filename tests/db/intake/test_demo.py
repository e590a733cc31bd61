"""The demo company: every state is there, the books agree, a second load does nothing. Made small here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from branches.orders.models import OrderHold, Quotation, SalesOrder, SalesReturn
from branches.org.models import Dealer, Unit
from finance.receivables.models import Invoice, OpenItem, Receipt, ReceivableAdjustment
from inventory.receipts.models import GoodsReceipt
from inventory.shipments.models import Shipment
from sdm.app import wiring
from sdm.auth import passwords
from sdm.auth.models import User
from sdm.intake import demo
from sdm.intake.demo import goods, history, live, masters, names
from sdm.kernel import checks
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db


@pytest.fixture
def small(committing_db: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    wiring.load()
    plan = live._plan
    monkeypatch.setattr(masters, "DEALERS", 450)
    monkeypatch.setattr(history, "DAYS", 150)
    monkeypatch.setattr(live, "_plan", lambda stage: [pair for pair in plan(stage) if pair[0].code == "GD"][-27:])
    with committing_db.app_context(), use_actor(system_actor("cli:demo")):
        yield committing_db


def states(model: Any) -> set[str]:
    return set(db.session.execute(select(model.state).where(~model.taken_on).distinct()).scalars())


def count(model: Any) -> int:
    return int(db.session.scalar(select(func.count()).select_from(model)) or 0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_company_is_in_every_state_and_its_books_agree(small: Flask) -> None:
    demo.load(lambda *_: None)
    broken = [
        f"{check.code}: {o.error or o.offenders}" for check in checks.registered() if not (o := checks.run(check)).ok
    ]
    assert broken == []
    assert {"confirmed", "held", "shipped", "invoiced", "cancelled", "short_closed"} <= states(SalesOrder)
    assert states(Shipment) >= {"picked", "shipped", "signed"}
    assert states(Invoice) >= {"drafted", "submitted", "rejected", "issued", "reversed"}
    assert states(SalesReturn) >= {"requested", "credited"}
    assert states(Quotation) >= {"open", "ordered"}
    assert states(ReceivableAdjustment)
    assert states(GoodsReceipt) >= {"posted"}
    kinds = set(db.session.execute(select(OrderHold.kind).where(OrderHold.state == "open")).scalars())
    assert {"credit", "price", "shortage", "overdue", "dealer"} <= kinds
    assert count(Receipt) > 100
    overdue = (
        select(func.count())
        .select_from(OpenItem)
        .where(OpenItem.open_amount > 0, OpenItem.due_on < func.current_date())
    )
    assert db.session.scalar(overdue)
    before = [count(model) for model in (SalesOrder, Invoice, Receipt, Dealer, User)]
    demo.load(lambda *_: None)
    assert [count(model) for model in (SalesOrder, Invoice, Receipt, Dealer, User)] == before


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_master_data_stand_in_real_places(small: Flask) -> None:
    masters.make()
    kinds = dict(map(tuple, db.session.execute(select(Unit.kind, func.count()).group_by(Unit.kind))))
    assert (kinds["head_office"], kinds["region"], kinds["branch"]) == (1, 7, 31)
    for _title, login, password in demo.logins():
        stored = db.session.scalar(select(User.password_hash).where(User.login == login))
        assert passwords.matches(stored, password), login


def test_products_and_dealers_are_the_same_on_every_load() -> None:
    from random import Random

    first, again = (list(goods.models(Random(1))) for _ in range(2))
    assert first == again
    assert 290 <= len(first) <= 310
    assert len({model.code for model in first}) == len({model.barcode for model in first}) == len(first)
    taken: set[str] = set()
    assert len({names.dealer(Random(n), "吉林市", taken) for n in range(50)}) == 50


def test_barcodes_carry_their_check_digit() -> None:
    for serial in (1, 77, 300):
        digits = [int(digit) for digit in goods.ean(serial)]
        assert len(digits) == 13
        assert sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10 == 0
