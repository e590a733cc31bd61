"""Kinds of work items: what they are called, which results they know, and what deciding them does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Result:
    """A way to decide: code, word on the button, style (``primary``, ``bad``, ``neutral``).

    ``needs_comment``: the reason must be given. ``fields``: form fields asked for beside the comment, handed to
    ``on_result`` by name.
    """

    code: str
    label: Any
    style: str = "neutral"
    needs_comment: bool = False
    fields: tuple[ResultField, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultField:
    """A value asked for with a result: ``kind`` is amount or date; ``default(item)`` fills the form."""

    key: str
    label: Any
    kind: str
    default: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """How a key of ``figures`` is shown: word and kind (amount, quantity, date, integer, percent, text)."""

    label: Any
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class CaseKind:
    """A kind of work item. ``on_result(item, result, comment, **fields)`` runs in the deciding transaction.

    ``lock(item)`` locks the subject; with it the item is closed before ``on_result``, which may then open the next one of
    the same key. Without it ``on_result`` locks the subject itself and the item is closed afterwards. Either way a subject
    is locked before its work items. ``permission`` is the default addressee. ``figures`` say how its figures are shown.
    """

    code: str
    label: Any
    results: tuple[Result, ...]
    on_result: Callable[..., Any]
    permission: str | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    lock: Callable[[Any], None] | None = None

    def result(self, code: str) -> Result | None:
        """The result of a code, or None."""
        return next((result for result in self.results if result.code == code), None)


_kinds: dict[str, CaseKind] = {}


def register(kinds: Iterable[CaseKind]) -> None:
    """Add kinds; the same code again replaces the earlier one. Filled by wiring."""
    for kind in kinds:
        _kinds[kind.code] = kind


def kind_of(code: str) -> CaseKind | None:
    """The registered kind, or None."""
    return _kinds.get(code)


def kinds() -> list[CaseKind]:
    """All registered kinds in order of their codes."""
    return [_kinds[code] for code in sorted(_kinds)]


def choices() -> list[tuple[str, Any]]:
    """(code, word) of all kinds, for filters."""
    return [(kind.code, kind.label) for kind in kinds()]
