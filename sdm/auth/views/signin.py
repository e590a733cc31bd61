"""Sign-in, sign-out, and the switch of the unit one works in."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, session
from itsdangerous import BadSignature, URLSafeTimedSerializer
from werkzeug.wrappers import Response as AnyResponse

from sdm.auth import queries, service
from sdm.auth.identity import (
    clear_session_cookie,
    cookie_rules,
    is_secure,
    session_token,
    set_session_cookie,
)
from sdm.auth.rules import safe_next
from sdm.auth.service.signin import SignInFailed
from sdm.kernel.actor import current, current_or_none
from sdm.kernel.errors import TooManyRequests
from sdm.kernel.i18n import error_text
from sdm.kernel.web import FormErrors, json_reply, url_or_none, view, wants_json

BROWSER_COOKIE = "sdm-browser"
BROWSER_SECONDS = 180 * 24 * 3600
BROWSER_LOGINS_MAX = 5
CLEAR_SITE_DATA = '"cache", "storage"'


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/sign-in", "sign_in", sign_in, methods=["GET", "POST"])
    blueprint.add_url_rule("/sign-out", "sign_out", sign_out, methods=["POST"])
    blueprint.add_url_rule("/unit", "switch_unit", switch_unit, methods=["POST"])


@view(public=True)
def sign_in() -> AnyResponse | tuple[str, int]:
    """The sign-in page; a POST that wants JSON is the dialog "sign in again" of a page that stayed open."""
    target = safe_next(request.values.get("next")) or _first_page()
    if request.method == "GET":
        if current_or_none() is not None:
            return redirect(target)
        return make_response(render_template("auth/sign_in.html", next=target, nobody=queries.nobody_yet()))
    login, password = request.form.get("username", "")[:200], request.form.get("password", "")
    try:
        done = service.sign_in(
            login,
            password,
            address=request.remote_addr or "",
            agent=request.user_agent.string,
            own_browser=_login_mark(login) in _known_logins(),
            replaces=session_token(),
        )
    except (SignInFailed, TooManyRequests) as error:
        return _refused(error, target)
    return _welcome(done, target)


def _refused(error: SignInFailed | TooManyRequests, target: str) -> AnyResponse | tuple[str, int]:
    waits = isinstance(error, TooManyRequests)
    if wants_json():
        if waits:
            raise error
        return json_reply({"ok": False, "detail": error_text(error), "code": error.code}, 401)
    errors = FormErrors({"_schema": [error_text(error)]})
    page = render_template("auth/sign_in.html", next=target, errors=errors, form=request.form)
    response = make_response(page, 429 if waits else 401)
    if waits:
        response.headers["Retry-After"] = str(error.details["seconds"])
    return response


def _welcome(done: service.SignedIn, target: str) -> Response:
    """A new session and a new form token: nothing of before the sign-in stays valid."""
    session.clear()
    g.pop("csrf_token", None)
    if wants_json():
        response = json_reply({"ok": True, "name": done.name, "user_id": done.user_id})
    else:
        url = url_or_none("auth.password") if done.must_change_password else None
        response = make_response(redirect(url or target, 303))
    set_session_cookie(response, done.token)
    _remember_login(response, done.login)
    return response


def _first_page() -> str:
    return url_or_none("home.index") or url_or_none("auth.profile") or "/"


@view(public=True)
def sign_out() -> AnyResponse:
    """End this session, on the server and in the browser."""
    token = session_token()
    if token and current_or_none() is not None:
        service.close_session(token)
    session.clear()
    response = make_response(redirect(url_or_none("auth.sign_in") or "/", 303))
    clear_session_cookie(response)
    response.headers["Clear-Site-Data"] = CLEAR_SITE_DATA
    return response


@view()
def switch_unit() -> AnyResponse:
    """Work in one of one's units and below; documents and lists show only that."""
    token, actor = session_token(), current()
    if token and actor.user_id is not None:
        wanted = request.form.get("unit_id", "")
        unit_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
        service.choose_unit(token, unit_id, queries.profile(actor.user_id).units)
    return redirect(safe_next(request.form.get("next")) or _first_page(), 303)


# --- browsers that signed in before ----------------------------------------------------------------------------------


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="sdm-browser")


def _browser_cookie() -> str:
    return f"__Host-{BROWSER_COOKIE}" if is_secure() else BROWSER_COOKIE


def _login_mark(login: str) -> str:
    return hashlib.sha256(login.strip().lower().encode()).hexdigest()[:24]


def _known_logins() -> list[str]:
    """Marks of the accounts this browser signed in to; others' failures do not slow these down."""
    try:
        marks: Any = _serializer().loads(request.cookies.get(_browser_cookie(), ""), max_age=BROWSER_SECONDS)
    except BadSignature:
        return []
    return [mark for mark in marks if isinstance(mark, str)] if isinstance(marks, list) else []


def _remember_login(response: Response, login: str) -> None:
    mark = _login_mark(login)
    marks = [mark, *(known for known in _known_logins() if known != mark)][:BROWSER_LOGINS_MAX]
    response.set_cookie(_browser_cookie(), _serializer().dumps(marks), max_age=BROWSER_SECONDS, **cookie_rules())
