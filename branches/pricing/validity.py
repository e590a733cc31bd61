"""How a new price fits among those that hold already: what is closed, removed, added, or refused. Pure.

Periods are half-open: `since` belongs to them, `until` does not; None is an open end. Per key one at most holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from sdm.kernel.errors import N_, describe

PAST = "price.past"
OVERLAP = "price.overlap"
DATES = "price.dates"

describe(
    {
        PAST: N_("A price has held since %(since)s; a new one can begin today or later, not on %(value)s"),
        OVERLAP: N_("There is a price from %(since)s on already; let this one end the day before, or change that one"),
        DATES: N_("The last day %(until)s lies before the first day %(since)s"),
    }
)

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """A price that is stored (`id`) or planned (`id` None)."""

    key: Key
    since: date
    until: date | None
    values: tuple[Any, ...]
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A price to enter; `place` is its line in the input."""

    place: Any
    key: Key
    since: date
    until: date | None
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a wanted price is refused."""

    place: Any
    code: str
    value: Any
    details: dict[str, Any]


@dataclass(slots=True)
class Plan:
    """What to do: `close` {id: new end}, `remove` ids, `add` periods; nothing of it when there are `faults`."""

    close: dict[int, date] = field(default_factory=dict)
    remove: list[int] = field(default_factory=list)
    add: list[Period] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    unchanged: int = 0


def plan(existing: Iterable[Period], wanted: Sequence[Wanted], today: date) -> Plan:
    """Fit new prices among the existing ones, earliest first.

    A new price closes the one that holds at its first day; one with a last day lets the closed one go on afterwards;
    one without ends where a later one begins. A price that began before today is never cut in the past; one that begins
    today or later can be entered anew.
    """
    result = Plan()
    by_key: dict[Key, list[Period]] = {}
    for period in existing:
        by_key.setdefault(period.key, []).append(period)
    for new in sorted(wanted, key=lambda w: w.since):
        periods = by_key.setdefault(new.key, [])
        by_key[new.key] = _fit(periods, new, today, result)
    for periods in by_key.values():
        result.add += [period for period in periods if period.id is None]
    return result


def _fit(periods: list[Period], new: Wanted, today: date, result: Plan) -> list[Period]:
    """The periods of one key with the new one among them; notes closings, removals and faults in the result."""
    until = new.until if new.until is not None else _next_start(periods, new.since)
    if until is not None and until <= new.since:
        result.faults.append(_fault(new, DATES, until=until - timedelta(days=1), since=new.since))
        return periods
    wanted = Period(new.key, new.since, until, new.values)
    touched = [period for period in periods if _overlap(period, wanted)]
    if any((p.since, p.until, p.values) == (wanted.since, until, new.values) for p in touched):
        result.unchanged += 1
        return periods
    fault = next((found for p in touched if (found := _refusal(p, new, today))), None)
    if fault:
        result.faults.append(fault)
        return periods
    kept = [period for period in periods if period not in touched]
    for period in touched:
        kept += _around(period, wanted, result)
    return [*kept, wanted]


def _next_start(periods: list[Period], since: date) -> date | None:
    return min((period.since for period in periods if period.since > since), default=None)


def _overlap(one: Period, other: Period) -> bool:
    return (one.until is None or other.since < one.until) and (other.until is None or one.since < other.until)


def _refusal(period: Period, new: Wanted, today: date) -> Fault | None:
    if period.since > new.since:
        return _fault(new, OVERLAP, since=period.since)
    if period.id is not None and new.since < today:
        return _fault(new, PAST, since=period.since)
    return None


def _around(period: Period, wanted: Period, result: Plan) -> list[Period]:
    """What remains of a touched period before and after the new one."""
    left: list[Period] = []
    if period.since < wanted.since:
        left.append(replace(period, until=wanted.since))
        if period.id is not None:
            result.close[period.id] = wanted.since
    elif period.id is not None:
        result.remove.append(period.id)
        result.close.pop(period.id, None)
    if wanted.until is not None and (period.until is None or wanted.until < period.until):
        left.append(replace(period, since=wanted.until, id=None))
    return left


def _fault(new: Wanted, code: str, **details: date) -> Fault:
    return Fault(new.place, code, new.since, {name: day.isoformat() for name, day in details.items()})
