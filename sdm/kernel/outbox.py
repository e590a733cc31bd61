"""Facts for later readers: one event row and one delivery row per reader, in the transaction that made the fact.

Readers (re-check of held orders, alerts, messages) claim deliveries with SKIP LOCKED in small batches, each delivery in
a transaction of its own; a failing one waits with back-off and stays visible. A reader must be safe to run twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, insert, text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel import command
from sdm.kernel.columns import Code, Created, Id, Json, Ref, Stamp
from sdm.kernel.db import Base, db, table_of

ATTEMPTS_MAX = 12


class OutboxEvent(Base):
    """A fact: name such as ``order.confirmed``, its document, unit and data."""

    __tablename__ = "outbox_event"

    id: Mapped[Id]
    name: Mapped[Code] = mapped_column(index=True)
    kind: Mapped[Code]
    document_id: Mapped[Ref]
    unit_id: Mapped[Ref | None]
    payload: Mapped[Json]
    at: Mapped[Created]


class OutboxDelivery(Base):
    """One event for one reader: waiting, done or failed."""

    __tablename__ = "outbox_delivery"
    __table_args__ = (Index("ix_outbox_delivery_due", "next_at", postgresql_where=text("state = 'waiting'")),)

    event_id: Mapped[int] = mapped_column(ForeignKey("outbox_event.id"), primary_key=True)
    reader: Mapped[Code] = mapped_column(primary_key=True)
    state: Mapped[Code] = mapped_column(server_default="waiting")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    next_at: Mapped[Created]
    done_at: Mapped[Stamp | None]
    error: Mapped[str | None]


@dataclass(frozen=True, slots=True)
class Event:
    """What a reader gets."""

    id: int
    name: str
    kind: str
    document_id: int
    unit_id: int | None
    payload: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """A named reader of some events; ``handle`` is a command or runs commands."""

    name: str
    events: frozenset[str]
    handle: Callable[[Event], None]


_readers: dict[str, Reader] = {}


def register(reader: Reader) -> None:
    """Add a reader; done by wiring."""
    _readers[reader.name] = reader


def readers_of(name: str) -> list[str]:
    """Names of the readers of an event."""
    return [reader.name for reader in _readers.values() if name in reader.events]


def record(name: str, kind: str, document_id: int, unit_id: int | None, **payload: Any) -> None:
    """Note a fact; written with the transaction's other facts before its commit."""
    event = {
        "name": name,
        "kind": kind,
        "document_id": document_id,
        "unit_id": unit_id,
        "payload": json.loads(json.dumps(payload, default=str)),
    }
    command.gather("outbox", event, _insert)


def _insert(events: list[dict[str, Any]]) -> None:
    wanted = [event for event in events if readers_of(event["name"])]
    if not wanted:
        return
    ids = db.session.execute(
        insert(table_of(OutboxEvent)).returning(OutboxEvent.id, sort_by_parameter_order=True), wanted
    ).scalars()
    deliveries = [
        {"event_id": event_id, "reader": reader}
        for event_id, event in zip(ids, wanted, strict=True)
        for reader in readers_of(event["name"])
    ]
    db.session.execute(insert(table_of(OutboxDelivery)), deliveries)


_CLAIM = text(
    """
SELECT d.event_id, d.reader, d.attempts, e.name, e.kind, e.document_id, e.unit_id, e.payload
FROM outbox_delivery d JOIN outbox_event e ON e.id = d.event_id
WHERE d.state = 'waiting' AND d.next_at <= now()
ORDER BY d.next_at, d.event_id
LIMIT 1 FOR UPDATE OF d SKIP LOCKED
"""
)
_DONE = text("UPDATE outbox_delivery SET state = 'done', done_at = now() WHERE event_id = :e AND reader = :r")
_FAILED = text(
    """
UPDATE outbox_delivery SET attempts = attempts + 1, error = :error,
  state = CASE WHEN attempts + 1 >= :max THEN 'failed' ELSE 'waiting' END,
  next_at = now() + interval '1 second' * least(3600, power(2, attempts + 1))
WHERE event_id = :e AND reader = :r
"""
)


def run_readers(batch: int = 200) -> int:
    """Deliver up to ``batch`` due events, each in its own transaction; returns how many were delivered."""
    done = 0
    for _ in range(batch):
        claimed: list[Any] = []
        try:
            if not _deliver_next(claimed):
                break
            done += 1
        except Exception as error:  # a failing reader must not stop the others
            db.session.rollback()
            if not claimed:
                raise
            _note_failure(claimed[0].event_id, claimed[0].reader, repr(error)[:2000])
    return done


@command.command(None)
def _deliver_next(claimed: list[Any]) -> bool:
    """Claim one due delivery and hand it to its reader in this transaction; False when none is due."""
    claimed.clear()
    row = db.session.execute(_CLAIM).first()
    if row is None:
        return False
    claimed.append(row)
    reader = _readers.get(row.reader)
    if reader is not None:
        reader.handle(Event(row.event_id, row.name, row.kind, row.document_id, row.unit_id, row.payload))
    db.session.execute(_DONE, {"e": row.event_id, "r": row.reader})
    return True


@command.command(None)
def _note_failure(event_id: int, reader: str, error: str) -> None:
    db.session.execute(_FAILED, {"e": event_id, "r": reader, "error": error, "max": ATTEMPTS_MAX})
