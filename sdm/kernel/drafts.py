"""What is being typed: autosaved to the server, no document yet, not audited. Saving makes the document with that UUID."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Integer, delete, func, select
from sqlalchemy.dialects.postgresql import UUID as PgUUID
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel import command
from sdm.kernel.actor import current
from sdm.kernel.columns import Code, Created, Json, Ref
from sdm.kernel.db import Base, db


class Draft(Base):
    """One unfinished document of one user; ``content`` is as typed."""

    __tablename__ = "draft"

    uuid: Mapped[UUID] = mapped_column(PgUUID(as_uuid=True), primary_key=True)
    user_id: Mapped[Ref] = mapped_column(index=True)
    kind: Mapped[Code]
    content: Mapped[Json]
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    updated_at: Mapped[Created]


@command.command(None)
def save(uuid: UUID, kind: str, content: dict[str, Any]) -> int:
    """Save what is typed; another user's draft is never touched. Returns the revision (0: not yours)."""
    user_id = current().user_id
    new = insert(Draft).values(uuid=uuid, user_id=user_id, kind=kind, content=content)
    statement = new.on_conflict_do_update(
        index_elements=[Draft.uuid],
        set_={"content": new.excluded.content, "revision": Draft.revision + 1, "updated_at": func.now()},
        where=Draft.user_id == user_id,
    ).returning(Draft.revision)
    return int(db.session.execute(statement).scalar() or 0)


@command.command(None)
def discard(uuid: UUID) -> None:
    """Remove one's own draft; inside a command that saves the document it goes with it."""
    db.session.execute(delete(Draft).where(Draft.uuid == uuid, Draft.user_id == current().user_id))


def load(uuid: UUID) -> Draft | None:
    """One's own draft or None."""
    return db.session.execute(
        select(Draft).where(Draft.uuid == uuid, Draft.user_id == current().user_id)
    ).scalar_one_or_none()


def mine(kind: str | None = None, limit: int = 50) -> list[Draft]:
    """One's own drafts, newest first."""
    statement = select(Draft).where(Draft.user_id == current().user_id).order_by(Draft.updated_at.desc()).limit(limit)
    return list(db.session.execute(statement if kind is None else statement.where(Draft.kind == kind)).scalars())
