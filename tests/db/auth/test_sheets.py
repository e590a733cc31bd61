"""Import sheet of users."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sdm.auth import queries, sheets
from sdm.auth.identity import load_actor
from sdm.auth.models import User
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied
from tests.factories import auth, org
from tests.factories.sheets import applied, faults_of, round_trip

pytestmark = pytest.mark.usefixtures("session", "_system")


@pytest.fixture
def _system() -> Iterator[None]:
    with use_actor(system_actor("tests")):
        yield


def test_users_come_with_roles_over_units_and_cannot_sign_in_yet() -> None:
    org.branch(code="B1")
    org.branch(code="B2")
    auth.role("clerk")

    done = applied(
        sheets.USERS,
        {"login": "wang", "name": "王芳", "unit": "B1", "roles": "clerk; storekeeper@B2", "active": True},
    )

    user = db.session.query(User).filter_by(login="wang").one()
    actor = load_actor(user.id)
    assert done == Applied(created=1)
    assert user.password_hash == ""
    assert actor.roles == {"clerk", "storekeeper"}
    assert len(queries.grants_of(user.id)) == 2
    assert round_trip(sheets.USERS) == Applied(unchanged=1)


def test_roles_are_replaced_and_a_user_is_disabled() -> None:
    org.branch(code="B1")
    auth.role("clerk")
    applied(sheets.USERS, {"login": "wang", "name": "王芳", "unit": "B1", "roles": "clerk"})

    changed = applied(sheets.USERS, {"login": "wang", "roles": "storekeeper", "active": False})

    user = db.session.query(User).filter_by(login="wang").one()
    assert changed == Applied(changed=1)
    assert user.active is False
    assert [role.code for role in queries.roles() if role.id in {g[0] for g in queries.grants_of(user.id)}] == [
        "storekeeper"
    ]


def test_nobody_gives_more_than_he_has_nor_over_foreign_units_nor_to_himself() -> None:
    mine, _other = org.branch(code="B1"), org.branch(code="B2")
    auth.role("administrator")
    rights = auth.role_with(Permission.USER_EDIT, Permission.USER_READ)
    small = auth.role_with(Permission.USER_READ)
    row = auth.user(rights, mine, login="boss")
    foreign = auth.user("clerk", _other, login="foreign")

    with use_actor(load_actor(row.id)):
        found = faults_of(
            sheets.USERS,
            {"login": "a", "name": "x", "unit": "B1", "roles": "administrator"},
            {"login": "b", "name": "x", "unit": "B2", "roles": f"{small.code}@B2"},
            {"login": "boss", "roles": small.code},
            {"login": foreign.login, "name": "x"},
            {"login": "Ünsafe", "name": "x", "unit": "B1", "roles": "nothing"},
        )

    assert found == {
        (2, "roles", "user.role_above"),
        (3, "unit", "sheet.foreign"), (3, "roles", "sheet.foreign"),
        (4, "login", "sheet.own_rights"),
        (5, "login", "sheet.foreign"),
        (6, "login", "sheet.login"), (6, "roles", "sheet.unknown"),
    }  # fmt: skip
