"""From a request to the actor: session cookie or bearer token, permissions and scope.

One query per request joins session, user and the access version; everything else is kept per process until that version
changes, so a permission taken away is gone with the next request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Flask, Response, g, request
from flask_login import LoginManager, current_user
from werkzeug.wrappers import Response as AnyResponse

from branches.org import parameters
from branches.org import queries as org
from sdm.auth import queries, statements
from sdm.auth.service.sessions import token_hash
from sdm.auth.service.tokens import PREFIX
from sdm.kernel import clock
from sdm.kernel.actor import Actor, current_or_none, set_actor
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Forbidden, NotSignedIn, describe
from sdm.kernel.frame import UnitChoice, provide_units
from sdm.kernel.scope_value import Scope
from sdm.kernel.web import is_partial, see_other, wants_json

COOKIE = "sdm-session"
SEEN_EVERY = timedelta(seconds=60)
# Addresses that pages ask by themselves: they neither need to know anybody nor keep a session alive.
NOBODY_ENDPOINTS = frozenset({"assets.serve", "app.pulse", "health.healthz", "health.readyz", "health.metrics"})
POLLED_ENDPOINTS = frozenset({"cases.badge", "app.csrf"})
PASSWORD_ENDPOINTS = frozenset({"auth.password", "auth.sign_out", "auth.sign_in", "app.set_language", "app.csrf"})
ADDRESS_LENGTH = 64
OF_ONE_REQUEST = ("_login_user", "sdm_access_version", "csrf_token", "csrf_valid", "csp_nonce", "sdm_uid")

describe(
    {
        "token.invalid": N_("The token is unknown, expired or revoked"),
        "password.must_change": N_("Change your password first"),
    }
)


class SignedInUser:
    """What Flask-Login keeps as the current user: a thin cover of the actor and the session's row."""

    is_authenticated = True
    is_active = True
    is_anonymous = False

    def __init__(self, actor: Actor, must_change_password: bool = False, session_id: int | None = None) -> None:
        self.actor = actor
        self.must_change_password = must_change_password
        self.session_id = session_id

    def get_id(self) -> str:
        """The user's id as text."""
        return str(self.actor.user_id)


# --- actors -----------------------------------------------------------------------------------------------------------


def load_actor(user_id: int, via: str = "web", unit_id: int | None = None) -> Actor:
    """The actor of a user: permissions of his roles, scope = their units and all below, narrowed where he is bound.

    ``unit_id``: the unit he chose to work in. NotFound without such a user; a disabled one has no permission.
    """
    actor, profile = org.kept(f"actor:{user_id}:{unit_id}", lambda: _build(user_id, unit_id))
    dealers = _dealers(profile)
    if dealers is not None:
        actor = replace(actor, scope=replace(actor.scope, dealers=dealers, everything=False))
    return actor if actor.via == via else replace(actor, via=via)


def _build(user_id: int, unit_id: int | None) -> tuple[Actor, queries.Profile]:
    profile = queries.profile(user_id)
    units = profile.units
    chosen = unit_id if unit_id in units else None
    if chosen is not None:
        units = units & org.subtree_ids(chosen)
    whole = bool(units) and units == frozenset(org.tree().units) and profile.warehouses is None
    actor = Actor(
        user_id=user_id,
        name=profile.name,
        permissions=profile.permissions if profile.active else frozenset(),
        scope=Scope(units=units, warehouses=profile.warehouses, everything=whole and profile.active),
        person_id=profile.person_id,
        unit_id=chosen or profile.unit_id,
        roles=profile.roles,
        locale=profile.locale,
    )
    return actor, profile


def _dealers(profile: queries.Profile) -> frozenset[int] | None:
    """The only dealers a user may see; None = all of his units."""
    if profile.dealer_id is not None:
        return frozenset({profile.dealer_id})
    return queries.dealers_managed_by(profile.person_id) if profile.own_dealers else None


def idle_limit(profile: queries.Profile) -> timedelta:
    """How long a session of this user may rest."""
    finance = "finance" in profile.work_places
    key = "session.idle_minutes_finance" if finance else "session.idle_minutes"
    return timedelta(minutes=int(parameters.value(key)))


# --- requests ---------------------------------------------------------------------------------------------------------


def init_app(app: Flask) -> None:
    """Set the actor at the start of every request and forget it at its end."""
    manager = LoginManager()
    manager.session_protection = None
    manager.init_app(app)
    manager.request_loader(load_from_request)
    app.before_request(begin_request)
    app.teardown_request(end_request)
    app.jinja_env.globals["demo_logins"] = demo_logins
    provide_units(unit_choices)


def cookie_name(secure: bool) -> str:
    """Name of the session cookie; the prefix binds it to this very host where the product is reached by https."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def begin_request() -> AnyResponse | None:
    """Find out who asks. Fails closed: whatever goes wrong leaves no actor."""
    g.sdm_actor_before = current_or_none()
    set_actor(None)
    for name in OF_ONE_REQUEST[:2]:
        g.pop(name, None)
    if request.endpoint in NOBODY_ENDPOINTS:
        return None
    user = current_user._get_current_object()
    if not isinstance(user, SignedInUser):
        return None
    set_actor(user.actor)
    if user.must_change_password:
        set_actor(replace(user.actor, permissions=frozenset()))
        return None if request.endpoint in PASSWORD_ENDPOINTS else _to_password_page()
    return None


def _to_password_page() -> AnyResponse:
    if request.path.startswith("/api/") or is_partial() or wants_json() or request.method != "GET":
        raise Forbidden("password.must_change")
    return see_other("auth.password")


def end_request(_error: BaseException | None = None) -> None:
    """Leave nobody behind on this thread, nor in an application context that outlives the request."""
    for name in OF_ONE_REQUEST:
        g.pop(name, None)
    set_actor(g.pop("sdm_actor_before", None))


def load_from_request(_request: Any) -> SignedInUser | None:
    """Who asks: by bearer token where an API call names one (never by cookie then), else by session cookie."""
    if request.path.startswith("/api/") and request.headers.get("Authorization"):
        return _from_token(request.headers["Authorization"])
    token = session_token()
    return _from_session(token) if token else None


def session_token() -> str | None:
    """The session token of the browser, from whichever name the cookie has."""
    token = request.cookies.get(cookie_name(is_secure()))
    return token if token and len(token) <= 100 else None


def is_secure() -> bool:
    """Whether people reach the product by https."""
    from flask import current_app

    return bool(current_app.config["SESSION_COOKIE_SECURE"])


def _from_session(token: str) -> SignedInUser | None:
    row = db.session.execute(statements.LOAD_SESSION, {"token_hash": token_hash(token)}).mappings().one_or_none()
    if row is None or not row["active"]:
        return None
    org.note_access_version(row["version"])
    now = clock.now()
    if now >= row["expires_at"] or now - row["last_seen_at"] >= idle_limit(queries.profile(row["user_id"])):
        return None
    if now - row["last_seen_at"] >= SEEN_EVERY and request.endpoint not in POLLED_ENDPOINTS:
        _note(statements.SEEN, id=row["id"], now=now, address=_address())
    actor = load_actor(row["user_id"], "web", row["unit_id"])
    return SignedInUser(_in_request(actor), row["must_change_password"], row["id"])


def _from_token(header: str) -> SignedInUser | None:
    """The owner of an API token with what the token allows of his permissions. NotSignedIn for a bad one."""
    scheme, _, secret = header.partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret.startswith(PREFIX) or len(secret) > 100:
        raise NotSignedIn("token.invalid")
    row = db.session.execute(statements.LOAD_TOKEN, {"token_hash": token_hash(secret)}).mappings().one_or_none()
    now = clock.now()
    if row is None or not row["active"] or (row["expires_at"] is not None and row["expires_at"] <= now):
        raise NotSignedIn("token.invalid")
    org.note_access_version(row["version"])
    if row["last_used_at"] is None or now - row["last_used_at"] >= SEEN_EVERY:
        _note(statements.USED, id=row["id"], now=now)
    actor = load_actor(row["user_id"], "api")
    return SignedInUser(_in_request(_reduced(actor, frozenset(row["permissions"]))))


def _reduced(actor: Actor, permissions: frozenset[str]) -> Actor:
    return replace(actor, permissions=actor.permissions & permissions)


def _in_request(actor: Actor) -> Actor:
    return replace(actor, address=_address(), request_id=str(g.get("request_id") or ""))


def _address() -> str:
    return (request.remote_addr or "")[:ADDRESS_LENGTH]


def _note(statement: Any, **values: Any) -> None:
    """Write last seen in a transaction of its own, so that reading a page never commits anything else."""
    with db.engine.begin() as connection:
        connection.execute(statement, values)


# --- cookies ----------------------------------------------------------------------------------------------------------


def set_session_cookie(response: Response, token: str) -> None:
    """Hand the browser its session: unreadable by scripts, sent to this host only, gone with the browser."""
    response.set_cookie(cookie_name(is_secure()), token, **cookie_rules())


def clear_session_cookie(response: Response) -> None:
    """Take the session cookie back."""
    response.delete_cookie(cookie_name(is_secure()), **cookie_rules())


def cookie_rules() -> Mapping[str, Any]:
    """What every cookie of ours is."""
    return {"httponly": True, "secure": is_secure(), "samesite": "Lax", "path": "/"}


# --- the unit switch and the demo's logins ----------------------------------------------------------------------------

UNITS_SHOWN_MAX = 200


def unit_choices() -> list[UnitChoice]:
    """Units the person may work in: all of his, indented by level; the first entry of each branch is its top."""
    actor = current_or_none()
    if actor is None or actor.user_id is None:
        return []
    mine = queries.profile(actor.user_id).units
    nodes = org.units(mine)[:UNITS_SHOWN_MAX]
    english = actor.locale == "en"
    tops = min((len(node.path) for node in nodes), default=0)
    return [
        UnitChoice(
            node.id,
            "\u2003" * (len(node.path) - tops) + (node.name_en if english and node.name_en else node.name),
            _is_chosen(node, actor, nodes),
        )
        for node in nodes
    ]


def _is_chosen(node: org.UnitNode, actor: Actor, nodes: list[org.UnitNode]) -> bool:
    """True for the highest unit inside the present scope."""
    inside = [one for one in nodes if one.id in actor.scope.units]
    return bool(inside) and node.id == inside[0].id


_demo_logins: list[Any] = []


def register_demo_logins(provider: Any) -> None:
    """Name the function that gives (role, login, password) of the demo company; shown in the demo only."""
    _demo_logins[:] = [provider]


def demo_logins() -> list[tuple[str, str, str]]:
    """Logins the sign-in page of a demo shows."""
    from flask import current_app

    if current_app.config.get("SDM_ENV") != "demo" or not _demo_logins:
        return []
    return list(_demo_logins[0]())
