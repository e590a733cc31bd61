"""Numbers. Ordinary documents: prefix + identity, made by the database, gaps allowed. Legal numbers: gapless, per series,
drawn last in the transaction, so that the counter row is locked for an instant only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import BigInteger, Computed, text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel import command, locks
from sdm.kernel.columns import Code
from sdm.kernel.db import Base, db

_DRAW = text(
    """
INSERT INTO number_counter AS c (series, last) VALUES (:series, :n)
ON CONFLICT (series) DO UPDATE SET last = c.last + :n RETURNING last
"""
)


class NumberCounter(Base):
    """Last number drawn of a gapless series, such as ``INV:1:2026``."""

    __tablename__ = "number_counter"

    series: Mapped[Code] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger)


def generated(prefix: str) -> Computed:
    """Column default of an ordinary document number: ``SO`` + eight digits of the identity."""
    return Computed(f"'{prefix}' || lpad(id::text, greatest(8, length(id::text)), '0')", persisted=True)


def draw_last(series: str, assign: Callable[[int], Any]) -> None:
    """Draw the next number of a gapless series at the end of the running transaction and hand it to ``assign``.

    All numbers of a transaction are drawn in the order of their series, so that two transactions cannot deadlock.
    """
    command.gather("numbers", (series, assign), lambda wanted: command.at_the_end(lambda: _draw(wanted)))


def _draw(wanted: list[tuple[str, Callable[[int], Any]]]) -> None:
    locks.reach(locks.Rank.COUNTER)
    by_series: dict[str, list[Callable[[int], Any]]] = {}
    for series, assign in wanted:
        by_series.setdefault(series, []).append(assign)
    for series in sorted(by_series):
        takers = by_series[series]
        last = db.session.execute(_DRAW, {"series": series, "n": len(takers)}).scalar_one()
        for offset, assign in enumerate(takers):
            assign(last - len(takers) + 1 + offset)
    db.session.flush()
