"""Pure rules of stock: what an issue costs at moving average."""

from __future__ import annotations

from decimal import Decimal

from sdm.kernel.money import ZERO, portion, round_amount


def issue_value(stock_qty: Decimal, stock_value: Decimal, qty: Decimal, fallback: Decimal | None = None) -> Decimal:
    """Value that ``qty`` > 0 units take out of a stock at moving average; the last unit takes what is left.

    Units beyond the stock (invoiced before they were received) cost ``fallback`` each, or the last average, or nothing.
    """
    if stock_qty > 0 and qty <= stock_qty:
        return portion(stock_value, stock_qty, qty)
    covered = max(stock_qty, Decimal(0))
    inside = stock_value if covered else ZERO
    return inside + round_amount((qty - covered) * unit_value(stock_qty, stock_value, fallback))


def unit_value(stock_qty: Decimal, stock_value: Decimal, fallback: Decimal | None = None) -> Decimal:
    """Value of one unit beyond the stock: the given one, else the average of what is (or is owed), else nothing."""
    if fallback is not None:
        return fallback
    return stock_value / stock_qty if stock_qty else Decimal(0)
