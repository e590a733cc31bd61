"""Doctor checks: questions to the data whose answer must be an empty list.

Packages give theirs, `sdm doctor` asks all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sdm.kernel.db import db

OFFENDERS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Check:
    """One promise. `function` gives offenders as plain values or texts, at most a few dozen; none when all is well."""

    name: str
    code: str
    function: Callable[[], Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one check: `offenders` as texts (first 20), `error` when the check itself could not run."""

    code: str
    name: str
    offenders: list[str]
    error: str | None = None

    @property
    def ok(self) -> bool:
        """True when the promise holds."""
        return not self.offenders and self.error is None


_checks: dict[str, Check] = {}


def register(checks: Iterable[Check]) -> None:
    """Add checks; the same code again replaces the earlier one."""
    for check in checks:
        _checks[check.code] = check


def registered() -> list[Check]:
    """All checks in order of their codes."""
    return [_checks[code] for code in sorted(_checks)]


def run(check: Check) -> Outcome:
    """Ask one check in a transaction of its own, which is undone.

    A check that raises is a break as well: nobody knows whether the promise holds.
    """
    try:
        offenders = check.function()
    except Exception as problem:
        return Outcome(check.code, check.name, [], f"{type(problem).__name__}: {problem}"[:500])
    finally:
        db.session.rollback()
    return Outcome(check.code, check.name, [str(offender) for offender in list(offenders)[:OFFENDERS_SHOWN]])
