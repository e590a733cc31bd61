"""Exposure of a payer: buckets, what an order line puts into which, the verdict of the guard. Pure.

All amounts are gross, after discounts, kept per order line. Amounts of a part of a line are differences of
``money.portion``, so that whatever the sequence of movements, the last one takes the rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from decimal import Decimal

from sdm.kernel.money import ZERO, portion

NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Buckets:
    """Amounts per bucket; differences of two are movements. ``receipts`` lowers exposure, all others raise it."""

    open_orders: Decimal = ZERO
    shipped: Decimal = ZERO
    consigned: Decimal = ZERO
    items: Decimal = ZERO
    receipts: Decimal = ZERO
    acceptances: Decimal = ZERO

    def __add__(self, other: Buckets) -> Buckets:
        return Buckets(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __sub__(self, other: Buckets) -> Buckets:
        return Buckets(*(getattr(self, f.name) - getattr(other, f.name) for f in fields(self)))

    def __neg__(self) -> Buckets:
        return Buckets() - self

    def __bool__(self) -> bool:
        return any(getattr(self, f.name) for f in fields(self))

    @property
    def exposure(self) -> Decimal:
        """The amount compared with the limit, consigned goods counted."""
        return self.open_orders + self.shipped + self.consigned + self.items + self.acceptances - self.receipts


@dataclass(frozen=True, slots=True)
class LineState:
    """Cumulative quantities of an order line in base units, and its amount.

    ``returned``: taken back before billing (consigned lines: before listing). ``returned_listed``: taken back after
    listing, consigned lines only.
    """

    qty: Decimal
    cancelled: Decimal
    shipped: Decimal
    short: Decimal
    returned: Decimal
    listed: Decimal
    invoiced: Decimal
    amount: Decimal
    consigned: bool = False
    returned_listed: Decimal = NONE


def line_buckets(state: LineState) -> Buckets:
    """Where the amount of an order line stands: open, shipped not invoiced, consigned.

    open = max(0, qty − cancelled − max(shipped − short, invoiced)); shipped = max(0, shipped − short − returned −
    invoiced); a consigned line: consigned = shipped − short − returned − listed, shipped = listed − returned after
    listing − invoiced. The line's quantity is an axis: invoiced first, then shipped, consigned, open.
    """
    delivered = state.shipped - state.short
    consumed = max(delivered, state.invoiced)
    if state.consigned:
        unbilled = max(NONE, state.listed - state.returned_listed - state.invoiced)
        unlisted = max(NONE, delivered - state.returned - state.listed)
    else:
        unbilled = max(NONE, delivered - state.returned - state.invoiced)
        unlisted = NONE
    billed_to = state.invoiced + unbilled
    return Buckets(
        open_orders=_between(state, consumed, max(consumed, state.qty - state.cancelled)),
        shipped=_between(state, state.invoiced, billed_to),
        consigned=_between(state, billed_to, billed_to + unlisted),
    )


def _between(state: LineState, low: Decimal, high: Decimal) -> Decimal:
    """Amount of the units from ``low`` to ``high`` of the line."""
    if low >= high:
        return ZERO
    return portion(state.amount, state.qty, high) - portion(state.amount, state.qty, low)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Answer of the credit guard. Not granted means that nothing changed; ``excess`` is what is missing."""

    granted: bool
    limit: Decimal
    exposure: Decimal
    requested: Decimal
    excess: Decimal


@dataclass(frozen=True, slots=True)
class Headroom:
    """Figures of a payer: limit valid today (temporary part named), exposure by bucket, headroom, what is overdue."""

    payer_id: int
    limit: Decimal
    temporary: Decimal
    exposure: Decimal
    buckets: Buckets
    headroom: Decimal
    overdue_amount: Decimal
    overdue_days: int


def valid_limit(amount: Decimal, until: date | None, today: date) -> Decimal:
    """A limit counts up to and including its last day; without a date for ever."""
    return amount if until is None or today <= until else ZERO


def valid_temporary(amount: Decimal, until: date | None, today: date) -> Decimal:
    """A temporary limit counts up to and including its last day; without a date never."""
    return amount if until is not None and today <= until else ZERO


def exposure_of(buckets: Buckets, count_consigned: bool = True) -> Decimal:
    """Exposure with or without consigned goods, as the parameter says."""
    return buckets.exposure if count_consigned else buckets.exposure - buckets.consigned
