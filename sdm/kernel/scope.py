"""Branch scoping: the only place that filters rows by branch. It fails closed.

The session adds criteria for **all** scoped classes to every ORM select, update and delete, because classes that
occur only in a sub-query are invisible to a check of the statement. Without an actor the criteria are false and a
statement that names a scoped class raises. ``statements.py`` rooms bypass the ORM: they take the scope as a parameter,
or ids from a row already locked in scope.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, and_, any_, bindparam, event, false, true
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import ORMExecuteState, Session
from sqlalchemy.orm.util import LoaderCriteriaOption

from sdm.kernel.actor import current_or_none, narrowed, use_actor
from sdm.kernel.errors import Forbidden
from sdm.kernel.scope_value import EVERYTHING, NOTHING, Scope

__all__ = ["EVERYTHING", "NOTHING", "Scope", "Scoped", "among", "current_scope", "posting_scope", "whole_network"]

_posting: ContextVar[bool] = ContextVar("sdm_posting", default=False)
_network: ContextVar[str | None] = ContextVar("sdm_whole_network", default=None)
_SCOPED: list[Any] = []


def among(column: Any, values: frozenset[int]) -> ColumnElement[bool]:
    """``column = ANY(values)`` with one array parameter, so that the statement stays the same for every scope."""
    clause: ColumnElement[bool] = column == any_(bindparam(None, sorted(values), type_=ARRAY(BigInteger), unique=True))
    return clause


class Scoped:
    """Mixin of tables whose rows belong to a unit (and perhaps a dealer or warehouse)."""

    __abstract__ = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__tablename__" in cls.__dict__:
            _SCOPED.append(cls)

    @classmethod
    def scope_clause(cls, scope: Scope) -> ColumnElement[bool]:
        """Rows inside the scope. Default: unit, and dealer or warehouse where the table has one."""
        terms = [among(cls.unit_id, scope.units)]  # type: ignore[attr-defined]
        if scope.dealers is not None and hasattr(cls, "dealer_id"):
            terms.append(among(cls.dealer_id, scope.dealers))
        if scope.warehouses is not None and hasattr(cls, "warehouse_id"):
            terms.append(among(cls.warehouse_id, scope.warehouses))
        return and_(*terms)

    def scope_units(self) -> set[int | None]:
        """Units of which one must be inside the writer's scope."""
        return {self.unit_id}  # type: ignore[attr-defined]


def scoped_classes() -> tuple[type, ...]:
    """All scoped tables."""
    return tuple(_SCOPED)


def current_scope() -> Scope:
    """The scope that applies now; NOTHING without an actor."""
    if _network.get() is not None:
        return EVERYTHING
    actor = current_or_none()
    return actor.scope if actor else NOTHING


class _ScopeCriteria(LoaderCriteriaOption):
    """Criteria that follow every alias: SQLAlchemy itself leaves them on the table when an alias is joined."""

    _traverse_internals = LoaderCriteriaOption._traverse_internals

    def _resolve_where_criteria(self, ext_info: Any) -> ColumnElement[bool]:
        clause = super()._resolve_where_criteria(ext_info)
        return ext_info._adapter.traverse(clause) if ext_info.is_aliased_class else clause


@lru_cache(maxsize=512)
def _criteria(scope: Scope, classes: int) -> tuple[Any, ...]:
    """Loader criteria of one scope; ``classes`` only makes the cache notice classes declared later."""
    return tuple(
        _ScopeCriteria(cls, false() if scope == NOTHING else cls.scope_clause(scope), include_aliases=True)
        for cls in _SCOPED
    )


def _apply(state: ORMExecuteState) -> None:
    if state.is_column_load or not (state.is_select or state.is_update or state.is_delete):
        return
    scope = current_scope()
    if scope.everything:
        return
    if scope == NOTHING and any(issubclass(m.class_, Scoped) for m in state.all_mappers):
        raise Forbidden("forbidden", permission="scope")
    state.statement = state.statement.options(*_criteria(scope, len(_SCOPED)))


def _refuse_foreign_writes(session: Session, _flush: Any, _instances: Any) -> None:
    scope = current_scope()
    if scope.everything or _posting.get():
        return
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, Scoped) and not any(scope.has_unit(unit) for unit in row.scope_units()):
            raise Forbidden("forbidden", permission="scope")


def install(session_class: type[Session] | Any) -> None:
    """Listen on a session class or scoped session; done once by the application factory."""
    if not event.contains(session_class, "do_orm_execute", _apply):
        event.listen(session_class, "do_orm_execute", _apply)
        event.listen(session_class, "before_flush", _refuse_foreign_writes)


@contextmanager
def posting_scope() -> Iterator[None]:
    """Ledgers reach other units' books inside; opened by services after the document's gate."""
    token = _posting.set(True)
    try:
        yield
    finally:
        _posting.reset(token)


@contextmanager
def whole_network(reason: str) -> Iterator[None]:
    """Read across all branches for a verdict (exposure, network stock), never to return rows; ``reason`` is named."""
    token = _network.set(reason)
    try:
        yield
    finally:
        _network.reset(token)


@contextmanager
def use_scope(scope: Scope) -> Iterator[None]:
    """The current actor with a narrower scope inside the block."""
    actor = current_or_none()
    if actor is None:
        raise Forbidden("forbidden", permission="sign-in")
    with use_actor(narrowed(actor, scope)):
        yield


def everything_clause() -> ColumnElement[bool]:
    """For tables of the named list that need no filter."""
    return true()
