"""Ageing as of any day, by branch or by dealer, from open items and allocations only (FI-07)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from branches.org import parameters
from branches.org.models import Dealer, Unit
from finance.receivables import statements
from finance.receivables.rules import band_labels, parse_bands
from sdm.kernel.db import db
from sdm.kernel.money import ZERO
from sdm.kernel.scope import current_scope


@dataclass(frozen=True, slots=True)
class AgeingRow:
    """One branch or payer: debit items by band, credit items (negative), the sum of both."""

    id: int
    code: str
    name: str
    not_due: Decimal
    bands: tuple[Decimal, ...]
    credits: Decimal
    total: Decimal

    @property
    def overdue(self) -> Decimal:
        """What is past due, credit items left out."""
        return sum(self.bands, ZERO)


@dataclass(frozen=True, slots=True)
class Ageing:
    """Rows largest first, with the total; ``labels`` are (first, last) days overdue of each band."""

    as_of: date
    by: str
    labels: list[tuple[int, int | None]]
    rows: list[AgeingRow]
    total: AgeingRow


def bounds() -> tuple[int, ...]:
    """Upper bounds of the bands, from the parameter; the delivered ones when it holds nonsense."""
    try:
        return parse_bands(str(parameters.value("ageing.bands")))
    except ValueError:
        return (30, 60, 90, 180)


def ageing(as_of: date, by: str = "unit", unit_id: int | None = None, payer_id: int | None = None) -> Ageing:
    """One set-based statement over open items, one for the names. ``by``: unit or dealer (the payer)."""
    limits = bounds()
    group = "unit_id" if by == "unit" else "payer_id"
    values = {"as_of": as_of, "payer": payer_id, **_scope(unit_id)}
    found = db.session.execute(statements.ageing(limits, group), values).all()
    names = _names(by, [row.id for row in found])
    rows = [_row(row, len(limits) + 1, *names.get(row.id, ("", ""))) for row in found]
    rows.sort(key=lambda row: (-row.total, row.code))
    return Ageing(as_of, by, band_labels(limits), rows, _total(rows, len(limits) + 1))


def _scope(unit_id: int | None) -> dict[str, Any]:
    scope = current_scope()
    units = None if scope.everything else sorted(scope.units)
    if unit_id is not None:
        units = [unit_id] if scope.has_unit(unit_id) else []
    return {"units": units, "dealers": None if scope.dealers is None else sorted(scope.dealers)}


def _names(by: str, ids: list[int]) -> dict[int, tuple[str, str]]:
    table = Unit.__table__ if by == "unit" else Dealer.__table__
    statement = select(table.c.id, table.c.code, table.c.name)
    if len(ids) < 20_000:
        statement = statement.where(table.c.id.in_(ids))
    return {row.id: (row.code, row.name) for row in db.session.execute(statement)}


def _row(row: Any, bands: int, code: str, name: str) -> AgeingRow:
    parts = tuple(getattr(row, f"band_{number}") or ZERO for number in range(1, bands + 1))
    return AgeingRow(row.id, code, name, row.not_due or ZERO, parts, row.credits or ZERO, row.total or ZERO)


def _total(rows: list[AgeingRow], bands: int) -> AgeingRow:
    parts = tuple(sum((row.bands[n] for row in rows), ZERO) for n in range(bands))
    sums = [sum((getattr(row, key) for row in rows), ZERO) for key in ("not_due", "credits", "total")]
    return AgeingRow(0, "", "", sums[0], parts, sums[1], sums[2])
