"""The guard's verdict, movements, limits with proposal and approval."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
import time_machine

from finance.credit import queries, service
from finance.credit.rules import Buckets
from sdm.kernel import outbox
from sdm.kernel.actor import use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, Forbidden, InvalidInput
from tests.factories import finance, inventory

D = Decimal


def orders(amount: str) -> Buckets:
    return Buckets(open_orders=D(amount))


@pytest.fixture
def net(session: object) -> Iterator[inventory.Network]:
    net = inventory.network(units=2)
    with use_actor(inventory.clerk([net.head_office, *net.units])):
        yield net


@pytest.fixture
def payer(net: inventory.Network) -> int:
    return finance.account(net.dealers[0], "1000")


def test_a_hold_that_fits_is_granted_with_the_figures_before_it(payer: int) -> None:
    verdict = finance.run(service.hold, payer, orders("400"))
    assert (verdict.granted, verdict.limit, verdict.exposure, verdict.requested) == (True, D(1000), D(0), D(400))
    assert queries.headroom(payer).headroom == D(600)


def test_the_last_cent_is_granted_and_one_more_refused_with_figures(payer: int) -> None:
    assert finance.run(service.hold, payer, orders("1000")).granted
    verdict = finance.run(service.hold, payer, orders("0.01"))
    assert (verdict.granted, verdict.exposure, verdict.excess) == (False, D(1000), D("0.01"))
    assert queries.headroom(payer).exposure == D(1000)


def test_a_release_lets_exposure_pass_the_limit_by_its_amount(payer: int) -> None:
    assert not finance.run(service.hold, payer, orders("1200")).granted
    assert finance.run(service.hold, payer, orders("1200"), allow_over=D(200)).granted
    assert queries.headroom(payer).headroom == D(-200)


def test_a_dealer_without_account_has_no_limit(net: inventory.Network) -> None:
    verdict = finance.run(service.hold, net.dealers[1], orders("5"))
    assert (verdict.granted, verdict.limit) == (False, D(0))


def test_limits_end_with_their_day(payer: int) -> None:
    finance.run(service.set_limit, payer, D(300), date(2026, 3, 2))
    finance.run(service.set_limit, payer, D(50), date(2026, 3, 1), temporary=True)
    with time_machine.travel("2026-03-02T03:00Z", tick=False):
        assert queries.headroom(payer).limit == D(300)
        assert not finance.run(service.hold, payer, orders("301")).granted
    with time_machine.travel("2026-03-03T03:00Z", tick=False):
        assert queries.headroom(payer).limit == D(0)
        assert not finance.run(service.hold, payer, orders("1")).granted
    with time_machine.travel("2026-03-01T03:00Z", tick=False):
        assert finance.run(service.hold, payer, orders("350")).granted


def test_receipts_lower_and_all_other_buckets_raise_exposure(payer: int) -> None:
    parts = Buckets(D(1), D(2), D(4), D(8), D(16), D(32))
    finance.run(service.shift, payer, parts)
    found = queries.headroom(payer)
    assert found.buckets == parts
    assert found.exposure == D(31)


def test_consigned_goods_count_only_where_the_parameter_says_so(payer: int, monkeypatch: pytest.MonkeyPatch) -> None:
    finance.run(service.shift, payer, Buckets(consigned=D(900)))
    assert not finance.run(service.hold, payer, orders("200")).granted
    monkeypatch.setattr(service.parameters, "value", lambda key, *_: False)
    assert finance.run(service.hold, payer, orders("200")).granted


def test_falling_exposure_is_told(payer: int) -> None:
    def told() -> int:
        return db.session.query(outbox.OutboxEvent).filter_by(name="credit.freed", document_id=payer).count()

    outbox.register(outbox.Reader("test_freed", frozenset({"credit.freed"}), lambda event: None))
    try:
        before = told()
        finance.run(service.shift, payer, orders("100"))
        assert told() == before
        finance.run(service.shift, payer, -orders("40"))
        assert told() == before + 1
    finally:
        outbox._readers.pop("test_freed")


def test_a_limit_needs_another_person_to_approve_it(net: inventory.Network, payer: int) -> None:
    change = service.propose_limit(kind="limit", amount=D(5000), reason="season", payer_id=payer)
    assert queries.headroom(payer).limit == D(1000)
    with pytest.raises(Forbidden):
        service.decide_limit(change, True)
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=8)):
        service.decide_limit(change, True)
        assert queries.headroom(payer).limit == D(5000)
        with pytest.raises(Conflict):
            service.decide_limit(change, False)


def test_a_rejected_limit_changes_nothing(net: inventory.Network, payer: int) -> None:
    change = service.propose_limit(
        kind="temporary", amount=D(50), reason="fair", payer_id=payer, valid_until=date(2999, 1, 1)
    )
    with use_actor(replace(inventory.clerk([net.head_office, *net.units]), user_id=9)):
        service.decide_limit(change, False, "no")
    assert queries.headroom(payer).limit == D(1000)


def test_a_bad_proposal_names_every_fault(payer: int) -> None:
    with pytest.raises(InvalidInput) as error:
        service.propose_limit(kind="temporary", amount=D(-1), reason=" ", payer_id=payer)
    assert {fault.field for fault in error.value.errors} == {"amount", "reason", "valid_until"}


def test_a_branch_has_a_limit_of_its_own(net: inventory.Network) -> None:
    change = service.propose_limit(kind="unit", amount=D(9), reason="plan", unit_id=net.units[0])
    with use_actor(inventory.clerk([net.head_office, *net.units], user_id=8)):
        service.decide_limit(change, True)
    assert db.session.get(service.UnitLimit, net.units[0]).limit_amount == D(9)
