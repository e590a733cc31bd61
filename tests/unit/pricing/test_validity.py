"""New prices among those that hold already."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branches.pricing.validity import DATES, OVERLAP, PAST, Period, Plan, Wanted, plan

TODAY = date(2026, 6, 1)
KEY = (1,)


def day(offset: int) -> date:
    return TODAY + timedelta(days=offset)


def held(since: int, until: int | None = None, price: str = "100", row_id: int = 1) -> Period:
    return Period(KEY, day(since), day(until) if until is not None else None, (price,), row_id)


def wanted(since: int, until: int | None = None, price: str = "90", place: int = 0) -> Wanted:
    return Wanted(place, KEY, day(since), day(until) if until is not None else None, (price,))


def added(result: Plan) -> list[tuple[int, int | None, str]]:
    return sorted(
        ((p.since - TODAY).days, (p.until - TODAY).days if p.until else None, p.values[0]) for p in result.add
    )


def test_a_new_price_closes_the_one_that_holds_at_its_first_day() -> None:
    result = plan([held(-30)], [wanted(10)], TODAY)

    assert result.close == {1: day(10)}
    assert added(result) == [(10, None, "90")]


def test_after_a_price_with_a_last_day_the_earlier_one_goes_on() -> None:
    result = plan([held(-30)], [wanted(10, 20)], TODAY)

    assert result.close == {1: day(10)}
    assert added(result) == [(10, 20, "90"), (20, None, "100")]


def test_a_price_without_last_day_ends_where_a_planned_one_begins() -> None:
    result = plan([held(-30, 40), held(40, row_id=2, price="120")], [wanted(10)], TODAY)

    assert result.close == {1: day(10)}
    assert added(result) == [(10, 40, "90")]


def test_a_last_day_beyond_the_beginning_of_a_planned_price_is_refused() -> None:
    result = plan([held(40, price="120")], [wanted(10, 50)], TODAY)

    assert [(f.code, f.details["since"]) for f in result.faults] == [(OVERLAP, day(40).isoformat())]


def test_the_past_of_a_price_is_never_cut() -> None:
    result = plan([held(-30)], [wanted(-1)], TODAY)

    assert [fault.code for fault in result.faults] == [PAST]
    assert (result.close, result.add) == ({}, [])


def test_a_past_without_any_price_can_be_filled() -> None:
    result = plan([held(-30)], [wanted(-60)], TODAY)

    assert added(result) == [(-60, -30, "90")]
    assert result.faults == []


def test_a_price_that_begins_today_or_later_can_be_entered_anew() -> None:
    result = plan([held(0)], [wanted(0)], TODAY)

    assert result.remove == [1]
    assert added(result) == [(0, None, "90")]


def test_the_same_price_again_changes_nothing() -> None:
    result = plan([held(-5)], [wanted(-5, price="100")], TODAY)

    assert (result.unchanged, result.add, result.close, result.remove) == (1, [], {}, [])


def test_a_last_day_before_the_first_is_refused() -> None:
    result = plan([], [wanted(10, 10)], TODAY)

    assert [fault.code for fault in result.faults] == [DATES]


def test_several_new_prices_of_one_product_follow_each_other_whatever_their_order() -> None:
    result = plan([held(-30)], [wanted(20, price="80"), wanted(10, price="90")], TODAY)

    assert result.close == {1: day(10)}
    assert added(result) == [(10, 20, "90"), (20, None, "80")]


def test_keys_do_not_touch_each_other() -> None:
    other = Wanted(1, (2,), day(0), None, ("1",))

    assert plan([held(-30)], [other], TODAY).close == {}


spans = st.tuples(st.integers(-40, 40), st.one_of(st.none(), st.integers(1, 40)))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(spans, max_size=8))
def test_whatever_is_entered_at_most_one_price_holds_on_a_day_and_the_past_stays(entries: list[tuple]) -> None:
    periods: list[Period] = []
    serial = iter(range(1, 1000))
    for since, length in entries:
        new = wanted(since, None if length is None else since + length, price=str(next(serial)))
        before = {d: _price(periods, d) for d in range(-60, 0)}
        result = plan(periods, [new], TODAY)
        if result.faults:
            continue
        periods = [p for p in periods if p.id not in result.remove]
        periods = [Period(p.key, p.since, result.close.get(p.id, p.until), p.values, p.id) for p in periods]
        periods += [Period(p.key, p.since, p.until, p.values, next(serial)) for p in result.add]
        for d in range(-60, 90):
            assert len(_holding(periods, d)) <= 1
        for d, price in before.items():
            assert price is None or _price(periods, d) == price
        assert _price(periods, since) == new.values[0]


def _holding(periods: list[Period], offset: int) -> list[Period]:
    return [p for p in periods if p.since <= day(offset) and (p.until is None or day(offset) < p.until)]


def _price(periods: list[Period], offset: int) -> str | None:
    found = _holding(periods, offset)
    return found[0].values[0] if found else None
