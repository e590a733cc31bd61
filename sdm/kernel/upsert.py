"""Rows of an import as a set: read and lock what exists, insert what is new, update what differs, tell the audit."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Boolean, Column, String, Text, bindparam, insert, select, update

from sdm.kernel import audit
from sdm.kernel.db import db, expire_loaded
from sdm.kernel.locks import Rank, reach
from sdm.kernel.sheets import Applied


@dataclass(slots=True)
class Upserted:
    """Ids by key, keys of new and of changed rows, and how many stayed as they were."""

    ids: dict[Any, int] = field(default_factory=dict)
    created: list[Any] = field(default_factory=list)
    changed: dict[Any, dict[str, list[Any]]] = field(default_factory=dict)
    unchanged: int = 0

    @property
    def applied(self) -> Applied:
        """The figures."""
        return Applied(len(self.created), len(self.changed), self.unchanged)

    def touched(self) -> list[int]:
        """Ids of new and changed rows, sorted."""
        return sorted(self.ids[key] for key in (*self.created, *self.changed))


def blank(column: Column[Any]) -> Any:
    """What an empty cell means for a column: none, an empty text, or the column's default."""
    if column.nullable:
        return None
    default = column.default
    if default is not None and getattr(default, "is_scalar", False):
        return default.arg  # type: ignore[attr-defined]
    if isinstance(column.type, String | Text):
        return ""
    constant = getattr(column.server_default, "arg", None)
    if isinstance(constant, str):
        return constant == "true" if isinstance(column.type, Boolean) else column.type.python_type(constant)
    raise ValueError(f"column {column} cannot be empty")


def filled(model: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of columns with empty cells replaced by what they mean."""
    columns = model.__table__.c
    return {name: blank(columns[name]) if value is None else value for name, value in values.items()}


def upsert(
    model: Any, rows: Sequence[Mapping[str, Any]], *, kind: str, key: str = "code", unit: str | None = None
) -> Upserted:
    """Insert or change rows of a table by a unique key; all rows have the same columns, empty ones as None.

    At most three statements and one of audit, whatever the number. Locks existing rows in the order of their ids.
    Changed rows of tables with a version get the next one. `kind` and the column `unit` name the audit's document and
    unit. Scope is the caller's: check keys and units first.
    """
    result = Upserted()
    wanted = {row[key]: filled(model, row) for row in rows}
    existing = _existing(model, key, wanted)
    fresh = [values for value, values in wanted.items() if value not in existing]
    for values in wanted.values():
        row = existing.get(values[key])
        if row is None:
            continue
        result.ids[values[key]] = row["id"]
        changes = audit.changed(dict(row), values)
        if changes:
            result.changed[values[key]] = changes
        else:
            result.unchanged += 1
    _insert(model, key, fresh, result)
    _update(model, wanted, result)
    _tell(kind, unit, wanted, existing, result)
    return result


def _existing(model: Any, key: str, wanted: Collection[Any]) -> dict[Any, Any]:
    reach(Rank.DOCUMENT)
    table = model.__table__
    statement = select(table).where(table.c[key].in_(sorted(wanted))).order_by(table.c.id)
    rows = db.session.execute(statement.with_for_update(key_share=True)).mappings()
    return {row[key]: row for row in rows}


def _insert(model: Any, key: str, fresh: list[dict[str, Any]], result: Upserted) -> None:
    if not fresh:
        return
    table = model.__table__
    made = db.session.execute(insert(table).returning(table.c[key], table.c.id), fresh)
    for value, row_id in made:
        result.ids[value] = row_id
    result.created.extend(values[key] for values in fresh)


def _update(model: Any, wanted: Mapping[Any, dict[str, Any]], result: Upserted) -> None:
    if not result.changed:
        return
    table = model.__table__
    names = sorted({name for changes in result.changed.values() for name in changes})
    assigned: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    if "version" in table.c:
        assigned["version"] = table.c.version + 1
    rows = [
        {"row_id": result.ids[value], **{f"new_{name}": wanted[value][name] for name in names}}
        for value in result.changed
    ]
    db.session.execute(update(table).where(table.c.id == bindparam("row_id")).values(assigned), rows)
    expire_loaded(model, {row["row_id"] for row in rows}, list(assigned))


def _tell(
    kind: str, unit: str | None, wanted: Mapping[Any, Any], existing: Mapping[Any, Any], result: Upserted
) -> None:
    def unit_of(value: Any) -> int | None:
        if unit is None:
            return None
        return wanted[value].get(unit) or (existing[value][unit] if value in existing else None)

    for value in result.created:
        audit.write(kind, result.ids[value], "created", unit_of(value), audit.changed({}, wanted[value]))
    for value, changes in result.changed.items():
        audit.write(kind, result.ids[value], "changed", unit_of(value), changes)


def ids_by(model: Any, values: Collection[Any], key: str = "code") -> dict[Any, int]:
    """Ids by a unique key, for rows of tables that everybody may read; unknown ones are missing."""
    if not values:
        return {}
    table = model.__table__
    found = db.session.execute(select(table.c[key], table.c.id).where(table.c[key].in_(values)))
    return {row[0]: row[1] for row in found}
