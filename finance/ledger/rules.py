"""Shape of entries: lines, merging, balance, periods. Pure."""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sdm.kernel.money import ZERO


@dataclass(frozen=True, slots=True)
class Line:
    """One posting line. ``amount`` > 0 debit, < 0 credit; unit and legal entity default to the entry's."""

    account: str
    amount: Decimal
    dealer_id: int | None = None
    category_id: int | None = None
    unit_id: int | None = None
    counter_unit_id: int | None = None
    legal_entity_id: int | None = None
    belongs_period: str | None = None


@dataclass(frozen=True, slots=True)
class EntryInput:
    """One entry to post: the document's step that causes it and its lines."""

    document_kind: str
    document_id: int
    event: str
    unit_id: int
    legal_entity_id: int
    posted_on: date
    lines: Sequence[Line]
    belongs_period: str | None = None
    reverses_id: int | None = None
    currency: str = "CNY"


def period_code(day: date) -> str:
    """The month of a date, such as ``2026-11``."""
    return f"{day.year:04d}-{day.month:02d}"


def period_bounds(code: str) -> tuple[date, date]:
    """First and last day of a period."""
    year, month = (int(part) for part in code.split("-"))
    return date(year, month, 1), date(year, month, calendar.monthrange(year, month)[1])


def completed(entry: EntryInput) -> list[Line]:
    """The entry's lines with all defaults filled in, equal dimensions merged, zero amounts dropped."""
    period = entry.belongs_period or period_code(entry.posted_on)
    merged: dict[Line, Decimal] = {}
    for line in entry.lines:
        key = replace(
            line,
            amount=ZERO,
            unit_id=line.unit_id or entry.unit_id,
            legal_entity_id=line.legal_entity_id or entry.legal_entity_id,
            belongs_period=line.belongs_period or period,
        )
        merged[key] = merged.get(key, ZERO) + line.amount
    return [replace(key, amount=amount) for key, amount in merged.items() if amount]


def imbalances(lines: Iterable[Line]) -> dict[tuple[int | None, int | None], Decimal]:
    """What is left per (unit, legal entity); empty when the lines balance."""
    left: dict[tuple[int | None, int | None], Decimal] = {}
    for line in lines:
        key = (line.unit_id, line.legal_entity_id)
        left[key] = left.get(key, ZERO) + line.amount
    return {key: amount for key, amount in left.items() if amount}
