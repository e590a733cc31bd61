"""Imports: check a file (dry run), apply it in batches, exactly once; templates, exports, the workbook with its errors.

The same file for the same sheet is one run (unique sheet and sha256). A run is applied batch by batch, each in a
transaction that locks the run and marks its rows; whoever comes later goes on with the next batch.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from flask_babel import force_locale
from sqlalchemy import delete, func, insert, select, update

from branches.org import queries as org
from sdm.intake import files, registry, rules
from sdm.intake.models import ImportRow, ImportRun
from sdm.intake.values import fold
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InvalidInput, NotFound, RuleViolation, describe
from sdm.kernel.excel import AMOUNT_FORMAT, DATE_FORMAT, QTY_FORMAT, write_workbook
from sdm.kernel.i18n import LOCALES, error_text, translate
from sdm.kernel.locks import lock_rows
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import ImportSheet, SheetRow

describe(
    {
        "import.faulty": N_(
            "The file has %(faults)s errors; correct them and give the file again. Nothing was changed"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is, in rows."""

    run_id: int
    state: str
    done: int
    total: int
    faults: int
    created: int
    changed: int
    unchanged: int


@command(Permission.IMPORT_RUN)
def check(sheet_code: str, file_name: str, data: bytes) -> int:
    """Read and check a file; keeps rows and faults and changes nothing else. Returns the run's id.

    A file that was applied before, or is being applied, gives its old run. Raises HostileFile, InvalidInput (headings).
    """
    sheet = registry.sheet(sheet_code)
    current().require(sheet.permission)
    grid = files.read(file_name, data)
    known = _run_of(sheet_code, grid.digest)
    if known is not None:
        if known.state in {"applying", "done"}:
            return known.id
        db.session.execute(delete(ImportRun).where(ImportRun.id == known.id))
    layout = _layout(sheet, grid.header)
    rows, faults = rules.typed_rows(sheet, layout, grid.rows, choice_words(sheet))
    if not rows:
        raise InvalidInput([FieldError("rows", "sheet.no_rows")])
    faults += sheet.check(rows)
    return _keep(sheet, file_name, grid, rows, rules.faults_by_row(faults))


def _run_of(sheet_code: str, digest: str) -> ImportRun | None:
    statement = select(ImportRun).where(ImportRun.sheet == sheet_code, ImportRun.digest == digest)
    return db.session.execute(statement).scalar_one_or_none()


def _layout(sheet: ImportSheet, header: Sequence[str]) -> rules.Layout:
    layout = rules.layout_of(sheet, header, heading_words(sheet))
    if layout.faults:
        raise InvalidInput(list(layout.faults))
    return layout


def _keep(
    sheet: ImportSheet, file_name: str, grid: files.Grid, rows: list[SheetRow], faults: dict[int, list[dict[str, Any]]]
) -> int:
    actor = current()
    count = sum(len(found) for found in faults.values())
    run = ImportRun(
        unit_id=actor.unit_id or org.head_office().id,
        sheet=sheet.code,
        digest=grid.digest,
        file_name=file_name[:200],
        header=list(grid.header),
        state="faulty" if count else "checked",
        rows=len(rows),
        faults=count,
        created_by_id=actor.user_id,
        created_by=actor.name,
    )
    db.session.add(run)
    db.session.flush()
    batch_of = {row.number: n for n, batch in enumerate(rules.batches_of(sheet, rows)) for row in batch}
    db.session.execute(
        insert(ImportRow),
        [
            {
                "run_id": run.id,
                "number": number,
                "cells": list(cells),
                "batch": batch_of[number],
                "faults": json.loads(json.dumps(faults.get(number), default=str)),
            }
            for number, cells in grid.rows
        ],
    )
    return run.id


@command(Permission.IMPORT_RUN)
def apply_next(run_id: int) -> Progress:
    """Apply the next batch of a checked run in this transaction. Nothing happens when all is done.

    Raises RuleViolation for a run with errors, and whatever the sheet raises: then nothing of the batch was changed.
    """
    run = _locked(run_id)
    sheet = registry.sheet(run.sheet)
    current().require(sheet.permission)
    if run.state == "faulty":
        raise RuleViolation("import.faulty", faults=run.faults)
    if run.state != "done":
        _apply_batch(sheet, run)
    return progress_of(run)


def _locked(run_id: int) -> ImportRun:
    rows = lock_rows(ImportRun, [run_id])
    if not rows:
        raise NotFound("not_found", kind="import", id=run_id)
    return rows[0]


def _apply_batch(sheet: ImportSheet, run: ImportRun) -> None:
    waiting = (ImportRow.run_id == run.id) & ~ImportRow.applied
    batch = db.session.execute(select(func.min(ImportRow.batch)).where(waiting)).scalar()
    if batch is None:
        run.state, run.finished_at = "done", clock.now()
        return
    raw = db.session.execute(
        select(ImportRow.number, ImportRow.cells).where(waiting, ImportRow.batch == batch).order_by(ImportRow.number)
    ).all()
    rows, _ = rules.typed_rows(
        sheet, _layout(sheet, run.header), [(row.number, row.cells) for row in raw], choice_words(sheet)
    )
    done = sheet.apply(rows)
    db.session.execute(update(ImportRow).where(waiting, ImportRow.batch == batch).values(applied=True))
    run.applied += len(rows)
    run.created, run.changed = run.created + done.created, run.changed + done.changed
    run.unchanged += done.unchanged
    finished = run.applied >= run.rows
    run.state, run.finished_at = ("done", clock.now()) if finished else ("applying", None)
    audit.write("import_run", run.id, "apply", run.unit_id, {"sheet": run.sheet, "batch": batch, "rows": len(rows)})


def progress_of(run: ImportRun) -> Progress:
    """The figures of a run."""
    return Progress(run.id, run.state, run.applied, run.rows, run.faults, run.created, run.changed, run.unchanged)


# --- words ------------------------------------------------------------------------------------------------------------


def heading_words(sheet: ImportSheet) -> dict[str, list[str]]:
    """All headings that mean a column: the reader's language first, then every other one and English."""
    found: dict[str, list[str]] = {}
    for column in sheet.columns:
        found[column.key] = list(dict.fromkeys([str(column.label), *_in_every_language(column.label)]))
    return found


def choice_words(sheet: ImportSheet) -> dict[str, dict[str, str]]:
    """For choice columns: every word, in any language, and every code → code."""
    found: dict[str, dict[str, str]] = {}
    for column in sheet.columns:
        if column.kind == "choice":
            pairs = column.choices() if callable(column.choices) else column.choices or ()
            words = {_folded(word): str(code) for code, label in pairs for word in _in_every_language(label)}
            found[column.key] = words | {_folded(str(code)): str(code) for code, _ in pairs}
    return found


def _in_every_language(label: Any) -> list[str]:
    words = []
    for locale in LOCALES:
        with force_locale(locale):
            words.append(str(label) if not isinstance(label, str) else translate(label))
    return words


def _folded(word: str) -> str:
    return fold(word).casefold()


# --- templates, exports, errors ---------------------------------------------------------------------------------------


def template_header(sheet: ImportSheet) -> list[str]:
    """Headings of an empty workbook; required ones carry a star."""
    return [f"{column.label}{'*' if column.required else ''}" for column in sheet.columns]


def export_rows(sheet: ImportSheet) -> Iterable[list[Any]]:
    """Rows of an export, in the order of the template; choices as words."""
    words = {c.key: dict(c.choice_pairs()) for c in sheet.columns if c.kind == "choice"}
    for row in sheet.export():
        yield [
            words[c.key].get(str(row.get(c.key)), row.get(c.key)) if c.key in words else row.get(c.key)
            for c in sheet.columns
        ]


def rows_with_errors(run: ImportRun) -> Iterable[list[str]]:
    """The rows of a run as they were read, with what is wrong behind each."""
    sheet = registry.sheet(run.sheet)
    labels = {column.key: str(column.label) for column in sheet.columns}
    found = db.session.execute(select(ImportRow).where(ImportRow.run_id == run.id).order_by(ImportRow.number)).scalars()
    width = len(run.header)
    for row in found:
        cells = (list(row.cells) + [""] * width)[:width]
        yield [*cells, "; ".join(fault_text(fault, labels) for fault in row.faults or ())]


def fault_text(fault: dict[str, Any], labels: dict[str, str]) -> str:
    """A fault in the reader's language, with the heading of its column."""
    return f"{labels.get(fault['column'], fault['column'])}: {reason_of(fault)}"


def reason_of(fault: dict[str, Any]) -> str:
    """What is wrong and what to do, in the reader's language."""
    return error_text(FieldError(fault["column"], fault["code"], fault.get("value"), fault.get("details") or {}))


def run_of(run_id: int) -> ImportRun:
    """A run in scope, or NotFound."""
    row = db.session.execute(select(ImportRun).where(ImportRun.id == run_id)).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="import", id=run_id)
    return row


def faulty_cells(run: ImportRun, limit: int) -> list[dict[str, Any]]:
    """The first faults: row, heading of the column, the cell's value, reason and remedy."""
    labels = {column.key: str(column.label) for column in registry.sheet(run.sheet).columns}
    statement = select(ImportRow.number, ImportRow.faults).where(
        ImportRow.run_id == run.id, ImportRow.faults.is_not(None)
    )
    found = [
        {
            "row": number, "column": labels.get(fault["column"], fault["column"]), "value": fault.get("value") or "",
            "reason": reason_of(fault),
        }
        for number, faults in db.session.execute(statement.order_by(ImportRow.number).limit(limit))
        for fault in faults or ()
    ]  # fmt: skip
    return found[:limit]


def first_faults(run: ImportRun, limit: int) -> list[str]:
    """The first faults as lines of text."""
    return [f"row {cell['row']}, {cell['column']}: {cell['reason']}" for cell in faulty_cells(run, limit)]


def write_template(sheet: ImportSheet, target: BinaryIO) -> None:
    """An empty workbook of a sheet; required columns carry a star."""
    write_workbook(target, str(sheet.label), template_header(sheet), [], widths=[18] * len(sheet.columns))


def write_export(sheet: ImportSheet, target: BinaryIO) -> int:
    """All rows of a list within the scope, in the shape of its template."""
    kinds = {"amount": AMOUNT_FORMAT, "quantity": QTY_FORMAT, "date": DATE_FORMAT}
    formats = [kinds.get(column.kind) for column in sheet.columns]
    return write_workbook(target, str(sheet.label), template_header(sheet), export_rows(sheet), formats)


def write_errors(run: ImportRun, target: BinaryIO) -> int:
    """The same rows as in the file, with a last column that says what is wrong."""
    heading = translate(rules.ERROR_HEADINGS[0])
    return write_workbook(target, run.sheet, [*run.header, heading], rows_with_errors(run))
