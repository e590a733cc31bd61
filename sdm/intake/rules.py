"""From a table of texts to typed rows of a sheet: headings, values, batches. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdm.intake import values
from sdm.kernel.errors import N_, FieldError, describe
from sdm.kernel.sheets import Column, ImportSheet, RowFault, SheetRow

BATCH_ROWS = 500

describe(
    {
        "sheet.heading_unknown": N_(
            "The heading %(value)s is not known here; remove the column or choose from: %(known)s"
        ),
        "sheet.heading_twice": N_("The headings %(value)s mean the same column; keep one"),
        "sheet.heading_missing": N_("The column %(value)s is missing; take the template"),
        "sheet.no_rows": N_("There are no rows below the headings"),
    }
)

Words = Mapping[str, Sequence[str]]  # column key → all headings that mean it


@dataclass(frozen=True, slots=True)
class Layout:
    """Which position of the file holds which column."""

    positions: Mapping[str, int]
    faults: tuple[FieldError, ...]


def layout_of(sheet: ImportSheet, header: Sequence[str], words: Words) -> Layout:
    """Find the sheet's columns in a heading row; unknown, doubled and missing ones are faults."""
    meaning = {_fold(word): column.key for column in sheet.columns for word in (column.key, *words.get(column.key, ()))}
    positions: dict[str, int] = {}
    faults = []
    for position, name in enumerate(header):
        key = meaning.get(_fold(name))
        if not name or _is_error_column(name):
            continue
        if key is None:
            known = ", ".join(words.get(column.key, (column.key,))[0] for column in sheet.columns)
            faults.append(FieldError("header", "sheet.heading_unknown", name, {"known": known}))
        elif key in positions:
            faults.append(FieldError("header", "sheet.heading_twice", f"{header[positions[key]]}, {name}"))
        else:
            positions[key] = position
    for column in sheet.columns:
        if column.required and column.key not in positions:
            shown = words.get(column.key, (column.key,))[0]
            faults.append(FieldError("header", "sheet.heading_missing", shown))
    return Layout(positions, tuple(faults))


ERROR_HEADINGS = ("Errors", "错误")


def _is_error_column(name: str) -> bool:
    """The column we added to a workbook that was handed back."""
    return name in ERROR_HEADINGS


def _fold(name: str) -> str:
    return values.fold(name).casefold().rstrip("*").strip()


def typed_rows(
    sheet: ImportSheet,
    layout: Layout,
    rows: Iterable[tuple[int, Sequence[str]]],
    choices: Mapping[str, Mapping[str, str]],
) -> tuple[list[SheetRow], list[RowFault]]:
    """Typed rows, and every cell that cannot be understood. ``choices``: column key → folded word → code."""
    columns = [(sheet.column(key), position) for key, position in layout.positions.items()]
    typed, faults = [], []
    for number, cells in rows:
        row: dict[str, Any] = {}
        for column, position in columns:
            text = cells[position] if position < len(cells) else ""
            try:
                row[column.key] = value_of(column, text, choices.get(column.key, {}))
            except values.Unreadable as problem:
                faults.append(RowFault(number, column.key, problem.code, text[:80], problem.details))
                row[column.key] = None
        typed.append(SheetRow(number, row))
    return typed, faults


def value_of(column: Column, text: str, choices: Mapping[str, str]) -> Any:
    """The value of a cell; None when it is empty. Raises Unreadable."""
    if not text:
        if column.required:
            raise values.Unreadable("input.required")
        return None
    if column.kind == "choice":
        return values.choice(text, choices, [word for _code, word in column.choice_pairs()])
    if column.kind == "code":
        return values.code_of(text, column.max_length)
    if column.kind == "text":
        return values.text_of(text, column.max_length)
    return values.READERS[column.kind](text)


def batches_of(sheet: ImportSheet, rows: Sequence[SheetRow], size: int = BATCH_ROWS) -> list[list[SheetRow]]:
    """Rows in batches of about ``size``; rows of one group stay together; one batch where rows refer to each other."""
    if sheet.whole_file:
        return [list(rows)] if rows else []
    groups: dict[Any, list[SheetRow]] = {}
    for index, row in enumerate(rows):
        key = tuple(row.get(name) for name in sheet.group_by) if sheet.group_by else index
        groups.setdefault(key, []).append(row)
    batches: list[list[SheetRow]] = [[]]
    for group in groups.values():
        if batches[-1] and len(batches[-1]) + len(group) > size:
            batches.append([])
        batches[-1].extend(group)
    return [batch for batch in batches if batch]


def faults_by_row(faults: Iterable[RowFault]) -> dict[int, list[dict[str, Any]]]:
    """Faults as plain data, by line number; one fault of a cell is told once."""
    found: dict[int, list[dict[str, Any]]] = {}
    seen: set[tuple[int, str, str]] = set()
    for fault in faults:
        if (fault.row, fault.column, fault.code) not in seen:
            seen.add((fault.row, fault.column, fault.code))
            plain = {"column": fault.column, "code": fault.code, "value": fault.value, "details": fault.details}
            found.setdefault(fault.row, []).append(plain)
    return found
