"""What every document has, links between documents, and the registry of kinds (address, permission, label)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sqlalchemy import Boolean, Index, Integer, UniqueConstraint, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Mapped, declared_attr, mapped_column

from sdm.kernel import audit
from sdm.kernel.columns import Code, Created, Id, Ref, Uuid
from sdm.kernel.db import Base, db, table_of
from sdm.kernel.errors import FieldError, IllegalTransition, InvalidInput, NotFound, StaleVersion
from sdm.kernel.idempotency import DocumentRef
from sdm.kernel.locks import lock_rows
from sdm.kernel.numbering import generated
from sdm.kernel.scope import Scoped


class Document(Scoped):
    """Columns of every document. ``uuid`` is the client's and unique; ``source``: clerk, portal, file, api, take-on, job."""

    __abstract__ = True
    kind: ClassVar[str]
    prefix: ClassVar[str]

    id: Mapped[Id]
    uuid: Mapped[Uuid] = mapped_column(unique=True)
    unit_id: Mapped[Ref] = mapped_column(index=True)
    state: Mapped[Code] = mapped_column(index=True)
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)
    source: Mapped[Code] = mapped_column(server_default="clerk", default="clerk")
    taken_on: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]

    @declared_attr
    def number(cls) -> Mapped[str]:
        """Ordinary number, made by the database from the identity."""
        return mapped_column(generated(cls.prefix), unique=True)

    def ref(self) -> DocumentRef:
        """What a command answers about this document."""
        return DocumentRef(self.kind, self.id, self.number, self.state, self.version, self.uuid)


class DocumentLink(Base):
    """A document that came from another: order → shipment → invoice; shown as one chain (OS-13)."""

    __tablename__ = "document_link"
    __table_args__ = (
        UniqueConstraint("from_kind", "from_id", "to_kind", "to_id"),
        Index("ix_document_link_to", "to_kind", "to_id"),
    )

    id: Mapped[Id]
    from_kind: Mapped[Code]
    from_id: Mapped[Ref]
    to_kind: Mapped[Code]
    to_id: Mapped[Ref]
    created_at: Mapped[Created]


@dataclass(frozen=True, slots=True)
class DocumentKind:
    """A kind of document: its model, page endpoint (argument ``id``), permission to read, label (English)."""

    code: str
    model: Any
    endpoint: str
    permission: str
    label: str


_kinds: dict[str, DocumentKind] = {}


def register_kind(kind: DocumentKind) -> None:
    """Add a kind; done by wiring."""
    _kinds[kind.code] = kind


def kind_of(code: str) -> DocumentKind:
    """The registered kind."""
    return _kinds[code]


def kinds() -> list[DocumentKind]:
    """All registered kinds."""
    return list(_kinds.values())


def link(source: tuple[str, int], target: tuple[str, int]) -> None:
    """Link two documents, each (kind, id); linking twice is the same as once."""
    db.session.execute(
        pg_insert(DocumentLink)
        .values(from_kind=source[0], from_id=source[1], to_kind=target[0], to_id=target[1])
        .on_conflict_do_nothing()
    )


def link_many(rows: list[dict[str, Any]]) -> None:
    """Link many documents at once: rows with from_kind, from_id, to_kind, to_id."""
    if rows:
        db.session.execute(insert(table_of(DocumentLink)), rows)


def chain_of(kind: str, document_id: int, limit: int = 200) -> list[tuple[str, int]]:
    """(kind, id) of all documents connected with one, itself included, at most ``limit``; breadth first."""
    seen: list[tuple[str, int]] = [(kind, document_id)]
    frontier = set(seen)
    while frontier and len(seen) < limit:
        found = _neighbours(frontier)
        frontier = {node for node in found if node not in seen}
        seen.extend(sorted(frontier))
    return seen[:limit]


def _neighbours(nodes: set[tuple[str, int]]) -> set[tuple[str, int]]:
    link_row = DocumentLink
    by_kind: dict[str, list[int]] = {}
    for node_kind, node_id in nodes:
        by_kind.setdefault(node_kind, []).append(node_id)
    terms = []
    for node_kind, ids in by_kind.items():
        terms.append((link_row.from_kind == node_kind) & link_row.from_id.in_(ids))
        terms.append((link_row.to_kind == node_kind) & link_row.to_id.in_(ids))
    rows = db.session.execute(select(link_row).where(or_(*terms)).limit(1000)).scalars()
    return {end for row in rows for end in ((row.from_kind, row.from_id), (row.to_kind, row.to_id))}


def get(model: Any, document_id: int) -> Any:
    """A document in the actor's scope, or NotFound (a foreign one looks absent)."""
    row = db.session.execute(select(model).where(model.id == document_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind=model.kind, id=document_id)
    return row


def lock(model: Any, document_id: int, version: int | None = None) -> Any:
    """Lock a document in scope and compare its version. Raises NotFound, StaleVersion, Busy."""
    rows = lock_rows(model, [document_id])
    if not rows:
        raise NotFound("not_found", kind=model.kind, id=document_id)
    row = rows[0]
    if version is not None and row.version != version:
        raise StaleVersion("version.stale", expected=version, actual=row.version)
    return row


def require_state(row: Any, allowed: set[str] | frozenset[str], action: str) -> None:
    """Raise IllegalTransition unless the document's state allows the action."""
    if row.state not in allowed:
        raise IllegalTransition("transition.illegal", kind=row.kind, state=row.state, action=action)


def step(row: Any, action: str, state: str | None = None, **changes: Any) -> None:
    """Take a step: set the new state, raise the version, and note it in the audit with old and new state."""
    before = row.state
    if state is not None:
        row.state = state
    row.version += 1
    audit.write(row.kind, row.id, action, row.unit_id, {"state": [before, row.state], **changes})


def required(value: Any, field: str) -> Any:
    """The value, or InvalidInput naming the field when it is None."""
    if value is None:
        raise InvalidInput([FieldError(field, "input.required")])
    return value
