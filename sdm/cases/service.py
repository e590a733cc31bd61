"""Work items: opened by other packages' commands, acknowledged and handled by people, withdrawn when their cause is gone.

A work item is never locked before its subject: deciding reads it, lets the kind lock the subject, and only then closes
the item with a guarded update. Two people deciding at once: the second is told, and nothing of his is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert

from branches.org import service as org
from sdm.cases import queries, registry, rules
from sdm.cases.models import ApprovalRoute, WorkItem, WorkItemLog
from sdm.kernel import audit, clock, command
from sdm.kernel.actor import current
from sdm.kernel.command import command as transaction
from sdm.kernel.db import db
from sdm.kernel.errors import Conflict, FieldError, Forbidden, InvalidInput, StaleVersion
from sdm.kernel.permissions import Permission


@dataclass(frozen=True, slots=True)
class NewItem:
    """A work item to open; ``key`` is unique while it is open. Addressed to ``handler_id``, or to ``permission`` over a unit."""

    kind: str
    key: str
    title: str
    subject_kind: str
    subject_id: int
    unit_id: int
    figures: dict[str, Any]
    permission: str | None = None
    handler_unit_id: int | None = None
    handler_id: int | None = None
    owner_id: int | None = None
    due_at: datetime | None = None


def plain(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures as they are kept: decimals and dates as text."""
    return queries.plain(figures)


def open_item(
    *,
    kind: str,
    key: str,
    title: str,
    subject_kind: str,
    subject_id: int,
    unit_id: int,
    figures: dict[str, Any],
    permission: str | None = None,
    handler_unit_id: int | None = None,
    handler_id: int | None = None,
    owner_id: int | None = None,
    due_at: datetime | None = None,
) -> int:
    """Open a work item, or bring the open one with this key up to date. Joins the running command; returns its id."""
    item = NewItem(
        kind, key, title, subject_kind, subject_id, unit_id, figures, permission, handler_unit_id, handler_id, owner_id, due_at
    )  # fmt: skip
    return open_items([item])[0]


def open_items(items: Sequence[NewItem]) -> list[int]:
    """Open several work items with different keys in one statement; returns their ids in the order of keys."""
    if not items:
        return []
    rows = [_row(item) for item in sorted(items, key=lambda item: item.key)]
    insertion = pg_insert(WorkItem).values(rows)
    kept = [name for name in rows[0] if name != "key"]
    statement = insertion.on_conflict_do_update(
        index_elements=[WorkItem.key],
        index_where=literal_column("state IN ('open','acknowledged')"),  # no parameters: generic plans match it too
        set_={**{name: insertion.excluded[name] for name in kept}, "version": WorkItem.version + 1},
    ).returning(WorkItem.id, WorkItem.key, WorkItem.version)
    found = sorted(db.session.execute(statement).all(), key=lambda row: row.key)
    for row in found:
        if row.version == 1:
            _log(row.id, "opened")
    return [row.id for row in found]


def _row(item: NewItem) -> dict[str, Any]:
    known = registry.kind_of(item.kind)
    return {
        "key": item.key,
        "kind": item.kind,
        "title": item.title[:200],
        "subject_kind": item.subject_kind,
        "subject_id": item.subject_id,
        "unit_id": item.unit_id,
        "figures": queries.plain(item.figures),
        "permission": str(item.permission or (known.permission if known else "") or ""),
        "handler_id": item.handler_id,
        "handler_unit_id": item.handler_unit_id,
        "owner_id": item.owner_id,
        "due_at": item.due_at,
    }


def withdraw(key: str) -> bool:
    """Take back the open work item of a key because its cause is gone; False when there is none. Joins."""
    return bool(withdraw_all([key]))


def withdraw_all(keys: Iterable[str]) -> int:
    """Take back the open work items of several keys in one statement; returns how many."""
    wanted = sorted(set(keys))
    if not wanted:
        return 0
    statement = (
        update(WorkItem)
        .where(WorkItem.key.in_(wanted), WorkItem.state.in_(sorted(rules.OPEN)))
        .values(state="withdrawn", handled_at=clock.now(), version=WorkItem.version + 1)
        .returning(WorkItem.id)
        .execution_options(synchronize_session=False)
    )
    ids = list(db.session.execute(statement).scalars())
    for item_id in ids:
        _log(item_id, "withdrawn")
    return len(ids)


@transaction(Permission.CASE_HANDLE)
def acknowledge(item_id: int) -> int:
    """Say "I have seen it and take it": open → acknowledged. Returns the version."""
    item = _mine(item_id)
    _close_guarded(item, "acknowledged", state_from=("open",))
    _log(item.id, "acknowledged")
    return item.version + 1


@transaction(Permission.CASE_HANDLE)
def handle(
    item_id: int, result: str, comment: str = "", version: int | None = None, values: dict[str, Any] | None = None
) -> str:
    """Decide a work item; what its kind does with the result happens in this transaction. Returns the result.

    Raises NotFound, Forbidden, IllegalTransition-like Conflict when somebody was faster, StaleVersion, InvalidInput.
    """
    item = _mine(item_id)
    if version is not None and version != item.version:
        raise StaleVersion("version.stale", expected=version, actual=item.version)
    kind = registry.kind_of(item.kind)
    if kind is None:
        raise Conflict("case.unknown_kind", value=item.kind)
    known = _known_result(kind, result, comment)
    kept = {key: value for key, value in (values or {}).items() if key in {field.key for field in known.fields}}
    if kind.lock is not None:
        kind.lock(item)
        _finish(item, result, comment)
        kind.on_result(item, result, comment, **kept)
    else:
        kind.on_result(item, result, comment, **kept)
        _finish(item, result, comment)
    _log(item.id, "handled", result=result, comment=comment, **queries.plain(kept))
    audit.write("work_item", item.id, f"handled:{result}", item.unit_id, {"comment": comment, "key": item.key})
    return result


def _finish(item: WorkItem, result: str, comment: str) -> None:
    _close_guarded(item, "handled" if item.owner_id else "closed", result=result, comment=comment)


def _known_result(kind: registry.CaseKind, code: str, comment: str) -> registry.Result:
    result = kind.result(code)
    if result is None:
        choices = ", ".join(known.code for known in kind.results)
        raise InvalidInput([FieldError("result", "case.result", code, {"choices": choices})])
    if result.needs_comment and not comment.strip():
        raise InvalidInput([FieldError("comment", "case.comment")])
    return result


@transaction(Permission.CASE_READ)
def close(item_id: int) -> None:
    """The responsible owner takes note of the result: handled → closed."""
    item = queries.get(item_id)
    if item.owner_id != current().user_id:
        raise Forbidden("case.not_yours")
    _close_guarded(item, "closed", state_from=("handled",), result=item.result, comment=item.comment)
    _log(item.id, "closed")


def _mine(item_id: int) -> WorkItem:
    item = queries.get(item_id)
    if not rules.may_handle(current(), queries.addressee(item)):
        raise Forbidden("case.not_yours")
    if item.state not in rules.OPEN:
        raise Conflict("case.done", state=item.state)
    return item


def _close_guarded(
    item: WorkItem,
    state: str,
    *,
    state_from: tuple[str, ...] = ("open", "acknowledged"),
    result: str = "",
    comment: str = "",
) -> None:
    """Move the item on unless somebody did so meanwhile."""
    values: dict[str, Any] = {"state": state, "version": WorkItem.version + 1}
    if state in {"handled", "closed"}:
        values |= {"result": result, "comment": comment, "handled_at": clock.now(), "handled_by_id": current().user_id}
    done = db.session.execute(
        update(WorkItem)
        .where(WorkItem.id == item.id, WorkItem.version == item.version, WorkItem.state.in_(state_from))
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise Conflict("case.done", state=queries.state_of(item.id))


def _log(item_id: int, step: str, **detail: Any) -> None:
    actor = current()
    row = {
        "work_item_id": item_id,
        "actor_id": actor.user_id,
        "actor_name": actor.name,
        "step": step,
        "detail": detail,
    }
    command.gather("work_item_log", row, _write_log)


def _write_log(rows: list[dict[str, Any]]) -> None:
    db.session.execute(insert(WorkItemLog), rows)


# --- approval routes --------------------------------------------------------------------------------------------------


@transaction(Permission.ROUTE_EDIT)
def set_routes(kind: str, steps: list[rules.RouteStep]) -> int:
    """Replace the approval route of a kind of document; returns the number of steps. One audit row with both tables."""
    faults = _route_faults(steps)
    if faults:
        raise InvalidInput(faults)
    before = queries.steps_of(kind)
    db.session.execute(delete(ApprovalRoute).where(ApprovalRoute.kind == kind))
    if steps:
        rows = [
            {"kind": kind, "amount_from": s.amount_from, "permission": s.permission, "unit_level": s.unit_level}
            for s in steps
        ]
        db.session.execute(insert(ApprovalRoute), rows)

    org.touch_access()
    audit.write("approval_route", None, "changed", None, {kind: [_told(before), _told(steps)]})
    return len(steps)


def _told(steps: list[rules.RouteStep]) -> list[str]:
    return [f"{step.amount_from} {step.permission} {step.unit_level}" for step in steps]


def _route_faults(steps: list[rules.RouteStep]) -> list[FieldError]:
    faults: list[FieldError] = []
    seen: set[Any] = set()
    permissions = {str(permission) for permission in Permission}
    for index, step in enumerate(steps):
        if step.amount_from < 0:
            faults.append(FieldError(f"lines.{index}.amount_from", "input.not_negative", step.amount_from))
        if step.amount_from in seen:
            faults.append(
                FieldError(f"lines.{index}.amount_from", "exists", None, {"field": "amount", "value": step.amount_from})
            )
        seen.add(step.amount_from)
        if step.permission not in permissions:
            faults.append(FieldError(f"lines.{index}.permission", "input.unknown", step.permission))
        if step.unit_level not in rules.LEVELS:
            choices = {"choices": ", ".join(rules.LEVELS)}
            faults.append(FieldError(f"lines.{index}.unit_level", "input.choice", step.unit_level, choices))
    return faults


def ensure_routes() -> None:
    """Put in the usual route of orders where none was ever set: from 50,000 the branch, from 500,000 head office."""
    route = select(ApprovalRoute.id).where(ApprovalRoute.kind == "sales_order").exists()
    chosen = select(audit.AuditRow.id).where(audit.AuditRow.kind == "approval_route").exists()
    if db.session.execute(select(route | chosen)).scalar():
        return
    rows = [
        {
            "kind": "sales_order",
            "amount_from": amount,
            "permission": Permission.ORDER_RELEASE_AMOUNT,
            "unit_level": level,
        }
        for amount, level in ((50_000, "branch"), (500_000, "head_office"))
    ]
    db.session.execute(insert(ApprovalRoute), rows)
