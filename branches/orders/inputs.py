"""What commands on orders take: plain values, already of the right types, not yet checked against the data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4


@dataclass(frozen=True, slots=True)
class OrderLineInput:
    """A line: product by id or by code; ``qty`` in ``unit`` (base unit when empty); a price or rate only where it differs.

    ``line_id`` names an existing line when an order is changed. Prices are gross per base unit.
    """

    qty: Decimal
    product_id: int | None = None
    product_code: str = ""
    unit: str = ""
    price: Decimal | None = None
    discount_rate: Decimal | None = None
    price_reason: str = ""
    line_id: int | None = None


@dataclass(frozen=True, slots=True)
class OrderInput:
    """An order as entered. ``uuid`` is the client's; the same one never makes a second order."""

    dealer_id: int
    warehouse_id: int
    lines: tuple[OrderLineInput, ...]
    uuid: UUID = field(default_factory=uuid4)
    ordered_on: date | None = None
    requested_on: date | None = None
    external_number: str = ""
    ship_to: str = ""
    note: str = ""
    source: str = "clerk"
    quotation_id: int | None = None


@dataclass(frozen=True, slots=True)
class OrderChange:
    """A changed order: all lines as they shall be; a line left out is removed where nothing of it was shipped or picked."""

    lines: tuple[OrderLineInput, ...]
    warehouse_id: int | None = None
    requested_on: date | None = None
    ship_to: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnLineInput:
    """Units of one delivered line that come back."""

    shipment_line_id: int
    qty: Decimal


@dataclass(frozen=True, slots=True)
class ReturnInput:
    """A request to take goods back from one dealer."""

    dealer_id: int
    reason_code: str
    lines: tuple[ReturnLineInput, ...]
    uuid: UUID = field(default_factory=uuid4)
    requested_on: date | None = None
    note: str = ""
    external_number: str = ""
    source: str = "clerk"


@dataclass(frozen=True, slots=True)
class SignedLine:
    """What a dealer signed for of one shipment line; the three add up to what was shipped."""

    signed: Decimal
    short: Decimal = Decimal(0)
    refused: Decimal = Decimal(0)
