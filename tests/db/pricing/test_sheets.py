"""Import sheets of price lists, prices and supply prices."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from branches.org.models import Unit
from branches.pricing import queries, sheets, validity
from sdm.kernel import clock
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.permissions import Permission
from sdm.kernel.scope_value import Scope
from sdm.kernel.sheets import Applied
from tests.factories import catalogue, org, pricing
from tests.factories.dealers import dealer, grade
from tests.factories.sheets import applied, exported, faults_of, round_trip

D = Decimal
pytestmark = pytest.mark.usefixtures("session", "_system")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


def clerk_of(unit: Unit) -> Actor:
    return Actor(1, "clerk", frozenset(Permission), Scope(frozenset({unit.id})))


def day(offset: int) -> date:
    return clock.today() + timedelta(days=offset)


def test_lists_of_every_target_come_in_and_go_out_the_same() -> None:
    branch = org.branch(code="B")
    dealer(branch.id, code="D")
    grade("A")

    done = applied(
        sheets.LISTS,
        {"code": "L1", "name": "全国", "target": "all", "grade": None, "unit": None, "dealer": None},
        {"code": "L2", "name": "A级", "target": "grade", "grade": "A", "unit": "B", "dealer": None},
        {"code": "L3", "name": "分公司", "target": "unit", "grade": None, "unit": "B", "dealer": None},
        {"code": "L4", "name": "专用", "target": "dealer", "grade": None, "unit": None, "dealer": "D"},
    )

    assert done == Applied(created=4)
    assert {row["code"]: (row["grade"], row["unit"], row["dealer"]) for row in exported(sheets.LISTS)} == {
        "L1": (None, None, None), "L2": ("A", None, None), "L3": (None, "B", None), "L4": (None, None, "D")
    }  # fmt: skip
    assert round_trip(sheets.LISTS) == Applied(unchanged=4)


def test_every_fault_of_lists_is_told() -> None:
    with_prices, product = pricing.price_list(code="OLD"), catalogue.product()
    pricing.price(with_prices, product.id, "1")
    grade("A")

    assert faults_of(
        sheets.LISTS,
        {"code": "L1", "name": None, "target": None},
        {"code": "L2", "name": "x", "target": "grade", "grade": None},
        {"code": "L3", "name": "x", "target": "dealer", "dealer": "none"},
        {"code": "OLD", "target": "grade", "grade": "A"},
    ) == {
        (2, "name", "sheet.required_new"), (2, "target", "sheet.required_new"),
        (3, "grade", "sheet.required_new"),
        (4, "dealer", "sheet.unknown"),
        (5, "target", "price.target_fixed"),
    }  # fmt: skip


def test_prices_with_several_periods_and_steps_come_in_once() -> None:
    pricing.price_list(code="L")
    product = catalogue.product(code="P")
    rows = [
        {"list": "L", "product": "P", "qty_from": None, "price": D("100"), "valid_from": day(-30), "valid_to": None},
        {"list": "L", "product": "P", "qty_from": None, "price": D("90"), "valid_from": day(5), "valid_to": None},
        {"list": "L", "product": "P", "qty_from": D(10), "price": D("95"), "valid_from": day(-30), "valid_to": day(3)},
    ]

    first = applied(sheets.PRICES, *rows)
    stored = [(row.qty_from, row.price, row.valid.lower) for row in queries.prices_of_product(product.id)]
    again = round_trip(sheets.PRICES)

    assert first == Applied(created=3)
    assert sorted(stored) == [(D(0), D(90), day(5)), (D(0), D(100), day(-30)), (D(10), D(95), day(-30))]
    assert again == Applied(unchanged=3)


def test_every_fault_of_prices_is_told_with_its_line() -> None:
    own = pricing.price_list(code="L")
    product = catalogue.product(code="P")
    pricing.price(own, product.id, "100")
    pricing.price(own, product.id, "80", qty_from=50, since=day(10))

    assert faults_of(
        sheets.PRICES,
        {"list": "none", "product": "none", "price": D(1)},
        {"list": "L", "product": "P", "price": D(-1), "valid_from": day(1)},
        {"list": "L", "product": "P", "price": D(5), "floor_price": D(6), "valid_from": day(2)},
        {"list": "L", "product": "P", "price": D(5), "valid_from": day(-3)},
        {"list": "L", "product": "P", "price": D(5), "qty_from": D(50), "valid_from": day(1), "valid_to": day(20)},
        {"list": "L", "product": "P", "price": D(5), "qty_from": D(7), "valid_from": day(9), "valid_to": day(8)},
    ) == {
        (2, "list", "sheet.unknown"), (2, "product", "sheet.unknown"),
        (3, "price", "input.not_negative"),
        (4, "floor_price", "price.floor_above"),
        (5, "valid_from", validity.PAST),
        (6, "valid_from", validity.OVERLAP),
        (7, "valid_from", validity.DATES),
    }  # fmt: skip


def test_a_branch_cannot_import_into_lists_above_it_and_does_not_see_its_neighbours() -> None:
    mine, other = org.branch(), org.branch()
    pricing.price_list(code="ALL")
    pricing.price_list("unit", unit_id=other.id, code="OTHER")
    own = pricing.price_list("unit", unit_id=mine.id, code="MINE")
    product = catalogue.product(code="P")
    pricing.price(own, product.id, "3")

    with use_actor(clerk_of(mine)):
        rows = [
            {"list": code, "product": "P", "price": D(1), "valid_from": day(1)} for code in ("ALL", "OTHER", "MINE")
        ]
        assert faults_of(sheets.PRICES, *rows) == {(2, "list", "price.list_not_yours"), (3, "list", "sheet.unknown")}
        assert (2, "target", "price.list_not_yours") in faults_of(
            sheets.LISTS, {"code": "N", "name": "x", "target": "all"}
        )
        assert (2, "code", "sheet.foreign") in faults_of(sheets.LISTS, {"code": "OTHER", "name": "x"})
        assert [row["list"] for row in exported(sheets.PRICES)] == ["MINE"]


def test_supply_prices_come_in_by_period() -> None:
    product = catalogue.product(code="P")
    rows = [
        {"product": "P", "price": D("60"), "valid_from": day(-30), "valid_to": None},
        {"product": "P", "price": D("55"), "valid_from": day(2), "valid_to": None},
    ]

    assert applied(sheets.SUPPLY, *rows) == Applied(created=2)
    assert queries.supply_prices([product.id], day(1)) == {product.id: D(60)}
    assert queries.supply_prices([product.id], day(2)) == {product.id: D(55)}
    assert round_trip(sheets.SUPPLY) == Applied(unchanged=2)
    assert faults_of(sheets.SUPPLY, {"product": "P", "price": D(-1), "valid_from": day(-5)}) == {
        (2, "price", "input.not_negative"), (2, "valid_from", validity.PAST)
    }  # fmt: skip
