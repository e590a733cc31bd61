"""A new office with warehouse, people and limit in one step (BA-04), and users from the command line."""

from __future__ import annotations

from decimal import Decimal

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from branches.org import parameters
from branches.org.models import Person, Unit, Warehouse
from sdm.auth import queries, service
from sdm.auth.cli import user as user_group
from sdm.auth.models import User
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.errors import Forbidden, InvalidInput
from tests.factories import auth, org


def data(parent: int, **changes: object) -> service.OfficeInput:
    fields = {"code": "OF-1", "name": "北仑办事处", "parent_id": parent, "warehouse_name": "北仑仓库", **changes}
    return service.OfficeInput(**fields)


def person(role: str = "clerk", login: str = "wang") -> service.OfficePerson:
    return service.OfficePerson("王芳", login, auth.role(role).id)


@pytest.mark.usefixtures("session")
def test_an_office_opens_with_warehouse_users_and_limit() -> None:
    branch = org.branch()

    with auth.acting("administrator", branch):
        made = service.open_office(
            data(branch.id, order_limit=Decimal(50000), people=[person(), person("storekeeper", "li")])
        )

    unit = db.session.get(Unit, made.unit_id)
    assert unit.path[-2:] == [branch.id, unit.id]
    assert parameters.value("order.amount_limit", unit.id) == 50000
    assert [login for login, _password in made.passwords] == ["wang", "li"]
    with use_actor(system_actor("test")):
        assert db.session.query(Warehouse).one().unit_id == unit.id
        assert db.session.query(Person).filter_by(id=unit.manager_id).one().name == "王芳"
    assert service.sign_in("wang", made.passwords[0][1], address="10.0.0.1").must_change_password


@pytest.mark.usefixtures("session")
def test_an_office_with_a_fault_in_one_part_is_not_opened_at_all() -> None:
    branch = org.branch()
    auth.user("clerk", branch, login="taken")

    with auth.acting("administrator", branch), pytest.raises((InvalidInput, Exception)):
        service.open_office(data(branch.id, people=[person(login="fine"), person(login="taken")]))

    assert db.session.query(Unit).filter_by(code="OF-1").count() == 0
    assert db.session.query(User).filter_by(login="fine").count() == 0


@pytest.mark.usefixtures("session")
def test_every_part_of_an_office_needs_its_own_permission() -> None:
    branch = org.branch()
    role = auth.role_with("org:edit")

    with auth.acting(role, branch), pytest.raises(Forbidden):
        service.open_office(data(branch.id))


@pytest.mark.usefixtures("session")
def test_the_office_form_shows_first_passwords_once(client: FlaskClient) -> None:
    branch = org.branch()
    auth.signed_in(client, auth.user("administrator", branch))
    clerk = auth.role("clerk")
    assert client.get(f"/auth/offices/new?parent_id={branch.id}").status_code == 200

    answer = auth.post(
        client,
        "/auth/offices/new",
        {
            "parent_id": branch.id,
            "code": "OF-2",
            "name": "象山办事处",
            "warehouse_name": "象山仓库",
            "order_limit": "30,000",
            "person_names": ["赵敏", ""],
            "person_logins": ["zhaomin", ""],
            "person_roles": [str(clerk.id), ""],
        },
    )

    assert answer.status_code == 200 and "zhaomin" in answer.text
    assert queries.user_by_login("zhaomin") is not None
    half = auth.post(
        client, "/auth/offices/new", {"parent_id": branch.id, "code": "X", "name": "X", "person_names": "A"}
    )
    assert half.status_code == 422


class Tools:
    """What `sdm` hands to commands."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def acting(self, name: str):
        from contextlib import contextmanager

        @contextmanager
        def act():
            with self.app.app_context(), use_actor(system_actor(f"cli:{name}")):
                yield self.app

        return act()


def run(app: Flask, *arguments: str):
    return CliRunner().invoke(user_group, list(arguments), obj=Tools(app))


def test_the_first_administrator_of_an_empty_database_comes_from_the_command_line(committing_db: Flask) -> None:
    made = run(committing_db, "add", "admin", "--company", "昆仑电器", "--password", auth.PASSWORD)
    listed = run(committing_db, "list")

    assert made.exit_code == 0, made.output
    assert "admin" in listed.output and "administrator@HO" in listed.output
    with committing_db.app_context():
        assert not service.sign_in("admin", auth.PASSWORD, address="10.0.0.1").must_change_password


def test_a_user_is_disabled_enabled_and_given_a_password_from_the_command_line(committing_db: Flask) -> None:
    run(committing_db, "add", "admin")
    run(committing_db, "add", "second", "--role", "auditor")

    assert run(committing_db, "disable", "second").exit_code == 0
    assert "disabled" in run(committing_db, "list").output
    assert run(committing_db, "enable", "second").exit_code == 0
    assert "first password" in run(committing_db, "password", "second").output
    assert isinstance(run(committing_db, "add", "third", "--role", "nobody").exception, InvalidInput)
