"""From a user to his rights: permissions, scope, and how fast a change holds."""

from __future__ import annotations

import pytest

from branches.org.models import Dealer, DealerGrade
from sdm.auth import queries, service
from sdm.auth.identity import load_actor
from sdm.auth.models import UserRole
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.errors import Conflict, InvalidInput, NotFound
from tests.factories import auth, org

pytestmark = pytest.mark.usefixtures("session")


def as_system():
    return use_actor(system_actor("test"))


def test_scope_is_the_unit_of_the_role_and_all_below() -> None:
    region = org.region()
    branch, foreign = org.branch(region), org.branch()

    actor = load_actor(auth.user("clerk", region).id)

    assert actor.scope.units == {region.id, branch.id}
    assert not actor.scope.has_unit(foreign.id)
    assert actor.can("order:enter") and not actor.can("user:edit")


def test_scope_is_the_union_over_the_roles() -> None:
    first, second = org.branch(), org.branch()
    user = auth.user("clerk", first)
    org.save(UserRole(user_id=user.id, role_id=auth.role("storekeeper").id, unit_id=second.id))
    org.touch()

    actor = load_actor(user.id)

    assert actor.scope.units == {first.id, second.id}
    assert actor.roles == {"clerk", "storekeeper"}


def test_head_office_sees_everything() -> None:
    head = org.head_office()
    org.branch()

    assert load_actor(auth.user("auditor", head).id).scope.everything


def test_a_storekeeper_bound_to_warehouses_sees_only_these() -> None:
    branch = org.branch()
    store = org.warehouse(branch)
    user = auth.user("storekeeper", branch)
    with as_system():
        service.set_warehouses(user.id, [store.id])

    assert load_actor(user.id).scope.warehouses == {store.id}


def test_who_is_narrowed_to_own_dealers_sees_only_those_he_manages() -> None:
    head = org.head_office()
    person = org.person(head)
    org.save(DealerGrade(code="A", name="A"))
    mine = org.save(Dealer(code="D1", name="Mine", unit_id=head.id, grade_code="A", manager_id=person.id))
    org.save(Dealer(code="D2", name="Other", unit_id=head.id, grade_code="A"))
    user = auth.user("clerk", head, own_dealers=True, person_id=person.id)

    scope = load_actor(user.id).scope

    assert scope.dealers == {mine.id} and not scope.everything


def test_a_permission_taken_away_is_gone_at_once() -> None:
    role = auth.role_with("invoice:approve", "invoice:read")
    user = auth.user(role)
    assert load_actor(user.id).can("invoice:approve")

    with as_system():
        service.set_role_permissions(role.id, ["invoice:read"])

    assert not load_actor(user.id).can("invoice:approve")


def test_a_disabled_user_may_do_nothing() -> None:
    user = auth.user("clerk")
    with as_system():
        service.disable_user(user.id)

    actor = load_actor(user.id)

    assert not actor.permissions and not actor.scope.everything


def test_users_with_a_permission_are_those_whose_role_covers_the_unit() -> None:
    region = org.region()
    branch, foreign = org.branch(region), org.branch()
    above, here, elsewhere = (auth.user("branch_manager", unit) for unit in (region, branch, foreign))
    auth.user("storekeeper", branch)

    assert queries.users_with("order:release_price", branch.id) == [above.id, here.id]
    assert queries.users_with("order:release_price", foreign.id) == [elsewhere.id]


def test_nobody_gives_a_role_over_a_unit_outside_his_scope() -> None:
    mine, foreign = org.branch(), org.branch()
    clerk = auth.role("clerk")
    with auth.acting(auth.role_with("user:edit", "role:edit"), mine), pytest.raises(InvalidInput) as refused:
        service.create_user(
            service.UserInput("new", "New", mine.id, auth.PASSWORD, [service.Grant(clerk.id, foreign.id)])
        )

    assert refused.value.errors[0].code == "unit.not_yours"


def test_who_may_not_edit_roles_cannot_give_more_than_he_has() -> None:
    unit = org.branch()
    target = auth.user("clerk", unit)
    finance = auth.role("finance")

    with auth.acting(auth.role_with("user:edit"), unit), pytest.raises(InvalidInput) as refused:
        service.set_grants(target.id, [service.Grant(finance.id, unit.id)])

    assert "user.role_above" in {fault.code for fault in refused.value.errors}


def test_a_user_of_another_branch_is_not_found() -> None:
    foreign = auth.user("clerk")

    with auth.acting("administrator", org.branch()), pytest.raises(NotFound):
        service.change_user(foreign.id, name="x")


def test_nobody_disables_himself() -> None:
    with auth.acting("administrator", org.head_office()) as actor, pytest.raises(Conflict) as refused:
        service.disable_user(actor.user_id)

    assert refused.value.code == "user.own"


def test_the_last_administrator_cannot_lose_his_rights() -> None:
    head = org.head_office()
    admin = auth.user("administrator", head)

    with auth.acting(user=admin), pytest.raises(Conflict) as refused:
        service.set_role_permissions(auth.role("administrator").id, ["org:read", "role:edit"])

    assert refused.value.code == "user.last_administrator"


@pytest.mark.parametrize(
    "password",
    ["short", "aaaaaaaaaaaaaa", "passwordpassword", "123456789012", "qwertyuiop12", "x" * 257, "kunlun-sales-1"],
)
def test_a_bad_password_is_refused(password: str) -> None:
    unit = org.branch()
    with as_system(), pytest.raises(InvalidInput):
        service.create_user(
            service.UserInput("kunlun", "Kunlun Sales", unit.id, password, [service.Grant(auth.role().id, unit.id)])
        )


@pytest.mark.parametrize(
    "password", ["correct horse battery", "夏日 海风 铁锅 炖鱼 真香", "x7#kQp!2vLm9", "tulip ladder moss 83" * 12]
)
def test_a_long_unusual_password_is_taken(password: str) -> None:
    unit = org.branch()
    with as_system():
        service.create_user(
            service.UserInput("somebody", "S. B.", unit.id, password, [service.Grant(auth.role().id, unit.id)])
        )
