"""Forms of work items and approval routes → values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from sdm.cases import registry
from sdm.cases.rules import RouteStep
from sdm.kernel.errors import FieldError, InvalidInput

COMMENT_MAX = 2000
ROWS_MAX = 20


def decision_of(kind_code: str, form: Mapping[str, str]) -> tuple[str, str, int | None, dict[str, Any]]:
    """(result, comment, version, values of the result's own fields); InvalidInput with all faults."""
    result, comment = form.get("result", ""), form.get("comment", "").replace("\x00", "").strip()
    version = form.get("version", "")
    faults: list[FieldError] = []
    if len(comment) > COMMENT_MAX:
        faults.append(FieldError("comment", "input.length", None, {"max": COMMENT_MAX}))
    kind = registry.kind_of(kind_code)
    known = kind.result(result) if kind else None
    values: dict[str, Any] = {}
    for field in known.fields if known else ():
        text = form.get(field.key, "").replace(",", "").strip()
        if text:
            values[field.key] = _value(field.key, field.kind, text, faults)
    if faults:
        raise InvalidInput(faults)
    number = int(version) if version.isdecimal() and len(version) < 10 else None
    return result, comment, number, values


def _value(key: str, kind: str, text: str, faults: list[FieldError]) -> Any:
    try:
        if kind == "date":
            return date.fromisoformat(text)
        number = Decimal(text)
        if number.is_finite() and 0 <= number < Decimal(10) ** 13:
            return number.quantize(Decimal("0.01"))
    except (ValueError, InvalidOperation):
        pass
    faults.append(FieldError(key, "input.date" if kind == "date" else "input.number", text[:40]))
    return None


def route_steps(form: Any) -> list[RouteStep]:
    """The rows of the route form; rows without an amount are left out. InvalidInput names every faulty row."""
    rows = zip(form.getlist("amount_from"), form.getlist("permission"), form.getlist("unit_level"), strict=False)
    steps: list[RouteStep] = []
    faults: list[FieldError] = []
    for index, (amount, permission, level) in enumerate(list(rows)[:ROWS_MAX]):
        if not amount.strip():
            continue
        number = _value(f"lines.{index}.amount_from", "amount", amount.replace(",", "").strip(), faults)
        if number is not None:
            steps.append(RouteStep(number, permission, level))
    if faults:
        raise InvalidInput(faults)
    return steps
