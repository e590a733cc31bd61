"""A list as a file: the columns, filter and order on the screen. Figures stay figures, text never becomes a formula."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import IO, Any

from flask import Response, send_file
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from sqlalchemy import Row

from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import N_, InvalidInput, describe
from sdm.kernel.listing_query import ListState, ordered
from sdm.kernel.listing_spec import Column

ROWS_MAX = 200_000
BATCH_ROWS = 2_000
FORMATS = {
    "amount": "#,##0.00",
    "price": "#,##0.00##",
    "quantity": "#,##0.###",
    "integer": "#,##0",
    "percent": "0.0%",
    "date": "yyyy-mm-dd",
    "datetime": "yyyy-mm-dd hh:mm",
}
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

describe(
    {
        "export.format": N_("%(value)s is no export format; choose xlsx or csv"),
        "export.too_many": N_("More than %(max)s rows; narrow the list by a filter and export again"),
    }
)


def export(state: ListState, form: str) -> Response:
    """The list as `xlsx` or `csv`. Raises InvalidInput for another format or too many rows."""
    if form not in {"xlsx", "csv"}:
        raise InvalidInput(code="export.format", value=form)
    name = f"{state.spec.name}-{clock.now().astimezone(clock.zone()):%Y%m%d-%H%M}.{form}"
    stream = _workbook(state) if form == "xlsx" else _text(state)
    stream.seek(0)
    kind = XLSX if form == "xlsx" else "text/csv"
    response = send_file(stream, mimetype=kind, as_attachment=True, download_name=name)
    response.headers["Cache-Control"] = "no-store"
    return response


def _rows(state: ListState) -> Iterator[Row[Any]]:
    """Every row of the filter, in batches, so that memory stays flat."""
    statement = ordered(state, state.shown).limit(ROWS_MAX + 1).execution_options(yield_per=BATCH_ROWS)
    for number, row in enumerate(db.session.execute(statement)):
        if number == ROWS_MAX:
            raise InvalidInput(code="export.too_many", max=ROWS_MAX)
        yield row


def plain(column: Column, value: Any) -> Any:
    """A cell's value as a file holds it: Decimal, date, local time without zone, or text."""
    if value is None or isinstance(value, Decimal) or column.is_number:
        return value
    if isinstance(value, datetime):
        return value.astimezone(clock.zone()).replace(tzinfo=None) if value.tzinfo else value
    if column.kind == "bool":
        return bool(value)
    if column.kind == "date":
        return value
    return column.word(value) if column.choice_pairs() else str(value)


def _workbook(state: ListState) -> IO[bytes]:
    """A write-only workbook with one sheet, a bold head that stays, and column widths."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(str(state.spec.title)[:31].translate(str.maketrans("[]:*?/\\", "       ")) or "SDM")
    sheet.freeze_panes = "A2"
    for index, column in enumerate(state.shown):
        sheet.column_dimensions[chr(65 + index) if index < 26 else f"A{chr(65 + index - 26)}"].width = _width(column)
    head = [WriteOnlyCell(sheet, str(column.label)) for column in state.shown]
    for cell in head:
        cell.font = Font(bold=True)
    sheet.append(head)
    for row in _rows(state):
        values = row._mapping
        sheet.append([_cell(sheet, column, values[column.key]) for column in state.shown])
    stream = tempfile.SpooledTemporaryFile(max_size=4 << 20)
    book.save(stream)
    return stream


def _width(column: Column) -> int:
    narrow = column.is_number or column.kind in {"date", "code", "state"}
    return 14 if narrow else 18 if column.kind == "datetime" else 26


def _cell(sheet: Any, column: Column, value: Any) -> WriteOnlyCell | None:
    """A typed cell; text is stored as text even when it starts like a formula."""
    content = plain(column, value)
    if content is None:
        return None
    cell = WriteOnlyCell(sheet)
    if isinstance(content, str):
        cell.value = "".join(sign for sign in content if sign >= " " or sign in "\n\t")
        cell.data_type = "s"
    else:
        cell.value = content
    if column.kind in FORMATS:
        cell.number_format = FORMATS[column.kind]
    return cell


def safe_text(value: Any) -> Any:
    """Text that a spreadsheet reads as text, also where it starts like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA_STARTS) else value


def _text(state: ListState) -> IO[bytes]:
    """UTF-8 with a mark, so that Excel recognises it; the same typed values as the workbook."""
    stream = tempfile.SpooledTemporaryFile(max_size=4 << 20)
    stream.write("\ufeff".encode())
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow([safe_text(str(column.label)) for column in state.shown])
    for row in _rows(state):
        values = row._mapping
        writer.writerow([safe_text(_csv(plain(column, values[column.key]))) for column in state.shown])
        if lines.tell() > 1 << 16:
            _drain(lines, stream)
    _drain(lines, stream)
    return stream


def _csv(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return value


def _drain(lines: io.StringIO, stream: IO[bytes]) -> None:
    stream.write(lines.getvalue().encode())
    lines.seek(0)
    lines.truncate()
