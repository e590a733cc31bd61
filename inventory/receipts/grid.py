"""The entry grid of goods receipts: what was typed or scanned, as lines of a receipt, and the answer to each change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from branches.catalogue import queries as catalogue
from branches.catalogue.queries import Candidate
from inventory.receipts import rules
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from sdm.kernel import clock
from sdm.kernel.errors import FieldError
from sdm.kernel.i18n import _, error_text
from sdm.kernel.units import is_valid_qty

QTY_SHOWN = Decimal("0.001")


@dataclass(slots=True)
class GridLine:
    """One line of the grid as understood; ``errors`` per column."""

    key: str
    product: Candidate | None = None
    product_id: int | None = None
    qty: Decimal | None = None
    unit_cost: Decimal | None = None
    errors: dict[str, str] = field(default_factory=dict)
    empty: bool = False

    @property
    def cost(self) -> Decimal:
        """Cost of the line, 0 where unknown."""
        return (self.qty or Decimal(0)) * (self.unit_cost or Decimal(0))


def read_lines(lines: Iterable[Mapping[str, Any]]) -> list[GridLine]:
    """Understand all lines at once: at most a few statements whatever their number."""
    given = [line for line in lines if isinstance(line, Mapping)][: rules.LINES_MAX + 1]
    texts = {text for line in given if (text := _text(line))}
    resolved = catalogue.resolve(sorted(texts)) if texts else {}
    ids = {int(cell["id"]) for line in given if (cell := _cell(line)).get("id") and str(cell["id"]).isdecimal()}
    known = catalogue.products_by_id(ids)
    return [_read(place, line, resolved, known) for place, line in enumerate(given)]


def _cell(line: Mapping[str, Any]) -> Mapping[str, Any]:
    cell = line.get("product")
    return cell if isinstance(cell, Mapping) else {}


def _text(line: Mapping[str, Any]) -> str:
    cell = _cell(line)
    return "" if cell.get("id") else str(cell.get("text") or "").strip()[:200]


def _read(place: int, line: Mapping[str, Any], resolved: Mapping[str, Any], known: Mapping[int, Any]) -> GridLine:
    row = GridLine(str(line.get("key", place)))
    cell, text = _cell(line), _text(line)
    factor = Decimal(1)
    if cell.get("id"):
        _known(row, cell, known)
    elif text:
        factor = _resolve(row, text, resolved.get(text))
    else:
        row.empty = not line.get("qty") and not line.get("unit_cost")
        row.errors["product"] = _told("input.required")
    _read_numbers(row, line, factor)
    if row.empty:
        row.errors = {}
    return row


def _known(row: GridLine, cell: Mapping[str, Any], known: Mapping[int, Any]) -> None:
    """A product chosen before."""
    found = known.get(int(cell["id"])) if str(cell["id"]).isdecimal() else None
    row.product_id = found.id if found else None
    if found is None:
        row.errors["product"] = _told("input.unknown", cell.get("code") or cell["id"])
    elif not found.stocked:
        row.errors["product"] = _told("receipt.not_stocked", found.code)


def _read_numbers(row: GridLine, line: Mapping[str, Any], factor: Decimal) -> None:
    row.qty = _number(row, "qty", line.get("qty"), required=True)
    if row.qty is not None:
        row.qty *= factor
        if row.qty <= 0 or not is_valid_qty(row.qty):
            row.errors["qty"] = _told("stock.qty", str(line.get("qty")))
    row.unit_cost = _number(row, "unit_cost", line.get("unit_cost"))
    if row.unit_cost is not None and not rules.is_cost(row.unit_cost):
        row.errors["unit_cost"] = _told("receipt.cost", str(line.get("unit_cost")))


def _resolve(row: GridLine, text: str, found: Any) -> Decimal:
    """Find the product of a typed, pasted or scanned text; answers how many base units one of it holds."""
    if found is None:
        row.errors["product"] = _told("input.unknown", text)
        return Decimal(1)
    if found.product is None:
        names = ", ".join(f"{item.code} {item.name}" for item in found.candidates)
        row.errors["product"] = _("%(value)s may be: %(names)s", value=text, names=names)
        return Decimal(1)
    row.product, row.product_id = found.product, found.product.product_id
    if not found.product.stocked:
        row.errors["product"] = _told("receipt.not_stocked", text)
    return Decimal(found.product.factor)


def _number(row: GridLine, key: str, value: Any, required: bool = False) -> Decimal | None:
    text = str(value if value is not None else "").replace(",", "").strip()
    if not text:
        if required:
            row.errors[key] = _told("input.required")
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        row.errors[key] = _told("input.number", text)
        return None
    if not number.is_finite() or abs(number) > Decimal(10) ** 15:
        row.errors[key] = _told("input.number", text)
        return None
    return number


def _told(code: str, value: Any = None) -> str:
    return error_text(FieldError("", code, value))


def answer(line: GridLine) -> dict[str, Any]:
    """What the grid shows of one line."""
    values: dict[str, Any] = {}
    if line.product is not None:
        item = line.product
        values["product"] = {"id": item.product_id, "code": item.code, "label": item.name}
        values["unit"] = item.base_unit
        if line.qty is not None:
            values["qty"] = plain(line.qty)
    if line.qty is not None and line.unit_cost is not None and not line.errors:
        values["cost"] = f"{line.cost:.2f}"
    return {"values": values, "errors": line.errors}


def plain(number: Decimal) -> str:
    """A quantity without trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_head(head: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Values of the head fields and the faults among them."""
    errors: dict[str, str] = {}
    warehouse = str(head.get("warehouse_id") or "")
    if not (warehouse.isdecimal() and len(warehouse) < 19):
        errors["warehouse_id"] = _told("input.required")
    day = str(head.get("received_on") or "").strip()
    received_on: date | None = None
    try:
        received_on = date.fromisoformat(day) if day else clock.today()
    except ValueError:
        errors["received_on"] = _told("input.date", day)
    texts = {key: str(head.get(key) or "").strip() for key in ("supplier_name", "reference", "note")}
    errors |= {
        key: error_text(FieldError(key, "input.length", None, {"max": 200})) for key in texts if len(texts[key]) > 200
    }
    values = {
        "warehouse_id": int(warehouse) if "warehouse_id" not in errors else 0,
        "received_on": received_on,
        "origin": str(head.get("origin") or "supplier"),
        **texts,
    }
    return values, errors


def to_input(uuid: UUID, head: Mapping[str, Any], lines: Iterable[GridLine]) -> ReceiptInput:
    """The receipt that a faultless grid means; lines of the same product and cost are joined."""
    rows = [
        ReceivedLine(line.product_id or 0, line.qty or Decimal(0), line.unit_cost) for line in lines if not line.empty
    ]
    return ReceiptInput(uuid=uuid, lines=tuple(rules.merged(rows)), **head)
