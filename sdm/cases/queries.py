"""Reads of work items and approval routes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Select, false, func, or_, select

from branches.org import queries as org
from sdm.cases import registry, rules
from sdm.cases.models import ApprovalRoute, WorkItem, WorkItemLog
from sdm.kernel import documents
from sdm.kernel.actor import Actor, current
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.scope import among


def plain(data: dict[str, Any]) -> dict[str, Any]:
    """Data as JSON keeps it: decimals and dates as text."""
    return dict(json.loads(json.dumps(data, default=str)))


def get(item_id: int) -> WorkItem:
    """A work item in scope, freshly read; NotFound otherwise."""
    statement = select(WorkItem).where(WorkItem.id == item_id).execution_options(populate_existing=True)
    row = db.session.execute(statement).scalar_one_or_none()
    if row is None:
        raise NotFound("not_found", kind="work_item", id=item_id)
    return row


def state_of(item_id: int) -> str:
    """Its state now."""
    return str(db.session.execute(select(WorkItem.state).where(WorkItem.id == item_id)).scalar() or "")


def addressee(item: WorkItem) -> rules.Addressee:
    """To whom it is addressed."""
    return rules.Addressee(item.handler_id, item.permission, item.handler_unit_id or item.unit_id)


def waits_for(actor: Actor) -> ColumnElement[bool]:
    """Condition: open and addressed to the actor, by name or by permission over the unit."""
    unit = func.coalesce(WorkItem.handler_unit_id, WorkItem.unit_id)
    by_right: ColumnElement[bool] = WorkItem.permission != ""
    if not actor.all_permissions:
        by_right = WorkItem.permission.in_(sorted(map(str, actor.permissions))) if actor.permissions else false()
    if not actor.scope.everything:
        by_right = by_right & among(unit, actor.scope.units)
    mine = WorkItem.handler_id == actor.user_id if actor.user_id is not None else false()
    return WorkItem.state.in_(sorted(rules.OPEN)) & or_(mine, by_right)


def inbox() -> Select[Any]:
    """What waits for the actor, as a select for lists."""
    return select(WorkItem).where(waits_for(current()))


def count_for(actor: Actor) -> int:
    """How many work items wait for an actor (counted in his scope)."""
    statement = select(func.count()).select_from(WorkItem).where(waits_for(actor))
    return int(db.session.execute(statement).scalar_one())


def counts_by_kind(actor: Actor) -> dict[str, int]:
    """Work items that wait for an actor, by kind, in one statement."""
    statement = select(WorkItem.kind, func.count()).where(waits_for(actor)).group_by(WorkItem.kind)
    return {row[0]: int(row[1]) for row in db.session.execute(statement)}


@dataclass(frozen=True, slots=True)
class Badge:
    """Number of waiting items, and whether one of them is overdue."""

    count: int
    urgent: bool


def badge(actor: Actor) -> Badge:
    """For the frame: one statement."""
    overdue = func.count().filter(WorkItem.due_at < func.now())
    row = db.session.execute(select(func.count(), overdue).select_from(WorkItem).where(waits_for(actor))).one()
    return Badge(int(row[0]), bool(row[1]))


def of_subject(kind: str, document_id: int) -> list[WorkItem]:
    """Open work items about a document."""
    statement = (
        select(WorkItem)
        .where(
            WorkItem.subject_kind == kind, WorkItem.subject_id == document_id, WorkItem.state.in_(sorted(rules.OPEN))
        )
        .order_by(WorkItem.id)
    )
    return list(db.session.execute(statement).scalars())


def log_of(item_id: int) -> list[tuple[datetime, str, str, dict[str, Any]]]:
    """(when, who, step, detail) of an item, oldest first."""
    statement = (
        select(WorkItemLog.at, WorkItemLog.actor_name, WorkItemLog.step, WorkItemLog.detail)
        .where(WorkItemLog.work_item_id == item_id)
        .order_by(WorkItemLog.id)
        .limit(200)
    )
    return [tuple(row) for row in db.session.execute(statement)]


def subject_link(kind: str) -> documents.DocumentKind | None:
    """The registered kind of a subject, or None."""
    try:
        return documents.kind_of(kind)
    except KeyError:
        return None


def shown_figures(item: WorkItem) -> list[tuple[Any, str, Any]]:
    """(label, kind, value) of an item's figures in the order its kind gives; unknown keys last under their own names."""
    kind = registry.kind_of(item.kind)
    known = dict(kind.figures) if kind else {}
    shown = [
        (f.label, f.kind, item.figures[key]) for key, f in known.items() if item.figures.get(key) not in (None, "", [])
    ]
    return shown if known else [(key, "text", value) for key, value in item.figures.items()]


# --- approval routes --------------------------------------------------------------------------------------------------


def steps_of(kind: str) -> list[rules.RouteStep]:
    """The active steps of a kind of document, smallest amount first."""
    statement = (
        select(ApprovalRoute.amount_from, ApprovalRoute.permission, ApprovalRoute.unit_level)
        .where(ApprovalRoute.kind == kind, ApprovalRoute.active)
        .order_by(ApprovalRoute.amount_from)
    )
    return [rules.RouteStep(*row) for row in db.session.execute(statement)]


def kept_steps(kind: str) -> list[rules.RouteStep]:
    """The active steps of a kind, kept per process until rights or routes change."""
    return org.kept(f"approval_route:{kind}", lambda: steps_of(kind))  # type: ignore[no-any-return]


def route(kind: str, unit_id: int, amount: Decimal) -> tuple[str, int] | None:
    """(permission, unit) that must approve a document of the kind, unit and gross amount; None when nobody must."""
    step = rules.step_for(kept_steps(kind), amount)
    return None if step is None else (step.permission, level_unit_id(unit_id, step.unit_level))


def level_unit_id(unit_id: int, level: str) -> int:
    """The unit at a level above or equal; the unit itself where there is none at that level."""
    unit = org.level_unit(unit_id, level)
    return unit.id if unit is not None else unit_id
