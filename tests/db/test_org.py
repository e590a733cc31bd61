"""The organisation: tree, parameters, people, warehouses."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from branches.org import parameters, queries, service
from branches.org.models import Unit
from sdm.kernel import audit
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, InvalidInput, NotFound, StaleVersion
from sdm.kernel.scope import Scope
from tests.factories import org

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture(autouse=True)
def system(session: object):
    with use_actor(system_actor("test")):
        yield


def new_unit(kind: str, parent: int | None, code: str, **values: object) -> int:
    return service.create_unit(service.UnitInput(code=code, name=code, kind=kind, parent_id=parent, **values))


def test_a_new_unit_is_in_the_subtree_of_everything_above() -> None:
    region = org.region()

    branch = new_unit("branch", region.id, "B-1")
    office = new_unit("office", branch, "O-1")

    assert office in queries.subtree_ids(region.id)
    assert office in queries.subtree_ids(queries.head_office().id)
    assert queries.subtree_ids(office) == {office}
    assert [node.id for node in queries.chain_up(office)][:3] == [office, branch, region.id]
    assert queries.level_unit(office, "branch").id == branch


@pytest.mark.parametrize(("kind", "parent_kind"), [("office", "region"), ("region", "branch"), ("branch", "office")])
def test_a_unit_below_one_of_the_wrong_kind_is_refused(kind: str, parent_kind: str) -> None:
    parent = org.unit(parent_kind)

    with pytest.raises(InvalidInput) as refused:
        new_unit(kind, parent.id, "X-1")

    assert refused.value.errors[0].code == "unit.parent_kind"


def test_a_second_head_office_is_refused() -> None:
    org.head_office()

    with pytest.raises(Conflict):
        new_unit("head_office", None, "HQ-2")


def test_a_moved_branch_takes_its_offices_along() -> None:
    old, new = org.region(), org.region()
    branch = org.branch(old)
    office = org.office(branch)

    service.change_unit(branch.id, parent_id=new.id)

    assert office.id in queries.subtree_ids(new.id)
    assert office.id not in queries.subtree_ids(old.id)
    assert db.session.get(Unit, office.id, populate_existing=True).path[-3:] == [new.id, branch.id, office.id]


def test_a_unit_outside_the_actors_scope_cannot_be_changed() -> None:
    mine, foreign = org.branch(), org.branch()

    with use_actor(system_actor("narrow", Scope(units=frozenset({mine.id})))), pytest.raises(NotFound):
        service.change_unit(foreign.id, name="taken")


def test_a_stale_version_is_refused() -> None:
    branch = org.branch()
    service.change_unit(branch.id, 1, name="once")

    with pytest.raises(StaleVersion):
        service.change_unit(branch.id, 1, name="twice")


def test_a_unit_with_an_active_warehouse_cannot_be_closed() -> None:
    branch = org.branch()
    org.warehouse(branch, name="Main store")

    with pytest.raises(Conflict) as refused:
        service.change_unit(branch.id, active=False)

    assert "Main store" in refused.value.text


def test_the_company_of_a_unit_is_that_of_the_nearest_unit_above_with_one() -> None:
    head = org.head_office()
    own = org.legal_entity()
    with_own = org.branch(legal_entity_id=own.id)

    assert queries.legal_entity_of(org.office(with_own).id).id == own.id
    assert queries.legal_entity_of(org.branch().id).id == head.legal_entity_id


def test_a_parameter_of_the_nearest_unit_wins_over_the_company_and_the_default() -> None:
    region = org.region()
    branch, other = org.branch(region), org.branch()
    assert parameters.value("order.reservation_days", branch.id) == 14

    service.set_parameter("order.reservation_days", 10)
    service.set_parameter("order.reservation_days", "7", unit_id=region.id)

    assert parameters.value("order.reservation_days", branch.id) == 7
    assert parameters.value("order.reservation_days", other.id) == 10
    service.clear_parameter("order.reservation_days", region.id)
    assert parameters.value("order.reservation_days", branch.id) == 10


def test_a_parameter_holds_from_its_day_on() -> None:
    service.set_parameter("credit.overdue_amount_tolerated", "1,500.00", valid_from=date(2026, 1, 1))
    service.set_parameter("credit.overdue_amount_tolerated", "2500", valid_from=date(2026, 6, 1))

    assert parameters.value("credit.overdue_amount_tolerated", on=date(2026, 5, 31)) == Decimal("1500")
    assert parameters.value("credit.overdue_amount_tolerated", on=date(2026, 6, 1)) == Decimal("2500")
    assert parameters.value("credit.overdue_amount_tolerated", on=date(2025, 12, 31)) == 0


def test_setting_a_parameter_is_audited_with_old_and_new_value() -> None:
    service.set_parameter("order.reservation_days", 9)

    row = db.session.query(audit.AuditRow).filter_by(kind="parameter", action="set").one()
    assert row.changes["order.reservation_days"] == [14, 9]


@pytest.mark.parametrize(("value", "code"), [("x", "input.number"), ("0", "input.range"), ("1.5", "input.decimals")])
def test_a_bad_parameter_value_is_refused(value: str, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        service.set_parameter("order.reservation_days", value)

    assert refused.value.errors[0].code == code


def test_deputies_count_only_on_their_days() -> None:
    boss, deputy = org.person(), org.person()

    service.set_deputy(boss.id, deputy.id, date(2026, 3, 1), date(2026, 3, 10))

    assert queries.deputies_of(boss.id, date(2026, 3, 10)) == [deputy.id]
    assert queries.deputies_of(boss.id, date(2026, 3, 11)) == []
    assert queries.stands_in_for(deputy.id, date(2026, 3, 1)) == [boss.id]


def test_a_person_is_found_by_initials() -> None:
    unit = org.branch()
    service.create_person(service.PersonInput(code="P-1", name="王小明", unit_id=unit.id))

    assert [person.name for person in queries.pick_people("wxm")] == ["王小明"]


def test_a_new_option_is_selectable_at_once() -> None:
    service.create_option_list("colour", "颜色")
    service.save_option("colour", "red", name="红", position=10)
    service.save_option("colour", "old", name="旧", active=False)

    assert [option.code for option in queries.options("colour")] == ["red"]
