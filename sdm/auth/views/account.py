"""One's own account: language, password, sessions, API tokens."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from branches.org import queries as org
from sdm.auth import labels, queries, service
from sdm.auth.identity import session_token
from sdm.auth.schemas import PasswordSchema, ProfileSchema, TokenSchema
from sdm.auth.service.sessions import token_hash
from sdm.kernel.actor import current
from sdm.kernel.errors import N_, FieldError, Forbidden, InvalidInput, describe
from sdm.kernel.forms import submitted
from sdm.kernel.i18n import LOCALE_COOKIE, _
from sdm.kernel.permissions import Permission
from sdm.kernel.web import YEAR_SECONDS, flash, page, see_other, view

describe({"password.again": N_("The two new passwords differ")})


def add_to(blueprint: Blueprint) -> None:
    """Give the blueprint these pages."""
    blueprint.add_url_rule("/me", "profile", profile, methods=["GET", "POST"])
    blueprint.add_url_rule("/password", "password", password, methods=["GET", "POST"])
    blueprint.add_url_rule("/sessions", "sessions", sessions)
    blueprint.add_url_rule("/sessions/end", "end_sessions", end_sessions, methods=["POST"])
    blueprint.add_url_rule("/tokens", "tokens", tokens, methods=["GET", "POST"])
    blueprint.add_url_rule("/tokens/<int:id>/revoke", "revoke_token", revoke_token, methods=["POST"])


def _user_id() -> int:
    user_id = current().user_id
    if user_id is None:
        raise Forbidden("forbidden", permission="sign-in")
    return user_id


@view()
def profile() -> AnyResponse | str | tuple[str, int]:
    """Who I am, what I may do and where; the language of my pages."""
    found = queries.profile(_user_id())
    roles = {role.code: role for role in queries.roles()}
    context: dict[str, Any] = {
        "profile": found,
        "roles": [roles[code] for code in sorted(found.roles) if code in roles],
        "my_units": org.units(found.units)[:50],
        "groups": [
            (group, [text for code, text in items if code in found.permissions]) for group, items in labels.groups()
        ],
    }
    if request.method == "GET":
        return page("auth/profile.html", **context)
    return submitted(ProfileSchema(), _set_language, "auth/profile.html", **context)


def _set_language(locale: str) -> AnyResponse:
    service.set_locale(locale)
    response = redirect(url_for("auth.profile"), 303)
    secure = request.is_secure
    response.set_cookie(LOCALE_COOKIE, locale, max_age=YEAR_SECONDS, samesite="Lax", secure=secure, httponly=True)
    return response


@view()
def password() -> AnyResponse | str | tuple[str, int]:
    """Change one's password; all other sessions end."""
    if request.method == "GET":
        return page("auth/password.html")
    return submitted(PasswordSchema(), _change_password, "auth/password.html")


def _change_password(present: str, wanted: str, again: str) -> AnyResponse:
    if wanted != again:
        raise InvalidInput([FieldError("again", "password.again")])
    service.change_password(present, wanted, token=session_token())
    flash(_("Password changed; you were signed out everywhere else"))
    return see_other("home.index")


@view()
def sessions() -> str:
    """Where I am signed in."""
    token = session_token()
    here = token_hash(token) if token else b""
    rows = [(row, row.token_hash == here) for row in queries.sessions_of(_user_id())]
    return page("auth/sessions.html", rows=rows)


@view()
def end_sessions() -> AnyResponse:
    """End one of my sessions, or all others."""
    wanted = request.form.get("id", "")
    session_id = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else None
    ended = service.close_sessions(_user_id(), session_id, except_token=session_token())
    flash(_("%(count)s sessions ended", count=ended))
    return see_other("auth.sessions")


@view(Permission.API_TOKEN)
def tokens() -> AnyResponse | str | tuple[str, int]:
    """My API tokens, and a form for a new one; its secret is shown once, right after it was made."""
    context = _token_context()
    if request.method == "GET":
        return page("auth/tokens.html", **context)
    return submitted(TokenSchema(), _create_token, "auth/tokens.html", **context)


def _token_context() -> dict[str, Any]:
    actor = current()
    mine = [(group, [(code, text) for code, text in items if actor.can(code)]) for group, items in labels.groups()]
    return {"tokens": queries.tokens_of(_user_id()), "groups": [(group, items) for group, items in mine if items]}


def _create_token(name: str, permissions: list[str], days: int) -> AnyResponse:
    from flask import make_response

    made = service.create_token(name, permissions, days)
    return make_response(page("auth/tokens.html", secret=made.secret, secret_name=name, form={}, **_token_context()))


@view(Permission.API_TOKEN)
def revoke_token(id: int) -> AnyResponse:
    """Revoke one of my tokens."""
    service.revoke_token(id)
    flash(_("Token revoked"))
    return see_other("auth.tokens")
