"""Shapes of requests and answers about shipments."""

from __future__ import annotations

from decimal import Decimal

from marshmallow import fields, validate

from sdm.kernel.api import PageQuery, RefSchema
from sdm.kernel.schema import AmountField, BaseSchema, PriceField, QtyField, RateField, not_negative

_text = validate.Length(max=200, error="input.length")
_code = validate.Length(max=64, error="input.length")


class SendOutIn(BaseSchema):
    """When and how the goods leave."""

    shipped_on = fields.Date(required=True)
    carrier = fields.String(load_default="", validate=_text)
    waybill = fields.String(load_default="", validate=_code)
    expected_on = fields.Date(load_default=None, allow_none=True)


class PlanIn(BaseSchema):
    """The delivery plan; what is left out stays as it is."""

    planned_on = fields.Date(load_default=None, allow_none=True)
    expected_on = fields.Date(load_default=None, allow_none=True)
    carrier = fields.String(load_default=None, allow_none=True, validate=_text)
    waybill = fields.String(load_default=None, allow_none=True, validate=_code)


class SignedLineIn(BaseSchema):
    """What was signed for of one line; the parts add up to what was shipped."""

    line_id = fields.Integer(required=True)
    signed = QtyField(required=True, validate=not_negative)
    short = QtyField(load_default=Decimal(0), validate=not_negative)
    refused = QtyField(load_default=Decimal(0), validate=not_negative)


class SignIn(BaseSchema):
    """A signature. ``reopen``: what did not arrive is delivered again; otherwise it is given up."""

    signed_on = fields.Date(required=True)
    signed_by = fields.String(required=True, validate=validate.Length(1, 200, error="input.required"))
    reopen = fields.Boolean(load_default=True)
    lines = fields.List(fields.Nested(SignedLineIn), required=True, validate=validate.Length(max=1000))


class CancelIn(BaseSchema):
    """Why a picked shipment is not sent."""

    reason = fields.String(load_default="", validate=_text)


class ShipmentQuery(PageQuery):
    """Filters of the list of shipments."""

    state = fields.String(load_default=None, validate=validate.OneOf(["picked", "shipped", "signed", "cancelled"]))
    dealer_id = fields.Integer(load_default=None)
    warehouse_id = fields.Integer(load_default=None)
    order_id = fields.Integer(load_default=None)


class ShipmentOut(RefSchema):
    """A shipment without lines."""

    unit_id = fields.Integer()
    order_id = fields.Integer(allow_none=True)
    dealer_id = fields.Integer()
    warehouse_id = fields.Integer(allow_none=True)
    owner_unit_id = fields.Integer()
    ownership = fields.String()
    carrier = fields.String()
    waybill = fields.String()
    ship_to = fields.String()
    planned_on = fields.Date(allow_none=True)
    expected_on = fields.Date(allow_none=True)
    shipped_on = fields.Date(allow_none=True)
    signed_on = fields.Date(allow_none=True)
    signed_by = fields.String()


class ShipmentLineOut(BaseSchema):
    """A line; amounts gross."""

    id = fields.Integer()
    line_no = fields.Integer()
    order_line_id = fields.Integer(allow_none=True)
    product_id = fields.Integer()
    code = fields.String()
    qty = QtyField()
    signed_qty = QtyField()
    short_qty = QtyField()
    refused_qty = QtyField()
    returned_qty = QtyField()
    invoiced_qty = QtyField()
    price = PriceField()
    amount = AmountField()
    tax_rate = RateField()


class ShipmentFullOut(ShipmentOut):
    """A shipment with its lines."""

    lines = fields.List(fields.Nested(ShipmentLineOut))
