"""``@command``: one public service function = one transaction. Nobody else commits.

The outermost command checks the permission, opens the transaction, retries deadlocks and serialisation failures from
its input (at most three tries), writes what was gathered on the way (audit rows, outbox events) in one statement
each, draws gapless numbers last, and commits. A command called inside a command joins it.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from sdm.kernel import idempotency, locks
from sdm.kernel.actor import current
from sdm.kernel.db import RETRYABLE, db, sqlstate, translate

P = ParamSpec("P")
R = TypeVar("R")
TRIES = 3
set_local_lock_timeout = False  # behind a pooler the lock timeout is set per transaction, else on the connection


@dataclass(slots=True)
class Unit:
    """What one running transaction has gathered for its end."""

    before_commit: list[Callable[[], None]] = field(default_factory=list)
    last: list[Callable[[], None]] = field(default_factory=list)
    after_commit: list[Callable[[], None]] = field(default_factory=list)
    bags: dict[str, list[Any]] = field(default_factory=dict)


_unit: ContextVar[Unit | None] = ContextVar("sdm_command", default=None)
retries: list[Callable[[str], None]] = []  # observers (metrics) told the SQLSTATE of every retry


def running() -> Unit:
    """The running transaction; RuntimeError outside a command."""
    unit = _unit.get()
    if unit is None:
        raise RuntimeError("this runs inside a command only")
    return unit


def is_running() -> bool:
    """Whether a command is running."""
    return _unit.get() is not None


def gather(bag: str, item: Any, write: Callable[[list[Any]], None]) -> None:
    """Put an item into a bag of the running transaction; ``write`` gets the whole bag once, before the commit."""
    unit = running()
    if bag not in unit.bags:
        items = unit.bags[bag] = []
        unit.before_commit.append(lambda: write(items))
    unit.bags[bag].append(item)


def at_the_end(function: Callable[[], None]) -> None:
    """Run last in the transaction, after everything else (gapless numbers)."""
    running().last.append(function)


def after_commit(function: Callable[[], None]) -> None:
    """Run once the transaction is committed."""
    running().after_commit.append(function)


def command(permission: str | None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a service function a transaction guarded by a permission (None: the function checks for itself).

    Raises Forbidden, Busy (lock not granted in 3 s), Conflict or RuleViolation for violated constraints.
    Takes ids and values, never rows: a retry starts from nothing.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            if is_running():
                return function(*args, **kwargs)
            if permission is not None:
                current().require(permission)
            return _with_retry(functools.partial(function, *args, **kwargs))

        run.permission = permission  # type: ignore[attr-defined]
        return run

    return decorate


def _with_retry(function: Callable[[], R]) -> R:
    for attempt in range(1, TRIES + 1):
        try:
            return _transaction(function)
        except DBAPIError as error:
            state = sqlstate(error)
            if state in RETRYABLE and attempt < TRIES:
                for observe in retries:
                    observe(state or "")
                time.sleep(random.uniform(0.01, 0.05) * attempt)  # noqa: S311 - jitter, not a secret
                continue
            typed = translate(error)
            if typed is None:
                raise
            raise typed from error
    raise AssertionError("unreachable")


def _transaction(function: Callable[[], R]) -> R:
    unit = Unit()
    with _open(unit):
        replayed, answer = idempotency.replay()
        if replayed:
            return answer  # type: ignore[no-any-return]
        result = function()
        db.session.flush()
        for write in unit.before_commit:
            write()
        idempotency.remember(result)
        for finish in unit.last:
            finish()
        db.session.commit()
    idempotency.clear()  # the key of a request belongs to its first transaction
    for function_after in unit.after_commit:
        function_after()
    return result


@contextmanager
def _open(unit: Unit) -> Iterator[None]:
    token = _unit.set(unit)
    order = locks.begin()
    try:
        if set_local_lock_timeout:
            db.session.execute(text(f"SET LOCAL lock_timeout = {locks.LOCK_TIMEOUT_MS}"))
        yield
    except BaseException:
        db.session.rollback()
        raise
    finally:
        locks.end(order)
        _unit.reset(token)


def install(session_factory: Any) -> None:
    """Refuse commits outside a command where the session holds changes; done by the application factory."""
    event.listen(session_factory, "before_commit", _only_commands_commit)


def _only_commands_commit(session: Any) -> None:
    if not is_running() and (session.new or session.dirty or session.deleted):
        raise RuntimeError("only a command commits")
