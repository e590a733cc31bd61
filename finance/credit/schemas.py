"""Shapes of requests and answers about credit accounts."""

from __future__ import annotations

from marshmallow import fields, validate

from sdm.kernel.api import PageQuery
from sdm.kernel.schema import AmountField, BaseSchema, not_negative


class AccountQuery(PageQuery):
    """Filters of the list of accounts."""

    unit_id = fields.Integer(load_default=None)


class AccountOut(BaseSchema):
    """A payer's account: limits and buckets, gross."""

    payer_id = fields.Integer()
    unit_id = fields.Integer()
    limit_amount = AmountField()
    limit_until = fields.Date(allow_none=True)
    temporary_amount = AmountField()
    temporary_until = fields.Date(allow_none=True)
    open_orders = AmountField()
    shipped = AmountField()
    consigned = AmountField()
    items = AmountField()
    acceptances = AmountField()
    receipts = AmountField()
    version = fields.Integer()


class HeadroomOut(BaseSchema):
    """Figures of a payer valid today."""

    payer_id = fields.Integer()
    limit = AmountField()
    temporary = AmountField()
    exposure = AmountField()
    headroom = AmountField()
    overdue_amount = AmountField()
    overdue_days = fields.Integer()


class LimitIn(BaseSchema):
    """A proposed limit: ``kind`` limit or temporary."""

    kind = fields.String(load_default="limit", validate=validate.OneOf(["limit", "temporary"], error="input.choice"))
    amount = AmountField(required=True, validate=not_negative)
    valid_until = fields.Date(load_default=None, allow_none=True)
    reason = fields.String(required=True, validate=validate.Length(min=1, max=200, error="input.length"))


class ChangeOut(BaseSchema):
    """A proposed, approved or rejected limit."""

    id = fields.Integer()
    number = fields.String()
    payer_id = fields.Integer(allow_none=True)
    unit_id = fields.Integer()
    kind = fields.String()
    old_amount = AmountField()
    amount = AmountField()
    valid_until = fields.Date(allow_none=True)
    reason = fields.String()
    state = fields.String()
