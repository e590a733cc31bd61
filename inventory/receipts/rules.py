"""Pure rules of goods receipts: what a receipt needs, and what may be done in which state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from sdm.kernel.errors import N_, FieldError, describe
from sdm.kernel.units import is_valid_qty

LINES_MAX = 1000
ORIGINS = ("supplier", "production", "opening")
# Where goods of each origin come from in the business book.
SOURCE_OF = {"supplier": "supplier", "production": "production", "opening": "take_on"}
UNIT_COST_MAX = Decimal("99999999999999.9999")

describe(
    {
        "receipt.no_lines": N_("Enter at least one line"),
        "receipt.too_many_lines": N_("At most %(max)s lines fit one document; split it"),
        "receipt.future": N_("%(value)s is in the future; goods are received when they are here"),
        "receipt.not_stocked": N_("%(value)s keeps no stock; take it off the receipt"),
        "receipt.cost": N_("%(value)s is not a cost per unit; use zero or more with at most four decimals"),
    }
)


@dataclass(frozen=True, slots=True)
class ReceivedLine:
    """``qty`` in base units; ``unit_cost`` actual cost net per unit, None where unknown."""

    product_id: int
    qty: Decimal
    unit_cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ReceiptInput:
    """A goods receipt as entered. ``uuid`` is the client's; the same one never makes a second receipt."""

    warehouse_id: int
    received_on: date
    lines: tuple[ReceivedLine, ...]
    origin: str = "supplier"
    supplier_name: str = ""
    reference: str = ""
    note: str = ""
    source: str = "clerk"
    uuid: UUID = field(default_factory=uuid4)


def faults(entered: ReceiptInput, today: date, stocked: Mapping[int, bool]) -> list[FieldError]:
    """Everything wrong with a receipt; ``stocked`` tells of each known product whether it keeps stock."""
    found = []
    if entered.origin not in ORIGINS:
        found.append(FieldError("origin", "input.choice", entered.origin, {"choices": ", ".join(ORIGINS)}))
    if entered.received_on > today:
        found.append(FieldError("received_on", "receipt.future", entered.received_on.isoformat()))
    if not entered.lines:
        found.append(FieldError("lines", "receipt.no_lines"))
    if len(entered.lines) > LINES_MAX:
        return [*found, FieldError("lines", "receipt.too_many_lines", len(entered.lines), {"max": LINES_MAX})]
    for index, line in enumerate(entered.lines):
        found.extend(line_faults(index, line, stocked))
    return found


def line_faults(index: int, line: ReceivedLine, stocked: Mapping[int, bool]) -> list[FieldError]:
    """Everything wrong with one line."""
    found = []
    if line.product_id not in stocked:
        found.append(FieldError(f"lines.{index}.product_id", "input.unknown", line.product_id))
    elif not stocked[line.product_id]:
        found.append(FieldError(f"lines.{index}.product_id", "receipt.not_stocked", line.product_id))
    if line.qty <= 0 or not is_valid_qty(line.qty):
        found.append(FieldError(f"lines.{index}.qty", "stock.qty", str(line.qty)))
    if line.unit_cost is not None and not is_cost(line.unit_cost):
        found.append(FieldError(f"lines.{index}.unit_cost", "receipt.cost", str(line.unit_cost)))
    return found


def is_cost(value: Decimal) -> bool:
    """Whether a cost per unit is zero or more, on the step of four decimals and within range."""
    if not value.is_finite() or not 0 <= value <= UNIT_COST_MAX:
        return False
    return value == value.quantize(Decimal("0.0001"))


def merged(lines: Sequence[ReceivedLine]) -> list[ReceivedLine]:
    """Lines of the same product and cost joined, in the order of their first appearance (scanned several times)."""
    sums: dict[tuple[int, Decimal | None], Decimal] = {}
    for line in lines:
        key = (line.product_id, line.unit_cost)
        sums[key] = sums.get(key, Decimal(0)) + line.qty
    return [ReceivedLine(product_id, qty, cost) for (product_id, cost), qty in sums.items()]


def allowed_steps(state: str) -> Collection[str]:
    """What may be done next with a receipt."""
    return {"draft": ("post", "change"), "posted": ("reverse",)}.get(state, ())
