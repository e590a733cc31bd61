"""Idempotency keys: the key row commits in the same transaction as the work, so a crash leaves neither or both.

``begin`` names the key of this request; the outermost command inserts the row first (lock order: key first), a second
sender waits on it and gets the stored answer. Same key with other content is refused. Keys are kept 72 hours; the
client's UUID on the document stays unique for ever.
"""

from __future__ import annotations

import hashlib
import json
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel import clock
from sdm.kernel.actor import current
from sdm.kernel.columns import Code, Created, Json, Name
from sdm.kernel.db import Base, db
from sdm.kernel.errors import InvalidInput

KEPT = timedelta(hours=72)


class IdempotencyKey(Base):
    """One answered request key of one actor."""

    __tablename__ = "idempotency_key"

    key: Mapped[Code] = mapped_column(primary_key=True)
    actor: Mapped[Name] = mapped_column(primary_key=True)
    route: Mapped[Name]
    content_hash: Mapped[Code]
    answer: Mapped[Json | None]
    created_at: Mapped[Created] = mapped_column(index=True)


_INSERT = text(
    """
INSERT INTO idempotency_key (key, actor, route, content_hash) VALUES (:key, :actor, :route, :content_hash)
ON CONFLICT DO NOTHING RETURNING key
"""
)
_READ = text("SELECT route, content_hash, answer FROM idempotency_key WHERE key = :key AND actor = :actor")
_ANSWER = text("UPDATE idempotency_key SET answer = CAST(:answer AS jsonb) WHERE key = :key AND actor = :actor")


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """What a command that makes or changes a document answers; can be stored and replayed."""

    kind: str
    id: int
    number: str
    state: str
    version: int
    uuid: UUID | None = None


@dataclass(slots=True)
class _Pending:
    key: str
    route: str
    content_hash: str


_pending: ContextVar[_Pending | None] = ContextVar("sdm_idempotency", default=None)


def content_hash(content: Any) -> str:
    """Stable hash of a request's content (JSON-like or bytes)."""
    raw = content if isinstance(content, bytes) else json.dumps(content, sort_keys=True, default=str).encode()
    return hashlib.sha256(raw).hexdigest()


def begin(key: str, route: str, content: Any) -> None:
    """Name the key of this request; the next outermost command uses it once."""
    if not 8 <= len(key) <= 64:
        raise InvalidInput([], code="idempotency.key_length")
    _pending.set(_Pending(key, route, content_hash(content)))


def clear() -> None:
    """Forget the key (end of request)."""
    _pending.set(None)


def _actor_key() -> str:
    actor = current()
    return f"user:{actor.user_id}" if actor.user_id else actor.name


def replay() -> tuple[bool, Any]:
    """(True, stored answer) when the key was answered before; otherwise the row is inserted and the work may start."""
    pending = _pending.get()
    if pending is None:
        return False, None
    values = {"key": pending.key, "actor": _actor_key(), "route": pending.route, "content_hash": pending.content_hash}
    if db.session.execute(_INSERT, values).first():
        return False, None
    row = db.session.execute(_READ, {"key": pending.key, "actor": values["actor"]}).one()
    if (row.route, row.content_hash) != (pending.route, pending.content_hash):
        raise InvalidInput([], code="idempotency.mismatch")
    _pending.set(None)
    return True, _decode(row.answer)


def remember(result: Any) -> None:
    """Store the command's answer beside its key."""
    pending = _pending.get()
    if pending is None:
        return
    answer = json.dumps(_encode(result), default=str)
    db.session.execute(_ANSWER, {"key": pending.key, "actor": _actor_key(), "answer": answer})


def _encode(result: Any) -> dict[str, Any]:
    if isinstance(result, DocumentRef):
        return {"ref": {**asdict(result), "uuid": str(result.uuid) if result.uuid else None}}
    return {"value": result}


def _decode(answer: dict[str, Any] | None) -> Any:
    if not answer:
        return None
    if "ref" in answer:
        ref = dict(answer["ref"])
        ref["uuid"] = UUID(ref["uuid"]) if ref["uuid"] else None
        return DocumentRef(**ref)
    return answer["value"]


def forget_old() -> int:
    """Delete keys older than 72 hours; returns how many. Caller commits."""
    result = db.session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < clock.now() - KEPT))
    return int(result.rowcount)  # type: ignore[attr-defined]
