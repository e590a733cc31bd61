"""From the address of a list to its rows: filters, sort, page, counts and totals. Every statement is scoped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select
from werkzeug.datastructures import MultiDict

from sdm.kernel import clock, formats
from sdm.kernel.db import db
from sdm.kernel.i18n import _
from sdm.kernel.listing_spec import Column, ListSpec, labelled

PAGE_ROWS = 50
COUNT_CAP = 10_000
LAST_PAGE = COUNT_CAP // PAGE_ROWS
VALUES_MAX = 100
ONE_DAY = timedelta(days=1)


@dataclass(slots=True)
class FilterValue:
    """The value of one filter as the address has it, and the condition it means."""

    column: Column
    values: list[str]
    low: str = ""
    high: str = ""
    error: str = ""
    condition: ColumnElement[bool] | None = None
    shown: str = ""

    def parameters(self) -> list[tuple[str, str]]:
        """The filter's part of the address."""
        pairs = [(self.column.key, value) for value in self.values]
        ends = ((f"{self.column.key}.from", self.low), (f"{self.column.key}.to", self.high))
        return pairs + [(name, value) for name, value in ends if value]


@dataclass(slots=True)
class ListState:
    """What the address asks for, checked: nothing in it can fail the page."""

    spec: ListSpec
    columns: tuple[Column, ...]
    shown: tuple[Column, ...]
    filters: dict[str, FilterValue]
    sort: str
    page: int
    search: str = ""
    wan: bool = False
    chosen_columns: str = ""
    errors: list[str] = field(default_factory=list)

    def query(self, *, without: str = "", **changes: Any) -> str:
        """Query text of this list with one filter taken out or parameters changed; the page starts again."""
        pairs = [pair for key, value in self.filters.items() if key != without for pair in value.parameters()]
        simple = {"q": self.search, "sort": self.own_sort(), "cols": self.chosen_columns, "wan": "1" * self.wan}
        simple.update({key: "" if value is None else str(value) for key, value in changes.items()})
        if without in simple:
            simple[without] = ""
        return urlencode(pairs + [(key, value) for key, value in simple.items() if value])

    def bare_query(self) -> str:
        """Query text with neither filter nor search, but the same sort, columns and units."""
        simple = {"sort": self.own_sort(), "cols": self.chosen_columns, "wan": "1" * self.wan}
        return urlencode([(key, value) for key, value in simple.items() if value])

    def own_sort(self) -> str:
        """The sort when it is not the default, else nothing."""
        return "" if self.sort == self.spec.default_sort else self.sort

    @property
    def is_filtered(self) -> bool:
        """True when a filter or a search narrows the list."""
        return bool(self.filters or self.search)

    def sort_link(self, column: Column) -> str:
        """Query that sorts by the column, the other way round when it already does."""
        return self.query(sort=f"-{column.key}" if self.sort == column.key else column.key)


def parse(spec: ListSpec, args: MultiDict[str, str]) -> ListState:
    """Read the address of a list. What cannot be understood is named in `errors` and left out."""
    columns = spec.allowed()
    filters: dict[str, FilterValue] = {}
    for column in columns:
        value = _read_filter(column, args) if column.filter else None
        if value:
            filters[column.key] = value
    state = ListState(
        spec=spec,
        columns=columns,
        shown=_shown(columns, args.get("cols", "")),
        filters=filters,
        sort=_sort(spec, columns, args.get("sort", "")),
        page=_page(args.get("page", "")),
        search=args.get("q", "").strip()[:100],
        wan=args.get("wan") == "1",
        chosen_columns=args.get("cols", "")[:1000],
    )
    state.errors = [f"{value.column.label}: {value.error}" for value in filters.values() if value.error]
    return state


def _shown(columns: tuple[Column, ...], chosen: str) -> tuple[Column, ...]:
    keys = chosen.split(",") if chosen else []
    picked = tuple(column for column in columns if column.key in keys)
    return picked or tuple(column for column in columns if column.visible)


def _sort(spec: ListSpec, columns: tuple[Column, ...], wanted: str) -> str:
    sortable = {column.key for column in columns if column.sortable}
    return wanted if wanted.lstrip("-") in sortable and wanted.count("-") <= 1 else spec.default_sort


def _page(text: str) -> int:
    return min(max(int(text), 1), LAST_PAGE) if text.isdecimal() and len(text) < 6 else 1


def _read_filter(column: Column, args: MultiDict[str, str]) -> FilterValue | None:
    """The filter of a column, or None when the address has none."""
    values = [text.strip()[:200] for text in args.getlist(column.key) if text.strip()][:VALUES_MAX]
    low, high = (args.get(f"{column.key}.{end}", "").strip()[:40] for end in ("from", "to"))
    if not (values or low or high):
        return None
    result = FilterValue(column, values, low, high)
    if "\x00" in "".join([*values, low, high]):
        result.error = _("holds a character that cannot be searched")
        return result
    _READERS[column.filter or "text"](result)
    return result


def _target(value: FilterValue) -> Any:
    expr = value.column.filter_expr
    return value.column.expr if expr is None else expr


def _read_text(value: FilterValue) -> None:
    target = _target(value)
    value.condition = and_(*(target.icontains(text, autoescape=True) for text in value.values))
    value.shown = " ".join(value.values)


def _read_choice(value: FilterValue) -> None:
    words = dict(value.column.choice_pairs())
    known = [code for code in value.values if code in words]
    unknown = [code for code in value.values if code not in words]
    if unknown:
        value.error = _("%(value)s is not one of the choices", value=", ".join(unknown))
    if known:
        value.condition = _target(value).in_(known)
        value.shown = ", ".join(words[code] for code in known)


def _read_bool(value: FilterValue) -> None:
    wanted = value.values[-1] == "1"
    value.condition = _target(value).is_(wanted)
    value.shown = _("yes") if wanted else _("no")


def _read_picker(value: FilterValue) -> None:
    ids = [int(text) for text in value.values if text.isdecimal() and len(text) < 19]
    if len(ids) < len(value.values):
        value.error = _("choose from the list")
    if ids:
        value.condition = _target(value).in_(ids)


def _read_range(value: FilterValue, read: Callable[[str], Any], remedy: str) -> tuple[Any, Any]:
    """Both ends of a range; an end that cannot be read names itself."""
    ends: list[Any] = []
    for text in (value.low, value.high):
        try:
            ends.append(read(text) if text else None)
        except (ValueError, InvalidOperation, OverflowError):
            value.error = f"{text}: {remedy}"
            ends.append(None)
    value.shown = " – ".join((value.low or "…", value.high or "…"))
    return ends[0], ends[1]


def _read_dates(value: FilterValue) -> None:
    low, high = _read_range(value, date.fromisoformat, _("write a date as 2026-11-21"))
    target = _target(value)
    if value.column.kind == "datetime":
        low = datetime.combine(low, time(), clock.zone()) if low else None
        high = datetime.combine(high + ONE_DAY, time(), clock.zone()) if high and high.year < 9999 else None
        _set_range(value, target >= low if low else None, target < high if high else None)
        return
    _set_range(value, target >= low if low else None, target <= high if high else None)


def _decimal(text: str) -> Decimal:
    number = Decimal(text.replace(",", ""))
    if not number.is_finite() or abs(number) >= Decimal(10) ** 16:
        raise InvalidOperation
    return number


def _read_numbers(value: FilterValue) -> None:
    low, high = _read_range(value, _decimal, _("write a number as 1234.50"))
    target = _target(value)
    _set_range(value, target >= low if low is not None else None, target <= high if high is not None else None)


def _set_range(value: FilterValue, *conditions: ColumnElement[bool] | None) -> None:
    given = [condition for condition in conditions if condition is not None]
    value.condition = and_(*given) if given else None


_READERS: dict[str, Callable[[FilterValue], None]] = {
    "text": _read_text,
    "choice": _read_choice,
    "bool": _read_bool,
    "picker": _read_picker,
    "date-range": _read_dates,
    "number-range": _read_numbers,
}


def filtered(state: ListState) -> Select[Any]:
    """The base statement with every filter and the search applied; columns are still those of the base."""
    statement = state.spec.select()
    for value in state.filters.values():
        if value.condition is not None:
            statement = statement.where(value.condition)
    for word in state.search.replace("\x00", "").split()[:8]:
        terms = [expr.icontains(word, autoescape=True) for expr in state.spec.search]
        if terms:
            statement = statement.where(or_(*terms))
    return statement


def ordered(state: ListState, columns: Iterable[Column]) -> Select[Any]:
    """Filtered rows with the given columns, `id` and the extra values, in the order asked for; the id breaks ties."""
    spec = state.spec
    extra = [expr.label(name) for name, expr in spec.extra.items()]
    statement = filtered(state).with_only_columns(
        spec.id.label("id"), *map(labelled, columns), *extra, maintain_column_froms=True
    )
    column = next(c for c in spec.columns if c.key == state.sort.lstrip("-"))
    down = state.sort.startswith("-")
    first = column.expr.desc() if down else column.expr.asc()
    if not _never_null(spec, column):
        first = first.nulls_last()
    return statement.order_by(first, spec.id.desc() if down else spec.id.asc())


def _never_null(spec: ListSpec, column: Column) -> bool:
    """True for a NOT NULL column of the list's own table: without NULLS LAST its index serves the order."""
    own = getattr(spec.id, "class_", None)
    return own is not None and getattr(column.expr, "class_", None) is own and column.expr.nullable is False


def rows(state: ListState) -> list[Row[Any]]:
    """One page of rows, and one row more when there is a next page."""
    needed = _needed(state)
    statement = ordered(state, needed).limit(PAGE_ROWS + 1).offset((state.page - 1) * PAGE_ROWS)
    return list(db.session.execute(statement))


def _needed(state: ListState) -> list[Column]:
    """Shown columns, and those whose values the links of shown columns read."""
    title = state.spec.card_title
    extra = [c for c in state.columns if c.key == title and c not in state.shown]
    return [*state.shown, *extra]


def count(state: ListState) -> int:
    """Rows of the filter; COUNT_CAP + 1 means 'more than COUNT_CAP'."""
    inner = filtered(state).with_only_columns(state.spec.id, maintain_column_froms=True).limit(COUNT_CAP + 1)
    return int(db.session.scalar(select(func.count()).select_from(inner.subquery())) or 0)


def total_columns(state: ListState) -> list[Column]:
    """Shown columns with a total."""
    return [column for column in state.shown if column.total]


def totals(state: ListState) -> dict[str, Decimal]:
    """Sums over the whole filter, by column key."""
    columns = total_columns(state)
    if not columns:
        return {}
    inner = filtered(state).with_only_columns(*map(labelled, columns), maintain_column_froms=True).subquery()
    sums = [func.coalesce(func.sum(inner.c[column.key]), 0).label(column.key) for column in columns]
    row = db.session.execute(select(*sums)).one()
    return {column.key: Decimal(row[index]) for index, column in enumerate(columns)}


def ids(state: ListState, limit: int) -> list[Any]:
    """Ids of all rows of the filter in the order shown, at most `limit`."""
    return list(db.session.scalars(ordered(state, []).limit(limit)))


def ids_among(state: ListState, texts: list[str]) -> list[Any]:
    """Those of the given ids that the filter holds, in the order shown; others are out of scope or gone."""
    python_type = state.spec.id.type.python_type
    wanted = [value for value in (_as_key(text, python_type) for text in texts) if value is not None]
    return list(db.session.scalars(ordered(state, []).where(state.spec.id.in_(wanted))))


def _as_key(text: str, python_type: type) -> Any:
    """A posted id as the column's type; None when it is none."""
    try:
        return python_type(text) if len(text) < 40 else None
    except ValueError:
        return None


def name_picked(state: ListState) -> None:
    """Give picker filters the words of what was picked, one small statement per picker in use."""
    for value in state.filters.values():
        if value.column.filter == "picker" and value.condition is not None:
            words = state.spec.select().where(value.condition)
            words = words.with_only_columns(value.column.expr, maintain_column_froms=True)
            found = db.session.scalars(words.order_by(None).limit(1)).all()
            others = len(value.values) - 1
            name = str(found[0]) if found else _("(none)")
            value.shown = f"{name} +{others}" if others else name


def cell_text(column: Column, value: Any, wan: bool = False) -> Any:
    """A cell's value as the page prints it."""
    if value is None:
        return ""
    if column.kind == "amount":
        return formats.wan(value) if wan else formats.amount(value)
    if column.kind in _PRINTERS:
        return _PRINTERS[column.kind](value)
    if column.kind == "bool":
        return _("yes") if value else _("no")
    return column.word(value) if column.choices else value


_PRINTERS: dict[str, Callable[[Any], Any]] = {
    "price": formats.price,
    "quantity": formats.qty,
    "integer": formats.qty,
    "percent": formats.percent,
    "date": formats.day,
    "datetime": formats.moment,
}
