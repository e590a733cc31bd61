"""Signing in and out: sessions, throttling, safe ways back, passwords."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from sdm.auth import passwords, rules, service
from sdm.auth.models import SignInAttempt, User, UserSession
from sdm.auth.service import signin
from sdm.kernel.actor import current_or_none, system_actor, use_actor
from sdm.kernel.audit import AuditRow
from sdm.kernel.db import db
from tests.factories import auth, org

pytestmark = pytest.mark.usefixtures("session")
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


@pytest.fixture
def user(session: object) -> User:
    return auth.user("clerk")


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare plainly, so that thousands of guesses take no time."""
    monkeypatch.setattr(passwords, "matches", lambda known, password: bool(known) and password == auth.PASSWORD)


def sign_in(client: FlaskClient, login: str, password: str = auth.PASSWORD, **kwargs: Any) -> Any:
    data = {"username": login, "password": password, **kwargs.pop("data", {})}
    return auth.post(client, "/auth/sign-in", data, **kwargs)


def cookie(client: FlaskClient) -> str | None:
    found = client.get_cookie("sdm-session")
    return found.value if found else None


# --- sessions ---------------------------------------------------------------------------------------------------------


def test_the_right_password_opens_a_session(client: FlaskClient, user: User) -> None:
    answer = sign_in(client, user.login.upper() + " ")

    assert answer.status_code == 303
    assert client.get("/auth/me").status_code == 200
    stored = db.session.query(UserSession).filter_by(user_id=user.id).one()
    assert stored.token_hash == service.token_hash(cookie(client)) and len(cookie(client)) >= 43


def test_the_session_cookie_is_out_of_reach_of_scripts_and_foreign_sites(client: FlaskClient, user: User) -> None:
    headers = sign_in(client, user.login).headers.getlist("Set-Cookie")

    (session_cookie,) = [header for header in headers if header.startswith("sdm-session=")]
    assert "HttpOnly" in session_cookie and "SameSite=Lax" in session_cookie and "Path=/" in session_cookie
    assert "Domain" not in session_cookie and "Expires" not in session_cookie


def test_over_https_cookies_are_bound_to_the_host(app: Flask, test_settings, database_url: str, session) -> None:
    from sdm.app import create_app

    secure = create_app(test_settings.replace(database_url=database_url, public_url="https://sdm.example"))

    assert secure.config["SESSION_COOKIE_NAME"].startswith("__Host-")
    answer = secure.test_client().get("/auth/sign-in", base_url="https://sdm.example")
    for header in answer.headers.getlist("Set-Cookie"):
        assert header.startswith("__Host-") and "Secure" in header
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("login", ["", "nobody", "x" * 500])
def test_wrong_password_and_unknown_user_get_the_same_answer(client: FlaskClient, user: User, login: str) -> None:
    wrong = sign_in(client, user.login, "not the password at all")
    unknown = sign_in(client, login)

    def without_typed(text: str) -> str:
        start = text.index("note-bad")
        return text[start : text.index("</div>", start)]

    assert wrong.status_code == unknown.status_code == 401
    assert without_typed(wrong.text) == without_typed(unknown.text)
    assert cookie(client) is None


def test_an_unknown_user_costs_one_password_check_like_a_known_one(
    client: FlaskClient, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[str] = []
    hasher = passwords._hasher()
    real = type(hasher).verify
    monkeypatch.setattr(
        type(hasher), "verify", lambda self, known, typed: checked.append(known) or real(self, known, typed)
    )

    sign_in(client, user.login, "wrong wrong wrong")
    sign_in(client, "nobody-here", "wrong wrong wrong")

    assert len(checked) == 2
    assert all("m=19456,t=2,p=1" in known for known in checked)


def test_a_disabled_user_cannot_sign_in(client: FlaskClient, user: User) -> None:
    with use_actor(system_actor("test")):
        service.disable_user(user.id)

    assert sign_in(client, user.login).status_code == 401


def test_signing_in_changes_the_session_token_and_kills_the_old_one(
    client: FlaskClient, app: Flask, user: User
) -> None:
    sign_in(client, user.login)
    before = cookie(client)

    client.get("/auth/sign-in")
    sign_in(client, user.login)

    old = app.test_client()
    old.set_cookie("sdm-session", before)
    assert cookie(client) != before
    assert old.get("/auth/me").status_code == 302
    assert client.get("/auth/me").status_code == 200


def test_a_token_planted_before_the_sign_in_is_not_taken(client: FlaskClient, user: User) -> None:
    client.set_cookie("sdm-session", "planted-by-a-stranger-0123456789012345678901")

    sign_in(client, user.login)

    assert cookie(client) != "planted-by-a-stranger-0123456789012345678901"


def test_a_form_token_of_before_the_sign_in_is_worthless_after_it(client: FlaskClient, user: User) -> None:
    before = auth.form_token(client)
    sign_in(client, user.login)

    answer = client.post("/auth/me", data={"csrf_token": before, "locale": "en"})

    assert answer.status_code == 400


def test_signing_out_ends_the_session_on_the_server(client: FlaskClient, app: Flask, user: User) -> None:
    sign_in(client, user.login)
    token = cookie(client)

    answer = auth.post(client, "/auth/sign-out")

    stolen = app.test_client()
    stolen.set_cookie("sdm-session", token)
    assert '"storage"' in answer.headers["Clear-Site-Data"]
    assert cookie(client) is None
    assert stolen.get("/auth/me").status_code == 302


def test_disabling_a_user_ends_his_sessions_at_once(client: FlaskClient, user: User) -> None:
    sign_in(client, user.login)

    with use_actor(system_actor("test")):
        service.disable_user(user.id)

    assert client.get("/auth/me").status_code == 302


def test_a_session_ends_after_half_an_hour_of_rest(client: FlaskClient, user: User) -> None:
    with time_machine.travel(START, tick=False) as clock:
        auth.signed_in(client, user)
        clock.move_to(START + timedelta(minutes=29))
        assert client.get("/auth/me").status_code == 200
        clock.move_to(START + timedelta(minutes=60))
        assert client.get("/auth/me").status_code == 302


def test_a_session_of_finance_rests_a_quarter_of_an_hour_only(client: FlaskClient) -> None:
    with time_machine.travel(START, tick=False) as clock:
        auth.signed_in(client, auth.user("finance"))
        clock.move_to(START + timedelta(minutes=16))
        assert client.get("/auth/me").status_code == 302


def test_a_session_ends_after_twelve_hours_however_busy(client: FlaskClient, user: User) -> None:
    with time_machine.travel(START, tick=False) as clock:
        auth.signed_in(client, user)
        row = db.session.query(UserSession).one()
        for hours in (11.9, 12.1):
            clock.move_to(START + timedelta(hours=hours))
            row.last_seen_at = START + timedelta(hours=hours)
            db.session.flush()
            assert client.get("/auth/me").status_code == (200 if hours < 12 else 302)


def test_the_actor_of_a_request_is_gone_after_it(client: FlaskClient, user: User) -> None:
    auth.signed_in(client, user)

    client.get("/auth/me")

    assert current_or_none() is None


def test_knowing_who_asks_takes_one_statement_a_request(client: FlaskClient, user: User) -> None:
    from sqlalchemy import event

    auth.signed_in(client, user)
    client.get("/auth/password")
    seen: list[str] = []
    connection = db.session.connection()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        assert client.get("/auth/password").status_code == 200
    finally:
        event.remove(connection, "before_cursor_execute", note)

    assert len(seen) == 1 and "user_session" in seen[0]


def test_my_sessions_are_listed_and_others_can_be_ended(client: FlaskClient, app: Flask, user: User) -> None:
    auth.signed_in(client, user)
    other = auth.signed_in(app.test_client(), user)
    assert client.get("/auth/sessions").text.count("127.0.0.1") == 2

    auth.post(client, "/auth/sessions/end")

    assert other.get("/auth/me").status_code == 302
    assert client.get("/auth/me").status_code == 200


def test_nobody_ends_a_session_of_someone_else(client: FlaskClient, app: Flask, user: User) -> None:
    other = auth.signed_in(app.test_client(), auth.user("clerk"))
    foreign = db.session.query(UserSession).one().id
    auth.signed_in(client, user)

    answer = auth.post(client, "/auth/sessions/end", {"id": foreign})

    assert answer.status_code == 404
    assert other.get("/auth/me").status_code == 200


def test_signing_in_again_in_place_answers_in_json(client: FlaskClient, user: User) -> None:
    headers = {"Accept": "application/json"}

    wrong = sign_in(client, user.login, "wrong wrong wrong", headers=headers)
    right = sign_in(client, user.login, headers=headers)

    assert (wrong.status_code, wrong.get_json()["ok"]) == (401, False)
    assert wrong.get_json()["detail"]
    assert (right.status_code, right.get_json()["ok"]) == (200, True)
    assert client.get("/auth/me").status_code == 200


def test_scripts_without_a_session_get_401_instead_of_a_page(client: FlaskClient) -> None:
    assert client.get("/auth/me", headers={"Accept": "application/json"}).status_code == 401
    assert client.get("/auth/me", headers={"HX-Request": "true"}).status_code == 401
    assert client.get("/auth/me").headers["Location"].endswith("/auth/sign-in?next=/auth/me")


def test_sign_ins_are_noted_in_the_operation_log(client: FlaskClient, user: User) -> None:
    sign_in(client, user.login, "wrong wrong wrong")
    sign_in(client, user.login)

    with use_actor(system_actor("test")):
        rows = db.session.query(AuditRow).filter_by(kind="user", document_id=user.id).order_by(AuditRow.id).all()
    assert [(row.action, row.address) for row in rows] == [("sign_in_failed", "127.0.0.1"), ("signed_in", "127.0.0.1")]


def test_the_unit_switch_narrows_the_scope_of_the_session(client: FlaskClient) -> None:
    region = org.region()
    first, second = org.branch(region), org.branch(region)
    auth.signed_in(client, auth.user("branch_manager", region))
    assert client.get(f"/org/units/{second.id}").status_code == 200

    auth.post(client, "/auth/unit", {"unit_id": first.id, "next": "/org/units"})

    assert client.get(f"/org/units/{first.id}").status_code == 200
    assert client.get(f"/org/units/{second.id}").status_code == 404
    assert auth.post(client, "/auth/unit", {"unit_id": org.branch().id}).status_code == 422


# --- throttling -------------------------------------------------------------------------------------------------------


def attempt(login: str, password: str, address: str, own_browser: bool = False) -> str:
    try:
        service.sign_in(login, password, address=address, own_browser=own_browser)
    except signin.TooManyRequests:
        return "wait"
    except signin.SignInFailed:
        return "wrong"
    return "in"


def hammer(login: str, address: Any, hours: float, step_seconds: int = 5) -> int:
    """Guess all the time; returns how many guesses were evaluated."""
    evaluated = 0
    with time_machine.travel(START, tick=False) as clock:
        for n in range(int(hours * 3600 / step_seconds)):
            clock.move_to(START + timedelta(seconds=n * step_seconds))
            evaluated += attempt(login, f"guess {n}", address(n)) == "wrong"
    return evaluated


@pytest.mark.usefixtures("fast")
def test_an_account_takes_at_most_60_guesses_an_hour_however_many_addresses(user: User) -> None:
    assert hammer(user.login, lambda n: f"10.{n % 200}.{n // 200}.7", hours=1) <= 43


@pytest.mark.usefixtures("fast")
def test_one_address_is_slowed_down_to_a_few_guesses_an_hour(user: User) -> None:
    assert hammer(user.login, lambda n: "10.0.0.1", hours=1) <= 20


@pytest.mark.usefixtures("fast")
def test_the_owner_gets_in_within_a_quarter_of_an_hour_while_a_stranger_hammers(user: User) -> None:
    hammer(user.login, lambda n: "10.0.0.1", hours=0.5)

    with time_machine.travel(START + timedelta(minutes=30), tick=False) as clock:
        waited = 0
        while attempt(user.login, auth.PASSWORD, "192.0.2.8") != "in":
            attempt(user.login, "guess", "10.0.0.1")
            waited += 10
            clock.move_to(START + timedelta(minutes=30, seconds=waited))
            assert waited < 900
    assert waited <= 120


@pytest.mark.usefixtures("fast")
def test_the_owners_own_browser_is_never_slowed_by_strangers(user: User) -> None:
    hammer(user.login, lambda n: f"10.{n % 200}.{n // 200}.7", hours=0.2)

    with time_machine.travel(START + timedelta(minutes=12), tick=False):
        assert attempt(user.login, auth.PASSWORD, "192.0.2.8") == "wait"
        assert attempt(user.login, auth.PASSWORD, "192.0.2.8", own_browser=True) == "in"


@pytest.mark.usefixtures("fast")
def test_the_owners_own_browser_is_limited_too(user: User) -> None:
    with time_machine.travel(START, tick=False) as clock:
        results = []
        for n in range(720):
            clock.move_to(START + timedelta(seconds=5 * n))
            results.append(attempt(user.login, f"guess {n}", "10.0.0.1", own_browser=True))
    assert results.count("wrong") <= 17


@pytest.mark.usefixtures("fast")
def test_one_address_trying_many_accounts_is_slowed_down() -> None:
    with time_machine.travel(START, tick=False):
        results = [attempt(f"account{n}", "Summer2026", "10.0.0.1") for n in range(100)]

    assert results.count("wrong") <= 31


@pytest.mark.usefixtures("fast")
def test_a_refused_attempt_does_not_prolong_the_wait(user: User) -> None:
    with time_machine.travel(START, tick=False) as clock:
        while attempt(user.login, "guess", "10.0.0.1") == "wrong":
            pass
        before = {row.key: row.next_allowed_at for row in db.session.query(SignInAttempt)}
        clock.shift(1)
        attempt(user.login, "guess", "10.0.0.1")
        db.session.expire_all()
        assert {row.key: row.next_allowed_at for row in db.session.query(SignInAttempt)} == before


@pytest.mark.usefixtures("fast")
def test_signing_in_rightly_is_never_counted_as_a_failure(user: User) -> None:
    with time_machine.travel(START, tick=False):
        assert {attempt(user.login, auth.PASSWORD, "10.0.0.1") for _ in range(50)} == {"in"}


def test_waiting_is_told_with_its_length(client: FlaskClient, user: User, fast: None) -> None:
    for _ in range(10):
        answer = sign_in(client, user.login, "guess guess guess")

    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1


def test_neither_typed_logins_nor_addresses_are_stored(client: FlaskClient, user: User) -> None:
    sign_in(client, "my password by mistake", "x")

    assert all("password" not in row.key and "127.0.0.1" not in row.key for row in db.session.query(SignInAttempt))


def test_a_request_key_never_answers_for_a_password_check(client: FlaskClient, user: User) -> None:
    headers = {"Idempotency-Key": "0123456789abcdef"}
    token = auth.form_token(client)
    data = {"username": user.login, "password": "wrong wrong wrong", "csrf_token": token}

    answers = [client.post("/auth/sign-in", data=data, headers=headers).status_code for _ in range(12)]

    assert answers[0] == 401 and answers[-1] == 429


def test_ipv6_neighbours_count_as_one_address() -> None:
    assert rules.network_of("2001:db8::1") == rules.network_of("2001:db8::ffff")
    assert rules.network_of("2001:db8:1::1") != rules.network_of("2001:db8:2::1")
    assert rules.network_of("::ffff:192.0.2.1") == "192.0.2.1"


# --- the way back -----------------------------------------------------------------------------------------------------

EVIL = (
    "https://evil.example",
    "//evil.example",
    "///evil.example",
    "////evil.example",
    "/\\evil.example",
    "\\/evil.example",
    "\\\\evil.example",
    "/\\/evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "/\x00/evil.example",
    "\t//evil.example",
    " //evil.example",
    " https://evil.example",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "data:text/html,x",
    "http:evil.example",
    "https:/evil.example",
    "https:evil.example",
    "//evil.example/%2f..",
    "/%09/evil.example",
    "/%0d%0aLocation:%20https://evil.example",
    "/%5cevil.example",
    "/%2f/evil.example",
    "/%2fevil.example",
    "/%252fevil.example",
    "//user@evil.example",
    "//[::1]",
    "//[",
    "evil.example",
    "@evil.example",
    ".evil.example",
    "/\u2028/evil.example",
    "/" + "a" * 3000,
)


@pytest.mark.parametrize("target", EVIL)
def test_nobody_is_sent_to_a_foreign_host(client: FlaskClient, user: User, target: str) -> None:
    assert rules.safe_next(target) is None

    answer = sign_in(client, user.login, data={"next": target})

    if "\x00" in target:
        assert answer.status_code == 400
        return
    assert answer.status_code == 303
    assert "evil" not in answer.headers["Location"] and answer.headers["Location"].startswith("/")


@pytest.mark.parametrize(
    "target", ["/", "/orders/5", "/orders?state=held&next=%2F%2Fx", "/订单/1", "/a//b", "/a%20b?x=1#y"]
)
def test_a_local_path_is_kept(target: str) -> None:
    assert rules.safe_next(target) == (None if "%20" in target else target)


# --- passwords --------------------------------------------------------------------------------------------------------


def change(client: FlaskClient, present: str, wanted: str, again: str | None = None) -> Any:
    fields = {"present": present, "wanted": wanted, "again": again if again is not None else wanted}
    return auth.post(client, "/auth/password", fields)


def test_changing_the_password_ends_all_other_sessions(client: FlaskClient, app: Flask, user: User) -> None:
    auth.signed_in(client, user)
    other = auth.signed_in(app.test_client(), user)

    answer = change(client, auth.PASSWORD, "ladder tulip moss 83 kiln")

    assert answer.status_code == 303
    assert client.get("/auth/me").status_code == 200
    assert other.get("/auth/me").status_code == 302
    assert sign_in(app.test_client(), user.login, "ladder tulip moss 83 kiln").status_code == 303


@pytest.mark.parametrize(
    ("present", "wanted", "again"),
    [
        ("wrong present one", "ladder tulip moss 83 kiln", None),
        (auth.PASSWORD, "ladder tulip moss 83 kiln", "ladder tulip moss 83 kilo"),
        (auth.PASSWORD, auth.PASSWORD, None),
        (auth.PASSWORD, "eleven char", None),
        (auth.PASSWORD, "x" * 257, None),
        (auth.PASSWORD, "passwordpassword", None),
    ],
)
def test_a_bad_change_of_password_is_refused(
    client: FlaskClient, user: User, present: str, wanted: str, again: str | None
) -> None:
    auth.signed_in(client, user)
    before = user.password_hash

    answer = change(client, present, wanted, again)

    assert answer.status_code == 422
    assert db.session.get(User, user.id).password_hash == before
    assert wanted not in answer.text


@pytest.mark.parametrize(
    ("length", "taken"), [(11, False), (12, True), (13, True), (255, True), (256, True), (257, False)]
)
def test_the_length_of_a_password_is_12_to_256(length: int, taken: bool) -> None:
    import random

    letters = random.Random(length)
    password = "".join(letters.choice("qzxjkvbp8374m!w,ge") for _ in range(length))

    assert (passwords.faults(password, []) == []) is taken


def test_no_part_of_a_long_password_is_cut_off() -> None:
    password = "x" * 255 + "a"

    assert not passwords.matches(passwords.hashed(password), password[:-1] + "b")


def test_a_hash_of_weaker_parameters_is_renewed_at_the_next_sign_in(client: FlaskClient, user: User) -> None:
    from argon2 import PasswordHasher

    user.password_hash = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(auth.PASSWORD)
    org.save(user)

    sign_in(client, user.login)

    db.session.expire_all()
    assert "m=19456,t=2,p=1" in db.session.get(User, user.id).password_hash


def test_a_first_password_must_be_changed_before_anything_else(client: FlaskClient) -> None:
    user = auth.user("clerk", must_change_password=True)

    answer = sign_in(client, user.login)

    assert answer.headers["Location"] == "/auth/password"
    assert client.get("/org/units").headers["Location"] == "/auth/password"
    assert client.get("/api/v1/units").status_code == 403
    change(client, auth.PASSWORD, "ladder tulip moss 83 kiln")
    assert client.get("/org/units").status_code == 200
