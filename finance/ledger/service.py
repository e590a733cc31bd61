"""Posting and reversing entries, opening and closing periods.

``post``, ``post_many`` and ``reverse`` are plain functions for other packages' commands; they take no row locks of
their own (the period row is share-locked by its foreign key, so that closing waits for running postings).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from finance.ledger.models import Period
from finance.ledger.rules import EntryInput, Line, completed, imbalances, period_bounds, period_code
from finance.ledger.statements import ENSURE_CHART, POST, REVERSE
from sdm.kernel import audit, clock
from sdm.kernel.actor import current
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.errors import N_, Conflict, FieldError, InvalidInput, NotFound, PeriodClosed, describe
from sdm.kernel.locks import Rank, reach
from sdm.kernel.permissions import Permission

__all__ = [
    "EntryInput",
    "Line",
    "close_period",
    "ensure_chart",
    "ensure_open",
    "period_code",
    "post",
    "post_many",
    "reopen_period",
    "reverse",
]

describe(
    {
        "ledger.future": N_("%(value)s lies in the future; choose today or earlier"),
        "ledger.period_state": N_("The period %(period)s is already %(state)s"),
        "ledger.period_running": N_("The period %(period)s has not ended yet; close it from %(date)s on"),
    }
)


def ensure_chart() -> None:
    """Write the delivered chart of accounts; repeating it changes nothing. The caller commits."""
    db.session.execute(ENSURE_CHART)


def post(
    *,
    document_kind: str,
    document_id: int,
    event: str,
    unit_id: int,
    legal_entity_id: int,
    posted_on: date,
    lines: Sequence[Line],
    belongs_period: str | None = None,
    reverses_id: int | None = None,
    currency: str = "CNY",
) -> int:
    """Post one entry in one statement; returns its id, 0 when all lines are zero.

    Raises PeriodClosed; AlreadyExists (through the command) when the step has posted before.
    """
    entry = EntryInput(
        document_kind,
        document_id,
        event,
        unit_id,
        legal_entity_id,
        posted_on,
        lines,
        belongs_period,
        reverses_id,
        currency,
    )
    ids = post_many([entry])
    return ids[0]


def post_many(entries: Sequence[EntryInput]) -> list[int]:
    """Post entries in one statement, whatever their number; ids in the given order, 0 for an empty one."""
    ready = [(index, entry, completed(entry)) for index, entry in enumerate(entries)]
    ready = [item for item in ready if item[2]]
    ids = [0] * len(entries)
    if not ready:
        return ids
    for _, entry, lines in ready:
        left = imbalances(lines)
        if left:
            raise RuntimeError(f"entry of {entry.document_kind} {entry.document_id} does not balance: {left}")
    rows = db.session.execute(POST, {"actor": current().user_id, **_heads(ready), **_lines(ready)}).all()
    if len(rows) < len(ready):
        _refuse_closed([entry.posted_on for _, entry, _ in ready])
    for row in rows:
        ids[ready[row.ord - 1][0]] = row.id
    return ids


def _heads(ready: list[tuple[int, EntryInput, list[Line]]]) -> dict[str, Any]:
    entries = [entry for _, entry, _ in ready]
    return {
        "kinds": [e.document_kind for e in entries],
        "documents": [e.document_id for e in entries],
        "events": [e.event for e in entries],
        "units": [e.unit_id for e in entries],
        "dates": [e.posted_on for e in entries],
        "counts": [len(lines) for _, _, lines in ready],
        "reverses": [e.reverses_id for e in entries],
    }


def _lines(ready: list[tuple[int, EntryInput, list[Line]]]) -> dict[str, Any]:
    flat = [
        (place, number, line, entry.currency)
        for place, (_, entry, lines) in enumerate(ready, start=1)
        for number, line in enumerate(lines, start=1)
    ]
    return {
        "l_entries": [place for place, _, _, _ in flat],
        "l_numbers": [number for _, number, _, _ in flat],
        "l_units": [line.unit_id for _, _, line, _ in flat],
        "l_legal_entities": [line.legal_entity_id for _, _, line, _ in flat],
        "l_currencies": [currency for _, _, _, currency in flat],
        "l_accounts": [line.account for _, _, line, _ in flat],
        "l_counters": [line.counter_unit_id for _, _, line, _ in flat],
        "l_dealers": [line.dealer_id for _, _, line, _ in flat],
        "l_categories": [line.category_id for _, _, line, _ in flat],
        "l_amounts": [line.amount for _, _, line, _ in flat],
        "l_periods": [line.belongs_period for _, _, line, _ in flat],
    }


def reverse(
    entry_id: int,
    posted_on: date,
    event: str = "reversed",
    *,
    document_kind: str | None = None,
    document_id: int | None = None,
) -> int:
    """Post an entry's opposite (of the same document, or of the reversing one); it belongs to the same periods."""
    values = {
        "entry": entry_id,
        "on": posted_on,
        "event": event,
        "kind": document_kind,
        "document": document_id,
        "actor": current().user_id,
    }
    made = db.session.execute(REVERSE, values).scalar_one_or_none()
    if made is None:
        _refuse_closed([posted_on])
        raise NotFound("not_found", kind="entry", id=entry_id)
    return int(made)


def _refuse_closed(days: Sequence[date]) -> None:
    codes = {period_code(day): day for day in days}
    closed = db.session.query(Period.code).filter(Period.code.in_(codes), Period.state == "closed").first()
    if closed:
        raise PeriodClosed("period.closed", period=closed.code, date=str(codes[closed.code]))


def ensure_open(day: date, field: str = "date") -> None:
    """Raise PeriodClosed when the date lies in a closed period; early and friendly, the posting checks again."""
    _refuse_closed([day])
    if day > clock.today():
        raise InvalidInput([FieldError(field, "ledger.future", str(day))])


def _locked_period(code: str) -> Period:
    starts_on, ends_on = period_bounds(code)
    reach(Rank.DOCUMENT)
    row = db.session.get(Period, code, with_for_update=True, populate_existing=True)
    if row is None:
        row = Period(code=code, starts_on=starts_on, ends_on=ends_on, state="open")
        db.session.add(row)
        db.session.flush()
    return row


@command(Permission.PERIOD_CLOSE)
def close_period(code: str) -> str:
    """Close a month that has ended: nothing is posted into it any more. Waits for postings under way."""
    row = _locked_period(code)
    if row.state == "closed":
        raise Conflict("ledger.period_state", period=code, state="closed")
    if row.ends_on >= clock.today():
        raise Conflict("ledger.period_running", period=code, date=str(row.ends_on))
    row.state, row.closed_at, row.closed_by_id = "closed", clock.now(), current().user_id
    audit.write("period", None, "close", None, {"period": code, "state": ["open", "closed"]})
    return code


@command(Permission.PERIOD_CLOSE)
def reopen_period(code: str, reason: str) -> str:
    """Open a closed month again; the reason stays in the audit log."""
    if not reason.strip():
        raise InvalidInput([FieldError("reason", "input.required")])
    row = _locked_period(code)
    if row.state == "open":
        raise Conflict("ledger.period_state", period=code, state="open")
    row.state, row.closed_at, row.closed_by_id = "open", None, None
    audit.write("period", None, "reopen", None, {"period": code, "state": ["closed", "open"], "reason": reason})
    return code
