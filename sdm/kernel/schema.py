"""marshmallow base: unknown fields refused, all faults at once as :class:`FieldError`, money and quantity fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.money import AMOUNT_MAX, CENT
from sdm.kernel.units import QTY_MAX, QTY_STEP

INTEGERS = (-(2**63), 2**63 - 1)
DATES = (date(1900, 1, 1), date(2999, 12, 31))


def _within(low: Any, high: Any) -> Callable[[Any], None]:
    """A validator: the value lies between two others, which the refusal names."""

    def check(value: Any) -> None:
        if value is not None and not low <= value <= high:
            raise ValidationError({"code": "input.range", "value": str(value)[:80], "low": str(low), "high": str(high)})

    return check


class BaseSchema(Schema):
    """Base of all request shapes. Whole numbers fit the database, dates leave room to count from them."""

    class Meta:
        """Unknown fields are errors."""

        unknown = RAISE

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Add the bounds every whole number and every date has."""
        field = field_obj.inner if isinstance(field_obj, fields.List) else field_obj
        if isinstance(field, fields.Integer):
            field.validators = [_within(*INTEGERS), *field.validators]
        elif type(field) is fields.Date:
            field.validators = [_within(*DATES), *field.validators]


class _Exact(fields.Decimal):
    """Exact decimal with a smallest step; written as a string in JSON."""

    step = CENT
    highest = AMOUNT_MAX

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("as_string", True)
        super().__init__(allow_nan=False, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Decimal:
        text = str(value).replace(",", "").strip()
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise ValidationError({"code": "input.number", "value": str(value)[:80]}) from None
        if not number.is_finite() or abs(number) > self.highest:
            raise ValidationError(
                {"code": "input.range", "value": text[:80], "low": str(-self.highest), "high": str(self.highest)}
            )
        if number != number.quantize(self.step):
            raise ValidationError({"code": "input.decimals", "value": text[:80], "step": str(self.step)})
        return number


class AmountField(_Exact):
    """Money with two decimals."""


class PriceField(_Exact):
    """A unit price with four decimals."""

    step = Decimal("0.0001")


class QtyField(_Exact):
    """A quantity with three decimals."""

    step = QTY_STEP
    highest = QTY_MAX


class RateField(_Exact):
    """A rate such as 0.13, six decimals."""

    step = Decimal("0.000001")
    highest = Decimal("100")


positive = validate.Range(min=Decimal(0), min_inclusive=False, error="input.positive")
not_negative = validate.Range(min=Decimal(0), error="input.not_negative")


def load(schema: Schema, data: Any, **kwargs: Any) -> Any:
    """Load input; raises InvalidInput with one FieldError per fault, paths like ``lines.3.qty``."""
    try:
        return schema.load(data, **kwargs)
    except ValidationError as error:
        raise InvalidInput(list(_faults("", error.messages, data))) from error


def _faults(path: str, messages: Any, data: Any) -> Any:
    if isinstance(messages, Mapping) and "code" in messages and isinstance(messages["code"], str):
        details = {key: value for key, value in messages.items() if key not in {"code", "value"}}
        yield FieldError(path, messages["code"], messages.get("value"), details)
    elif isinstance(messages, Mapping):
        for key, inner in messages.items():
            place = path if key == "_schema" else f"{path}.{key}".lstrip(".")
            yield from _faults(place, inner, _value(data, key))
    elif isinstance(messages, list):
        for inner in messages:
            yield from _faults(path, inner, data)
    else:
        yield FieldError(path, _code_of(str(messages)), _short(data), {"message": str(messages)})


def _value(data: Any, key: Any) -> Any:
    if isinstance(data, Mapping):
        return data.get(key)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return data if key == "_schema" else None


def _short(value: Any) -> Any:
    return str(value)[:80] if value is not None else None


_KNOWN = {
    "Missing data for required field.": "input.required",
    "Field may not be null.": "input.required",
    "Unknown field.": "input.unknown_field",
    "Not a valid date.": "input.date",
    "Not a valid datetime.": "input.date",
    "Not a valid integer.": "input.number",
    "Not a valid number.": "input.number",
    "Not a valid UUID.": "input.uuid",
    "Not a valid boolean.": "input.boolean",
    "Not a valid string.": "input.text",
}


def _code_of(message: str) -> str:
    return _KNOWN.get(message, message if message.startswith("input.") else "input.message")
