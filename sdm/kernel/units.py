"""Quantities: exact decimals in the product's base unit, and packs. Pure."""

from __future__ import annotations

from decimal import Decimal

QTY_STEP = Decimal("0.001")
QTY_MAX = Decimal("999999999999.999")
NOTHING = Decimal("0")


def to_base(qty: Decimal, factor: Decimal) -> Decimal:
    """Quantity in base units of ``qty`` packs that hold ``factor`` base units each."""
    return qty * factor


def is_valid_qty(qty: Decimal) -> bool:
    """Whether the quantity is finite, within range and on the step of three decimals."""
    return qty.is_finite() and abs(qty) <= QTY_MAX and qty == qty.quantize(QTY_STEP)
