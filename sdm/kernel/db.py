"""The SQLAlchemy object, the naming convention, the session class, and what the database's own errors mean."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import psycopg
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import DDL, MetaData, Table, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase

from sdm.kernel.errors import (
    AlreadyExists,
    Busy,
    Conflict,
    FieldError,
    InsufficientStock,
    InvalidInput,
    RuleViolation,
    SdmError,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables; every table names itself."""

    metadata = MetaData(naming_convention=NAMING)


class SdmSession(FlaskSession):
    """Flask-SQLAlchemy's session, which also honours a ``bind`` given to it (tests roll everything back with it)."""

    def get_bind(self, mapper: Any = None, clause: Any = None, bind: Any = None, **kwargs: Any) -> Any:
        """The given or the session's own bind first, the application's engine otherwise."""
        if bind is None and self.bind is not None:
            return self.bind
        return super().get_bind(mapper=mapper, clause=clause, bind=bind, **kwargs)


db = SQLAlchemy(
    model_class=Base,
    disable_autonaming=True,
    session_options={"class_": SdmSession, "expire_on_commit": False},
)

# (table name, SQL): extra DDL of the models, in order of declaration, for migrations and the drift test.
EXTRA_DDL: list[tuple[str, str]] = []


def table_of(model: type[Any]) -> Table:
    """The table of a mapped class."""
    table: Table = model.__table__
    return table


def after_create(table: Table | type[Any], sql: str) -> None:
    """Run SQL after a table is created: functions and triggers that belong to it. ``%`` needs no doubling."""
    target = table if isinstance(table, Table) else table_of(table)
    EXTRA_DDL.append((target.name, sql))
    event.listen(target, "after_create", DDL(sql.replace("%", "%%")))  # type: ignore[no-untyped-call]


def append_only(table: Table | type[Any]) -> None:
    """Let the database refuse UPDATE, DELETE and TRUNCATE on a table (SQLSTATE SD001)."""
    target = table if isinstance(table, Table) else table_of(table)
    name = target.name
    after_create(
        target,
        f"""
CREATE FUNCTION {name}_append_only() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
  RAISE EXCEPTION 'rows of {name} are never changed or deleted' USING ERRCODE = 'SD001';
END $$;
CREATE TRIGGER {name}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {name}
  FOR EACH STATEMENT EXECUTE FUNCTION {name}_append_only();
""",
    )


def expire_loaded(model: type, ids: Collection[int], columns: list[str]) -> None:
    """Let rows already in the session read columns anew that a set-based statement has changed."""
    for row in list(db.session.identity_map.values()):
        if isinstance(row, model) and row.id in ids:  # type: ignore[attr-defined]
            db.session.expire(row, columns)


# Constraint name → the typed error a person understands. Packages add theirs with ``explain_constraint``.
_CONSTRAINTS: dict[str, type[SdmError]] = {}
RETRYABLE = {"40001", "40P01"}


def explain_constraint(name: str, error: type[SdmError]) -> None:
    """Say which error a violated constraint means; its code is ``constraint.<name>``."""
    _CONSTRAINTS[name] = error


def sqlstate(error: BaseException) -> str | None:
    """SQLSTATE of a database error, None for others."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlstate", None) if isinstance(original, psycopg.Error) else None


def translate(error: DBAPIError) -> SdmError | None:
    """The typed error a database error stands for, or None when it is a defect of ours."""
    state = sqlstate(error)
    diag = getattr(error.orig, "diag", None)
    name = getattr(diag, "constraint_name", None) or ""
    detail = getattr(diag, "message_detail", None) or ""
    if name in _CONSTRAINTS:
        known = _CONSTRAINTS[name]
        return known(code=f"constraint.{name}")
    if state == "55P03":
        return Busy("busy")
    if state == "23505":
        return AlreadyExists("exists", **_duplicate_key(detail))
    if state == "23503" and " is not present in " in detail:
        unknown = _duplicate_key(detail)
        return InvalidInput([FieldError(unknown.get("field", ""), "input.unknown", unknown.get("value"))])
    if state == "23P01":
        return Conflict("constraint.overlap", constraint=name)
    if state in {"22003", "22P02", "22007", "22008", "22021", "22P05"}:
        return InvalidInput([], code="input.invalid")
    if state and state.startswith("SD"):
        return RuleViolation(f"database.{state}", message=getattr(diag, "message_primary", ""))
    return None


def _duplicate_key(detail: str) -> dict[str, str]:
    match = re.match(r"Key \((?P<field>.*?)\)=\((?P<value>.*?)\)", detail)
    return match.groupdict() if match else {"field": "", "value": ""}


explain_constraint("ck_stock_balance_reserved_within_on_hand", InsufficientStock)
