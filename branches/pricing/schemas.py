"""Shapes of price lists and prices for forms and the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from marshmallow import fields, post_dump, validate

from branches.org.dealers_schemas import reference, text
from branches.pricing.service import ENTRIES_MAX, TARGETS
from sdm.kernel.schema import AmountField, BaseSchema, PriceField, QtyField, RateField, not_negative, positive

LINES_MAX = 1000


class ListSchema(BaseSchema):
    """A price list. `target`: all, grade, unit or dealer; the column of that name says which one."""

    code = text(64, required=True)
    name = text(required=True)
    name_en = text()
    target = fields.String(required=True, validate=validate.OneOf(list(TARGETS), error="input.choice"))
    grade_code = fields.String(load_default=None, allow_none=True, validate=validate.Length(max=64))
    unit_id = reference()
    dealer_id = reference()
    active = fields.Boolean(load_default=False)


class ListIn(ListSchema):
    """A price list through the API."""

    active = fields.Boolean(load_default=True)


class ListOut(ListSchema):
    """A price list as it is."""

    id = fields.Integer()
    version = fields.Integer()


class EndSchema(BaseSchema):
    """The last day of a price."""

    last_day = fields.Date(required=True)


class EntryIn(BaseSchema):
    """A gross price per base unit, valid from `valid_from` to `valid_to` (included; none: open)."""

    product_id = reference(required=True)
    price = PriceField(required=True, validate=not_negative)
    floor_price = PriceField(load_default=None, allow_none=True, validate=not_negative)
    qty_from = QtyField(load_default=Decimal(0), validate=not_negative)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(load_default=None, allow_none=True)


class EntriesIn(BaseSchema):
    """Prices to enter at once; each closes the one that holds at its first day."""

    entries = fields.List(
        fields.Nested(EntryIn), required=True, validate=validate.Length(1, ENTRIES_MAX, error="input.range")
    )


class SupplyIn(BaseSchema):
    """A net supply price per base unit in a period."""

    product_id = reference(required=True)
    price = PriceField(required=True, validate=not_negative)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(load_default=None, allow_none=True)


class SupplyEntriesIn(BaseSchema):
    """Supply prices to enter at once."""

    entries = fields.List(
        fields.Nested(SupplyIn), required=True, validate=validate.Length(1, ENTRIES_MAX, error="input.range")
    )


class EnteredOut(BaseSchema):
    """What an entry did."""

    added = fields.Integer()
    closed = fields.Integer()
    removed = fields.Integer()
    unchanged = fields.Integer()


class _Valid(BaseSchema):
    """`valid` as `valid_from` and `valid_to`, both included; null is open."""

    valid = fields.Raw()

    @post_dump
    def _days(self, data: dict[str, Any], **_: Any) -> dict[str, Any]:
        valid = data.pop("valid")
        last = valid.upper.fromordinal(valid.upper.toordinal() - 1) if valid.upper else None
        days = {"valid_from": valid.lower, "valid_to": last}
        return {**data, **{name: day.isoformat() if day else None for name, day in days.items()}}


class PriceOut(_Valid):
    """A price of a list."""

    id = fields.Integer()
    list_id = fields.Integer()
    product_id = fields.Integer()
    qty_from = QtyField()
    price = PriceField()
    floor_price = PriceField(allow_none=True)


class SupplyOut(_Valid):
    """A supply price."""

    id = fields.Integer()
    product_id = fields.Integer()
    price = PriceField()


class WantedIn(BaseSchema):
    """A line to price: quantity in base units; price or discount rate only where they differ from the list."""

    product_id = reference(required=True)
    qty = QtyField(required=True, validate=positive)
    price = PriceField(load_default=None, allow_none=True, validate=not_negative)
    discount_rate = RateField(load_default=None, allow_none=True)
    reason = text()


class QuoteIn(BaseSchema):
    """Lines to price for a dealer at a date (default today)."""

    dealer_id = reference(required=True)
    on = fields.Date(load_default=None)
    lines = fields.List(
        fields.Nested(WantedIn), required=True, validate=validate.Length(1, LINES_MAX, error="input.range")
    )


class PricedOut(BaseSchema):
    """A priced line; `problems` are codes. Supply price, cost and margin only with their permission."""

    product_id = fields.Integer()
    qty = QtyField()
    list_price = PriceField(allow_none=True)
    price = PriceField()
    floor_price = PriceField(allow_none=True)
    tax_rate = RateField()
    amount = AmountField()
    net = AmountField()
    discount_rate = RateField()
    explanation = fields.Dict()
    problems = fields.List(fields.String())


class CheckSchema(BaseSchema):
    """Why a price: dealer, product, quantity, date."""

    dealer_id = reference(required=True)
    product_id = reference(required=True)
    qty = QtyField(load_default=Decimal(1), validate=positive)
    on = fields.Date(load_default=None)
