"""Every failure has a status, a code and a sentence; nothing of the inside is shown."""

from __future__ import annotations

import pytest
from flask import Flask, request
from sqlalchemy.exc import OperationalError

from sdm.app import errors, security
from sdm.kernel.errors import (
    Busy,
    Conflict,
    FieldError,
    Forbidden,
    InvalidInput,
    NotFound,
    RuleViolation,
    SdmError,
    StaleVersion,
)
from sdm.kernel.settings import Settings

JSON = {"Accept": "application/json"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput([FieldError("qty", "input.number", "x")]), 422),
        (NotFound("not_found", kind="order", id=1), 404),
        (Forbidden("forbidden", permission="order:read"), 403),
        (Busy("busy"), 503),
        (Conflict("exists"), 409),
        (StaleVersion("version.stale"), 409),
        (RuleViolation("period.closed"), 422),
        (SdmError("other"), 400),
    ],
)
def test_each_kind_of_error_has_its_status(app: Flask, error: SdmError, status: int) -> None:
    with app.test_request_context("/x", headers=JSON):
        answer = errors.handle_known(error)
    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None and answer.json["code"] == error.code
    assert answer.json["status"] == status


def test_all_faulty_fields_are_listed_with_pointer_value_and_remedy(app: Flask) -> None:
    faults = [FieldError("lines.3.qty", "input.number", "abc"), FieldError("dealer", "input.required")]
    with app.test_request_context("/api/v1/orders", method="POST", headers={"Accept-Language": "en"}):
        body = errors.handle_known(InvalidInput(faults)).json
    assert body is not None
    assert [fault["pointer"] for fault in body["errors"]] == ["/lines/3/qty", "/dealer"]
    assert body["errors"][0]["value"] == "abc"
    assert "abc" in body["errors"][0]["detail"]


def test_an_unexpected_error_shows_a_number_and_nothing_else(app: Flask) -> None:
    with app.test_request_context("/x", headers=JSON):
        answer = errors.handle_unexpected(RuntimeError("the secret word"))
    assert answer.status_code == 500
    assert "secret" not in answer.get_data(as_text=True)
    assert answer.json is not None and len(answer.json["incident"]) == 12
    assert answer.json["incident"] in answer.json["detail"]


def test_a_database_that_is_away_is_a_refusal_to_try_again(app: Flask) -> None:
    lost = OperationalError("SELECT 1", {}, Exception("gone"), connection_invalidated=True)
    with app.test_request_context("/x", headers=JSON):
        answer = errors.handle_database(lost)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert answer.json is not None and answer.json["code"] == "database.unreachable"


def test_people_get_a_page(app: Flask) -> None:
    answer = app.test_client().get("/no/such/page", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


@pytest.mark.parametrize("path", ["/%ff", "/%00", "/" + "x" * 5000, "/a/../../etc/passwd", "/orders/abc"])
def test_malformed_addresses_are_the_clients_fault(app: Flask, path: str) -> None:
    assert 400 <= app.test_client().get(path).status_code < 500


@pytest.mark.parametrize(
    ("body", "kind"), [(b"{", "application/json"), (b"\xff\xfe", "application/json"), (b"--", "multipart/form-data")]
)
def test_malformed_bodies_are_the_clients_fault(app: Flask, body: bytes, kind: str) -> None:
    answer = app.test_client().post("/app/language", data=body, content_type=kind)
    assert 400 <= answer.status_code < 500


def test_a_change_without_the_form_token_is_refused(app: Flask) -> None:
    answer = app.test_client().post("/app/language", data={"locale": "en"}, headers=JSON)
    assert answer.status_code == 400
    assert answer.json is not None and answer.json["code"] == "form.expired"


def test_a_change_with_the_form_token_passes(app: Flask) -> None:
    client = app.test_client()
    token = client.get("/app/csrf").get_json()["csrf_token"]
    assert client.post("/app/language", data={"locale": "en"}, headers={"X-CSRFToken": token}).status_code == 303


def test_only_the_api_with_authorization_goes_without_the_form_token(app: Flask) -> None:
    bearer = {"Authorization": "Bearer x"}
    for path, headers in (("/app/language", bearer), ("/app/language", {})):
        with app.test_request_context(path, method="POST", headers=headers), pytest.raises(Exception, match="CSRF"):
            app.config["WTF_CSRF_CHECK_DEFAULT"] = False
            assert request.endpoint
            security.check_form_token()


def test_every_answer_carries_the_policy_and_is_not_kept(app: Flask) -> None:
    headers = app.test_client().get("/healthz").headers
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    for part in ("default-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert "Strict-Transport-Security" not in headers


def test_https_adds_strict_transport(app: Flask) -> None:
    with app.test_request_context("/"):
        secured = security.with_headers(app.response_class("x"), secure=True)
    assert "max-age" in secured.headers["Strict-Transport-Security"]


def test_an_inline_script_runs_only_with_the_nonce_of_its_answer(app: Flask) -> None:
    with app.test_request_context("/"):
        assert f"'nonce-{security.csp_nonce()}'" in security.content_policy()
        first = security.csp_nonce()
    with app.test_request_context("/"):
        assert security.csp_nonce() != first
        assert "unsafe-inline" not in security.content_policy()


def test_the_session_cookie_is_bound_to_the_host_under_https(test_settings: Settings, database_url: str) -> None:
    from sdm.app import create_app

    secure = create_app(test_settings.replace(database_url=database_url, public_url="https://sdm.example.com"))
    cookie = secure.test_client().get("/app/csrf", base_url="https://sdm.example.com").headers["Set-Cookie"]
    assert cookie.startswith("__Host-") and "Secure" in cookie and "HttpOnly" in cookie
