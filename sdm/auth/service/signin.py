"""Signing in, slowed down after failures in such a way that a stranger cannot lock the owner out.

Each attempt is counted before its password is looked at, in a transaction of its own, so that parallel guesses and a
crash cannot evade the count. Refused attempts count nothing: they cannot prolong anybody's wait.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from sdm.auth import passwords, queries, rules, statements
from sdm.auth.models import User
from sdm.auth.service.sessions import open_session, revoke_sessions
from sdm.kernel import audit, clock, idempotency
from sdm.kernel.actor import Actor, current, use_actor
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, Forbidden, InvalidInput, TooManyRequests, describe
from sdm.kernel.locks import Rank, reach
from sdm.kernel.scope_value import NOTHING

PASSWORD_TYPED_MAX = 1024

describe(
    {
        "sign_in.failed": N_("User name or password is wrong"),
        "sign_in.wait": N_("Too many attempts; try again in %(seconds)s seconds"),
        "password.wrong": N_("The present password is wrong"),
        "password.same": N_("The new password must differ from the present one"),
    }
)


class SignInFailed(Forbidden):
    """User name or password is wrong, or the account is disabled: nobody learns which."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A successful sign-in: the session's token, who, and whether the password must be changed first."""

    token: str
    user_id: int
    login: str
    name: str
    must_change_password: bool


def sign_in(
    login: str,
    password: str,
    *,
    address: str,
    agent: str = "",
    own_browser: bool = False,
    replaces: str | None = None,
) -> SignedIn:
    """Check user name and password and open a session.

    ``own_browser``: this browser signed in to this account before. Raises TooManyRequests (``seconds``), SignInFailed.
    """
    idempotency.clear()  # a request key must never answer for a check of a password
    login = login.strip().lower()
    nobody = Actor(None, "sign-in", frozenset(), NOTHING, via="web", address=address)
    with use_actor(nobody):
        keys = _keys(login, address, own_browser)
        _admit(keys)
        user = _verified(login, password)
        if user is None:
            _note_failure(login)
            raise SignInFailed("sign_in.failed")
        _note_success(keys)
        return _opened(user, password, address, agent, replaces)


def _keys(login: str, address: str, own_browser: bool) -> dict[str, rules.Brake]:
    """Keys an attempt counts under. They hold digests: people type passwords into the wrong field."""
    account = _digest(login)
    if own_browser:
        return {f"own:{account}": rules.OWN_BROWSER}
    network = _digest(rules.network_of(address))
    return {
        f"account:{account}": rules.ACCOUNT,
        f"address:{network}": rules.ADDRESS,
        f"pair:{account}:{network}": rules.PAIR,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@command(None)
def _admit(keys: dict[str, rules.Brake]) -> None:
    """Count the attempt under all its keys, or refuse it when one of them still waits."""
    reach(Rank.KEY)
    now = clock.now()
    forget = now - timedelta(seconds=rules.FORGET_AFTER_SECONDS)
    names = sorted(keys)
    rows = db.session.execute(statements.LOCK_ATTEMPTS, {"keys": names, "now": now, "forget": forget}).all()
    found = {row.key: row for row in rows}
    wait = max((_seconds_until(row.next_allowed_at, now) for row in rows), default=0)
    if wait > 0:
        raise TooManyRequests("sign_in.wait", seconds=wait)
    failures = [found[name].failures + 1 for name in names]
    allowed = [
        now + timedelta(seconds=rules.delay_seconds(keys[name], count))
        for name, count in zip(names, failures, strict=True)
    ]
    values = {"keys": names, "failures": failures, "allowed": allowed, "now": now}
    db.session.execute(statements.COUNT_ATTEMPTS, values)


def _seconds_until(moment: datetime, now: datetime) -> int:
    left = (moment - now).total_seconds()
    return int(left) + 1 if left > 0 else 0


def _verified(login: str, password: str) -> Any:
    """The active user whose password this is, else None; the work is the same for an unknown user."""
    statement = select(User.__table__).where(User.login == login)
    user = db.session.execute(statement).mappings().one_or_none()
    db.session.rollback()  # hold no connection while hashing
    known = user["password_hash"] if user is not None and user["active"] else ""
    right = len(password) <= PASSWORD_TYPED_MAX and passwords.matches(known, password)
    return user if right else None


@command(None)
def _note_failure(login: str) -> None:
    user_id = db.session.execute(select(User.id).where(User.login == login)).scalar()
    if user_id is not None:
        audit.write("user", user_id, "sign_in_failed", None)


@command(None)
def _note_success(keys: Iterable[str]) -> None:
    reach(Rank.KEY)
    db.session.execute(statements.UNDO_ATTEMPTS, {"keys": sorted(keys), "now": clock.now()})


@command(None)
def _opened(user: Any, password: str, address: str, agent: str, replaces: str | None) -> SignedIn:
    if passwords.outdated(user["password_hash"]):
        statement = update(User).where(User.id == user["id"], User.password_hash == user["password_hash"])
        db.session.execute(statement.values(password_hash=passwords.hashed(password)))
    token = open_session(user["id"], address, agent, replaces)
    with use_actor(replace(current(), user_id=user["id"], name=user["name"])):
        audit.write("user", user["id"], "signed_in", None, {"agent": agent[:200]})
    return SignedIn(token, user["id"], user["login"], user["name"], user["must_change_password"])


# --- changing one's password ------------------------------------------------------------------------------------------


def change_password(present: str, wanted: str, *, token: str | None) -> None:
    """Change one's own password; every other session of the user ends. Guesses at the present one are slowed.

    Raises InvalidInput with all faults, TooManyRequests.
    """
    actor = current()
    if actor.user_id is None:
        raise Forbidden("forbidden", permission="sign-in")
    idempotency.clear()
    user_id = actor.user_id
    keys = {f"change:{user_id}": rules.OWN_BROWSER}
    _admit(keys)
    user = db.session.execute(select(User.__table__).where(User.id == user_id)).mappings().one()
    if len(present) > PASSWORD_TYPED_MAX or not passwords.matches(user["password_hash"], present):
        raise InvalidInput([FieldError("present", "password.wrong")])
    _note_success(keys)
    found = passwords.faults(wanted, [user["login"], user["name"], *queries.company_names()], "wanted")
    if wanted == present:
        found = [FieldError("wanted", "password.same")]
    if found:
        raise InvalidInput(found)
    _store_password(user_id, passwords.hashed(wanted), token)


@command(None)
def _store_password(user_id: int, password_hash: str, token: str | None) -> None:
    values = {"password_hash": password_hash, "must_change_password": False, "version": User.version + 1}
    db.session.execute(update(User).where(User.id == user_id).values(**values))
    revoke_sessions(user_id, token)
    audit.write("user", user_id, "password_changed", None)
