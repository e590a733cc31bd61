"""Declarations of list pages: columns, filters, bulk actions. One `ListSpec` per page, no queries here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, Select

from sdm.kernel import frame

Kind = Literal[
    "text", "code", "date", "datetime", "amount", "price", "quantity", "integer", "percent", "state", "link", "bool"
]
FilterKind = Literal["text", "choice", "date-range", "number-range", "picker", "bool"]
NUMBERS: frozenset[str] = frozenset({"amount", "price", "quantity", "integer", "percent"})
RESERVED = frozenset({"q", "sort", "page", "cols", "wan", "view", "export", "part", "id"})
Choices = Sequence[tuple[str, Any]] | Callable[[], Sequence[tuple[str, Any]]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a list.

    `expr` is the value shown and sorted by. `filter_expr` is what the filter compares (default `expr`; a picker
    compares ids, so give the id column). `states` names the kind registered with `register_states`; `choices` are
    (code, word) pairs. `link` gives the address a cell leads to. `total` sums the whole filter, not the page.
    """

    key: str
    label: Any
    expr: Any
    kind: Kind = "text"
    sortable: bool = True
    filter: FilterKind | None = None
    filter_expr: Any = None
    choices: Choices = ()
    states: str = ""
    picker: str = ""
    visible: bool = True
    total: bool = False
    link: Callable[[Row[Any]], str | None] | None = None
    permission: str | None = None
    width: int = 0

    @property
    def is_number(self) -> bool:
        """Right-aligned, tabular figures."""
        return self.kind in NUMBERS

    def choice_pairs(self) -> list[tuple[str, str]]:
        """(code, word) of the filter and of the cells."""
        pairs = self.choices() if callable(self.choices) else self.choices
        if not pairs and self.states:
            return frame.state_choices(self.states)
        return [(str(code), str(label)) for code, label in pairs]

    def word(self, code: Any) -> str:
        """The word of a code among the choices; the code itself when it is none of them."""
        text = str(getattr(code, "value", code) if code is not None else "")
        return dict(self.choice_pairs()).get(text, text)


@dataclass(frozen=True, slots=True)
class BulkAction:
    """Something to do with many selected rows. `run(id)` is called once per row, each in its own transaction.

    What it returns is shown as the row's result; an SdmError becomes the row's reason. `confirm` repeats the
    consequence (`%(count)s` rows).
    """

    key: str
    label: Any
    run: Callable[[Any], Any]
    permission: str | None = None
    confirm: Any = ""
    icon: str = "check"
    tone: str = "neutral"


@dataclass(frozen=True, slots=True)
class Button:
    """A button of the page head, e.g. "New order". Absent when the endpoint or the permission is missing."""

    label: Any
    endpoint: str
    permission: str | None = None
    icon: str = "plus"
    primary: bool = True
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preset:
    """A view that comes with the product: a word and the query of its address, e.g. `state=held&state=open`."""

    label: Any
    query: str
    permission: str | None = None


@dataclass(frozen=True, slots=True)
class ListSpec:
    """One list page.

    `select` gives `select(Entity).join(...).where(...)` of mapped classes, so that the session scopes it; its columns
    are replaced by those shown. `id` is a unique column: row key and last sort key. `default_sort` is a column key,
    with `-` for descending. `row_endpoint` with `row_arg` is the page of a row. `search` are the expressions the
    search box of the list looks into. `extra` are values that links need without being columns.
    """

    name: str
    title: Any
    columns: tuple[Column, ...]
    select: Callable[[], Select[Any]]
    id: Any
    default_sort: str
    row_endpoint: str = ""
    row_arg: str = "id"
    search: tuple[Any, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    actions: tuple[BulkAction, ...] = ()
    buttons: tuple[Button, ...] = ()
    empty: Any = ""
    empty_button: Button | None = None
    card_title: str = ""
    presets: tuple[Preset, ...] = ()
    note: Any = ""
    template: str = "list/page.html"

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        clash = RESERVED.intersection(keys)
        if clash or len(set(keys)) != len(keys):
            raise ValueError(f"list {self.name}: column keys must be unique and none of {sorted(RESERVED)}")
        if self.default_sort.lstrip("-") not in keys:
            raise ValueError(f"list {self.name}: default sort {self.default_sort} is no column")

    def allowed(self) -> tuple[Column, ...]:
        """Columns the actor may see."""
        return tuple(c for c in self.columns if c.permission is None or frame.may(c.permission))

    def row_url(self, row: Row[Any]) -> str | None:
        """Address of a row's page."""
        if not self.row_endpoint:
            return None
        return frame.url_or_none(self.row_endpoint, **{self.row_arg: row.id})

    def allowed_actions(self) -> list[BulkAction]:
        """Bulk actions the actor may run."""
        return [action for action in self.actions if action.permission is None or frame.may(action.permission)]

    def shown_buttons(self) -> list[tuple[Button, str]]:
        """Buttons with their addresses."""
        return list(_with_address(self.buttons))


def _with_address(buttons: Iterable[Button]) -> Iterable[tuple[Button, str]]:
    for button in buttons:
        url = frame.url_or_none(button.endpoint, **button.values)
        if url and frame.may(button.permission):
            yield button, url


def labelled(column: Column) -> ColumnElement[Any]:
    """The column's expression under its key."""
    return column.expr.label(column.key)  # type: ignore[no-any-return]
