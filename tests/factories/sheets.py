"""Rows of import sheets for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdm.kernel.sheets import Applied, ImportSheet, RowFault, SheetRow


def rows_of(*values: Mapping[str, Any]) -> list[SheetRow]:
    """Rows as the machinery gives them: the first one is line 2 of the file."""
    return [SheetRow(number, dict(row)) for number, row in enumerate(values, start=2)]


def faults_of(sheet: ImportSheet, *values: Mapping[str, Any]) -> set[tuple[int, str, str]]:
    """(line, column, code) of every fault."""
    found: list[RowFault] = sheet.check(rows_of(*values))
    assert all(fault.column in {column.key for column in sheet.columns} for fault in found), found
    return {(fault.row, fault.column, fault.code) for fault in found}


def applied(sheet: ImportSheet, *values: Mapping[str, Any]) -> Applied:
    """Check, which must find nothing, and apply."""
    assert faults_of(sheet, *values) == set()
    return sheet.apply(rows_of(*values))


def exported(sheet: ImportSheet) -> list[dict[str, Any]]:
    """Everything the sheet exports; its keys are the sheet's columns."""
    rows = [dict(row) for row in sheet.export()]
    for row in rows:
        assert set(row) == {column.key for column in sheet.columns}
    return rows


def round_trip(sheet: ImportSheet) -> Applied:
    """Import what was exported: nothing may change."""
    return applied(sheet, *exported(sheet))
