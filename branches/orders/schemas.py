"""Shapes of requests and answers about orders, returns and quotations."""

from __future__ import annotations

from marshmallow import fields, validate

from branches.orders.inputs import OrderChange, OrderInput, OrderLineInput, ReturnInput, ReturnLineInput
from sdm.kernel.api import PageQuery, RefSchema
from sdm.kernel.schema import AmountField, BaseSchema, PriceField, QtyField, RateField, not_negative, positive

_text = validate.Length(max=200, error="input.length")
_code = validate.Length(max=64, error="input.length")
_note = validate.Length(max=4000, error="input.length")


class OrderLineIn(BaseSchema):
    """A line: product by id or code (barcode, pinyin initials); a price or rate only where it differs."""

    product_id = fields.Integer(load_default=None, allow_none=True)
    product_code = fields.String(load_default="", validate=_code)
    qty = QtyField(required=True, validate=positive)
    unit = fields.String(load_default="", validate=_code)
    price = PriceField(load_default=None, allow_none=True, validate=not_negative)
    discount_rate = RateField(load_default=None, allow_none=True)
    price_reason = fields.String(load_default="", validate=_text)
    line_id = fields.Integer(load_default=None, allow_none=True)


class OrderIn(BaseSchema):
    """An order; ``uuid`` is the client's and never makes a second order."""

    uuid = fields.UUID(required=True)
    dealer_id = fields.Integer(required=True)
    warehouse_id = fields.Integer(required=True)
    ordered_on = fields.Date(load_default=None, allow_none=True)
    requested_on = fields.Date(load_default=None, allow_none=True)
    external_number = fields.String(load_default="", validate=_code)
    ship_to = fields.String(load_default="", validate=_text)
    note = fields.String(load_default="", validate=_note)
    lines = fields.List(fields.Nested(OrderLineIn), required=True)


class OrderChangeIn(BaseSchema):
    """All lines as they shall be; what else is left out stays."""

    warehouse_id = fields.Integer(load_default=None, allow_none=True)
    requested_on = fields.Date(load_default=None, allow_none=True)
    ship_to = fields.String(load_default=None, allow_none=True, validate=_text)
    note = fields.String(load_default=None, allow_none=True, validate=_note)
    lines = fields.List(fields.Nested(OrderLineIn), required=True)


class ReasonIn(BaseSchema):
    """Why."""

    reason = fields.String(load_default="", validate=_text)


class ReleaseIn(BaseSchema):
    """A release; amount and last day only where less than asked is released."""

    reason = fields.String(load_default="", validate=_text)
    amount = AmountField(load_default=None, allow_none=True, validate=not_negative)
    until = fields.Date(load_default=None, allow_none=True)


class PickLineIn(BaseSchema):
    """How much of an order line is picked."""

    line_id = fields.Integer(required=True)
    qty = QtyField(required=True, validate=positive)


class PickIn(BaseSchema):
    """What leaves together; without lines everything open."""

    lines = fields.List(fields.Nested(PickLineIn), load_default=None, allow_none=True)
    planned_on = fields.Date(load_default=None, allow_none=True)


class OrderQuery(PageQuery):
    """Filters of the list of orders."""

    state = fields.String(load_default=None)
    dealer_id = fields.Integer(load_default=None)
    warehouse_id = fields.Integer(load_default=None)


class OrderOut(RefSchema):
    """An order without its lines."""

    unit_id = fields.Integer()
    dealer_id = fields.Integer()
    payer_id = fields.Integer()
    warehouse_id = fields.Integer()
    source = fields.String()
    ordered_on = fields.Date()
    requested_on = fields.Date(allow_none=True)
    settlement_mode = fields.String()
    term_days = fields.Integer()
    external_number = fields.String()
    gross = AmountField()
    net = AmountField()
    currency = fields.String()
    created_at = fields.DateTime()


class OrderLineOut(BaseSchema):
    """A line with what has become of it; quantities in base units."""

    id = fields.Integer()
    line_no = fields.Integer()
    product_id = fields.Integer()
    qty = QtyField()
    list_price = PriceField()
    price = PriceField()
    tax_rate = RateField()
    amount = AmountField()
    explanation = fields.Dict()
    price_reason = fields.String()
    cancelled_qty = QtyField()
    shipped_qty = QtyField()
    short_qty = QtyField()
    signed_qty = QtyField()
    returned_qty = QtyField()
    invoiced_qty = QtyField()


class HoldOut(BaseSchema):
    """A hold with the figures of its moment."""

    id = fields.Integer()
    kind = fields.String()
    state = fields.String()
    figures = fields.Dict()
    released_amount = AmountField(allow_none=True)
    released_until = fields.Date(allow_none=True)
    reason = fields.String()


class OrderFullOut(OrderOut):
    """An order with lines and holds."""

    lines = fields.List(fields.Nested(OrderLineOut))
    holds = fields.List(fields.Nested(HoldOut))


class ReturnLineIn(BaseSchema):
    """Units of one delivered line."""

    shipment_line_id = fields.Integer(required=True)
    qty = QtyField(required=True, validate=positive)


class ReturnIn(BaseSchema):
    """A request to take goods back."""

    uuid = fields.UUID(required=True)
    dealer_id = fields.Integer(required=True)
    reason_code = fields.String(required=True, validate=_code)
    requested_on = fields.Date(load_default=None, allow_none=True)
    external_number = fields.String(load_default="", validate=_code)
    note = fields.String(load_default="", validate=_note)
    lines = fields.List(fields.Nested(ReturnLineIn), required=True)


class DecideIn(BaseSchema):
    """A decision."""

    approve = fields.Boolean(required=True)
    comment = fields.String(load_default="", validate=_text)
    warehouse_id = fields.Integer(load_default=None, allow_none=True)


class ReceiveIn(BaseSchema):
    """What came back; without lines everything asked for."""

    warehouse_id = fields.Integer(load_default=None, allow_none=True)
    received_on = fields.Date(load_default=None, allow_none=True)
    lines = fields.List(fields.Nested(PickLineIn), load_default=None, allow_none=True)


class ReturnOut(RefSchema):
    """A return without its lines."""

    unit_id = fields.Integer()
    dealer_id = fields.Integer()
    warehouse_id = fields.Integer(allow_none=True)
    requested_on = fields.Date()
    received_on = fields.Date(allow_none=True)
    reason_code = fields.String()
    gross = AmountField()


class QuotationOut(RefSchema):
    """A quotation without its lines."""

    unit_id = fields.Integer()
    dealer_id = fields.Integer()
    warehouse_id = fields.Integer()
    quoted_on = fields.Date()
    valid_until = fields.Date()
    gross = AmountField()


def order_input(body: dict[str, object], source: str) -> OrderInput:
    """What the command takes, from a loaded :class:`OrderIn`."""
    return OrderInput(**{**body, "lines": _lines(body["lines"]), "source": source})  # type: ignore[arg-type]


def order_change(body: dict[str, object]) -> OrderChange:
    """What the command takes, from a loaded :class:`OrderChangeIn`."""
    return OrderChange(**{**body, "lines": _lines(body["lines"])})  # type: ignore[arg-type]


def return_input(body: dict[str, object], source: str) -> ReturnInput:
    """What the command takes, from a loaded :class:`ReturnIn`."""
    lines = tuple(ReturnLineInput(**line) for line in body["lines"])  # type: ignore[attr-defined]
    return ReturnInput(**{**body, "lines": lines, "source": source})  # type: ignore[arg-type]


def _lines(lines: object) -> tuple[OrderLineInput, ...]:
    return tuple(OrderLineInput(**line) for line in lines)  # type: ignore[attr-defined]
