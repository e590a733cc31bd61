"""Shapes of requests and answers about orders, quotations and returns."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields, pre_load, validate

from branches.orders.rules import LINES_MAX
from sdm.kernel.api import PageQuery, RefSchema
from sdm.kernel.schema import AmountField, BaseSchema, PriceField, QtyField, RateField, not_negative, positive

_text = validate.Length(max=200, error="input.length")
_code = validate.Length(max=64, error="input.length")
_note = validate.Length(max=2000, error="input.length")


class OrderLineIn(BaseSchema):
    """A line: product by id or code; ``qty`` in ``unit`` (base unit when left out); a price or rate only where it differs."""

    line_id = fields.Integer(load_default=None, allow_none=True)
    product_id = fields.Integer(load_default=None, allow_none=True)
    product_code = fields.String(load_default="", validate=_code)
    qty = QtyField(required=True, validate=positive)
    unit = fields.String(load_default="", validate=_code)
    price = PriceField(load_default=None, allow_none=True, validate=not_negative)
    discount_rate = RateField(load_default=None, allow_none=True)
    price_reason = fields.String(load_default="", validate=_text)


class _WithLines(BaseSchema):
    """Refuses too many lines before looking at any of them."""

    @pre_load
    def _bounded(self, data: Any, **_: Any) -> Any:
        lines = data.get("lines") if isinstance(data, dict) else None
        if isinstance(lines, list) and len(lines) > LINES_MAX:
            raise ValidationError({"code": "order.too_many_lines", "value": len(lines), "max": LINES_MAX}, "lines")
        return data


class OrderIn(_WithLines):
    """An order as entered. ``uuid``: the client's; the same one never makes a second order."""

    uuid = fields.UUID(load_default=None, allow_none=True)
    dealer_id = fields.Integer(required=True)
    warehouse_id = fields.Integer(required=True)
    ordered_on = fields.Date(load_default=None, allow_none=True)
    requested_on = fields.Date(load_default=None, allow_none=True)
    external_number = fields.String(load_default="", validate=_code)
    ship_to = fields.String(load_default="", validate=_text)
    note = fields.String(load_default="", validate=_note)
    lines = fields.List(fields.Nested(OrderLineIn), required=True)


class OrderChangeIn(_WithLines):
    """All lines as they shall be; a line left out is removed. Other values stay where left out."""

    warehouse_id = fields.Integer(load_default=None, allow_none=True)
    requested_on = fields.Date(load_default=None, allow_none=True)
    ship_to = fields.String(load_default=None, allow_none=True, validate=_text)
    note = fields.String(load_default=None, allow_none=True, validate=_note)
    lines = fields.List(fields.Nested(OrderLineIn), required=True)


class ReasonIn(BaseSchema):
    """Why."""

    reason = fields.String(load_default="", validate=_text)


class LineQtyIn(BaseSchema):
    """A quantity of one line."""

    line_id = fields.Integer(required=True)
    qty = QtyField(required=True, validate=positive)


class ShortCloseIn(ReasonIn, _WithLines):
    """What is given up; everything open when lines are left out."""

    lines = fields.List(fields.Nested(LineQtyIn), load_default=None, allow_none=True)


class PickIn(_WithLines):
    """What is shipped; everything open when lines are left out."""

    uuid = fields.UUID(load_default=None, allow_none=True)
    planned_on = fields.Date(load_default=None, allow_none=True)
    expected_on = fields.Date(load_default=None, allow_none=True)
    note = fields.String(load_default="", validate=_text)
    lines = fields.List(fields.Nested(LineQtyIn), load_default=None, allow_none=True)


class ReleaseIn(BaseSchema):
    """How far and how long a hold is released."""

    reason = fields.String(load_default="", validate=_text)
    amount = AmountField(load_default=None, allow_none=True, validate=not_negative)
    until = fields.Date(load_default=None, allow_none=True)


class RejectIn(BaseSchema):
    """Why a hold is not released."""

    reason = fields.String(required=True, validate=validate.Length(1, 200, error="input.required"))


class OrderQuery(PageQuery):
    """Filters of the list of orders."""

    state = fields.String(load_default=None, validate=_code)
    dealer_id = fields.Integer(load_default=None)
    warehouse_id = fields.Integer(load_default=None)
    source = fields.String(load_default=None, validate=_code)
    external_number = fields.String(load_default=None, validate=_code)
    ordered_from = fields.Date(load_default=None)
    ordered_to = fields.Date(load_default=None)


class OrderOut(RefSchema):
    """An order. Amounts gross except ``net``."""

    unit_id = fields.Integer()
    source = fields.String()
    dealer_id = fields.Integer()
    payer_id = fields.Integer()
    warehouse_id = fields.Integer()
    owner_unit_id = fields.Integer()
    ordered_on = fields.Date()
    requested_on = fields.Date(allow_none=True)
    settlement_mode = fields.String()
    term_days = fields.Integer()
    external_number = fields.String()
    ship_to = fields.String()
    note = fields.String()
    currency = fields.String()
    gross = AmountField()
    net = AmountField()
    list_gross = AmountField()
    quotation_id = fields.Integer(allow_none=True)
    confirmed_at = fields.DateTime(allow_none=True)
    created_at = fields.DateTime()


class OrderLineOut(BaseSchema):
    """A line with its cumulative quantities in base units."""

    id = fields.Integer()
    line_no = fields.Integer()
    product_id = fields.Integer()
    entered_qty = QtyField()
    entered_unit = fields.String()
    qty = QtyField()
    list_price = PriceField(allow_none=True)
    price = PriceField()
    tax_rate = RateField()
    amount = AmountField()
    price_reason = fields.String()
    explanation = fields.Dict()
    cancelled_qty = QtyField()
    shipped_qty = QtyField()
    short_qty = QtyField()
    signed_qty = QtyField()
    returned_qty = QtyField()
    invoiced_qty = QtyField()


class HoldOut(BaseSchema):
    """Why an order is or was held."""

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


class LineQuery(PageQuery):
    """Filters of the list of order lines."""

    product_id = fields.Integer(load_default=None)
    order_id = fields.Integer(load_default=None)


class LineOut(OrderLineOut):
    """A line with its order."""

    order_id = fields.Integer()


class PreviewLineOut(BaseSchema):
    """A line as it would be saved."""

    index = fields.Integer()
    product_id = fields.Integer()
    code = fields.String()
    name = fields.String()
    unit = fields.String()
    qty = QtyField()
    list_price = PriceField(allow_none=True)
    price = PriceField()
    discount_rate = RateField()
    amount = AmountField()
    available = QtyField(allow_none=True)
    short = QtyField()
    explanation = fields.Dict()
    problems = fields.List(fields.String())


class FindingOut(BaseSchema):
    """What would hold the order."""

    kind = fields.String()
    figures = fields.Dict()


class FaultOut(BaseSchema):
    """A fault of the input."""

    field = fields.String()
    code = fields.String()
    text = fields.String()


class PreviewOut(BaseSchema):
    """The whole order as it would be saved; nothing is written."""

    lines = fields.List(fields.Nested(PreviewLineOut))
    errors = fields.List(fields.Nested(FaultOut))
    holds = fields.List(fields.Nested(FindingOut))
    gross = AmountField()
    net = AmountField()
    discount = AmountField()


class QuotationQuery(PageQuery):
    """Filters of the list of quotations."""

    state = fields.String(load_default=None, validate=_code)
    dealer_id = fields.Integer(load_default=None)


class QuotationOut(RefSchema):
    """A quotation."""

    unit_id = fields.Integer()
    dealer_id = fields.Integer()
    warehouse_id = fields.Integer()
    quoted_on = fields.Date()
    valid_until = fields.Date()
    gross = AmountField()
    note = fields.String()


class QuotationLineOut(BaseSchema):
    """A quoted line."""

    line_no = fields.Integer()
    product_id = fields.Integer()
    qty = QtyField()
    list_price = PriceField()
    price = PriceField()
    amount = AmountField()


class QuotationFullOut(QuotationOut):
    """A quotation with its lines."""

    lines = fields.List(fields.Nested(QuotationLineOut))


class ReturnLineIn(BaseSchema):
    """Units of one delivered line that come back."""

    shipment_line_id = fields.Integer(required=True)
    qty = QtyField(required=True, validate=positive)


class ReturnIn(_WithLines):
    """A request to take goods back."""

    uuid = fields.UUID(load_default=None, allow_none=True)
    dealer_id = fields.Integer(required=True)
    reason_code = fields.String(required=True, validate=_code)
    requested_on = fields.Date(load_default=None, allow_none=True)
    external_number = fields.String(load_default="", validate=_code)
    note = fields.String(load_default="", validate=_note)
    lines = fields.List(fields.Nested(ReturnLineIn), required=True)


class ReturnDecisionIn(BaseSchema):
    """Approve or reject a return."""

    approve = fields.Boolean(required=True)
    comment = fields.String(load_default="", validate=_text)
    warehouse_id = fields.Integer(load_default=None, allow_none=True)


class ReturnReceiptIn(_WithLines):
    """Goods are back; everything on the return when lines are left out."""

    warehouse_id = fields.Integer(load_default=None, allow_none=True)
    received_on = fields.Date(load_default=None, allow_none=True)
    lines = fields.List(fields.Nested(LineQtyIn), load_default=None, allow_none=True)


class ReturnQuery(PageQuery):
    """Filters of the list of returns."""

    state = fields.String(load_default=None, validate=_code)
    dealer_id = fields.Integer(load_default=None)


class ReturnOut(RefSchema):
    """A return."""

    unit_id = fields.Integer()
    dealer_id = fields.Integer()
    payer_id = fields.Integer()
    warehouse_id = fields.Integer(allow_none=True)
    requested_on = fields.Date()
    received_on = fields.Date(allow_none=True)
    reason_code = fields.String()
    gross = AmountField()
    note = fields.String()
    external_number = fields.String()


class ReturnLineOut(BaseSchema):
    """A line of a return."""

    id = fields.Integer()
    line_no = fields.Integer()
    product_id = fields.Integer()
    shipment_line_id = fields.Integer(allow_none=True)
    qty = QtyField()
    received_qty = QtyField(allow_none=True)
    unbilled_qty = QtyField()
    price = PriceField()
    amount = AmountField()


class ReturnFullOut(ReturnOut):
    """A return with its lines."""

    lines = fields.List(fields.Nested(ReturnLineOut))
