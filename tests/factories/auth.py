"""Users with roles, actors and signed-in browsers for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from branches.org.models import Unit
from sdm.auth import passwords
from sdm.auth.identity import cookie_name, load_actor
from sdm.auth.models import Role, RolePermission, User, UserRole
from sdm.auth.service import ensure_roles, open_session
from sdm.kernel.actor import Actor, system_actor, use_actor
from sdm.kernel.db import db
from tests.factories import org

PASSWORD = "correct horse battery staple 7"
_hash: list[str] = []


def password_hash() -> str:
    """The hash of PASSWORD, made once per run."""
    if not _hash:
        _hash.append(passwords.hashed(PASSWORD))
    return _hash[0]


def role(code: str = "clerk") -> Role:
    """A delivered role."""
    with use_actor(system_actor("factory")):
        ensure_roles()
    return db.session.execute(select(Role).where(Role.code == code)).scalar_one()


def role_with(*permissions: str) -> Role:
    """A role of exactly these permissions."""
    row = org.save(Role(code=f"role-{org.serial()}", name="Role"))
    for permission in permissions:
        org.save(RolePermission(role_id=row.id, permission=str(permission)))
    return row


def user(role_: str | Role = "clerk", unit: Unit | None = None, **values: Any) -> User:
    """A user with one role over a unit (default: a new branch) and the password PASSWORD."""
    unit = unit or org.branch()
    granted = role(role_) if isinstance(role_, str) else role_
    n = org.serial()
    defaults = {"login": f"user{n}", "name": f"User {n}", "unit_id": unit.id, "password_hash": password_hash()}
    row = org.save(User(**{**defaults, **values}))
    org.save(UserRole(user_id=row.id, role_id=granted.id, unit_id=unit.id))
    org.touch()
    return row


@contextmanager
def acting(role_: str | Role = "clerk", unit: Unit | None = None, **values: Any) -> Iterator[Actor]:
    """Act as a new user with this role over the unit; ``user=`` acts as a present one."""
    row = values.pop("user", None) or user(role_, unit, **values)
    with use_actor(load_actor(row.id)) as actor:
        assert actor is not None
        yield actor


def signed_in(client: FlaskClient, row: User | None = None, **values: Any) -> FlaskClient:
    """The browser with a session of the user (default: a new clerk), without the cost of a password check."""
    row = row or user(**values)
    with use_actor(system_actor("factory")):
        token = open_session(row.id, "127.0.0.1", "test")
    client.set_cookie(cookie_name(False), token)
    return client


def form_token(client: FlaskClient) -> str:
    """A form token of the browser's session."""
    return str(client.get("/app/csrf").get_json()["csrf_token"])


def post(client: FlaskClient, path: str, data: dict[str, Any] | None = None, **kwargs: Any) -> Any:
    """Post a form with its token."""
    return client.post(path, data={"csrf_token": form_token(client), **(data or {})}, **kwargs)
