"""Pages and API of dealers."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from branches.org import dealers_queries as queries
from branches.org import dealers_service as service
from branches.org.models import Dealer, Unit
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from sdm.kernel.permissions import Permission
from tests.factories import auth, org
from tests.factories.dealers import dealer, grade

pytestmark = pytest.mark.usefixtures("session")
RIGHTS = (
    Permission.DEALER_READ, Permission.DEALER_EDIT, Permission.DEALER_BLOCK, Permission.OPTION_EDIT, Permission.ORG_READ
)  # fmt: skip


@pytest.fixture
def branch() -> Unit:
    return org.branch(name="济南分公司")


@pytest.fixture
def browser(client: FlaskClient, branch: Unit) -> FlaskClient:
    return auth.signed_in(client, auth.user(auth.role_with(*RIGHTS), branch, locale="en"))


def shop(branch: Unit, name: str, **values: object) -> Dealer:
    with use_actor(system_actor("tests")):
        return dealer(branch.id, name, **values)


def typed(branch: Unit, **changes: str) -> dict[str, str]:
    return {"name": "济南和平家电商行", "unit_id": str(branch.id), "grade_code": grade("A").code, **changes}


def named(name: str) -> Dealer | None:
    with use_actor(system_actor("tests")):
        return db.session.query(Dealer).filter_by(name=name).one_or_none()


def test_every_page_of_a_dealer_opens(browser: FlaskClient, branch: Unit) -> None:
    row, top = shop(branch, "和平家电"), shop(branch, "总经销")
    with use_actor(system_actor("tests")):
        contact = service.save_contact(row.id, None, {"name": "王芳", "phone": "1390531"})
        service.move_dealer(row.id, top.id, service.clock.today())
    paths = ["", "new", "grades", "grades/new", "grades/A", f"{row.id}"]
    paths += [f"{row.id}/{page}" for page in ("edit", "block", "move", "merge", "contacts/new", f"contacts/{contact}")]

    answers = {path: browser.get(f"/dealers/{path}") for path in paths}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 200)
    assert "王芳" in answers[f"{row.id}"].text
    assert "总经销" in answers[f"{row.id}"].text


def test_a_form_with_every_fault_shows_each_in_its_place_and_keeps_what_was_typed(
    browser: FlaskClient, branch: Unit
) -> None:
    answer = auth.post(browser, "/dealers/new", {"short_name": "typed before", "term_days": "x"})

    assert answer.status_code == 422
    assert answer.text.count('class="field-error" id="f') == 4
    assert "typed before" in answer.text


def test_a_similar_dealer_is_shown_and_the_confirmation_creates_another_one(browser: FlaskClient, branch: Unit) -> None:
    known = shop(branch, "济南（和平）家电")

    first = auth.post(browser, "/dealers/new", typed(branch))
    second = auth.post(browser, "/dealers/new", typed(branch, another_one="1", contact_name="李"))

    assert first.status_code == 422
    assert f"/dealers/{known.id}" in first.text
    assert second.status_code == 303
    made = named("济南和平家电商行")
    assert made is not None
    assert [c.name for c in queries.contacts(made.id)] == ["李"]


def test_change_block_lift_and_set_inactive(browser: FlaskClient, branch: Unit) -> None:
    row = shop(branch, "旧名")
    path = f"/dealers/{row.id}"

    changed = auth.post(browser, f"{path}/edit", typed(branch, name="新名", version=str(row.version)))
    stale = auth.post(browser, f"{path}/edit", typed(branch, name="另名", version="1"))
    blocked = auth.post(browser, f"{path}/block", {"reason": "bad cheque"})
    shown = browser.get(path).text
    lifted = auth.post(browser, f"{path}/unblock")
    gone = auth.post(browser, f"{path}/deactivate")

    assert [a.status_code for a in (changed, stale, blocked, lifted, gone)] == [303, 422, 303, 303, 303]
    assert "bad cheque" in shown
    assert named("新名").status == "inactive"


def test_searching_by_phone_or_tax_number_leads_to_the_page(browser: FlaskClient, branch: Unit) -> None:
    row = shop(branch, "和平家电", phone="0531-8888 1234", tax_no="91370100X")

    for text in ("053188881234", "91370100x", "hpjd", row.code.lower(), "和平"):
        hits = browser.get("/pick/dealer", query_string={"q": text}).get_json()["items"]
        assert [hit["id"] for hit in hits] == [row.id], text
        assert "和平家电" in browser.get("/dealers/", query_string={"q": text}).text


def test_a_dealer_of_another_branch_is_nowhere_to_be_seen(browser: FlaskClient, branch: Unit) -> None:
    foreign = shop(org.branch(), "外地商行")
    own = shop(branch, "本地商行")

    pages = ["", "/edit", "/block", "/move", "/merge", "/contacts/new"]
    assert {browser.get(f"/dealers/{foreign.id}{page}").status_code for page in pages} == {404}
    steps = ["unblock", "deactivate", "reactivate", "contacts/1/remove"]
    assert {auth.post(browser, f"/dealers/{foreign.id}/{step}").status_code for step in steps} == {404}
    assert browser.get("/pick/dealer?q=外地").get_json() == {"items": []}
    assert "外地商行" not in browser.get("/dealers/").text
    with browser.get("/dealers/?export=csv") as export:
        assert "本地商行" in export.text
        assert "外地商行" not in export.text
    assert auth.post(browser, f"/dealers/{own.id}/merge", {"target_id": str(foreign.id)}).status_code == 404
    api = [f"/api/v1/dealers/{foreign.id}{part}" for part in ("", "/contacts", "/parents", "/channel")]
    assert {browser.get(path).status_code for path in api} == {404}


def test_without_the_permission_nothing_can_be_changed(client: FlaskClient, branch: Unit) -> None:
    row = shop(branch, "和平家电")
    reader = auth.signed_in(client, auth.user(auth.role_with(Permission.DEALER_READ), branch))

    assert reader.get(f"/dealers/{row.id}").status_code == 200
    assert f"/dealers/{row.id}/edit" not in reader.get(f"/dealers/{row.id}").text
    assert reader.get("/dealers/new").status_code == 403
    assert auth.post(reader, f"/dealers/{row.id}/block", {"reason": "x"}).status_code == 403


def test_a_grade_made_on_screen_can_be_chosen_at_once(browser: FlaskClient) -> None:
    values = {"code": "VIP", "name": "特级", "rank": "1", "active": "1"}

    made = auth.post(browser, "/dealers/grades/new", values)

    assert made.status_code == 303
    assert "特级" in browser.get("/dealers/new").text


def send(browser: FlaskClient, method: str, path: str, body: object = None, **headers: str) -> object:
    headers["X-CSRFToken"] = auth.form_token(browser)
    return browser.open(f"/api/v1{path}", method=method, json=body or {}, headers=headers)


def test_the_api_enters_reads_changes_and_lists_dealers(browser: FlaskClient, branch: Unit) -> None:
    body = {"name": "接口商行", "unit_id": branch.id, "grade_code": grade("A").code, "contacts": [{"name": "赵"}]}

    made = send(browser, "POST", "/dealers", body, **{"Idempotency-Key": "dealer-key-1"})
    again = send(browser, "POST", "/dealers", body, **{"Idempotency-Key": "dealer-key-1"})
    dealer_id = made.get_json()["id"]
    missing = send(browser, "PATCH", f"/dealers/{dealer_id}", {"phone": "1"})
    changed = send(browser, "PATCH", f"/dealers/{dealer_id}", {"phone": "139"}, **{"If-Match": '"1"'})
    stale = send(browser, "PATCH", f"/dealers/{dealer_id}", {"phone": "138"}, **{"If-Match": '"1"'})
    listed = browser.get("/api/v1/dealers?q=jksh").get_json()

    assert (made.status_code, again.status_code, again.get_json()["id"]) == (201, 201, dealer_id)
    assert (missing.status_code, changed.status_code, stale.status_code) == (428, 200, 412)
    assert (changed.get_json()["phone"], changed.get_json()["name"]) == ("139", "接口商行")
    assert [item["id"] for item in listed["items"]] == [dealer_id]


def test_the_api_names_similar_dealers_in_a_conflict(browser: FlaskClient, branch: Unit) -> None:
    known = shop(branch, "济南（和平）家电")
    body = {"name": "济南和平家电商行", "unit_id": branch.id, "grade_code": grade("A").code}

    answer = send(browser, "POST", "/dealers", body, **{"Idempotency-Key": "dealer-key-2"})

    assert answer.status_code == 409
    assert answer.get_json()["code"] == "dealer.similar"
    assert str(known.id) in answer.text


def test_the_api_names_every_wrong_field_at_once(browser: FlaskClient) -> None:
    answer = send(
        browser, "POST", "/dealers", {"name": "", "unit_id": 0, "term_days": -1, "colour": "red"},
        **{"Idempotency-Key": "dealer-key-3"},
    )  # fmt: skip

    pointers = {error["pointer"].strip("/#") for error in answer.get_json()["errors"]}
    assert answer.status_code == 422
    assert {"name", "unit_id", "term_days", "grade_code", "colour"} <= pointers
