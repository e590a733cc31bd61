"""Amounts: the one rounding function, VAT split, splitting a total. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")
ZERO = Decimal("0.00")
AMOUNT_MAX = Decimal("9999999999999.99")


def round_amount(value: Decimal) -> Decimal:
    """Round to cents, half up (away from zero). The only rounding of money in the product."""
    return value.quantize(CENT, ROUND_HALF_UP)


def line_amount(qty: Decimal, price: Decimal) -> Decimal:
    """Gross amount of a line: quantity × price, rounded once per line."""
    return round_amount(qty * price)


def split_vat(gross: Decimal, tax_rate: Decimal) -> tuple[Decimal, Decimal]:
    """(net, VAT) of a gross amount: net is rounded, VAT is the rest, so that both always add up."""
    net = round_amount(gross / (1 + tax_rate))
    return net, gross - net


def portion(total: Decimal, whole: Decimal, part: Decimal) -> Decimal:
    """Amount of the first ``part`` of ``whole`` units; differences of portions telescope to ``total``.

    ``portion(t, n, n) == t`` and ``portion(t, n, 0) == 0``, so the last movement takes the rounding.
    """
    if part == whole:
        return total
    return round_amount(total * part / whole) if whole else ZERO


def split(total: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Split an amount by weights; cents left over go to the largest remainders, first come first."""
    if not weights:
        return []
    whole = sum(weights, Decimal(0))
    if not whole:
        return [total] + [ZERO] * (len(weights) - 1)
    exact = [total * weight / whole for weight in weights]
    parts = [value.quantize(CENT, ROUND_DOWN) for value in exact]
    step = CENT if total >= 0 else -CENT
    missing = int((total - sum(parts, ZERO)) / step)
    order = sorted(range(len(parts)), key=lambda i: -abs(exact[i] - parts[i]))
    for i in order[:missing]:
        parts[i] += step
    return parts
