"""Server-side sessions: opened at sign-in, revoked at sign-out, disabling and password change."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import select, update

from branches.org import parameters
from branches.org import queries as org
from sdm.auth import statements
from sdm.auth.models import UserSession
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound
from sdm.kernel.permissions import Permission

TOKEN_BYTES = 32
KEPT_AFTER_END = timedelta(days=30)

parameters.register(
    parameters.ParameterSpec(
        "session.idle_minutes",
        N_("Minutes until an idle session ends"),
        "int",
        30,
        N_("Who does nothing for so long signs in again; what he typed stays"),
        group="access",
        per_unit=False,
        low=5,
        high=240,
    ),
    parameters.ParameterSpec(
        "session.idle_minutes_finance",
        N_("Minutes until an idle session of finance ends"),
        "int",
        15,
        N_("The same for people whose work place is finance"),
        group="access",
        per_unit=False,
        low=5,
        high=240,
    ),
    parameters.ParameterSpec(
        "session.hours",
        N_("Hours until every session ends"),
        "int",
        12,
        N_("However busy, everybody signs in again after so long"),
        group="access",
        per_unit=False,
        low=1,
        high=72,
    ),
)


def token_hash(token: str) -> bytes:
    """What is stored of a session or API token; the token itself is 256 random bits, so a plain digest is enough."""
    return hashlib.sha256(token.encode()).digest()


@command(None)
def open_session(user_id: int, address: str, agent: str, replaces: str | None = None) -> str:
    """Open a session and give its new token; the session of the token it replaces is revoked (rotation at sign-in)."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = clock.now()
    if replaces:
        _revoke(UserSession.token_hash == token_hash(replaces))
    db.session.add(
        UserSession(
            token_hash=token_hash(token),
            user_id=user_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + timedelta(hours=int(parameters.value("session.hours"))),
            address=address[:64],
            agent=agent[:200],
        )
    )
    return token


def _revoke(*conditions: object) -> int:
    statement = update(UserSession).where(UserSession.revoked_at.is_(None), *conditions)  # type: ignore[arg-type]
    return int(db.session.execute(statement.values(revoked_at=clock.now())).rowcount)  # type: ignore[attr-defined]


@command(None)
def close_session(token: str) -> None:
    """Revoke the session of a token (sign-out); silently nothing when it is over already."""
    row = db.session.execute(
        select(UserSession).where(UserSession.token_hash == token_hash(token))
    ).scalar_one_or_none()
    if row is not None and _revoke(UserSession.id == row.id):
        audit.write("user", row.user_id, "signed_out", None)


def revoke_sessions(user_id: int, except_token: str | None = None) -> int:
    """Revoke a user's sessions, but one; joins the running command. Returns how many."""
    terms = [UserSession.user_id == user_id]
    if except_token:
        terms.append(UserSession.token_hash != token_hash(except_token))
    return _revoke(*terms)


@command(None)
def close_sessions(user_id: int, session_id: int | None = None, except_token: str | None = None) -> int:
    """End one session or all of a user: one's own, or anybody's in scope with the permission to edit users."""
    actor = current()
    if actor.user_id != user_id:
        actor.require(Permission.USER_EDIT)
        from sdm.auth import queries

        queries.user(user_id)
    if session_id is None:
        ended = revoke_sessions(user_id, except_token)
    else:
        ended = _revoke(UserSession.user_id == user_id, UserSession.id == session_id)
        if not ended:
            raise NotFound("not_found", kind="session", id=session_id)
    if ended:
        audit.write("user", user_id, "sessions_ended", None, {"count": ended})
    return ended


@command(None)
def choose_unit(token: str, unit_id: int | None, allowed: frozenset[int]) -> None:
    """Work in one unit and below for the rest of the session; None: everything one may see."""
    if unit_id is not None and (unit_id not in allowed or not org.subtree_ids(unit_id)):
        raise InvalidInput([FieldError("unit_id", "unit.not_yours", unit_id)])
    db.session.execute(update(UserSession).where(UserSession.token_hash == token_hash(token)).values(unit_id=unit_id))


@command(None)
def forget_old() -> str:
    """Delete attempts of yesterday and sessions that ended a month ago."""
    now = clock.now()
    attempts = db.session.execute(statements.FORGET_ATTEMPTS, {"before": now - timedelta(days=1)})
    sessions = db.session.execute(statements.FORGET_SESSIONS, {"before": now - KEPT_AFTER_END})
    return f"{attempts.rowcount} attempts, {sessions.rowcount} sessions"  # type: ignore[attr-defined]
