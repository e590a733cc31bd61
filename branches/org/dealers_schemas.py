"""Shapes of dealers for forms and the API. Everything that may be left out is empty then."""

from __future__ import annotations

from marshmallow import fields, validate

from branches.org.models import SETTLEMENT_MODES
from sdm.kernel.schema import BaseSchema

ID_MAX = 2**62


def text(max_length: int = 200, *, required: bool = False) -> fields.String:
    """A text; left out it is empty."""
    limit = validate.Length(max=max_length, error="input.length")
    if required:
        return fields.String(required=True, validate=[validate.Length(min=1, error="input.required"), limit])
    return fields.String(load_default="", validate=limit)


def reference(*, required: bool = False) -> fields.Integer:
    """The id of another row; left out it is none."""
    bounds = validate.Range(1, ID_MAX, error="input.unknown")
    if required:
        return fields.Integer(required=True, validate=bounds)
    return fields.Integer(load_default=None, allow_none=True, validate=bounds)


class ContactSchema(BaseSchema):
    """A person at a dealer; `ship_to`: goods are sent to this address."""

    id = fields.Integer(dump_only=True)
    name = text(required=True)
    job_title = text()
    phone = text(64)
    email = text()
    ship_to = fields.Boolean(load_default=False)
    address = text()


class DealerSchema(BaseSchema):
    """Master data of a dealer. `code` empty: made from its number. `payer_id` none: it pays for itself."""

    code = text(64)
    name = text(required=True)
    short_name = text()
    pinyin_fixed = text(64)
    unit_id = reference(required=True)
    payer_id = reference()
    grade_code = text(64, required=True)
    channel = text(64)
    settlement_mode = fields.String(
        load_default="term", validate=validate.OneOf(SETTLEMENT_MODES, error="input.choice")
    )
    term_days = fields.Integer(load_default=0, validate=validate.Range(0, 3650, error="input.range"))
    collective = fields.Boolean(load_default=False)
    tax_no = text(64)
    invoice_name = text()
    address = text()
    phone = text(64)
    bank_name = text()
    bank_account = text(64)
    province = text()
    city = text()
    manager_id = reference()
    note = text(2000)


class NewDealerSchema(DealerSchema):
    """A new dealer; `another_one` confirms that it is not one of the similar ones."""

    parent_id = reference()
    another_one = fields.Boolean(load_default=False)
    contact_name = text()
    contact_phone = text(64)


class NewDealerIn(DealerSchema):
    """A new dealer through the API."""

    parent_id = reference()
    another_one = fields.Boolean(load_default=False)
    contacts = fields.List(fields.Nested(ContactSchema), load_default=list, validate=validate.Length(max=100))


class DealerOut(DealerSchema):
    """A dealer as it is."""

    id = fields.Integer()
    parent_dealer_id = fields.Integer(allow_none=True)
    status = fields.String()
    block_reason = fields.String()
    merged_into_id = fields.Integer(allow_none=True)
    pinyin = fields.String()
    version = fields.Integer()


class MoveSchema(BaseSchema):
    """A new channel parent (none: top of the channel) from a day on."""

    parent_dealer_id = reference()
    valid_from = fields.Date(required=True)


class MergeSchema(BaseSchema):
    """The dealer that stays."""

    target_id = reference(required=True)
    reason = text()


class BlockSchema(BaseSchema):
    """Why a dealer is blocked."""

    reason = text(required=True)


class GradeSchema(BaseSchema):
    """A grade; rank 1 is best."""

    code = text(64, required=True)
    name = text(required=True)
    name_en = text()
    rank = fields.Integer(load_default=9, validate=validate.Range(1, 99, error="input.range"))
    active = fields.Boolean(load_default=False)
