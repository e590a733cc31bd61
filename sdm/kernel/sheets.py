"""What a package gives to imports: one `ImportSheet` per master list or opening balance. Pure declarations.

The machinery (`sdm.intake`) reads the file, turns cells into typed values, calls `check` with all rows, gives all
faults back at once, and calls `apply` batch by batch. Both ask the database in sets, never per row.

Typed values by kind: text, code: str; choice: one of the codes; integer: int; quantity, amount, price, rate: Decimal;
date: date; boolean: bool. An empty cell is None (*clear the value*). A column that the file does not have is no key of
`values` at all (*leave as is*).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sdm.kernel.errors import N_, TEXTS, FieldError, describe, fill

Kind = Literal["text", "code", "choice", "integer", "quantity", "amount", "price", "rate", "date", "boolean"]
Choices = Sequence[tuple[str, Any]] | Callable[[], Sequence[tuple[str, Any]]]

describe(
    {
        "sheet.unknown": N_("%(value)s does not exist; add it first or correct it"),
        "sheet.twice": N_("%(value)s occurs more than once in this file; keep one row"),
        "sheet.required_new": N_("is required for a new record"),
        "sheet.foreign": N_("%(value)s belongs to a unit outside your responsibility"),
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `label` is the heading (English source text, translated by the machinery; `key` is accepted, too).

    `required`: a cell of this column must not be empty, and the column must be there. `choices` are (code, word) pairs
    or a function giving them; both code and word are accepted in a cell. `max_length` bounds texts.
    """

    key: str
    label: Any
    kind: Kind = "text"
    required: bool = False
    choices: Choices | None = None
    help: Any = ""
    max_length: int = 200

    def choice_pairs(self) -> list[tuple[str, str]]:
        """(code, word) of a choice column."""
        pairs = self.choices() if callable(self.choices) else self.choices or ()
        return [(str(code), str(word)) for code, word in pairs]


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row with typed values; `number` is its line in the file, as a person sees it (heading = 1)."""

    number: int
    values: Mapping[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        """The value; `default` when the file has no such column."""
        return self.values.get(key, default)

    def has(self, key: str) -> bool:
        """Whether the file has the column."""
        return key in self.values

    def given(self, keys: Iterable[str]) -> dict[str, Any]:
        """The values of those columns that the file has."""
        return {key: self.values[key] for key in keys if key in self.values}


@dataclass(frozen=True, slots=True)
class RowFault:
    """One fault of one cell; `code` is looked up like any error code, `value` and `details` fill its text."""

    row: int
    column: str
    code: str
    value: Any = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """English sentence."""
        template = TEXTS.get(self.code)
        return fill(template, {"value": self.value, **self.details}) if template else self.code

    def as_field_error(self) -> FieldError:
        """The same fault for pages and API."""
        return FieldError(f"rows.{self.row}.{self.column}", self.code, self.value, self.details)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0

    def __add__(self, other: Applied) -> Applied:
        return Applied(self.created + other.created, self.changed + other.changed, self.unchanged + other.unchanged)


@dataclass(frozen=True, slots=True)
class ImportSheet:
    """One importable list.

    `key` names the columns that identify a row: they may occur once per file, and together with the file's hash make
    the import exactly once. `check(rows)` gets all rows of the file and answers every fault; it writes nothing.
    `apply(rows)` is a command (it joins one that runs) that inserts or changes the rows of one batch as a set, safe to
    repeat. `export()` yields rows with the same keys, in a stable order, within the actor's scope. `whole_file`: rows
    refer to each other, so they are applied in one batch. `group_by`: rows with equal values here stay in one batch
    (lines of a document). `order`: place among all sheets when a company is set up (units, people, dealers …).
    """

    code: str
    label: Any
    permission: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    check: Callable[[Sequence[SheetRow]], list[RowFault]]
    apply: Callable[[Sequence[SheetRow]], Applied]
    export: Callable[[], Iterable[Mapping[str, Any]]]
    whole_file: bool = False
    group_by: tuple[str, ...] = ()
    order: int = 100
    note: Any = ""

    def column(self, key: str) -> Column:
        """A column by its key; KeyError when there is none."""
        return next(column for column in self.columns if column.key == key)


def repeated(rows: Sequence[SheetRow], key: Sequence[str]) -> Iterator[RowFault]:
    """A fault for each row whose key occurs more than once in the file."""
    keys = [tuple(row.get(name) for name in key) for row in rows]
    often = {value for value, count in Counter(keys).items() if count > 1 and any(part is not None for part in value)}
    for row, value in zip(rows, keys, strict=True):
        if value in often:
            shown = " ".join(str(part) for part in value if part is not None)
            yield RowFault(row.number, key[-1], "sheet.twice", shown)


def unknown(
    rows: Sequence[SheetRow], column: str, known: Iterable[Any], code: str = "sheet.unknown"
) -> Iterator[RowFault]:
    """A fault for each non-empty cell of the column whose value is not among `known`."""
    there = known if isinstance(known, set | frozenset | dict) else set(known)
    for row in rows:
        value = row.get(column)
        if value is not None and value not in there:
            yield RowFault(row.number, column, code, value)


def missing(rows: Sequence[SheetRow], columns: Sequence[str], is_new: Callable[[SheetRow], bool]) -> Iterator[RowFault]:
    """A fault for each cell that a new record needs and that is empty or absent, or that an old one would lose."""
    for row in rows:
        new = is_new(row)
        for column in columns:
            if row.get(column) in (None, "") and (new or row.has(column)):
                yield RowFault(row.number, column, "sheet.required_new" if new else "input.required")


def values_of(rows: Sequence[SheetRow], column: str) -> list[Any]:
    """Distinct non-empty values of a column, sorted."""
    return sorted({row.get(column) for row in rows if row.get(column) is not None})
