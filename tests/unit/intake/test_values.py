"""Cells become typed values however people write them; what is unclear is named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from sdm.intake import rules, values
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow

AMOUNT = values.READERS["amount"]


@pytest.mark.parametrize(("text", "value"), [
    ("1234.5", "1234.50"), ("1,234.50", "1234.50"), ("１，２３４．５０", "1234.50"), ("¥12", "12"), ("(3.10)", "-3.10"),
    ("-7", "-7"), ("−7", "-7"), ("1.2e3", "1200"), ("12.300000000000001", "12.30"), ("0", "0"),
])  # fmt: skip
def test_amounts(text: str, value: str) -> None:
    assert AMOUNT(text) == Decimal(value)


@pytest.mark.parametrize(("text", "code"), [
    ("1,23", "input.number"), ("abc", "input.number"), ("1.234", "input.decimals"), ("1e20", "input.range"),
    ("nan", "input.number"), ("", "input.number"), ("1 000,5", "input.number"), ("=1+1", "input.number"),
])  # fmt: skip
def test_amounts_that_are_none(text: str, code: str) -> None:
    with pytest.raises(values.Unreadable) as problem:
        AMOUNT(text)
    assert problem.value.code == code


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21",
        "2026/11/21",
        "2026.11.21",
        "2026年11月21日",
        "20261121",
        "46347",
        "2026-11-21 08:30:00",
        "２０２６-１１-２１",
    ],
)
def test_dates(text: str) -> None:
    assert values.day(text) == date(2026, 11, 21)


@pytest.mark.parametrize("text", ["2026-02-30", "21.11.2026", "soon", "12345678", "1"])
def test_dates_that_are_none(text: str) -> None:
    with pytest.raises(values.Unreadable):
        values.day(text)


def test_rates_and_booleans() -> None:
    assert values.rate("13%") == values.rate("0.13") == Decimal("0.13")
    assert [values.boolean(text) for text in ("是", "Yes", "1", "否", "no")] == [True, True, True, False, False]


def sheet(**changes) -> ImportSheet:
    columns = (
        Column("code", "Code", "code", required=True),
        Column("qty", "Quantity", "quantity"),
        Column("kind", "Kind", "choice", choices=(("a", "Alpha"), ("b", "Beta"))),
    )
    given = {
        "code": "t", "label": "T", "permission": "import:run", "columns": columns, "key": ("code",),
        "check": lambda rows: [], "apply": lambda rows: Applied(), "export": lambda: [],
    }  # fmt: skip
    return ImportSheet(**{**given, **changes})


WORDS = {"code": ["编码", "Code"], "qty": ["数量", "Quantity"], "kind": ["类别", "Kind"]}
CHOICES = {"kind": {"a": "a", "alpha": "a", "阿": "a"}}


def test_headings_are_found_in_both_languages_and_by_key() -> None:
    assert rules.layout_of(sheet(), ["编码*", "Quantity", "kind"], WORDS).positions == {"code": 0, "qty": 1, "kind": 2}


def test_every_fault_of_a_heading_is_told_at_once() -> None:
    layout = rules.layout_of(sheet(), ["Quantity", "数量", "Colour"], WORDS)
    assert {fault.code for fault in layout.faults} == {
        "sheet.heading_twice", "sheet.heading_unknown", "sheet.heading_missing",
    }  # fmt: skip


def test_an_absent_column_is_not_an_empty_cell() -> None:
    layout = rules.layout_of(sheet(), ["Code", "Quantity"], WORDS)
    rows, faults = rules.typed_rows(sheet(), layout, [(2, ("x", ""))], CHOICES)
    assert not faults
    assert rows[0].values == {"code": "x", "qty": None}
    assert not rows[0].has("kind")


def test_all_cells_of_all_rows_that_cannot_be_read_are_told() -> None:
    layout = rules.layout_of(sheet(), ["Code", "Quantity", "Kind"], WORDS)
    _rows, faults = rules.typed_rows(sheet(), layout, [(2, ("", "x", "gamma")), (3, ("y", "1", "阿"))], CHOICES)
    assert [(fault.row, fault.column, fault.code) for fault in faults] == [
        (2, "code", "input.required"), (2, "qty", "input.number"), (2, "kind", "input.choice"),
    ]  # fmt: skip


def test_rows_of_one_group_stay_in_one_batch() -> None:
    rows = [SheetRow(n, {"code": str(n // 3)}) for n in range(10)]
    batches = rules.batches_of(sheet(group_by=("code",)), rows, size=4)
    assert [len(batch) for batch in batches] == [3, 3, 4]
    assert [len(batch) for batch in rules.batches_of(sheet(whole_file=True), rows, size=4)] == [10]


def test_a_fault_is_told_once_per_cell() -> None:
    faults = [RowFault(2, "code", "sheet.twice", "x"), RowFault(2, "code", "sheet.twice", "x"), RowFault(2, "qty", "a")]
    assert [len(found) for found in rules.faults_by_row(faults).values()] == [2]
