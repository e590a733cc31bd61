"""Entering prices and who may do it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from branches.pricing import queries, service, validity
from branches.pricing.models import DiscountAuthority, ListPrice, PriceList
from branches.pricing.service import PriceEntry, SupplyEntry
from sdm.kernel import clock
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import InvalidInput, NotFound, RuleViolation
from sdm.kernel.permissions import Permission
from sdm.kernel.scope_value import Scope
from tests.factories import catalogue, org, pricing
from tests.factories.dealers import dealer, grade

D = Decimal
pytestmark = pytest.mark.usefixtures("session", "_system")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


def day(offset: int) -> date:
    return clock.today() + timedelta(days=offset)


def clerk_of(*unit_ids: int) -> Actor:
    permissions = frozenset({Permission.PRICE_EDIT, Permission.PRICE_READ, Permission.DEALER_READ})
    return Actor(1, "clerk", permissions, Scope(frozenset(unit_ids)))


def prices_of(list_id: int, product_id: int) -> list[tuple[Decimal, date, date | None]]:
    statement = select(ListPrice.price, ListPrice.valid).where(
        ListPrice.list_id == list_id, ListPrice.product_id == product_id
    )
    return sorted((row.price, row.valid.lower, row.valid.upper) for row in db.session.execute(statement))


def test_a_new_price_closes_the_old_one_at_its_date() -> None:
    everyone, product = pricing.price_list(), catalogue.product()
    pricing.price(everyone, product.id, "100")

    done = service.enter_prices(everyone.id, [PriceEntry(product.id, D("90"), day(3))])

    assert (done["added"], done["closed"]) == (1, 1)
    assert prices_of(everyone.id, product.id) == [(D("90"), day(3), None), (D("100"), pricing.START, day(3))]


def test_all_faults_of_an_entry_are_told_with_their_lines_and_nothing_is_written() -> None:
    everyone, product = pricing.price_list(), catalogue.product()
    pricing.price(everyone, product.id, "100", since=day(10))

    with pytest.raises(InvalidInput) as first:
        service.enter_prices(
            everyone.id,
            [
                PriceEntry(-1, D("1"), day(0)),
                PriceEntry(product.id, D("-1"), day(0), qty_from=D(-1)),
                PriceEntry(product.id, D("5"), day(0), floor_price=D("6")),
            ],
        )
    with pytest.raises(InvalidInput) as second:
        service.enter_prices(everyone.id, [PriceEntry(product.id, D("1"), day(0), day(20))])

    assert {(f.field, f.code) for f in first.value.errors} == {
        ("lines.0.product", "input.unknown"),
        ("lines.1.price", "input.not_negative"),
        ("lines.1.qty_from", "input.not_negative"),
        ("lines.2.floor_price", "price.floor_above"),
    }
    assert [(f.field, f.code) for f in second.value.errors] == [("lines.0.valid_from", validity.OVERLAP)]
    assert len(prices_of(everyone.id, product.id)) == 1


def test_quantity_steps_have_periods_of_their_own() -> None:
    everyone, product = pricing.price_list(), catalogue.product()
    pricing.price(everyone, product.id, "100")

    done = service.enter_prices(everyone.id, [PriceEntry(product.id, D("90"), day(0), qty_from=D(10))])

    assert (done["added"], done["closed"]) == (1, 0)


def test_entering_the_same_prices_again_changes_nothing() -> None:
    everyone, product = pricing.price_list(), catalogue.product()
    entries = [PriceEntry(product.id, D("90"), day(0)), PriceEntry(product.id, D("85"), day(0), qty_from=D(10))]
    service.enter_prices(everyone.id, entries)

    done = service.enter_prices(everyone.id, entries)

    assert done == {"added": 0, "closed": 0, "removed": 0, "unchanged": 2}


def test_an_ended_price_cannot_be_chosen_from_the_next_day_on() -> None:
    shop, everyone, product = dealer(org.branch().id), pricing.price_list(), catalogue.product()
    price = pricing.price(everyone, product.id, "100")

    service.end_price(price.id, day(2))

    assert queries.price_basis(shop.id, [product.id], day(2)).products[product.id].steps != ()
    assert queries.price_basis(shop.id, [product.id], day(3)).products[product.id].steps == ()
    with pytest.raises(InvalidInput):
        service.end_price(price.id, day(-5))
    with pytest.raises(InvalidInput):
        service.end_price(price.id, day(5))


def test_a_planned_price_that_ends_before_it_begins_is_gone() -> None:
    everyone, product = pricing.price_list(), catalogue.product()
    price = pricing.price(everyone, product.id, "100", since=day(10))

    service.end_price(price.id, day(0))

    assert prices_of(everyone.id, product.id) == []


def test_a_list_has_exactly_the_column_of_its_target() -> None:
    with pytest.raises(InvalidInput) as missing:
        service.create_list({"code": "G", "name": "g", "target": "grade"})
    with pytest.raises(InvalidInput) as wrong:
        service.create_list({"code": "", "name": "", "target": "planet"})
    values = {"code": "G", "name": "g", "target": "grade", "grade_code": grade("A").code, "unit_id": 5}
    made = service.create_list(values)

    assert [f.field for f in missing.value.errors] == ["grade_code"]
    assert {f.field for f in wrong.value.errors} == {"code", "name", "target"}
    assert db.session.get(PriceList, made).unit_id is None


def test_the_target_of_a_list_with_prices_is_fixed_and_its_name_is_not() -> None:
    everyone, product = pricing.price_list(), catalogue.product()
    pricing.price(everyone, product.id, "100")

    assert service.change_list(everyone.id, 1, {"name": "new"}) == 2
    with pytest.raises(InvalidInput):
        service.change_list(everyone.id, None, {"target": "grade", "grade_code": grade("A").code})


def test_a_branch_keeps_its_own_lists_reads_those_above_and_does_not_see_its_neighbours() -> None:
    region = org.region()
    mine, other = org.branch(region), org.branch(region)
    product, own_dealer, foreign_dealer = catalogue.product(), dealer(mine.id), dealer(other.id)
    lists = {
        "all": pricing.price_list(),
        "above": pricing.price_list("unit", unit_id=region.id),
        "own": pricing.price_list("unit", unit_id=mine.id),
        "neighbour": pricing.price_list("unit", unit_id=other.id),
        "dealer": pricing.price_list("dealer", dealer_id=own_dealer.id),
        "foreign": pricing.price_list("dealer", dealer_id=foreign_dealer.id),
    }
    entry = [PriceEntry(product.id, D("1"), day(0))]

    outcome = {}
    with use_actor(clerk_of(mine.id)):
        visible = set(db.session.execute(select(PriceList.id)).scalars())
        for name, row in lists.items():
            try:
                service.enter_prices(row.id, entry)
                outcome[name] = "entered"
            except (NotFound, RuleViolation) as error:
                outcome[name] = type(error).__name__

    assert visible == {lists[name].id for name in ("all", "above", "own", "dealer")}
    assert outcome == {
        "all": "RuleViolation",
        "above": "RuleViolation",
        "own": "entered",
        "dealer": "entered",
        "neighbour": "NotFound",
        "foreign": "NotFound",
    }


def test_supply_prices_follow_each_other_by_period() -> None:
    product = catalogue.product()
    service.enter_supply_prices([SupplyEntry(product.id, D("60"), day(-30)), SupplyEntry(product.id, D("55"), day(1))])

    assert queries.supply_prices([product.id], day(0)) == {product.id: D("60")}
    assert queries.supply_prices([product.id], day(1)) == {product.id: D("55")}
    with pytest.raises(InvalidInput) as raised:
        service.enter_supply_prices([SupplyEntry(product.id, D("50"), day(-10))])
    assert [f.code for f in raised.value.errors] == [validity.PAST]


def test_authority_is_set_changed_and_taken_away_by_the_head_office_only() -> None:
    service.set_authority({"clerk": D("0.05"), "finance": D("0.1")})
    service.set_authority({"clerk": D("0.06"), "finance": None})

    rows = {row.role_code: row.discount_rate for row in db.session.execute(select(DiscountAuthority)).scalars()}
    assert rows == {"clerk": D("0.06")}
    with pytest.raises(InvalidInput):
        service.set_authority({"clerk": D("1.5")})
    branch, _head = org.branch(), org.head_office()
    with use_actor(clerk_of(branch.id)), pytest.raises(RuleViolation):
        service.set_authority({"clerk": D("1")})


def test_5001_prices_at_once_are_refused_with_a_clear_text() -> None:
    everyone = pricing.price_list()

    with pytest.raises(InvalidInput) as raised:
        service.enter_prices(everyone.id, [PriceEntry(1, D(1), day(0))] * 5001)

    assert raised.value.errors[0].code == "price.entries_max"
