"""Pages of the organisation, users, roles and the log answer, and their forms save."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from branches.org import parameters, queries
from branches.org.models import LegalEntity, Unit
from sdm.auth.models import User, UserRole
from sdm.auth.queries import permissions_by_role
from sdm.kernel.db import db
from tests.factories import auth, org

pytestmark = pytest.mark.usefixtures("session")


@pytest.fixture
def admin(client: FlaskClient, session: object) -> FlaskClient:
    """The administrator of the company."""
    return auth.signed_in(client, auth.user("administrator", org.head_office()))


PAGES = (
    "/org/units",
    "/org/units/new",
    "/org/people",
    "/org/people/new",
    "/org/warehouses",
    "/org/warehouses/new",
    "/org/companies",
    "/org/companies/new",
    "/org/options",
    "/org/parameters",
    "/org/parameters/goods.owner",
    "/org/parameters/order.reservation_days",
    "/auth/me",
    "/auth/password",
    "/auth/sessions",
    "/auth/tokens",
    "/auth/users",
    "/auth/users/new",
    "/auth/roles",
    "/auth/roles/new",
    "/audit",
    "/system",
    "/api/docs",
)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("locale", ["zh_CN", "en"])
def test_the_page_answers(admin: FlaskClient, path: str, locale: str) -> None:
    admin.set_cookie("sdm_locale", locale)

    answer = admin.get(path)

    assert answer.status_code == 200
    assert "<h1" in answer.text


def test_single_record_pages_answer(admin: FlaskClient) -> None:
    branch = org.branch()
    person, store, company = org.person(branch), org.warehouse(branch), org.legal_entity()
    user, role = auth.user("clerk", branch), auth.role("clerk")

    for path in (
        f"/org/units/{branch.id}",
        f"/org/people/{person.id}",
        f"/org/warehouses/{store.id}",
        f"/org/companies/{company.id}",
        f"/auth/users/{user.id}",
        f"/auth/roles/{role.id}",
    ):
        assert admin.get(path).status_code == 200, path


def version_of(page: str) -> str:
    return re.search(r'name="version" value="(\d+)"', page).group(1)


def test_a_branch_is_added_and_changed(admin: FlaskClient) -> None:
    head = org.head_office()
    fields = {"code": "B-9", "name": "九江分公司", "parent_id": head.id}

    made = auth.post(admin, "/org/units/new", {**fields, "kind": "branch"})
    unit = db.session.query(Unit).filter_by(code="B-9").one()
    version = version_of(admin.get(f"/org/units/{unit.id}").text)
    again = {**fields, "name": "南昌分公司", "active": "1", "version": version}
    changed = auth.post(admin, f"/org/units/{unit.id}", again)
    stale = auth.post(admin, f"/org/units/{unit.id}", again)

    assert (made.status_code, changed.status_code, stale.status_code) == (303, 303, 422)
    assert queries.unit(unit.id).name == "南昌分公司"
    assert unit.pinyin.split()[0].startswith("ncfgs")


def test_all_faults_of_a_form_are_told_at_once_with_what_was_typed(admin: FlaskClient) -> None:
    answer = auth.post(admin, "/org/people/new", {"code": "P 1", "email": "x" * 300})

    assert answer.status_code == 422
    assert answer.text.count('class="field-error"') >= 3
    assert 'value="P 1"' in answer.text


def test_a_taken_code_is_told_beside_its_field(admin: FlaskClient) -> None:
    org.legal_entity(code="LE-X")

    answer = auth.post(admin, "/org/companies/new", {"code": "LE-X", "name": "Again"})

    assert answer.status_code == 422
    assert "LE-X" in answer.text and 'class="field-error"' in answer.text


def test_the_bank_account_of_a_company_changes(admin: FlaskClient) -> None:
    company = org.legal_entity()

    auth.post(
        admin,
        f"/org/companies/{company.id}",
        {"code": company.code, "name": company.name, "bank_account": "6222 0001", "version": 1},
    )

    assert db.session.get(LegalEntity, company.id).bank_account == "6222 0001"
    assert "6222 0001" in admin.get("/audit/" + audit_id(admin)).text


def audit_id(client: FlaskClient) -> str:
    return re.search(r'href="/audit/(\d+)"', client.get("/audit?kind=legal_entity").text).group(1)


def test_a_parameter_set_on_the_page_holds_at_once(admin: FlaskClient) -> None:
    answer = auth.post(admin, "/org/parameters/order.reservation_days", {"value": "21"})

    assert answer.status_code == 303
    assert parameters.value("order.reservation_days") == 21
    assert "21" in admin.get("/org/parameters/order.reservation_days").text


def test_a_user_is_made_with_role_and_unit(admin: FlaskClient) -> None:
    branch, clerk = org.branch(), auth.role("clerk")
    fields = {
        "login": "lihua",
        "name": "李华",
        "unit_id": branch.id,
        "password": auth.PASSWORD,
        "role_ids": [clerk.id, ""],
        "unit_ids": [branch.id, ""],
    }

    answer = auth.post(admin, "/auth/users/new", fields)

    user = db.session.query(User).filter_by(login="lihua").one()
    assert answer.status_code == 303
    assert user.must_change_password


def test_a_role_without_a_unit_is_for_the_persons_own_unit(admin: FlaskClient) -> None:
    branch, clerk = org.branch(), auth.role("clerk")
    fields = {"login": "x2", "name": "X", "unit_id": branch.id, "password": auth.PASSWORD}

    auth.post(admin, "/auth/users/new", {**fields, "role_ids": [clerk.id, ""], "unit_ids": ["", ""]})

    user = db.session.query(User).filter_by(login="x2").one()
    granted = db.session.query(UserRole).filter_by(user_id=user.id).one()
    assert (granted.role_id, granted.unit_id) == (clerk.id, branch.id)


def test_half_a_line_of_roles_is_refused(admin: FlaskClient) -> None:
    branch, clerk = org.branch(), auth.role("clerk")
    fields = {"login": "x1", "name": "X", "unit_id": branch.id, "password": auth.PASSWORD}

    answer = auth.post(
        admin, "/auth/users/new", {**fields, "role_ids": [clerk.id, ""], "unit_ids": [branch.id, branch.id]}
    )

    assert answer.status_code == 422
    assert db.session.query(User).filter_by(login="x1").count() == 0


def test_removing_a_permission_hides_and_blocks_at_once(admin: FlaskClient, app) -> None:
    role = auth.role_with("org:read", "user:read")
    member = auth.signed_in(app.test_client(), auth.user(role, org.head_office()))
    assert member.get("/auth/users").status_code == 200
    assert 'href="/auth/users"' in member.get("/org/units").text

    auth.post(
        admin,
        f"/auth/roles/{role.id}",
        {"name": "R", "work_place": "clerk", "permissions": ["org:read"], "version": 1},
    )

    assert permissions_by_role()[role.id] == {"org:read"}
    assert member.get("/auth/users").status_code == 403
    assert 'href="/auth/users"' not in member.get("/org/units").text


def test_a_new_option_is_saved_on_the_page(admin: FlaskClient) -> None:
    auth.post(admin, "/org/options", {"code": "reason", "name": "退货原因"})
    auth.post(admin, "/org/options/reason", {"code": "late", "name": "迟到", "position": "10", "active": "1"})

    assert [option.name for option in queries.options("reason")] == ["迟到"]


def test_an_unknown_address_of_a_record_is_not_found(admin: FlaskClient) -> None:
    for path in ("/org/units/999999", "/org/people/999999", "/auth/users/999999", "/audit/999999", "/org/parameters/x"):
        assert admin.get(path).status_code == 404


def test_a_branch_user_does_not_find_units_people_or_users_of_others(client: FlaskClient) -> None:
    foreign = org.branch()
    person, store, user = org.person(foreign), org.warehouse(foreign), auth.user("clerk", foreign)
    auth.signed_in(client, auth.user("branch_manager", org.branch()))

    for path in (
        f"/org/units/{foreign.id}",
        f"/org/people/{person.id}",
        f"/org/warehouses/{store.id}",
        f"/auth/users/{user.id}",
    ):
        assert client.get(path).status_code == 404
    assert person.name not in client.get("/org/people").text


def test_the_picker_offers_units_of_ones_scope_only(client: FlaskClient) -> None:
    mine, _foreign = org.branch(name="Harbin"), org.branch(name="Harbin too")
    auth.signed_in(client, auth.user("clerk", mine))

    items = client.get("/pick/unit?q=harb").get_json()["items"]

    assert [item["id"] for item in items] == [mine.id]
