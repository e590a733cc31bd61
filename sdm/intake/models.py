"""What imports and take-on keep: runs and their rows, mappings by name, batches, entered control totals.

Two unlogged working tables per take-on run (``take_on_raw_<id>``, ``take_on_row_<id>``) are made and dropped by the run.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.columns import Amount, Code, Created, Id, Json, Long, Name, Ref, Stamp
from sdm.kernel.db import Base, append_only
from sdm.kernel.scope import Scoped


class ImportRun(Scoped, Base):
    """One file for one sheet: checked → applying → done, or with faults. The same file is applied once.

    ``digest`` is the sha256 of the file. ``created``, ``changed``, ``unchanged`` count what was applied so far.
    """

    __tablename__ = "import_run"
    __table_args__ = (
        UniqueConstraint("sheet", "digest"),
        CheckConstraint("state IN ('faulty','checked','applying','done')", name="state"),
    )

    id: Mapped[Id]
    unit_id: Mapped[Ref] = mapped_column(index=True)
    sheet: Mapped[Code]
    digest: Mapped[str] = mapped_column(String(64))
    file_name: Mapped[Name]
    header: Mapped[list[str]] = mapped_column(ARRAY(String))
    state: Mapped[Code]
    rows: Mapped[int] = mapped_column(Integer)
    faults: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    applied: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    created: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    changed: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    unchanged: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]
    created_by: Mapped[Name]
    finished_at: Mapped[Stamp | None]


class ImportRow(Base):
    """One row of a file as read, with its faults; ``batch`` is the batch that applies it; belongs to its run."""

    __tablename__ = "import_row"
    __table_args__ = (
        Index("ix_import_row_faulty", "run_id", "number", postgresql_where=text("faults IS NOT NULL")),
        Index("ix_import_row_batch", "run_id", "batch"),
    )

    run_id: Mapped[int] = mapped_column(ForeignKey("import_run.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    cells: Mapped[list[str]] = mapped_column(ARRAY(String))
    faults: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    batch: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    applied: Mapped[bool] = mapped_column(Boolean, server_default="false", default=False)


class TakeOnMapping(Base):
    """A column mapping kept by name: the text of its TOML. Readable by everyone who may take on."""

    __tablename__ = "take_on_mapping"

    id: Mapped[Id]
    name: Mapped[Code] = mapped_column(unique=True)
    body: Mapped[Long]
    changed_at: Mapped[Created]
    changed_by: Mapped[Name] = mapped_column(server_default="", default="")
    version: Mapped[int] = mapped_column(Integer, server_default="1", default=1)


class TakeOnRun(Scoped, Base):
    """Some files with one mapping: staged → checked → posting → done, or with faults that stop it.

    ``digest``: sha256 over files and mapping; the same again changes nothing. ``report``: counts, faults, totals per month.
    """

    __tablename__ = "take_on_run"
    __table_args__ = (
        CheckConstraint("state IN ('new','faulty','checked','posting','done')", name="state"),
        Index("uq_take_on_run_digest", "digest", unique=True),
    )

    id: Mapped[Id]
    unit_id: Mapped[Ref] = mapped_column(index=True)
    digest: Mapped[str] = mapped_column(String(64))
    mapping_name: Mapped[Code]
    mapping_body: Mapped[Long]
    file_names: Mapped[list[str]] = mapped_column(ARRAY(String))
    state: Mapped[Code]
    report: Mapped[Json]
    batches: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    batches_done: Mapped[int] = mapped_column(Integer, server_default="0", default=0)
    created_at: Mapped[Created]
    created_by_id: Mapped[Ref | None]
    created_by: Mapped[Name]
    finished_at: Mapped[Stamp | None]


class TakeOnFile(Base):
    """A file given on screen, kept until its run is done, so that any web worker can go on with it."""

    __tablename__ = "take_on_file"
    __table_args__ = (UniqueConstraint("run_id", "position"),)

    id: Mapped[Id]
    run_id: Mapped[int] = mapped_column(ForeignKey("take_on_run.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    name: Mapped[Name]
    content: Mapped[bytes] = mapped_column(LargeBinary)


class TakeOnBatch(Scoped, Base):
    """A bounded part of a run, posted in one transaction together with this row; never changed."""

    __tablename__ = "take_on_batch"
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: Mapped[Id]
    unit_id: Mapped[Ref] = mapped_column(index=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("take_on_run.id"))
    number: Mapped[int] = mapped_column(Integer)
    date_from: Mapped[date]
    date_to: Mapped[date]
    lines: Mapped[int] = mapped_column(Integer)
    invoices: Mapped[int] = mapped_column(Integer)
    credits: Mapped[int] = mapped_column(Integer)
    adjustments: Mapped[int] = mapped_column(Integer)
    charged: Mapped[Amount]
    credited: Mapped[Amount]
    posted_at: Mapped[Created]


append_only(TakeOnBatch)


class ControlTotal(Scoped, Base):
    """A figure from the old books, to be compared with ours (BA-10). ``month``, ``of_unit_id``, ``dealer_id`` narrow it."""

    __tablename__ = "control_total"
    __table_args__ = (
        UniqueConstraint("measure", "month", "of_unit_id", "dealer_id", postgresql_nulls_not_distinct=True),
    )

    id: Mapped[Id]
    unit_id: Mapped[Ref] = mapped_column(index=True)
    measure: Mapped[Code]
    month: Mapped[date | None]
    of_unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    dealer_id: Mapped[int | None] = mapped_column(ForeignKey("dealer.id"))
    entered = mapped_column(Numeric(20, 3), nullable=False)
    source: Mapped[Name] = mapped_column(server_default="", default="")
    entered_at: Mapped[Created]
    entered_by: Mapped[Name] = mapped_column(server_default="", default="")
