"""Pure rules of orders: states, exposure, holds, returns."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from branches.orders import rules
from branches.orders.rules import Delivered, Facts, LineQty, Release

D = Decimal
DAY = date(2026, 3, 2)


def line(qty: str = "10", **values: str) -> LineQty:
    return LineQty(D(qty), D("100.00"), **{key: D(value) for key, value in values.items()})


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([line()], "confirmed"),
        ([line(cancelled="10")], "cancelled"),
        ([line(shipped="4")], "part_shipped"),
        ([line(shipped="10"), line()], "part_shipped"),
        ([line(shipped="10")], "shipped"),
        ([line(shipped="10", short="2")], "part_shipped"),
        ([line(shipped="10", short="2", cancelled="2")], "short_closed"),
        ([line(shipped="4", cancelled="6")], "short_closed"),
        ([line(shipped="10", invoiced="10")], "invoiced"),
        ([line(shipped="10", invoiced="7", returned="3")], "invoiced"),
        ([line(shipped="10", invoiced="7")], "shipped"),
    ],
)
def test_the_state_follows_from_quantities(lines, state):
    assert rules.state_of(lines, held=False) == state


def test_an_open_hold_makes_any_order_held():
    assert rules.state_of([line(shipped="4")], held=True) == "held"


def test_closed_stays_closed_while_everything_is_billed_and_falls_back_when_it_is_not():
    assert rules.state_of([line(shipped="10", invoiced="10")], False, "closed") == "closed"
    assert rules.state_of([line(shipped="10", invoiced="9")], False, "closed") == "shipped"


quantities = st.integers(0, 12)


@given(st.integers(1, 12), quantities, quantities, quantities, st.integers(1, 99999))
def test_the_parts_of_a_line_never_exceed_its_amount(qty, shipped, short, cancelled, cents):
    shipped = min(shipped, qty)
    short, cancelled = min(short, shipped), min(cancelled, qty - shipped)
    amount = D(cents) / 100
    found = LineQty(D(qty), amount, cancelled=D(cancelled), shipped=D(shipped), short=D(short))

    buckets = rules.line_exposure(found, consigned=False, counts_open=True)

    assert buckets.open_orders >= 0 and buckets.shipped >= 0
    assert buckets.exposure <= amount
    if not cancelled:
        assert buckets.exposure == amount


@given(st.integers(1, 40), st.lists(st.integers(1, 9), max_size=8), st.integers(1, 99999))
def test_exposure_does_not_change_while_goods_leave(qty, parts, cents):
    amount = D(cents) / 100
    shipped = D(0)
    for part in parts:
        shipped = min(D(qty), shipped + part)
        found = LineQty(D(qty), amount, shipped=shipped)
        assert rules.line_exposure(found, consigned=False, counts_open=True).exposure == amount


def test_a_held_submitted_or_prepaid_order_does_not_count_its_open_part():
    assert not rules.counts_open("held", "term")
    assert not rules.counts_open("submitted", "term")
    assert not rules.counts_open("confirmed", "prepaid")
    assert rules.counts_open("part_shipped", "term")
    half = line(shipped="4")
    assert rules.line_exposure(half, consigned=False, counts_open=False).exposure == D("40.00")


def kinds(facts: Facts) -> list[str]:
    return [finding.kind for finding in rules.find_holds(facts, DAY)]


def test_a_clean_order_has_no_reason_to_be_held():
    assert kinds(Facts(gross=D(100))) == []


def test_overdue_holds_only_beyond_both_tolerances_and_never_prepaid_orders():
    late = {"overdue_amount": D(500), "overdue_days": 10}
    assert kinds(Facts(gross=D(1), **late)) == ["overdue"]
    assert kinds(Facts(gross=D(1), **late, overdue_days_tolerated=10)) == []
    assert kinds(Facts(gross=D(1), **late, overdue_amount_tolerated=D(500))) == []
    assert kinds(Facts(gross=D(1), **late, prepaid=True)) == []


def test_every_reason_is_found_at_once():
    facts = Facts(
        gross=D(100),
        dealer_status="blocked",
        overdue_amount=D(1),
        overdue_days=1,
        below_floor=[{"line_no": 1}],
        above_authority=[{"line_no": 1}],
        route_permission="order:release_amount",
    )
    assert kinds(facts) == ["dealer", "overdue", "price", "authority", "amount"]


def test_who_may_approve_the_amount_himself_is_not_stopped():
    facts = Facts(gross=D(100), route_permission="order:release_amount", may_approve=True)
    assert kinds(facts) == []


@pytest.mark.parametrize(
    ("amount", "until", "held"),
    [("100", DAY, False), ("99.99", DAY, True), ("100", date(2026, 3, 1), True)],
)
def test_a_release_counts_up_to_its_amount_and_to_its_last_day(amount, until, held):
    facts = Facts(gross=D(100), below_floor=[{}], releases=[Release("price", D(amount), until)])
    assert bool(kinds(facts)) is held


def test_credit_shows_limit_exposure_order_and_excess():
    found = rules.credit_finding(D(1000), D(900), D(300))
    assert found.figures == {"limit": D(1000), "exposure": D(900), "amount": D(300), "excess": D(200)}


def test_only_what_was_signed_for_and_is_not_claimed_elsewhere_can_come_back():
    assert rules.returnable(Delivered(D(10), returned=D(2), pending=D(3))) == 5
    assert rules.returnable(Delivered(D(10), returned=D(8), pending=D(3))) == 0


def test_unbilled_units_come_back_first():
    assert rules.unbilled_part(Delivered(D(10), invoiced=D(8)), D(5)) == 2
    assert rules.unbilled_part(Delivered(D(10), invoiced=D(8), unbilled_returned=D(2)), D(5)) == 0
    assert rules.unbilled_part(Delivered(D(10)), D(5)) == 5


def test_what_is_no_longer_billed_cannot_be_credited():
    assert rules.creditable(Delivered(D(10), invoiced=D(8)), D(5)) == 5
    assert rules.creditable(Delivered(D(10), invoiced=D(2), credited=D(2)), D(5)) == 0
