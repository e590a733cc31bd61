"""The API: tokens, keys, versions, pages, problem details, the OpenAPI document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from branches.org.models import Person, Unit
from sdm.auth import service
from sdm.auth.identity import load_actor
from sdm.auth.models import ApiToken, User
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import auth, org

pytestmark = pytest.mark.usefixtures("session")


class Api:
    """A program with a bearer token."""

    def __init__(self, client: FlaskClient, secret: str) -> None:
        self.client, self.secret = client, secret

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.secret}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        kwargs = {"json": body} if body is not None else {}
        return self.client.open(f"/api/v1{path}", method=method, headers=sent, **kwargs)


def token(user: User, *permissions: str, days: int = 30) -> str:
    with use_actor(load_actor(user.id)):
        return service.create_token("test", permissions, days).secret


@pytest.fixture
def admin(session: object) -> User:
    return auth.user("administrator", org.head_office())


@pytest.fixture
def api(client: FlaskClient, admin: User) -> Api:
    return Api(client, token(admin, "org:read", "org:edit", "user:read", "user:edit", "role:edit", "parameter:edit"))


def key() -> str:
    return str(uuid4())


def new_branch(**changes: Any) -> dict[str, Any]:
    return {
        "code": f"B-{org.serial()}",
        "name": "Branch",
        "kind": "branch",
        "parent_id": org.head_office().id,
        **changes,
    }


# --- tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_acts_for_its_owner(api: Api, admin: User) -> None:
    answer = api("GET", "/me").get_json()

    assert (answer["user_id"], answer["via"]) == (admin.id, "api")


def test_a_token_may_do_only_what_it_was_given(client: FlaskClient, admin: User) -> None:
    limited = Api(client, token(admin, "org:read"))

    assert limited("GET", "/units").status_code == 200
    assert limited("GET", "/users").status_code == 403
    assert limited("POST", "/units", new_branch(), Idempotency_Key=key()).status_code == 403


def test_a_token_loses_what_its_owner_loses(client: FlaskClient) -> None:
    role = auth.role_with("org:read", "user:read", "api_token:own")
    program = Api(client, token(auth.user(role), "user:read"))
    assert program("GET", "/users").status_code == 200

    with use_actor(system_actor("test")):
        service.set_role_permissions(role.id, ["org:read", "api_token:own"])

    assert program("GET", "/users").status_code == 403


def test_nobody_gives_a_token_more_than_he_has() -> None:
    from sdm.kernel.errors import InvalidInput

    with pytest.raises(InvalidInput):
        token(auth.user("clerk"), "user:edit")


def test_a_revoked_an_expired_and_a_made_up_token_are_refused(client: FlaskClient, admin: User) -> None:
    revoked, expiring = Api(client, token(admin, "org:read")), Api(client, token(admin, "org:read", days=1))
    with use_actor(load_actor(admin.id)):
        service.revoke_token(db.session.query(ApiToken).order_by(ApiToken.id).first().id)

    assert revoked("GET", "/me").status_code == 401
    assert Api(client, "sdm_" + "x" * 43)("GET", "/me").status_code == 401
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2), tick=False):
        answer = expiring("GET", "/me")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.get_json()["code"] == "token.invalid"


def test_the_tokens_of_a_disabled_user_are_dead(client: FlaskClient) -> None:
    user = auth.user("clerk")
    program = Api(client, token(user, "org:read"))

    with use_actor(system_actor("test")):
        service.disable_user(user.id)

    assert program("GET", "/me").status_code == 401


def test_only_the_digest_of_a_token_is_stored(admin: User) -> None:
    secret = token(admin, "org:read")

    row = db.session.query(ApiToken).one()
    assert row.token_hash == service.token_hash(secret) and secret.encode() not in row.token_hash


def test_a_bad_token_never_falls_back_to_the_session_cookie(client: FlaskClient, admin: User) -> None:
    auth.signed_in(client, admin)

    answer = client.post(
        "/api/v1/units", json=new_branch(), headers={"Authorization": "Bearer no", "Idempotency-Key": key()}
    )

    assert answer.status_code == 401


def test_a_session_needs_the_form_token_for_changes(client: FlaskClient, admin: User) -> None:
    auth.signed_in(client, admin)
    headers = {"Idempotency-Key": key()}

    refused = client.post("/api/v1/units", json=new_branch(), headers=headers)
    taken = client.post("/api/v1/units", json=new_branch(), headers={**headers, "X-CSRFToken": auth.form_token(client)})

    assert (refused.status_code, taken.status_code) == (400, 201)


def test_without_anybody_the_answer_is_401_as_problem_details(client: FlaskClient) -> None:
    answer = client.get("/api/v1/me")

    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"


# --- keys -------------------------------------------------------------------------------------------------------------


def test_creating_needs_a_key(api: Api) -> None:
    answer = api("POST", "/units", new_branch())

    assert (answer.status_code, answer.get_json()["code"]) == (400, "api.key_missing")


def test_the_same_request_again_is_answered_and_not_done_again(api: Api) -> None:
    body, same = new_branch(), key()

    first, second = (api("POST", "/units", body, Idempotency_Key=same) for _ in range(2))

    assert first.status_code == second.status_code == 201
    assert first.get_json() == second.get_json()
    assert first.headers["Location"] == f"/api/v1/units/{first.get_json()['id']}"
    assert db.session.query(Unit).filter_by(code=body["code"]).count() == 1


def test_the_same_key_with_other_content_is_refused(api: Api) -> None:
    same = key()
    api("POST", "/units", new_branch(), Idempotency_Key=same)

    answer = api("POST", "/units", new_branch(name="Other"), Idempotency_Key=same)

    assert (answer.status_code, answer.get_json()["code"]) == (422, "idempotency.mismatch")


def test_a_key_is_used_for_one_request_only(api: Api) -> None:
    first = api("POST", "/units", new_branch(), Idempotency_Key=key())
    second = api("POST", "/units", new_branch(), Idempotency_Key=key())

    assert first.get_json()["id"] != second.get_json()["id"]


def test_a_refused_request_keeps_its_key_free(api: Api) -> None:
    same, body = key(), new_branch(parent_id=None)
    assert api("POST", "/units", body, Idempotency_Key=same).status_code == 422

    body["parent_id"] = org.head_office().id

    assert api("POST", "/units", body, Idempotency_Key=same).status_code == 201


@pytest.mark.parametrize("bad", ["short", "x" * 65])
def test_a_key_of_the_wrong_length_is_refused(api: Api, bad: str) -> None:
    assert api("POST", "/units", new_branch(), Idempotency_Key=bad).status_code == 422


# --- versions ---------------------------------------------------------------------------------------------------------


def test_a_change_must_name_the_version_it_changes(api: Api) -> None:
    branch = org.branch()
    path = f"/units/{branch.id}"
    tag = api("GET", path).headers["ETag"]

    missing = api("PATCH", path, {"name": "A"})
    done = api("PATCH", path, {"name": "A"}, If_Match=tag)
    stale = api("PATCH", path, {"name": "B"}, If_Match=tag)
    forced = api("PATCH", path, {"name": "C"}, If_Match="*")

    assert tag == '"1"'
    assert [answer.status_code for answer in (missing, done, stale, forced)] == [428, 200, 412, 200]
    assert (done.headers["ETag"], stale.get_json()["code"]) == ('"2"', "version.stale")


@pytest.mark.parametrize("tag", ['"x"', 'W/"1"', '"1", "2"', "-1", "99999999999"])
def test_a_strange_version_is_refused(api: Api, tag: str) -> None:
    branch = org.branch()

    assert api("PATCH", f"/units/{branch.id}", {"name": "A"}, If_Match=tag).status_code == 412


def test_an_unchanged_record_is_not_sent_again(api: Api) -> None:
    branch = org.branch()
    tag = api("GET", f"/units/{branch.id}").headers["ETag"]

    assert api("GET", f"/units/{branch.id}", If_None_Match=tag).status_code == 304


# --- pages ------------------------------------------------------------------------------------------------------------


def test_a_list_is_walked_by_cursor_without_gaps_or_repeats(api: Api) -> None:
    unit = org.branch()
    made = [org.person(unit).id for _ in range(7)]

    seen, cursor, pages = [], "", 0
    while cursor is not None:
        answer = api("GET", f"/people?limit=3&cursor={cursor}" if cursor else "/people?limit=3").get_json()
        seen += [item["id"] for item in answer["items"]]
        cursor, pages = answer["next_cursor"], pages + 1
        org.person(unit)
        if pages > 20:
            break

    assert seen == sorted(set(seen)) and set(made) <= set(seen)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "cursor=zzz", "cursor=WyJ4Il0", "cursor=W10", "x=1"]
)
def test_a_bad_query_is_refused_naming_the_field(api: Api, query: str) -> None:
    answer = api("GET", f"/people?{query}")

    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == "/" + query.partition("=")[0]


# --- bodies -----------------------------------------------------------------------------------------------------------


def test_all_faults_are_named_at_once(api: Api) -> None:
    answer = api("POST", "/people", {"code": "", "name": "x" * 300, "who": 1}, Idempotency_Key=key())

    assert answer.status_code == 422
    assert {fault["pointer"] for fault in answer.get_json()["errors"]} == {"/code", "/name", "/who", "/unit_id"}


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"name=x", "application/x-www-form-urlencoded", 415),
        (b'{"code": "a", "name": "\\u0000", "unit_id": 1}', "application/json", 422),
        (b'{"code": "a", "name": "\\ud800", "unit_id": 1}', "application/json", 422),
        (b'{"code": "a", "name": {"x": 1}, "unit_id": 1}', "application/json", 422),
        (b'{"code": "a", "name": "b", "unit_id": 1e400}', "application/json", 422),
        (b'{"code": "a", "name": "b", "unit_id": 99999999999999999999999}', "application/json", 422),
    ],
)
def test_a_broken_body_is_the_senders_fault(api: Api, body: bytes, kind: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {api.secret}", "Idempotency-Key": key()}

    answer = api.client.post("/api/v1/people", data=body, content_type=kind, headers=headers)

    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert db.session.query(Person).count() == 0


def test_a_foreign_record_looks_absent(client: FlaskClient) -> None:
    foreign = org.branch()
    person, store = org.person(foreign), org.warehouse(foreign)
    program = Api(client, token(auth.user("clerk"), "org:read"))

    for path in (f"/units/{foreign.id}", f"/people/{person.id}", f"/warehouses/{store.id}"):
        assert program("GET", path).status_code == 404
    assert program("GET", "/people").get_json()["items"] == []
    assert program("GET", f"/parameters?unit_id={foreign.id}").status_code == 404


def test_an_address_that_does_not_exist_answers_in_problem_details(api: Api) -> None:
    answer = api("GET", "/nothing")

    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


# --- users and parameters ---------------------------------------------------------------------------------------------


def test_a_user_is_made_and_changed_over_the_api(api: Api) -> None:
    branch, clerk, keeper = org.branch(), auth.role("clerk"), auth.role("storekeeper")
    store = org.warehouse(branch)
    body = {
        "login": "api-user",
        "name": "U",
        "unit_id": branch.id,
        "password": auth.PASSWORD,
        "roles": [{"role_id": clerk.id, "unit_id": branch.id}],
    }

    made = api("POST", "/users", body, Idempotency_Key=key())
    path = f"/users/{made.get_json()['id']}"
    change = {"roles": [{"role_id": keeper.id, "unit_id": branch.id}], "warehouse_ids": [store.id], "active": False}
    changed = api("PATCH", path, change, If_Match=made.headers["ETag"])

    assert auth.PASSWORD not in made.text and "password_hash" not in made.text
    assert changed.status_code == 200
    answer = changed.get_json()
    assert (answer["roles"], answer["warehouse_ids"], answer["active"]) == (change["roles"], [store.id], False)


def test_a_parameter_is_set_over_the_api(api: Api) -> None:
    answer = api("PUT", "/parameters/credit.overdue_amount_tolerated", {"value": "1200.50"})

    values = {item["key"]: item["value"] for item in api("GET", "/parameters").get_json()}
    assert answer.status_code == 200
    assert values["credit.overdue_amount_tolerated"] == "1200.50"


# --- the document -----------------------------------------------------------------------------------------------------


def test_the_openapi_document_names_every_api_route(app: Flask, client: FlaskClient, admin: User) -> None:
    auth.signed_in(client, admin)

    document = client.get("/api/v1/openapi.json").get_json()

    assert document["openapi"] == "3.1.0"
    rules = [r for r in app.url_map.iter_rules() if r.endpoint.startswith("api_") and r.endpoint != "api_docs.openapi"]
    known = {o["operationId"].partition(".")[0] for methods in document["paths"].values() for o in methods.values()}
    for rule in rules:
        if rule.rule.startswith("/api/v1/"):
            assert rule.endpoint.removeprefix("api_").partition(".")[0] in known, rule.endpoint


def test_every_reference_of_the_openapi_document_leads_somewhere(client: FlaskClient, admin: User) -> None:
    auth.signed_in(client, admin)
    document = client.get("/api/v1/openapi.json").get_json()

    def references(node: Any) -> Any:
        if isinstance(node, dict):
            yield from ([node["$ref"]] if "$ref" in node else [])
            for inner in node.values():
                yield from references(inner)
        elif isinstance(node, list):
            for inner in node:
                yield from references(inner)

    schemas = document["components"]["schemas"]
    found = set(references(document))
    assert found and all(ref.rpartition("/")[2] in schemas for ref in found)


def test_the_openapi_document_is_for_people_who_are_signed_in(client: FlaskClient) -> None:
    assert client.get("/api/v1/openapi.json").status_code == 401
    assert client.get("/api/docs", headers={"Accept": "text/html"}).status_code in (302, 401)
