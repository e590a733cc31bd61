"""The entry grid of goods receipts: what was typed or scanned, as lines of a receipt, and the answer to each change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from branches.catalogue import queries as catalogue
from branches.catalogue.models import Product
from branches.catalogue.queries import ResolvedProduct
from inventory.receipts import rules
from inventory.receipts.rules import ReceiptInput, ReceivedLine
from sdm.kernel import clock
from sdm.kernel.errors import FieldError
from sdm.kernel.i18n import _, error_text
from sdm.kernel.units import is_valid_qty

ONE = Decimal(1)


@dataclass(slots=True)
class GridLine:
    """One line of the grid as understood: ``qty`` of ``unit``, each of ``factor`` base units; ``errors`` per column."""

    key: str
    product_id: int | None = None
    code: str = ""
    name: str = ""
    base_unit: str = ""
    unit: str = ""
    factor: Decimal = ONE
    qty: Decimal | None = None
    unit_cost: Decimal | None = None
    errors: dict[str, str] = field(default_factory=dict)
    empty: bool = False

    @property
    def base_qty(self) -> Decimal:
        """Quantity in base units, 0 where it is not known yet."""
        return (self.qty or Decimal(0)) * self.factor

    @property
    def cost(self) -> Decimal:
        """Cost of the line, 0 where unknown."""
        return self.base_qty * (self.unit_cost or Decimal(0))


def read_lines(lines: Iterable[Mapping[str, Any]]) -> list[GridLine]:
    """Understand all lines at once: at most a few statements whatever their number."""
    given = [line for line in lines if isinstance(line, Mapping)][: rules.LINES_MAX + 1]
    texts = {text for line in given if (text := _text(line))}
    resolved = catalogue.resolve(sorted(texts)) if texts else {}
    known = catalogue.products_by_id({product_id for line in given if (product_id := _id(line))})
    rows = [_read(place, line, resolved, known) for place, line in enumerate(given)]
    packs = catalogue.packs_by_product({row.product_id for row in rows if row.product_id})
    for row, line in zip(rows, given, strict=True):
        _read_unit(row, str(line.get("unit") or "").strip(), dict(packs.get(row.product_id or 0, [])))
        _read_numbers(row, line)
        if row.empty:
            row.errors = {}
    return rows


def _cell(line: Mapping[str, Any]) -> Mapping[str, Any]:
    cell = line.get("product")
    return cell if isinstance(cell, Mapping) else {}


def _id(line: Mapping[str, Any]) -> int | None:
    text = str(_cell(line).get("id") or "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _text(line: Mapping[str, Any]) -> str:
    cell = _cell(line)
    return "" if cell.get("id") else str(cell.get("text") or "").strip()[:200]


def _read(place: int, line: Mapping[str, Any], resolved: Mapping[str, Any], known: Mapping[int, Product]) -> GridLine:
    """The product of a line: chosen before, or typed, pasted, scanned."""
    row = GridLine(str(line.get("key", place)))
    text = _text(line)
    if text:
        _resolve(row, text, resolved.get(text))
    elif _cell(line).get("id"):
        _choose(row, known.get(_id(line) or 0), str(_cell(line).get("code") or _cell(line)["id"]))
    else:
        row.empty = not line.get("unit_cost") and str(line.get("qty") or "") in {"", "1"}
        row.errors["product"] = _told("input.required")
    return row


def _choose(row: GridLine, found: Product | None, shown: str) -> None:
    if found is None:
        row.errors["product"] = _told("input.unknown", shown)
        return
    row.product_id, row.code, row.name, row.base_unit = found.id, found.code, found.name, found.base_unit
    if not found.stocked:
        row.errors["product"] = _told("receipt.not_stocked", found.code)


def _resolve(row: GridLine, text: str, found: ResolvedProduct | None) -> None:
    if found is None:
        row.errors["product"] = _told("input.unknown", text)
        return
    item = found.product
    if item is None:
        names = ", ".join(f"{candidate.code} {candidate.name}" for candidate in found.candidates)
        row.errors["product"] = _("%(value)s may be: %(names)s", value=text, names=names)
        return
    row.product_id, row.code, row.name, row.base_unit = item.product_id, item.code, item.name, item.base_unit
    row.unit = item.unit
    if not item.stocked:
        row.errors["product"] = _told("receipt.not_stocked", text)


def _read_unit(row: GridLine, typed: str, packs: Mapping[str, Decimal]) -> None:
    """The unit typed, else that of the barcode, else the base unit; what it holds in base units."""
    row.unit = typed or row.unit or row.base_unit
    if row.unit != row.base_unit and row.unit in packs:
        row.factor = packs[row.unit]
    elif row.product_id and row.unit != row.base_unit:
        choices = ", ".join([row.base_unit, *packs])
        row.errors["unit"] = error_text(FieldError("unit", "input.choice", row.unit[:40], {"choices": choices}))


def _read_numbers(row: GridLine, line: Mapping[str, Any]) -> None:
    row.qty = _number(row, "qty", line.get("qty"), required=True)
    if row.qty is not None and (row.qty <= 0 or not is_valid_qty(row.base_qty)):
        row.errors["qty"] = _told("stock.qty", str(line.get("qty")))
    row.unit_cost = _number(row, "unit_cost", line.get("unit_cost"))
    if row.unit_cost is not None and not rules.is_cost(row.unit_cost):
        row.errors["unit_cost"] = _told("receipt.cost", str(line.get("unit_cost")))


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
    """What the grid shows of one line. The quantity is never answered: somebody may be scanning on meanwhile."""
    values: dict[str, Any] = {}
    if line.product_id is not None:
        values["product"] = {"id": line.product_id, "code": line.code, "label": line.name}
        values["unit"] = line.unit
    if line.qty is not None and not line.errors:
        values["base_qty"] = f"{plain(line.base_qty)} {line.base_unit}"
        values["cost"] = f"{line.cost:.2f}" if line.unit_cost is not None else ""
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
    rows = [ReceivedLine(line.product_id or 0, line.base_qty, line.unit_cost) for line in lines if not line.empty]
    return ReceiptInput(uuid=uuid, lines=tuple(rules.merged(rows)), **head)
