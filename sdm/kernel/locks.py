"""Row locks: one order for everybody, late, once, and re-read.

Order: idempotency key; documents by (kind, id); credit accounts; open items; balances by (book, location, product, lot);
buckets; budgets and promotion caps; number counter. Going backwards raises, so a wrong order fails in every test that
runs the code, not only in the rare deadlock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum
from typing import Any, TypeVar

from sqlalchemy import select

from sdm.kernel.db import db

LOCK_TIMEOUT_MS = 3000
T = TypeVar("T")


class Rank(IntEnum):
    """Place of a kind of row in the lock order."""

    KEY = 0
    DOCUMENT = 1
    CREDIT = 2
    OPEN_ITEM = 3
    BALANCE = 4
    BUCKET = 5
    BUDGET = 6
    COUNTER = 7


_reached: ContextVar[int | None] = ContextVar("sdm_lock_rank", default=None)


def begin() -> Any:
    """Start the lock order of a transaction; returns the token for :func:`end`."""
    return _reached.set(Rank.KEY)


def end(token: Any) -> None:
    """Forget the lock order of a transaction."""
    _reached.reset(token)


def reach(rank: Rank) -> None:
    """Note that rows of this rank are about to be locked; refuses to run outside a command or backwards."""
    reached = _reached.get()
    if reached is None:
        raise RuntimeError("locks are taken inside a command only")
    if rank < reached:
        raise RuntimeError(f"lock order: {rank.name} after {Rank(reached).name}")
    _reached.set(rank)


@contextmanager
def holding(rank: Rank) -> Iterator[None]:
    """Write rows of an earlier rank again that this very transaction has locked before; no new lock is waited for inside."""
    reached = _reached.get()
    if reached is None or reached < rank:
        raise RuntimeError(f"no {rank.name} row is held")
    _reached.set(rank)
    try:
        yield
    finally:
        _reached.set(reached)


def lock_rows(model: type[T], ids: Collection[int], rank: Rank = Rank.DOCUMENT, key: str = "id") -> list[T]:
    """Lock rows of one table by key, ascending, FOR NO KEY UPDATE, and re-read them; absent or foreign ones are missing.

    Raises Busy (through the command) when a lock is not granted within three seconds.
    """
    reach(rank)
    column = getattr(model, key)
    statement = (
        select(model)
        .where(column.in_(sorted(set(ids))))
        .order_by(column)
        .with_for_update(key_share=True, of=model)
        .execution_options(populate_existing=True)
    )
    return list(db.session.execute(statement).scalars())
