"""Pure rules of the bridge between business and financial stock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

NONE = Decimal(0)
PLACES = ("warehouse", "transit", "claims")
CAUSES = ("delivered", "consigned", "ahead", "returned")


@dataclass(slots=True)
class Bridge:
    """One product (or the sum of all): the owner's financial stock explained by places and causes, all signed."""

    owner: Decimal = NONE
    parts: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys((*PLACES, *CAUSES), NONE))

    @property
    def explained(self) -> Decimal:
        """What places and documents add up to."""
        return sum(self.parts.values(), NONE)

    @property
    def difference(self) -> Decimal:
        """What no document explains; 0 when all is well."""
        return self.owner - self.explained

    def add(self, other: Bridge) -> None:
        """Add another product."""
        self.owner += other.owner
        for name, qty in other.parts.items():
            self.parts[name] += qty


def bridges(
    places: Iterable[tuple[str, int, Decimal]], causes: Iterable[tuple[str, int, Decimal]]
) -> Mapping[int, Bridge]:
    """One bridge per product from (kind of place, product, qty) and (cause, product, signed qty)."""
    found: dict[int, Bridge] = {}
    for kind, product_id, qty in places:
        bridge = found.setdefault(product_id, Bridge())
        if kind == "owner":
            bridge.owner += qty
        else:
            bridge.parts[kind] += qty
    for cause, product_id, qty in causes:
        found.setdefault(product_id, Bridge()).parts[cause] += qty
    return found


def total(bridges_: Iterable[Bridge]) -> Bridge:
    """The sum of bridges."""
    result = Bridge()
    for bridge in bridges_:
        result.add(bridge)
    return result
