"""The entry grid of orders and quotations: what was typed, pasted or scanned as an order, and the answer to each change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from sqlalchemy import select

from branches.catalogue import queries as catalogue
from branches.catalogue.queries import ResolvedProduct
from branches.orders import rules, service
from branches.orders.inputs import OrderInput, OrderLineInput
from branches.orders.kinds import HOLD_LABELS
from branches.orders.service.preview import Preview, PreviewLine
from branches.org.models import Dealer, Warehouse
from sdm.kernel import formats
from sdm.kernel.db import db
from sdm.kernel.errors import FieldError
from sdm.kernel.frame import may
from sdm.kernel.i18n import _, error_text
from sdm.kernel.permissions import Permission
from sdm.kernel.units import is_valid_qty

PERCENT = Decimal(100)
NUMBER_MAX = Decimal(10) ** 15
COLUMNS = {"product_id": "product", "price_reason": "reason", "discount_rate": "discount"}
HELD = {"price.below_floor": "price", "price.above_authority": "price"}
NOBODY = UUID(int=0)


@dataclass(slots=True)
class GridLine:
    """One line of the grid as understood; ``errors`` per column of the grid."""

    key: str
    product: dict[str, Any] | None = None
    product_id: int | None = None
    unit: str = ""
    qty: Decimal | None = None
    price: Decimal | None = None
    discount: Decimal | None = None
    reason: str = ""
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it can be priced."""
        return self.product_id is not None and self.qty is not None and not self.errors

    def as_input(self) -> OrderLineInput:
        """The line for the commands; keys of lines that exist are their ids."""
        line_id = int(self.key) if self.key.isdecimal() and len(self.key) < 19 else None
        return OrderLineInput(
            qty=self.qty or Decimal(0),
            product_id=self.product_id,
            unit=self.unit,
            price=self.price,
            discount_rate=self.discount / PERCENT if self.discount is not None and self.price is None else None,
            price_reason=self.reason,
            line_id=line_id,
        )


@dataclass(slots=True)
class GridOrder:
    """Head and lines of the grid as understood."""

    uuid: UUID
    dealer_id: int = 0
    warehouse_id: int = 0
    requested_on: date | None = None
    external_number: str = ""
    ship_to: str = ""
    note: str = ""
    lines: list[GridLine] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def as_input(self, lines: Iterable[GridLine]) -> OrderInput:
        """The order for the commands."""
        return OrderInput(
            dealer_id=self.dealer_id,
            warehouse_id=self.warehouse_id,
            lines=tuple(line.as_input() for line in lines),
            uuid=self.uuid,
            requested_on=self.requested_on,
            external_number=self.external_number,
            ship_to=self.ship_to,
            note=self.note,
        )

    def pointers(self) -> dict[str, str]:
        """All faults as pointer → sentence."""
        found = {f"/head/{name}": text for name, text in self.errors.items()}
        for index, line in enumerate(self.lines):
            found |= {f"/lines/{index}/{column}": text for column, text in line.errors.items()}
        return found


# --- reading ----------------------------------------------------------------------------------------------------------


def read(body: Mapping[str, Any]) -> GridOrder:
    """Understand head and lines at once: a few statements whatever the number of lines."""
    head = body.get("head") if isinstance(body.get("head"), Mapping) else {}
    lines = body.get("lines") if isinstance(body.get("lines"), list) else []
    order = _read_head(head or {}, _uuid(body.get("document_id")))
    given = [line for line in lines or [] if isinstance(line, Mapping)][: rules.LINES_MAX + 1]
    texts = sorted({text for line in given if (text := _text_of(line))})
    resolved = catalogue.resolve(texts) if texts else {}
    order.lines = [_read_line(place, line, resolved) for place, line in enumerate(given)]
    return order


def _uuid(value: Any) -> UUID:
    try:
        return UUID(str(value))
    except ValueError:
        return NOBODY


def _read_head(head: Mapping[str, Any], uuid: UUID) -> GridOrder:
    order = GridOrder(uuid)
    order.dealer_id = _id(head.get("dealer_id"))
    order.warehouse_id = _id(head.get("warehouse_id"))
    day = str(head.get("requested_on") or "").strip()
    try:
        order.requested_on = date.fromisoformat(day) if day else None
    except ValueError:
        order.errors["requested_on"] = _told("input.date", day[:40])
    for name in ("external_number", "ship_to", "note"):
        setattr(order, name, str(head.get(name) or "").replace("\x00", "").strip()[:2001])
    return order


def _id(value: Any) -> int:
    text = str(value or "")
    return int(text) if text.isdecimal() and len(text) < 19 else 0


def _cell(line: Mapping[str, Any]) -> Mapping[str, Any]:
    cell = line.get("product")
    return cell if isinstance(cell, Mapping) else {}


def _text_of(line: Mapping[str, Any]) -> str:
    cell = _cell(line)
    return "" if cell.get("id") else str(cell.get("text") or "").replace("\x00", "").strip()[:200]


def _read_line(place: int, line: Mapping[str, Any], resolved: Mapping[str, ResolvedProduct]) -> GridLine:
    row = GridLine(str(line.get("key", place)))
    cell, text = _cell(line), _text_of(line)
    row.unit = str(line.get("unit") or "").strip()[:64]
    if cell.get("id"):
        row.product_id = _id(cell["id"]) or None
    elif text:
        _resolve(row, text, resolved.get(text))
    if row.product_id is None and "product" not in row.errors:
        row.errors["product"] = _told("input.required")
    row.qty = _number(row, "qty", line.get("qty"), required=True)
    if row.qty is not None and (row.qty <= 0 or not is_valid_qty(row.qty)):
        row.errors["qty"] = _told("input.positive" if row.qty <= 0 else "input.decimals", str(line.get("qty"))[:40])
    row.price = _number(row, "price", line.get("price"))
    row.discount = _number(row, "discount", line.get("discount"))
    row.reason = str(line.get("reason") or "").replace("\x00", "").strip()[:201]
    return row


def _resolve(row: GridLine, text: str, found: ResolvedProduct | None) -> None:
    """The product of a typed, pasted or scanned text; a pack's barcode brings its unit."""
    if found is None:
        row.errors["product"] = _told("input.unknown", text)
    elif found.product is None:
        names = ", ".join(f"{item.code} {item.name}" for item in found.candidates)
        row.errors["product"] = _("%(value)s may be: %(names)s", value=text, names=names)
    else:
        hit = found.product
        row.product_id = hit.product_id
        row.product = {"id": hit.product_id, "code": hit.code, "label": hit.name}
        row.unit = row.unit or (hit.unit if hit.unit != hit.base_unit else "")


def _number(row: GridLine, key: str, value: Any, required: bool = False) -> Decimal | None:
    text = str(value if value is not None else "").replace(",", "").replace("%", "").strip()
    if not text:
        if required:
            row.errors[key] = _told("input.required")
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > NUMBER_MAX:
        row.errors[key] = _told("input.number", text[:40])
        return None
    return number


def _told(code: str, value: Any = None, **details: Any) -> str:
    return error_text(FieldError("", code, value, details))


# --- answering --------------------------------------------------------------------------------------------------------


def answer(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to one change of the grid: prices, stock, headroom, totals, faults per cell (OS-03, OS-06, OS-21)."""
    order = read(body)
    head = _default_warehouse(order)
    priced = [line for line in order.lines if line.ready]
    seen = service.preview(order.as_input(priced)) if order.dealer_id and order.warehouse_id else None
    errors, warnings = _faults(order, priced, seen)
    values = {line.key: _own_values(line) for line in order.lines}
    if seen is not None:
        for shown in seen.lines:
            line = priced[shown.index]
            values[line.key] |= _values(line, shown)
            warnings[line.key] = _warnings(shown)
    keys = [line.key for line in order.lines]
    return {
        "seq": body.get("seq"),
        "lines": {
            key: {"values": values[key], "errors": errors.get(key, {}), "warnings": warnings.get(key, {})}
            for key in keys
        },
        "head": head,
        "head_errors": order.errors,
        "holds": _holds(seen),
        "facts": _facts(order, seen),
        "note": "",
    }


def _default_warehouse(order: GridOrder) -> dict[str, Any]:
    """The first warehouse of the dealer's branch, offered where none is chosen."""
    if order.warehouse_id or not order.dealer_id:
        return {}
    statement = (
        select(Warehouse.id, Warehouse.name)
        .join(Dealer, Dealer.unit_id == Warehouse.unit_id)
        .where(Dealer.id == order.dealer_id, Warehouse.active)
        .order_by(Warehouse.code)
        .limit(1)
    )
    row = db.session.execute(statement).first()
    if row is None:
        return {}
    order.warehouse_id = row.id
    return {"warehouse_id": {"id": row.id, "label": row.name}}


def _faults(
    order: GridOrder, priced: list[GridLine], seen: Preview | None
) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    errors = {line.key: dict(line.errors) for line in order.lines}
    for fault in seen.errors if seen else []:
        parts = fault.field.split(".")
        if parts[0] == "lines" and len(parts) == 3:
            line = priced[int(parts[1])]
            errors[line.key].setdefault(COLUMNS.get(parts[2], parts[2]), error_text(fault))
        else:
            order.errors.setdefault(parts[0], error_text(fault))
    return errors, {}


def _own_values(line: GridLine) -> dict[str, Any]:
    return {"product": line.product} if line.product else {}


def _values(line: GridLine, shown: PreviewLine) -> dict[str, Any]:
    values: dict[str, Any] = {
        "product": {"id": shown.product_id, "code": shown.code, "label": shown.name},
        "unit": shown.unit,
        "amount": f"{shown.amount:.2f}",
        "stock": "" if shown.available is None else plain(max(Decimal(0), shown.available)),
    }
    if line.price is None and shown.list_price is not None:
        values["price"] = plain_price(shown.price)
    if line.discount is None or line.price is not None:
        values["discount"] = plain((shown.discount_rate * PERCENT).quantize(Decimal("0.01")))
    return values


def _warnings(shown: PreviewLine) -> dict[str, str]:
    found = {HELD[code]: _told(code, **_details(shown, code)) for code in shown.problems if code in HELD}
    if shown.short:
        others = ", ".join(f"{row['warehouse']} {plain(row['available'])}" for row in shown.elsewhere)
        missing = _("%(qty)s missing", qty=plain(shown.short))
        found["qty"] = f"{missing}; {_('available elsewhere')}: {others}" if others else missing
    return found


def _details(shown: PreviewLine, code: str) -> dict[str, Any]:
    return {"floor": shown.explanation.get("floor_price", ""), "authority": ""}


def _holds(seen: Preview | None) -> list[str]:
    return [hold_sentence(finding.kind, finding.figures) for finding in seen.holds] if seen else []


def hold_sentence(kind: str, figures: Mapping[str, Any]) -> str:
    """A hold in one sentence with its main figure."""
    label = str(HOLD_LABELS[kind])
    if kind == "credit":
        return _("%(hold)s: excess %(amount)s", hold=label, amount=amount(figures.get("excess")))
    if kind == "overdue":
        days = figures.get("overdue_days")
        told = amount(figures.get("overdue_amount"))
        return _("%(hold)s: %(amount)s, oldest %(days)s days", hold=label, amount=told, days=days)
    if kind == "amount":
        return _("%(hold)s from %(amount)s", hold=label, amount=amount(figures.get("from")))
    if kind == "dealer" and figures.get("reason"):
        return f"{label}: {figures['reason']}"
    if kind in {"shortage", "price", "authority"}:
        names = [str(line.get("code", "")) for line in figures.get("lines", [])]
        shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
        return f"{label}: {shown}"
    return label


def _facts(order: GridOrder, seen: Preview | None) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = [{"label": _("Lines"), "value": str(len(order.lines))}]
    if seen is None:
        return facts
    facts.append({"label": _("Total"), "value": amount(seen.gross)})
    if seen.discount:
        facts.append({"label": _("Discount"), "value": amount(seen.discount)})
    if may(Permission.SUPPLY_PRICE_READ):
        facts.append({"label": _("Profit"), "value": amount(seen.profit), "tone": "bad" if seen.profit < 0 else ""})
    if seen.headroom is not None and seen.settlement_mode != "prepaid":
        left = seen.headroom.headroom - seen.gross
        facts.append({"label": _("Headroom now"), "value": amount(seen.headroom.headroom)})
        facts.append({"label": _("Headroom after"), "value": amount(left), "tone": "bad" if left < 0 else ""})
        if seen.headroom.overdue_amount:
            facts.append({"label": _("Overdue"), "value": amount(seen.headroom.overdue_amount), "tone": "bad"})
    elif seen.settlement_mode == "prepaid":
        facts.append({"label": _("Settlement"), "value": _("cash before shipment")})
    return facts


def amount(value: Any) -> str:
    """An amount as plain text, 1,234.50."""
    return formats.plain_amount(Decimal(str(value or 0)), 2)


def plain(number: Any) -> str:
    """A quantity without trailing zeros."""
    text = f"{Decimal(str(number)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_price(price: Decimal) -> str:
    """A price with two decimals at least."""
    whole, _point, part = plain(price).partition(".")
    return f"{whole}.{part.ljust(2, '0')}"
