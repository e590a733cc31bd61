"""Who did what to which document, in the same transaction; sealed into a keyed hash chain afterwards.

``write`` gathers one row per document and command. ``seal`` (a job) takes committed rows, those whose transaction id is
below the oldest running one, in order, and appends their digests to the chain. Chaining inside the transaction would
queue all writers.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, FetchedValue, Index, LargeBinary, String, func, insert, select, text
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from sdm.kernel import command
from sdm.kernel.actor import current
from sdm.kernel.columns import Code, Created, Id, Json, Name, Ref
from sdm.kernel.db import Base, append_only, db, table_of
from sdm.kernel.scope import Scoped

_seal_key = b"sdm"


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        """Name of the type."""
        return "xid8"


class AuditRow(Scoped, Base):
    """One change of one document; ``changes`` is ``{column: [old, new]}`` or what else tells the story."""

    __tablename__ = "audit_row"
    __table_args__ = (Index("ix_audit_row_document", "kind", "document_id"), Index("ix_audit_row_xid", "xid"))

    id: Mapped[Id]
    at: Mapped[Created]
    actor_id: Mapped[Ref | None]
    actor_name: Mapped[Name]
    via: Mapped[Code]
    address: Mapped[Code]
    request_id: Mapped[Code]
    action: Mapped[Code]
    kind: Mapped[Code]
    document_id: Mapped[Ref | None]
    unit_id: Mapped[Ref | None] = mapped_column(index=True)
    changes: Mapped[Json]
    xid: Mapped[int] = mapped_column(Xid8(), server_default=text("pg_current_xact_id()"))


class AuditSeal(Base):
    """One link of the chain: digest over the previous digest and the audit row."""

    __tablename__ = "audit_seal"

    seq: Mapped[Id]
    audit_id: Mapped[Ref] = mapped_column(unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sealed_at: Mapped[Created]


append_only(AuditRow)
append_only(AuditSeal)


class AuditMark(Base):
    """Up to which transaction id rows are sealed, and on which cluster (after a restore ids start anew)."""

    __tablename__ = "audit_mark"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    cluster: Mapped[str] = mapped_column(String(40))
    below_xid: Mapped[int] = mapped_column(Xid8(), FetchedValue())


_WRITE = text(
    """
INSERT INTO audit_row (actor_id, actor_name, via, address, request_id, action, kind, document_id, unit_id, changes)
SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(actor_id bigint, actor_name text, via text, address text,
  request_id text, action text, kind text, document_id bigint, unit_id bigint, changes jsonb)
"""
)


def set_seal_key(key: bytes) -> None:
    """Key of the chain; set once by the application factory."""
    global _seal_key
    _seal_key = key


def write(
    kind: str, document_id: int | None, action: str, unit_id: int | None, changes: dict[str, Any] | None = None
) -> None:
    """Note a change; written with the transaction's other audit rows in one statement before its commit."""
    actor = current()
    row = {
        "actor_id": actor.user_id,
        "actor_name": actor.name,
        "via": actor.via,
        "address": actor.address,
        "request_id": actor.request_id,
        "action": action,
        "kind": kind,
        "document_id": document_id,
        "unit_id": unit_id,
        "changes": changes or {},
    }
    command.gather("audit", row, _insert)


def _insert(rows: list[dict[str, Any]]) -> None:
    db.session.execute(_WRITE, {"rows": json.dumps(rows, ensure_ascii=False, default=str)})


def changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """``{column: [old, new]}`` of what differs."""
    return {key: [before.get(key), value] for key, value in after.items() if before.get(key) != value}


def digest_of(previous: bytes, row: Any) -> bytes:
    """Keyed digest of one audit row chained to the previous one."""
    content = json.dumps(
        [row.id, row.at.isoformat(), row.actor_id, row.actor_name, row.action, row.kind, row.document_id, row.changes],
        sort_keys=True,
        default=str,
    )
    return hmac.new(_seal_key, previous + content.encode(), hashlib.sha256).digest()


@command.command(None)
def seal(limit: int = 5000) -> int:
    """Seal up to ``limit`` committed rows; returns how many. One sealer at a time (row lock on the mark)."""
    cluster, mark = _locked_mark()
    unsealed = (
        select(AuditRow)
        .where(text("xid < pg_snapshot_xmin(pg_current_snapshot())"))
        .where(~select(AuditSeal.audit_id).where(AuditSeal.audit_id == AuditRow.id).exists())
        .order_by(text("xid"), AuditRow.id)
        .limit(limit)
    )
    if mark is not None and mark.cluster == cluster:
        unsealed = unsealed.where(text("xid >= cast(cast(:mark as text) as xid8)").bindparams(mark=str(mark.below_xid)))
    rows = db.session.execute(unsealed).scalars().all()
    _append(list(rows))
    _move_mark(cluster, str(rows[-1].xid) if rows else None)
    return len(rows)


def _locked_mark() -> tuple[str, Any]:
    cluster = str(db.session.execute(text("SELECT system_identifier FROM pg_control_system()")).scalar_one())
    db.session.execute(
        text("INSERT INTO audit_mark (id, cluster, below_xid) VALUES (1, '', '0') ON CONFLICT DO NOTHING")
    )
    row = db.session.execute(
        text("SELECT cluster, cast(below_xid as text) AS below_xid FROM audit_mark WHERE id = 1 FOR UPDATE")
    ).one()
    return cluster, row


def _append(rows: list[AuditRow]) -> None:
    previous = db.session.execute(select(AuditSeal.digest).order_by(AuditSeal.seq.desc()).limit(1)).scalar() or b""
    links = []
    for row in rows:
        previous = digest_of(previous, row)
        links.append({"audit_id": row.id, "digest": previous})
    if links:
        db.session.execute(insert(table_of(AuditSeal)), links)


def _move_mark(cluster: str, below: str | None) -> None:
    if below is not None:
        db.session.execute(
            text("UPDATE audit_mark SET cluster = :c, below_xid = cast(cast(:x as text) as xid8) WHERE id = 1"),
            {"c": cluster, "x": below},
        )


def broken_links(batch: int = 10_000) -> list[int]:
    """Ids of audit rows whose digest does not fit the chain, at most 20; reads the whole chain in batches."""
    broken: list[int] = []
    previous, last = b"", 0
    while len(broken) < 20:
        links = db.session.execute(
            select(AuditSeal, AuditRow)
            .outerjoin(AuditRow, AuditRow.id == AuditSeal.audit_id)
            .where(AuditSeal.seq > last)
            .order_by(AuditSeal.seq)
            .limit(batch)
        ).all()
        if not links:
            break
        for link, row in links:
            expected = digest_of(previous, row) if row is not None else b""
            if expected != link.digest:
                broken.append(link.audit_id)
            previous, last = link.digest, link.seq
    return broken[:20]


def unsealed_for(seconds: int) -> list[int]:
    """Ids of rows still unsealed after so many seconds, at most 20."""
    statement = (
        select(AuditRow.id)
        .where(~select(AuditSeal.audit_id).where(AuditSeal.audit_id == AuditRow.id).exists())
        .where(AuditRow.at < func.now() - text(f"interval '{int(seconds)} seconds'"))
        .limit(20)
    )
    return list(db.session.execute(statement).scalars())


def history(kind: str, document_id: int, limit: int = 200) -> list[tuple[datetime, str, str, dict[str, Any]]]:
    """(when, who, action, changes) of one document, oldest first."""
    rows = db.session.execute(
        select(AuditRow.at, AuditRow.actor_name, AuditRow.action, AuditRow.changes)
        .where(AuditRow.kind == kind, AuditRow.document_id == document_id)
        .order_by(AuditRow.id)
        .limit(limit)
    )
    return [tuple(row) for row in rows]  # type: ignore[misc]
