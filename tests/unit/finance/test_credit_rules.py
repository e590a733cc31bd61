"""Exposure of an order line: where its amount stands whatever happens to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from finance.credit.rules import Buckets, LineState, line_buckets, valid_limit, valid_temporary

D = Decimal


def line(qty: str, amount: str, **values: object) -> LineState:
    empty = dict.fromkeys(("cancelled", "shipped", "short", "returned", "listed", "invoiced"), D(0))
    given_ones = {key: D(value) if isinstance(value, str) else value for key, value in values.items()}
    return LineState(qty=D(qty), amount=D(amount), **{**empty, **given_ones})  # type: ignore[arg-type]


def test_a_new_line_is_open_with_its_whole_amount() -> None:
    assert line_buckets(line("3", "100.00")) == Buckets(open_orders=D("100.00"))


def test_shipping_moves_the_part_and_the_last_part_takes_the_rounding() -> None:
    first = line_buckets(line("3", "100.00", shipped="1"))
    assert (first.open_orders, first.shipped) == (D("66.67"), D("33.33"))
    second = line_buckets(line("3", "100.00", shipped="2", invoiced="1"))
    assert (second.open_orders, second.shipped) == (D("33.33"), D("33.34"))
    assert line_buckets(line("3", "100.00", shipped="3", invoiced="3")) == Buckets()


def test_short_and_refused_units_reopen_the_line() -> None:
    assert line_buckets(line("10", "100.00", shipped="10", short="4")) == Buckets(
        open_orders=D("40.00"), shipped=D("60.00")
    )


def test_units_returned_before_billing_leave_exposure() -> None:
    assert line_buckets(line("10", "100.00", shipped="10", returned="4")).exposure == D("60.00")


def test_cancelled_units_leave_exposure() -> None:
    assert line_buckets(line("10", "100.00", cancelled="7")).exposure == D("30.00")


def test_billing_before_signature_does_not_count_twice() -> None:
    state = line("10", "100.00", shipped="4", invoiced="10")
    assert line_buckets(state) == Buckets()


def test_a_consigned_line_is_consigned_until_it_is_listed() -> None:
    delivered = line("10", "100.00", shipped="10", consigned=True)
    assert line_buckets(delivered) == Buckets(consigned=D("100.00"))
    assert line_buckets(replace(delivered, listed=D(3))) == Buckets(shipped=D("30.00"), consigned=D("70.00"))
    assert line_buckets(replace(delivered, listed=D(3), invoiced=D(3))) == Buckets(consigned=D("70.00"))
    assert line_buckets(replace(delivered, listed=D(3), returned_listed=D(1))).shipped == D("20.00")


@given(
    qty=st.integers(1, 40),
    cents=st.integers(1, 10**7),
    parts=st.lists(st.integers(0, 40), min_size=4, max_size=4),
    consigned=st.booleans(),
)
def test_buckets_and_what_left_always_add_up_to_the_line(
    qty: int, cents: int, parts: list[int], consigned: bool
) -> None:
    """Without cancelling and returning: open + shipped + consigned + amount of the invoiced units = amount."""
    shipped = min(parts[0], qty)
    invoiced = min(parts[1], shipped)
    listed = max(min(parts[2], shipped), invoiced)
    amount = D(cents) / 100
    state = line(
        str(qty), str(amount), shipped=str(shipped), invoiced=str(invoiced), listed=str(listed), consigned=consigned
    )
    without = line(
        str(qty), str(amount), shipped=str(invoiced), invoiced=str(invoiced), listed=str(invoiced), consigned=consigned
    )
    assert line_buckets(state).exposure == line_buckets(without).exposure
    assert all(part >= 0 for part in (line_buckets(state).open_orders, line_buckets(state).shipped))


@given(st.lists(st.decimals(-999, 999, places=2), min_size=12, max_size=12))
def test_buckets_add_and_subtract(values: list[Decimal]) -> None:
    one, other = Buckets(*values[:6]), Buckets(*values[6:])
    assert (one + other) - other == one
    assert (one + other).exposure == one.exposure + other.exposure
    assert not one - one


def test_limits_count_on_their_last_day_and_not_after() -> None:
    day = date(2026, 3, 2)
    assert valid_limit(D(5), None, day) == valid_limit(D(5), day, day) == D(5)
    assert valid_limit(D(5), date(2026, 3, 1), day) == 0
    assert valid_temporary(D(5), None, day) == 0
    assert valid_temporary(D(5), day, day) == D(5)
