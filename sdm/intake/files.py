"""Files people give us, as a heading and rows of texts: Excel, or CSV in UTF-8 or GB18030, plain or gzipped. Pure.

Every cell becomes text exactly as a person would read it: whole numbers without a float tail, dates as 2026-11-21.
Typing by column happens later (:mod:`sdm.intake.values`), so that an error can show what the file says.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from io import BytesIO, StringIO
from typing import Any

import python_calamine

from sdm.intake.workbooks import COLUMNS_MAX, PACKED_MAX, ROWS_MAX, UNPACKED_MAX, HostileFile, guard

CELL_MAX = 2000
ZIP_MAGIC = b"PK\x03\x04"
OLD_EXCEL_MAGIC = b"\xd0\xcf\x11\xe0"
GZIP_MAGIC = b"\x1f\x8b"
DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table as read. ``rows`` are (line number in the file, texts by position); empty rows are left out."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    digest: str


def digest_of(data: bytes) -> str:
    """sha256 of a file, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def read(name: str, data: bytes) -> Grid:
    """Read an upload. Raises HostileFile for what is not taken, with a code that says why and what to do."""
    if not data:
        raise HostileFile("file.empty")
    if len(data) > PACKED_MAX:
        raise HostileFile("file.too_large", size=len(data) // 1048576, max=PACKED_MAX // 1048576)
    if data.startswith(ZIP_MAGIC):
        lines = _workbook_lines(data)
    elif data.startswith(OLD_EXCEL_MAGIC):
        raise HostileFile("file.kind", name=name)
    else:
        lines = csv_lines(name, unpack(data) if data.startswith(GZIP_MAGIC) else data)
    return _grid(lines, digest_of(data))


def unpack(data: bytes) -> bytes:
    """Unpack gzip up to the limit."""
    try:
        with gzip.open(BytesIO(data)) as stream:
            plain = stream.read(UNPACKED_MAX + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise HostileFile("file.broken", kind="gzip") from error
    if len(plain) > UNPACKED_MAX:
        raise HostileFile("file.unpacked", max=UNPACKED_MAX // 1048576)
    return plain


def _grid(lines: Iterable[tuple[int, list[str]]], digest: str) -> Grid:
    header: tuple[str, ...] | None = None
    rows: list[tuple[int, tuple[str, ...]]] = []
    for number, cells in lines:
        while cells and not cells[-1]:
            cells.pop()
        if not cells:
            continue
        if header is None:
            header = _header(cells)
            continue
        _check_row(number, cells, len(rows))
        rows.append((number, tuple(cells)))
    if header is None:
        raise HostileFile("file.empty")
    return Grid(header, tuple(rows), digest)


def _check_row(number: int, cells: list[str], before: int) -> None:
    if len(cells) > COLUMNS_MAX:
        raise HostileFile("file.columns", max=COLUMNS_MAX)
    if any(len(cell) > CELL_MAX for cell in cells):
        raise HostileFile("file.cell_length", row=number, max=CELL_MAX)
    if before >= ROWS_MAX:
        raise HostileFile("file.rows", max=ROWS_MAX)


def _header(cells: list[str]) -> tuple[str, ...]:
    names = tuple(" ".join(cell.split()) for cell in cells)
    if len(names) > COLUMNS_MAX:
        raise HostileFile("file.columns", max=COLUMNS_MAX)
    seen: set[str] = set()
    for name in names:
        if name and name.casefold() in seen:
            raise HostileFile("file.heading_twice", value=name)
        seen.add(name.casefold())
    return names


# --- CSV --------------------------------------------------------------------------------------------------------------


def decode(data: bytes) -> str:
    """Text of a CSV file: UTF-8 with or without mark, else GB18030. Raises HostileFile for anything else."""
    if b"\x00" in data:
        raise HostileFile("file.encoding")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise HostileFile("file.encoding")


def delimiter_of(heading: str) -> str:
    """The delimiter that occurs most often in the heading line; a comma when none does."""
    return max(DELIMITERS, key=lambda mark: (heading.count(mark), mark == ","))


def csv_lines(name: str, data: bytes) -> Iterator[tuple[int, list[str]]]:
    """(line number, cells) of a CSV file; quotes that do not close are an error."""
    text = decode(data)
    heading = next((line for line in text.splitlines() if line.strip()), "")
    if len(heading) > CELL_MAX * COLUMNS_MAX or any(ord(mark) < 32 and mark != "\t" for mark in heading):
        raise HostileFile("file.kind", name=name)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter_of(heading), strict=True)
    try:
        for cells in reader:
            yield reader.line_num, [clean(cell) for cell in cells]
    except csv.Error as error:
        raise HostileFile("file.broken", kind="CSV") from error


# --- Excel ------------------------------------------------------------------------------------------------------------


def _workbook_lines(data: bytes) -> Iterator[tuple[int, list[str]]]:
    guard(data)
    try:
        book = python_calamine.CalamineWorkbook.from_filelike(BytesIO(data))
        visible = [meta for meta in book.sheets_metadata if meta.visible == python_calamine.SheetVisibleEnum.Visible]
        sheet = book.get_sheet_by_name((visible or book.sheets_metadata)[0].name)
        rows = sheet.to_python(skip_empty_area=False)
    except python_calamine.PasswordError as error:
        raise HostileFile("file.password") from error
    except (python_calamine.CalamineError, IndexError, ValueError, OSError) as error:
        raise HostileFile("file.broken", kind="Excel") from error
    for number, cells in enumerate(rows, start=1):
        yield number, [cell_text(cell) for cell in cells]


def cell_text(value: Any) -> str:
    """A cell of a workbook as text: 14075.0 is 14075, a date is 2026-11-21, a date with a time keeps it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{Decimal(repr(value)):f}"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    return clean(str(value))


def clean(text: str) -> str:
    """Without blanks at the ends, without a spreadsheet's text mark, line ends and no-break spaces as blanks."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u00a0", " ").replace("\u3000", " ").strip()
    if len(text) > 1 and text[0] == "'" and text[1] in "=+-@":
        return text[1:]
    return text
