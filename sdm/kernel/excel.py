"""Workbooks: written in write-only mode, cells that cannot become formulas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, BinaryIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
AMOUNT_FORMAT = "#,##0.00"
QTY_FORMAT = "#,##0.###"
DATE_FORMAT = "yyyy-mm-dd"


def safe_text(value: str) -> str:
    """Text without characters that XML forbids."""
    return _FORBIDDEN.sub("", value)


def csv_text(value: Any) -> Any:
    """A text cell for CSV: a leading ``= + - @`` or tab gets a quote in front; numbers stay as they are."""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return "'" + value
    return value


def _cell(sheet: Any, value: Any, number_format: str | None, bold: bool = False) -> Any:
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, value=safe_text(value))
        cell.data_type = "s"
    else:
        cell = WriteOnlyCell(sheet, value=value)
        if number_format and isinstance(value, Decimal | int | float):
            cell.number_format = number_format
    if bold:
        cell.font = Font(bold=True)
    return cell


def write_workbook(
    target: BinaryIO,
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[Any]],
    formats: Sequence[str | None] | None = None,
    widths: Sequence[int] | None = None,
) -> int:
    """Write one sheet with a bold header, streaming; returns the number of rows. Texts stay texts, amounts numbers."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(re.sub(r"[\\/*?:\[\]]", " ", title)[:31] or "Sheet")
    formats = formats or [None] * len(header)
    sheet.freeze_panes = "A2"
    for index, width in enumerate(widths or [], start=1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.append([_cell(sheet, text, None, bold=True) for text in header])
    count = 0
    for row in rows:
        sheet.append([_cell(sheet, value, fmt) for value, fmt in zip(row, formats, strict=False)])
        count += 1
    book.save(target)
    return count
