"""Pure rules of shipments: what a signature must say, and the delivery state people see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sdm.kernel.errors import N_, FieldError, describe
from sdm.kernel.units import is_valid_qty

describe(
    {
        "shipment.sum": N_(
            "Signed %(signed)s, short %(short)s and refused %(refused)s do not add up to %(qty)s shipped"
        ),
        "shipment.line_missing": N_("Enter what was signed for this line"),
        "shipment.line_foreign": N_("Line %(value)s is not on this shipment"),
        "shipment.part": N_("%(value)s is not a quantity; use zero or more with at most three decimals"),
        "shipment.billed": N_(
            "%(value)s units of this line are billed already; have the invoice reversed before they are signed for as missing"
        ),
        "shipment.before": N_("%(value)s is before the goods were shipped on %(shipped_on)s"),
        "shipment.future": N_("%(value)s is in the future"),
    }
)


@dataclass(frozen=True, slots=True)
class Signed:
    """What the dealer signed for of one line; the parts add up to what was shipped."""

    signed: Decimal
    short: Decimal = Decimal(0)
    refused: Decimal = Decimal(0)


def signature_faults(shipped: Mapping[int, Decimal], signed: Mapping[int, Signed]) -> list[FieldError]:
    """Everything wrong with a signature; ``shipped`` is line id → quantity. Field paths name the line id."""
    found = [
        FieldError(f"lines.{line_id}", "shipment.line_foreign", line_id) for line_id in signed if line_id not in shipped
    ]
    for line_id, qty in shipped.items():
        parts = signed.get(line_id)
        if parts is None:
            found.append(FieldError(f"lines.{line_id}", "shipment.line_missing"))
        else:
            found.extend(_part_faults(line_id, qty, parts))
    return found


def _part_faults(line_id: int, qty: Decimal, parts: Signed) -> list[FieldError]:
    named = {"signed": parts.signed, "short": parts.short, "refused": parts.refused}
    found = [
        FieldError(f"lines.{line_id}.{name}", "shipment.part", str(value))
        for name, value in named.items()
        if value < 0 or not is_valid_qty(value)
    ]
    if not found and sum(named.values()) != qty:
        details = {name: f"{value.normalize():f}" for name, value in named.items()}
        found.append(FieldError(f"lines.{line_id}", "shipment.sum", None, {**details, "qty": f"{qty.normalize():f}"}))
    return found


def billed_faults(
    shipped: Mapping[int, Decimal], billed: Mapping[int, Decimal], signed: Mapping[int, Signed]
) -> list[FieldError]:
    """Lines of which more is missing than is not billed yet (only where goods are billed when they are shipped)."""
    return [
        FieldError(f"lines.{line_id}", "shipment.billed", f"{billed[line_id].normalize():f}")
        for line_id, parts in signed.items()
        if line_id in shipped and parts.short + parts.refused > shipped[line_id] - billed[line_id]
    ]


def date_faults(field: str, day: date, today: date, shipped_on: date | None) -> list[FieldError]:
    """A day of shipping or signing lies neither in the future nor before the goods left."""
    if day > today:
        return [FieldError(field, "shipment.future", day.isoformat())]
    if shipped_on is not None and day < shipped_on:
        return [FieldError(field, "shipment.before", day.isoformat(), {"shipped_on": shipped_on.isoformat()})]
    return []


def days_late(state: str, expected_on: date | None, signed_on: date | None, today: date) -> int:
    """Whole days after the expected arrival; 0 when on time, not yet due or without an expectation."""
    if expected_on is None or state not in {"shipped", "signed"}:
        return 0
    arrived = signed_on if state == "signed" and signed_on else today
    return max((arrived - expected_on).days, 0)


def outcome(lines: Sequence[Signed]) -> str:
    """full, short, refused or mixed: the word for a whole signature."""
    short, refused = any(line.short for line in lines), any(line.refused for line in lines)
    return "mixed" if short and refused else "short" if short else "refused" if refused else "full"
