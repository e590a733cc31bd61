"""The look at a workbook before anything opens it: sizes, number of parts, formulas, macros, external entities. Pure.

A workbook is a zip. Every part is unpacked once, counted as it comes out (what the directory says may be a lie) and
searched; nothing is kept. What passes is small enough and plain enough for the reader.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO

from sdm.kernel.errors import N_, RuleViolation, describe

PACKED_MAX = 20 * 1024 * 1024
UNPACKED_MAX = 200 * 1024 * 1024
RATIO_MAX = 100
RATIO_FREE = 1024 * 1024  # small parts may pack better than that
ENTRIES_MAX = 200
ROWS_MAX = 200_000
COLUMNS_MAX = 200
CELLS_MAX = 5_000_000
CHUNK = 256 * 1024
OVERLAP = 512

describe(
    {
        "file.empty": N_("The file is empty; choose one with a heading row and data"),
        "file.too_large": N_("The file has %(size)s MB; at most %(max)s MB are taken. Split it"),
        "file.unpacked": N_("The workbook unpacks to more than %(max)s MB; save it anew or split it"),
        "file.ratio": N_(
            "A part of the workbook is packed more than %(max)s to 1, which no real sheet is; save it anew"
        ),
        "file.entries": N_("The workbook has more than %(max)s parts; copy the values into a new workbook"),
        "file.rows": N_("The file has more than %(max)s rows; split it"),
        "file.cells": N_("The sheet spans more than %(max)s cells; delete what lies outside the table"),
        "file.columns": N_("The file has more than %(max)s columns; remove the surplus ones"),
        "file.broken": N_("The file cannot be read as %(kind)s; save it again or export it as CSV"),
        "file.kind": N_("%(name)s is neither an Excel workbook (.xlsx) nor a CSV file; save it as one of them"),
        "file.password": N_("The workbook has a password; save it without one"),
        "file.formula": N_("The workbook holds formulas (%(cells)s); copy and paste them as values first"),
        "file.macro": N_("The workbook holds macros; save it as .xlsx without macros"),
        "file.entity": N_(
            "The workbook holds a document type or entity declaration, which is refused; save it anew in Excel"
        ),
        "file.external": N_("The workbook refers to other files; copy and paste the cells as values first"),
        "file.encoding": N_("The text is neither UTF-8 nor GB18030; save the file as CSV UTF-8"),
        "file.heading_missing": N_("The first row must hold the headings"),
        "file.heading_twice": N_("The heading %(value)s occurs twice; keep one column"),
        "file.cell_length": N_("Row %(row)s has a cell of more than %(max)s characters"),
    }
)

_DECLARATION = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
_FORMULA = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3}\d{1,7})"[^>]*>\s*<(?:\w+:)?f[\s>/]|<(?:\w+:)?f[\s>/]')
_CELL = re.compile(rb'<(?:\w+:)?(?:c|row)\b[^>]*?\br="([A-Z]{0,3})(\d{1,9})"')
_SHEET = re.compile(rb"<(?:\w+:)?worksheet\b")


class HostileFile(RuleViolation):
    """A file that is not opened; the code says why."""


@dataclass(slots=True)
class _Extent:
    """What was seen so far of all parts."""

    unpacked: int = 0
    rows: int = 0
    columns: int = 0


def guard(data: bytes) -> None:
    """Raise HostileFile unless the workbook is safe to open."""
    if len(data) > PACKED_MAX:
        raise HostileFile("file.too_large", size=len(data) // 1048576, max=PACKED_MAX // 1048576)
    try:
        with zipfile.ZipFile(BytesIO(data)) as book:
            _guard_parts(book)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError, OSError) as error:
        raise HostileFile("file.broken", kind="Excel") from error
    except RuntimeError as error:  # an encrypted part
        raise HostileFile("file.password") from error


def _guard_parts(book: zipfile.ZipFile) -> None:
    parts = book.infolist()
    if len(parts) > ENTRIES_MAX:
        raise HostileFile("file.entries", max=ENTRIES_MAX)
    if sum(part.file_size for part in parts) > UNPACKED_MAX:
        raise HostileFile("file.unpacked", max=UNPACKED_MAX // 1048576)
    names = [part.filename.lower() for part in parts]
    if any("vbaproject" in name or name.endswith(".bin") and "macro" in name for name in names):
        raise HostileFile("file.macro")
    if any("externallinks/" in name for name in names):
        raise HostileFile("file.external")
    if not any(name == "[content_types].xml" for name in names):
        raise HostileFile("file.broken", kind="Excel")
    extent = _Extent()
    for part in parts:
        _guard_part(book, part, extent)


def _guard_part(book: zipfile.ZipFile, part: zipfile.ZipInfo, extent: _Extent) -> None:
    """Unpack one part chunk by chunk, counting and searching."""
    is_markup = part.filename.lower().endswith((".xml", ".rels", ".vml"))
    is_sheet, tail, size = False, b"", 0
    with book.open(part) as stream:
        while chunk := stream.read(CHUNK):
            size += len(chunk)
            extent.unpacked += len(chunk)
            _check_sizes(part, size, extent)
            if is_markup:
                text = tail + chunk
                is_sheet = is_sheet or bool(_SHEET.search(text))
                _check_markup(text, is_sheet, extent)
                tail = text[-OVERLAP:]


def _check_sizes(part: zipfile.ZipInfo, size: int, extent: _Extent) -> None:
    if extent.unpacked > UNPACKED_MAX:
        raise HostileFile("file.unpacked", max=UNPACKED_MAX // 1048576)
    if size > RATIO_FREE and size > RATIO_MAX * max(part.compress_size, 1):
        raise HostileFile("file.ratio", max=RATIO_MAX)


def _check_markup(text: bytes, is_sheet: bool, extent: _Extent) -> None:
    if b"\x00" in text or _DECLARATION.search(text):  # zero bytes: UTF-16, where a declaration could hide
        raise HostileFile("file.entity")
    if not is_sheet:
        return
    found = [match[1].decode() for match in _FORMULA.finditer(text) if match[1]]
    if found or _FORMULA.search(text):
        raise HostileFile("file.formula", cells=", ".join(found[:5]) or "…")
    for letters, row in _CELL.findall(text):
        extent.rows = max(extent.rows, int(row))
        extent.columns = max(extent.columns, column_number(letters.decode()))
    if extent.rows > ROWS_MAX + 1:
        raise HostileFile("file.rows", max=ROWS_MAX)
    if extent.columns > COLUMNS_MAX:
        raise HostileFile("file.columns", max=COLUMNS_MAX)
    if extent.rows * extent.columns > CELLS_MAX:
        raise HostileFile("file.cells", max=CELLS_MAX)


def column_number(letters: str) -> int:
    """1 for A, 27 for AA; 0 for nothing."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number
