"""Work items (待办): everything someone must do, with handler, owner, result and log; approval routes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy import text as sql_text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Created, Id, Json, Name, Ref, Stamp
from sdm.kernel.db import Base
from sdm.kernel.scope import Scoped


class WorkItem(Scoped, Base):
    """One thing to do. Waits for a person (``handler_id``, a user) or for everyone with ``permission`` over ``handler_unit_id``.

    States: open → acknowledged → handled → closed; withdrawn when its cause is gone. ``key`` is unique while open.
    """

    __tablename__ = "work_item"
    __table_args__ = (
        CheckConstraint("state IN ('open','acknowledged','handled','closed','withdrawn')", name="state"),
        Index(
            "uq_work_item_open_key",
            "key",
            unique=True,
            postgresql_where=sql_text("state IN ('open','acknowledged')"),
        ),
        Index("ix_work_item_subject", "subject_kind", "subject_id"),
        Index(
            "ix_work_item_inbox",
            "permission",
            "handler_unit_id",
            postgresql_where=sql_text("state IN ('open','acknowledged')"),
        ),
        Index("ix_work_item_handler", "handler_id", postgresql_where=sql_text("state IN ('open','acknowledged')")),
    )

    id: Mapped[Id]
    kind: Mapped[Code] = mapped_column(index=True)
    key: Mapped[Name]
    title: Mapped[Name]
    subject_kind: Mapped[Code]
    subject_id: Mapped[Ref]
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    figures: Mapped[Json]
    permission: Mapped[Code] = mapped_column(server_default="")
    handler_id: Mapped[Ref | None]
    handler_unit_id: Mapped[Ref | None]
    owner_id: Mapped[Ref | None]
    level: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    state: Mapped[Code] = mapped_column(server_default="open", default="open")
    result: Mapped[Code] = mapped_column(server_default="", default="")
    comment: Mapped[str] = mapped_column(server_default="", default="")
    due_at: Mapped[Stamp | None]
    created_at: Mapped[Created]
    handled_at: Mapped[Stamp | None]
    handled_by_id: Mapped[Ref | None]
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class WorkItemLog(Base):
    """Every step of a work item."""

    __tablename__ = "work_item_log"

    id: Mapped[Id]
    work_item_id: Mapped[int] = mapped_column(ForeignKey("work_item.id"), index=True)
    at: Mapped[Created]
    actor_id: Mapped[Ref | None]
    actor_name: Mapped[Name]
    step: Mapped[Code]
    detail: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default=sql_text("'{}'"))


class ApprovalRoute(Base):
    """From which amount on a document of a kind stops at whom (OS-05): a permission at a level of the organisation."""

    __tablename__ = "approval_route"
    __table_args__ = (
        UniqueConstraint("kind", "amount_from"),
        CheckConstraint("unit_level IN ('office','branch','region','head_office')", name="unit_level"),
    )

    id: Mapped[Id]
    kind: Mapped[Code]
    amount_from: Mapped[Amount]
    permission: Mapped[Code]
    unit_level: Mapped[Code]
    active: Mapped[bool] = mapped_column(server_default="true", default=True)
