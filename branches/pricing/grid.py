"""Entry grids of prices and supply prices: what was typed or pasted, as entries, and the answer to each change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from branches.catalogue import queries as catalogue
from branches.pricing import queries
from branches.pricing.service import ENTRIES_MAX, PriceEntry, SupplyEntry
from sdm.kernel import clock
from sdm.kernel.errors import FieldError
from sdm.kernel.formats import plain_qty
from sdm.kernel.i18n import _, error_text

PRICE_STEP = Decimal("0.0001")
QTY_STEP = Decimal("0.001")
HIGHEST = Decimal("99999999999999")


@dataclass(slots=True)
class PriceLine:
    """One line of the grid as understood; `errors` per column."""

    key: str
    product_id: int | None = None
    product: dict[str, Any] | None = None
    numbers: dict[str, Decimal | None] = field(default_factory=dict)
    days: dict[str, date | None] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    empty: bool = False


def read_lines(lines: Iterable[Any], numbers: Sequence[str], start: date) -> list[PriceLine]:
    """Understand all lines at once: at most five statements whatever their number. An empty first day is `start`."""
    given = [line for line in lines if isinstance(line, Mapping)][: ENTRIES_MAX + 1]
    cells = [_cell(line) for line in given]
    texts = {str(cell.get("text")).strip()[:200] for cell in cells if cell.get("text") and not cell.get("id")}
    resolved = catalogue.resolve(sorted(texts)) if texts else {}
    known = catalogue.products_by_id(i for i in (_id(cell) for cell in cells) if i is not None)
    rows = []
    for place, (line, cell) in enumerate(zip(given, cells, strict=True)):
        row = PriceLine(str(line.get("key", place)))
        row.empty = not cell and not any(line.get(name) for name in (*numbers, "valid_from", "valid_to"))
        if not row.empty:
            _read_product(row, cell, resolved, known)
            for name in numbers:
                _read_number(row, name, line.get(name))
            _read_days(row, line, start)
        rows.append(row)
    return rows


def _cell(line: Mapping[str, Any]) -> Mapping[str, Any]:
    cell = line.get("product")
    return cell if isinstance(cell, Mapping) else {}


def _id(cell: Mapping[str, Any]) -> int | None:
    text = str(cell.get("id") or "")
    return int(text) if text.isdecimal() and len(text) < 19 else None


def _read_product(row: PriceLine, cell: Any, resolved: Mapping[str, Any], known: Mapping[int, Any]) -> None:
    text = str(cell.get("text") or "").strip()[:200]
    found = known.get(_id(cell) or 0)
    if found is not None:
        row.product_id = found.id
        return
    hit = resolved.get(text)
    if hit is None:
        row.errors["product"] = _told("input.unknown" if text or cell.get("id") else "input.required", text)
    elif hit.product is None:
        names = ", ".join(f"{item.code} {item.name}" for item in hit.candidates)
        row.errors["product"] = _("%(value)s may be: %(names)s", value=text, names=names)
    else:
        item = hit.product
        row.product_id = item.product_id
        row.product = {"id": item.product_id, "code": item.code, "label": item.name}


def _read_number(row: PriceLine, name: str, value: Any) -> None:
    text = str(value if value is not None else "").replace(",", "").strip()
    row.numbers[name] = None
    if not text:
        if name == "price":
            row.errors[name] = _told("input.required")
        return
    try:
        number = Decimal(text)
    except InvalidOperation:
        row.errors[name] = _told("input.number", text[:40])
        return
    step = QTY_STEP if name == "qty_from" else PRICE_STEP
    if not number.is_finite() or abs(number) > HIGHEST:
        row.errors[name] = _told("input.number", text[:40])
    elif number < 0:
        row.errors[name] = _told("input.not_negative", text[:40])
    elif number != number.quantize(step):
        row.errors[name] = error_text(FieldError("", "input.decimals", text[:40], {"step": str(step)}))
    else:
        row.numbers[name] = number


def _read_days(row: PriceLine, line: Mapping[str, Any], start: date) -> None:
    for name in ("valid_from", "valid_to"):
        text = str(line.get(name) or "").strip()
        try:
            row.days[name] = date.fromisoformat(text) if text else (start if name == "valid_from" else None)
        except ValueError:
            row.errors[name] = _told("input.date", text[:40])
            row.days[name] = None


def _told(code: str, value: Any = None) -> str:
    return error_text(FieldError("", code, value))


def price_entries(lines: Iterable[PriceLine]) -> list[PriceEntry]:
    """The entries of faultless lines; empty ones are left out."""
    return [
        PriceEntry(
            line.product_id or 0,
            line.numbers["price"] or Decimal(0),
            line.days["valid_from"] or clock.today(),
            line.days["valid_to"],
            line.numbers.get("qty_from") or Decimal(0),
            line.numbers.get("floor_price"),
        )
        for line in lines
        if not line.empty
    ]


def supply_entries(lines: Iterable[PriceLine]) -> list[SupplyEntry]:
    """The same for supply prices."""
    return [
        SupplyEntry(
            line.product_id or 0,
            line.numbers["price"] or Decimal(0),
            line.days["valid_from"] or clock.today(),
            line.days["valid_to"],
        )
        for line in lines
        if not line.empty
    ]


def answer_prices(lines: Sequence[PriceLine], list_id: int) -> dict[str, Any]:
    """Values and errors of every line: the price that holds now, the supply price and the margin of the new one."""
    ids = {line.product_id for line in lines if line.product_id}
    present = queries.prices_now(list_id, ids, clock.today())
    supply = queries.supply_facts(ids, clock.today())

    def values(line: PriceLine) -> dict[str, Any]:
        now = present.get((line.product_id or 0, line.numbers.get("qty_from") or Decimal(0)))
        fact = supply.get(line.product_id or 0)
        price = line.numbers.get("price")
        margin = ""
        if price and fact and fact.price is not None:
            net = price / (1 + fact.tax_rate)
            margin = f"{(net - fact.price) / net * 100:.1f}%"
        return {
            "now": _plain(now),
            "supply_price": _plain(fact.price if fact else None),
            "margin": margin,
        }

    return _answers(lines, values)


def answer_supply(lines: Sequence[PriceLine]) -> dict[str, Any]:
    """Values and errors of every line: the supply price that holds now."""
    ids = {line.product_id for line in lines if line.product_id}
    supply = queries.supply_facts(ids, clock.today())

    def values(line: PriceLine) -> dict[str, Any]:
        fact = supply.get(line.product_id or 0)
        return {"now": _plain(fact.price if fact else None)}

    return _answers(lines, values)


def _answers(lines: Sequence[PriceLine], values: Callable[[PriceLine], dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in lines:
        if line.empty:
            found[line.key] = {"values": {}, "errors": {}}
            continue
        shown = values(line) if line.product_id else {}
        if line.product is not None:
            shown["product"] = line.product
        found[line.key] = {"values": shown, "errors": line.errors}
    return found


def _plain(price: Decimal | None) -> str:
    return "" if price is None else plain_qty(price).replace(",", "")


def pointers(lines: Sequence[PriceLine]) -> dict[str, str]:
    """Faults by the pointer of their cell; one on `/lines` when nothing is entered."""
    found = {f"/lines/{i}/{name}": text for i, line in enumerate(lines) for name, text in line.errors.items()}
    if all(line.empty for line in lines):
        found["/lines"] = _("Enter at least one price")
    return found


def place_of(lines: Sequence[PriceLine]) -> list[int]:
    """Place in the grid of each entry (empty lines are no entries)."""
    return [place for place, line in enumerate(lines) if not line.empty]
