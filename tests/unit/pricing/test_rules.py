"""The price function."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from branches.pricing import rules
from branches.pricing.rules import PriceBasis, ProductBasis, Step, WantedLine, ordered, price_lines

ON = date(2026, 11, 21)
D = Decimal


def step(rank: int = 1000, price: str = "100", qty_from: str = "0", **values: object) -> Step:
    target = {0: "dealer", 900: "grade", 1000: "all"}.get(rank, "unit")
    code = str(values.pop("code", f"L{rank}"))
    return Step(
        rank,
        target,
        int(values.pop("list_id", rank)),
        code,
        f"list {code}",
        D(qty_from),
        D(price),
        D(str(values["floor"])) if "floor" in values else None,
        values.get("since", date(2026, 1, 1)),
        None,
    )


def basis(*steps: Step, supply: str | None = "60", **values: object) -> PriceBasis:
    product = ProductBasis(
        1,
        "P1",
        "Fridge",
        "台",
        D("0.13"),
        True,
        bool(values.pop("ended", False)),
        D(supply) if supply else None,
        D("88") if values.pop("suggested", False) else None,
        ordered(steps),
    )
    return PriceBasis(7, ON, {1: product}, D(str(values.pop("authority", "0.05"))), bool(values.pop("fallback", False)))


def one(facts: PriceBasis, qty: str = "1", **values: object) -> rules.PricedLine:
    return price_lines(facts, [WantedLine(1, D(qty), **values)])[0]


def test_the_dealers_own_list_goes_before_unit_grade_and_everyone() -> None:
    steps = [step(1000, "100"), step(900, "95"), step(3, "93"), step(1, "92"), step(0, "90")]

    prices = [one(basis(*steps[:count])).price for count in range(1, 6)]

    assert prices == [D("100"), D("95"), D("93"), D("92"), D("90")]


def test_the_explanation_names_the_list_and_why() -> None:
    line = one(basis(step(900, "95", code="GRADE-A", floor="90"), step(1000, "100")))

    assert line.explanation["why"] == "grade"
    assert line.explanation["list"] == "GRADE-A"
    assert line.explanation["floor_price"] == "90"
    assert line.explanation["valid"] == ["2026-01-01", None]


def test_ordering_100_instead_of_99_takes_the_next_quantity_price() -> None:
    facts = basis(step(price="100"), step(price="95", qty_from="100"))

    assert one(facts, "99").price == D("100")
    assert one(facts, "99.999").price == D("100")
    assert one(facts, "100").price == D("95")
    assert one(facts, "100").explanation["qty_from"] == "100"


def test_a_special_list_without_a_price_for_the_quantity_leaves_it_to_the_next_list() -> None:
    facts = basis(step(0, "80", qty_from="50"), step(1000, "100"))

    assert one(facts, "10").price == D("100")
    assert one(facts, "50").price == D("80")


def test_of_two_lists_of_one_rank_the_later_price_wins_then_the_first_code() -> None:
    newer = [step(900, "95", code="A", list_id=1), step(900, "94", code="B", list_id=2, since=date(2026, 6, 1))]
    equal = [step(900, "95", code="B", list_id=1), step(900, "94", code="A", list_id=2)]

    assert one(basis(*newer)).price == D("94")
    assert one(basis(*equal)).price == D("94")


def test_steps_of_one_list_stay_together_whatever_their_validity() -> None:
    older_step = step(900, "90", qty_from="10", code="A", list_id=1, since=date(2025, 1, 1))
    facts = basis(older_step, step(900, "95", code="A", list_id=1, since=date(2026, 6, 1)), step(900, "97", code="B"))

    assert one(facts, "10").price == D("90")


def test_without_any_list_there_is_no_price() -> None:
    line = one(basis(suggested=True))

    assert line.list_price is None
    assert line.problems == [rules.NO_LIST]


def test_the_suggested_price_serves_only_where_the_parameter_allows_it() -> None:
    line = one(basis(suggested=True, fallback=True))

    assert line.price == D("88")
    assert line.explanation["why"] == "fallback"
    assert line.problems == []


def test_another_price_than_the_list_needs_a_reason() -> None:
    facts = basis(step(price="100"))

    assert one(facts, price=D("98")).problems == [rules.REASON_REQUIRED]
    assert one(facts, price=D("98"), reason="  ").problems == [rules.REASON_REQUIRED]
    assert one(facts, price=D("98"), reason="exhibited").problems == []
    assert one(facts, price=D("100")).problems == []


def test_a_price_above_the_list_needs_a_reason_and_is_within_any_authority() -> None:
    line = one(basis(step(price="100"), authority="0"), price=D("105"))

    assert line.problems == [rules.REASON_REQUIRED]
    assert line.discount_rate == D("-0.05")


def test_a_discount_rate_lowers_the_list_price_and_is_rounded_to_four_places() -> None:
    line = one(basis(step(price="99.99")), qty="3", discount_rate=D("0.0333"), reason="x")

    assert line.price == D("96.6603")
    assert line.amount == D("289.98")


def test_the_authority_is_reached_exactly_and_not_passed() -> None:
    facts = basis(step(price="100"), authority="0.05")

    assert one(facts, price=D("95"), reason="x").problems == []
    assert one(facts, price=D("94.99"), reason="x").problems == [rules.ABOVE_AUTHORITY]


def test_the_floor_is_reached_exactly_and_not_passed() -> None:
    facts = basis(step(price="100", floor="95"), authority="1")

    assert one(facts, price=D("95"), reason="x").problems == []
    assert one(facts, price=D("94.9999"), reason="x").problems == [rules.BELOW_FLOOR]


def test_all_problems_of_a_line_are_told_at_once() -> None:
    line = one(basis(step(price="100", floor="95"), ended=True), price=D("50"))

    assert set(line.problems) == {rules.PRODUCT_ENDED, rules.REASON_REQUIRED, rules.BELOW_FLOOR, rules.ABOVE_AUTHORITY}
    assert set(line.refused) == {rules.PRODUCT_ENDED, rules.REASON_REQUIRED}


def test_margin_is_net_amount_less_supply_price() -> None:
    line = one(basis(step(price="113"), supply="60"), qty="2")

    assert (line.amount, line.net, line.cost, line.margin) == (D("226.00"), D("200.00"), D("120.00"), D("80.00"))
    assert line.explanation["margin_rate"] == "0.400000"


def test_without_a_supply_price_the_margin_is_unknown_not_zero() -> None:
    line = one(basis(step(), supply=None))

    assert "margin" not in line.explanation
    assert line.explanation["note"] == rules.NO_SUPPLY_PRICE


def test_an_unknown_product_keeps_its_place_among_the_lines() -> None:
    lines = price_lines(basis(step()), [WantedLine(9, D(1)), WantedLine(1, D(1))])

    assert [line.problems for line in lines] == [[rules.UNKNOWN_PRODUCT], []]


prices = st.decimals(min_value=0, max_value=100_000, places=4)
steps = st.lists(
    st.builds(
        lambda rank, price, qty, list_id: step(rank, str(price), str(qty), list_id=list_id, code=f"L{list_id}"),
        st.sampled_from([0, 1, 2, 900, 1000]),
        prices,
        st.integers(0, 200),
        st.integers(1, 4),
    ),
    max_size=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.decimals(min_value="0.001", max_value=10_000, places=3))
def test_any_order_of_the_facts_gives_the_same_price(found: list[Step], qty: Decimal) -> None:
    unique = list({(s.list_id, s.qty_from): s for s in found}.values())

    first = rules.choose(ordered(unique), qty)
    second = rules.choose(ordered(unique[::-1]), qty)

    assert (first is None) == (second is None)
    if first is not None and second is not None:
        assert (first.list_id, first.qty_from, first.price) == (second.list_id, second.qty_from, second.price)
        assert first.qty_from <= qty
        assert first.rank == min(s.rank for s in unique if s.qty_from <= qty)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(prices, prices, st.integers(1, 5000))
def test_a_line_without_problems_is_within_floor_and_authority(listed: Decimal, wanted: Decimal, qty: int) -> None:
    facts = basis(step(price=str(listed), floor=str(listed * D("0.8"))), authority="0.1")

    line = one(facts, str(qty), price=wanted, reason="agreed")

    if not line.problems:
        assert line.price >= line.floor_price
        assert line.discount_rate <= D("0.1")
    assert line.amount == (line.qty * line.price).quantize(D("0.01"), "ROUND_HALF_UP")
    assert line.net <= line.amount
