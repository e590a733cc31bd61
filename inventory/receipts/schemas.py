"""Shapes of requests and answers about goods receipts."""

from __future__ import annotations

from marshmallow import fields, validate

from inventory.receipts.rules import LINES_MAX, ORIGINS
from sdm.kernel.api import PageQuery, RefSchema
from sdm.kernel.schema import AmountField, BaseSchema, PriceField, QtyField, not_negative, positive

_text = validate.Length(max=200, error="input.length")


class ReceiptLineIn(BaseSchema):
    """A line: product by id, quantity in base units, actual cost net per unit."""

    product_id = fields.Integer(required=True, strict=True)
    qty = QtyField(required=True, validate=positive)
    unit_cost = PriceField(load_default=None, allow_none=True, validate=not_negative)


class ReceiptIn(BaseSchema):
    """A goods receipt; ``post`` posts it at once."""

    uuid = fields.UUID()
    warehouse_id = fields.Integer(required=True)
    received_on = fields.Date(required=True)
    origin = fields.String(load_default="supplier", validate=validate.OneOf(ORIGINS, error="input.choice"))
    supplier_name = fields.String(load_default="", validate=_text)
    reference = fields.String(load_default="", validate=_text)
    note = fields.String(load_default="", validate=validate.Length(max=2000, error="input.length"))
    lines = fields.List(fields.Nested(ReceiptLineIn), required=True, validate=validate.Length(max=LINES_MAX))
    post = fields.Boolean(load_default=False)


class ReverseIn(BaseSchema):
    """Why and when a receipt is taken back; today when no day is given."""

    reversed_on = fields.Date(load_default=None, allow_none=True)
    reason = fields.String(load_default="", validate=_text)


class ReceiptQuery(PageQuery):
    """Filters of the list of receipts."""

    state = fields.String(load_default=None, validate=validate.OneOf(["draft", "posted", "reversed"]))
    warehouse_id = fields.Integer(load_default=None)


class ReceiptOut(RefSchema):
    """A goods receipt without lines."""

    unit_id = fields.Integer()
    warehouse_id = fields.Integer()
    origin = fields.String()
    supplier_name = fields.String()
    reference = fields.String()
    received_on = fields.Date()
    note = fields.String()


class ReceiptLineOut(BaseSchema):
    """A line; ``value`` is what inventory carries for it."""

    id = fields.Integer()
    line_no = fields.Integer()
    product_id = fields.Integer()
    code = fields.String()
    qty = QtyField()
    unit_cost = PriceField(allow_none=True)
    value = AmountField(allow_none=True)


class ReceiptFullOut(ReceiptOut):
    """A goods receipt with its lines."""

    lines = fields.List(fields.Nested(ReceiptLineOut))
