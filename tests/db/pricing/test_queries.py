"""Price facts from the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event

from branches.pricing import queries, rules
from branches.pricing.rules import WantedLine, price_lines
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.scope_value import EVERYTHING
from tests.factories import catalogue, org, pricing
from tests.factories.dealers import dealer, grade

ON = date(2026, 6, 15)
D = Decimal
pytestmark = pytest.mark.usefixtures("session", "_system")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


@contextmanager
def statements() -> Iterator[list[str]]:
    """Statements sent in the block."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if not statement.startswith("SAVEPOINT"):
            sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def price_of(dealer_id: int, product_id: int, on: date = ON, qty: str = "1") -> rules.PricedLine:
    return price_lines(queries.price_basis(dealer_id, [product_id], on), [WantedLine(product_id, D(qty))])[0]


def test_two_dealers_of_different_grade_get_two_prices_each_naming_its_list() -> None:
    branch, product = org.branch(), catalogue.product()
    first, second = dealer(branch.id, grade_code="A"), dealer(branch.id, grade_code="B")
    for code, amount in (("A", "95"), ("B", "97")):
        pricing.price(pricing.price_list("grade", grade_code=grade(code).code, code=f"GR-{code}"), product.id, amount)

    lines = [price_of(d.id, product.id) for d in (first, second)]

    assert [(line.price, line.explanation["list"]) for line in lines] == [(D("95"), "GR-A"), (D("97"), "GR-B")]


def test_lists_of_the_nearest_unit_win_over_those_above_and_others_do_not_count() -> None:
    region = org.region()
    branch = org.branch(region)
    office, product = org.office(branch), catalogue.product()
    shop = dealer(office.id)
    pricing.price(pricing.price_list("unit", unit_id=org.branch(region).id), product.id, "1")
    pricing.price(pricing.price_list("unit", unit_id=region.id), product.id, "97")
    above = price_of(shop.id, product.id).price
    pricing.price(pricing.price_list("unit", unit_id=branch.id), product.id, "96")

    assert (above, price_of(shop.id, product.id).price) == (D("97"), D("96"))


def test_another_dealers_list_and_a_switched_off_list_do_not_count() -> None:
    branch, product = org.branch(), catalogue.product()
    shop, other = dealer(branch.id), dealer(branch.id)
    pricing.price(pricing.price_list("dealer", dealer_id=other.id), product.id, "1")
    pricing.price(pricing.price_list("dealer", dealer_id=shop.id, active=False), product.id, "2")
    pricing.price(pricing.price_list("all"), product.id, "100")

    assert price_of(shop.id, product.id).price == D("100")


def test_validity_holds_on_its_first_and_last_day_and_not_in_the_gap() -> None:
    shop, product, everyone = dealer(org.branch().id), catalogue.product(), pricing.price_list("all")
    pricing.price(everyone, product.id, "100", since=date(2026, 1, 1), until=date(2026, 3, 31))
    pricing.price(everyone, product.id, "110", since=date(2026, 5, 1))

    found = {
        day: price_of(shop.id, product.id, day).list_price
        for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 3, 31), date(2026, 4, 1), date(2026, 5, 1))
    }

    assert list(found.values()) == [None, D("100"), D("100"), None, D("110")]
    shown = price_of(shop.id, product.id, date(2026, 3, 31)).explanation["valid"]
    assert shown == ["2026-01-01", "2026-03-31"]


def test_cost_is_the_supply_price_of_the_date() -> None:
    shop, product = dealer(org.branch().id), catalogue.product()
    pricing.price(pricing.price_list("all"), product.id, "113")
    pricing.supply_price(product.id, "60", until=ON - timedelta(days=1))
    pricing.supply_price(product.id, "70", since=ON)

    assert price_of(shop.id, product.id, ON - timedelta(days=1)).supply_price == D("60")
    assert price_of(shop.id, product.id, ON).supply_price == D("70")
    assert queries.supply_prices([product.id], ON) == {product.id: D("70")}
    assert queries.supply_prices([product.id], date(2019, 12, 31)) == {}


def test_200_lines_take_one_statement() -> None:
    shop, everyone, group = dealer(org.branch().id), pricing.price_list("all"), catalogue.category()
    products = [catalogue.product(f"商品{n}", category=group) for n in range(200)]
    for product in products:
        pricing.price(everyone, product.id, "10")
        pricing.price(everyone, product.id, "9", qty_from=10)

    with statements() as sent:
        basis = queries.price_basis(shop.id, [p.id for p in products], ON)
        lines = price_lines(basis, [WantedLine(p.id, D(10)) for p in products])

    assert len(sent) == 1
    assert {line.price for line in lines} == {D("9")}


def test_the_suggested_price_serves_only_when_the_parameter_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    shop, product = dealer(org.branch().id), catalogue.product(list_price=D("88"))
    refused = price_of(shop.id, product.id)
    monkeypatch.setattr(queries.parameters, "value", lambda key, **_: key == queries.FALLBACK)

    assert refused.problems == [rules.NO_LIST]
    assert price_of(shop.id, product.id).price == D("88")


def test_authority_is_the_highest_of_the_actors_roles() -> None:
    shop, product = dealer(org.branch().id), catalogue.product()
    pricing.authority("clerk", "0.03")
    pricing.authority("branch_manager", "0.1")
    clerk = Actor(1, "c", frozenset(), EVERYTHING, roles=frozenset({"clerk"}))
    both = Actor(2, "m", frozenset(), EVERYTHING, roles=frozenset({"clerk", "branch_manager"}))
    nobody = Actor(3, "n", frozenset(), EVERYTHING)

    found = []
    for actor in (clerk, both, nobody, system_actor("job")):
        with use_actor(actor):
            found.append(queries.price_basis(shop.id, [product.id], ON).authority)

    assert found == [D("0.03"), D("0.1"), D(0), D(1)]
    assert queries.discount_authority({"clerk", "branch_manager"}) == D("0.1")
    assert queries.discount_authority(set()) == D(0)


def test_an_unknown_product_is_missing_and_no_products_ask_nothing() -> None:
    shop = dealer(org.branch().id)

    with statements() as sent:
        assert queries.price_basis(shop.id, [], ON).products == {}
    assert sent == []
    assert queries.price_basis(shop.id, [-1], ON).products == {}
