"""Who acts: identity, permissions and scope, in a context variable. Services read it here, never from a web request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from sdm.kernel.errors import Forbidden
from sdm.kernel.scope_value import EVERYTHING, Scope


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, API token or named system job. ``permissions`` are ``resource:action`` strings."""

    user_id: int | None
    name: str
    permissions: frozenset[str]
    scope: Scope
    person_id: int | None = None
    unit_id: int | None = None
    roles: frozenset[str] = frozenset()
    locale: str = "zh_CN"
    via: str = "web"
    address: str = ""
    request_id: str = ""
    all_permissions: bool = field(default=False)

    def can(self, permission: str) -> bool:
        """Whether the actor has the permission."""
        return self.all_permissions or permission in self.permissions

    def require(self, permission: str) -> None:
        """Raise Forbidden without the permission."""
        if not self.can(permission):
            raise Forbidden("forbidden", permission=str(permission))


_current: ContextVar[Actor | None] = ContextVar("sdm_actor", default=None)


def current() -> Actor:
    """The acting person or job; Forbidden when nobody is set (fails closed)."""
    actor = _current.get()
    if actor is None:
        raise Forbidden("forbidden", permission="sign-in")
    return actor


def current_or_none() -> Actor | None:
    """The acting person or job, or None."""
    return _current.get()


@contextmanager
def use_actor(actor: Actor | None) -> Iterator[Actor | None]:
    """Act as ``actor`` inside the block; its scope applies to every query."""
    token = _current.set(actor)
    try:
        yield actor
    finally:
        _current.reset(token)


def set_actor(actor: Actor | None) -> None:
    """Set the actor of this context (a web request does it once, at its start)."""
    _current.set(actor)


def system_actor(name: str, scope: Scope = EVERYTHING) -> Actor:
    """A named job or command-line run: every permission, whole network unless a scope is given."""
    return Actor(user_id=None, name=name, permissions=frozenset(), scope=scope, via="job", all_permissions=True)


def narrowed(actor: Actor, scope: Scope) -> Actor:
    """The same actor with a narrower scope."""
    return replace(actor, scope=scope)
