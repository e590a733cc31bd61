"""What a scope is: the units, dealers and warehouses someone may see. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """``units``: own unit and below. ``dealers`` / ``warehouses``: None = all of those units, else only these."""

    units: frozenset[int] = frozenset()
    dealers: frozenset[int] | None = None
    warehouses: frozenset[int] | None = None
    everything: bool = False

    def has_unit(self, unit_id: int | None) -> bool:
        """Whether documents of the unit are inside."""
        return self.everything or unit_id in self.units


EVERYTHING = Scope(everything=True)
NOTHING = Scope()
