"""Shapes of requests and answers of the organisation."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate

from branches.org.models import UNIT_KINDS
from sdm.kernel.schema import AmountField, BaseSchema


def text(max_length: int = 200) -> fields.String:
    """An optional text; absent means empty."""
    return fields.String(load_default="", validate=validate.Length(max=max_length, error="input.length"))


def must(max_length: int = 200) -> fields.String:
    """A text that must be there."""
    return fields.String(required=True, validate=validate.Length(1, max_length, error="input.length"))


def ref(required: bool = False) -> fields.Integer:
    """An id; None where it is optional and absent."""
    limit = validate.Range(1, 2**62, error="input.range")
    if required:
        return fields.Integer(required=True, validate=limit)
    return fields.Integer(load_default=None, allow_none=True, validate=limit)


def kinds() -> fields.String:
    """A kind of unit."""
    return fields.String(required=True, validate=validate.OneOf(UNIT_KINDS, error="input.choice"))


# --- forms ------------------------------------------------------------------------------------------------------------


class UnitForm(BaseSchema):
    """A unit as its page changes it."""

    code = must(64)
    name = must()
    name_en = text()
    pinyin = text()
    parent_id = ref()
    legal_entity_id = ref()
    manager_id = ref()
    deputy_id = ref()
    province = text()
    city = text()
    address = text()
    phone = text(64)
    active = fields.Boolean(load_default=False)
    version = ref()


class NewUnitForm(UnitForm):
    """A new unit."""

    class Meta(BaseSchema.Meta):
        """A new one is active and has no version."""

        exclude = ("active", "version")

    kind = kinds()


class PersonForm(BaseSchema):
    """A person."""

    code = must(64)
    name = must()
    pinyin = text()
    unit_id = ref(required=True)
    job_title = text()
    phone = text(64)
    email = text()
    active = fields.Boolean(load_default=False)
    version = ref()


class DeputyForm(BaseSchema):
    """Who stands in, from day to day."""

    deputy_id = ref(required=True)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(required=True)


class WarehouseForm(BaseSchema):
    """A warehouse."""

    code = must(64)
    name = must()
    name_en = text()
    pinyin = text()
    unit_id = ref()
    keeper_id = ref()
    province = text()
    city = text()
    address = text()
    lead_days = fields.Integer(load_default=3, validate=validate.Range(0, 365, error="input.range"))
    active = fields.Boolean(load_default=False)
    version = ref()


class LegalEntityForm(BaseSchema):
    """A company that invoices."""

    code = must(64)
    name = must()
    tax_no = text(64)
    address = text()
    phone = text(64)
    bank_name = text()
    bank_account = text(64)
    currency = fields.String(load_default="CNY", validate=validate.Regexp("^[A-Z]{3}$", error="input.currency"))
    version = ref()


class OptionListForm(BaseSchema):
    """A new list of choices."""

    code = must(64)
    name = must()
    name_en = text()


class OptionForm(BaseSchema):
    """One choice."""

    code = must(64)
    name = must()
    name_en = text()
    position = fields.Integer(load_default=0, validate=validate.Range(-9999, 9999, error="input.range"))
    active = fields.Boolean(load_default=False)


class ParameterForm(BaseSchema):
    """A value of a parameter; an empty text is a value too."""

    value = fields.String(load_default="", validate=validate.Length(max=500, error="input.length"))
    unit_id = ref()
    valid_from = fields.Date(load_default=None)


class OfficeForm(BaseSchema):
    """A new office with all it needs (BA-04): warehouse, people with sign-ins, limit."""

    code = must(64)
    name = must()
    name_en = text()
    parent_id = ref(required=True)
    province = text()
    city = text()
    address = text()
    phone = text(64)
    warehouse_code = text(64)
    warehouse_name = text()
    order_limit = AmountField(load_default=None, allow_none=True)


# --- API --------------------------------------------------------------------------------------------------------------


class UnitOut(BaseSchema):
    """A unit as the API shows it."""

    id = fields.Integer()
    code = fields.String()
    name = fields.String()
    name_en = fields.String()
    kind = fields.String()
    parent_id = fields.Integer(allow_none=True)
    path = fields.List(fields.Integer())
    legal_entity_id = fields.Integer(allow_none=True)
    manager_id = fields.Integer(allow_none=True)
    deputy_id = fields.Integer(allow_none=True)
    province = fields.String()
    city = fields.String()
    address = fields.String()
    phone = fields.String()
    active = fields.Boolean()
    version = fields.Integer()


class UnitIn(BaseSchema):
    """A new unit."""

    code = must(64)
    name = must()
    name_en = text()
    kind = kinds()
    parent_id = ref()
    legal_entity_id = ref()
    manager_id = ref()
    deputy_id = ref()
    province = text()
    city = text()
    address = text()
    phone = text(64)


def _some(max_length: int = 200, least: int = 0) -> fields.String:
    return fields.String(validate=validate.Length(least, max_length, error="input.length"))


class UnitPatch(BaseSchema):
    """What changes about a unit; absent fields stay."""

    code = _some(64, 1)
    name = _some(200, 1)
    name_en = _some()
    parent_id = fields.Integer()
    legal_entity_id = fields.Integer(allow_none=True)
    manager_id = fields.Integer(allow_none=True)
    deputy_id = fields.Integer(allow_none=True)
    province = _some()
    city = _some()
    address = _some()
    phone = _some(64)
    active = fields.Boolean()


class PersonOut(BaseSchema):
    """A person."""

    id = fields.Integer()
    code = fields.String()
    name = fields.String()
    unit_id = fields.Integer()
    job_title = fields.String()
    phone = fields.String()
    email = fields.String()
    active = fields.Boolean()
    version = fields.Integer()


class PersonIn(BaseSchema):
    """A new person."""

    code = must(64)
    name = must()
    unit_id = ref(required=True)
    job_title = text()
    phone = text(64)
    email = text()


class PersonPatch(BaseSchema):
    """What changes about a person."""

    code = _some(64, 1)
    name = _some(200, 1)
    unit_id = fields.Integer()
    job_title = _some()
    phone = _some(64)
    email = _some()
    active = fields.Boolean()


class WarehouseOut(BaseSchema):
    """A warehouse."""

    id = fields.Integer()
    code = fields.String()
    name = fields.String()
    name_en = fields.String()
    unit_id = fields.Integer()
    keeper_id = fields.Integer(allow_none=True)
    province = fields.String()
    city = fields.String()
    address = fields.String()
    lead_days = fields.Integer()
    active = fields.Boolean()
    version = fields.Integer()


class WarehouseIn(BaseSchema):
    """A new warehouse."""

    code = must(64)
    name = must()
    name_en = text()
    unit_id = ref(required=True)
    keeper_id = ref()
    province = text()
    city = text()
    address = text()
    lead_days = fields.Integer(load_default=3, validate=validate.Range(0, 365, error="input.range"))


class WarehousePatch(BaseSchema):
    """What changes about a warehouse."""

    code = _some(64, 1)
    name = _some(200, 1)
    name_en = _some()
    keeper_id = fields.Integer(allow_none=True)
    province = _some()
    city = _some()
    address = _some()
    lead_days = fields.Integer(validate=validate.Range(0, 365, error="input.range"))
    active = fields.Boolean()


class LegalEntityOut(BaseSchema):
    """A company that invoices."""

    id = fields.Integer()
    code = fields.String()
    name = fields.String()
    tax_no = fields.String()
    address = fields.String()
    phone = fields.String()
    bank_name = fields.String()
    bank_account = fields.String()
    currency = fields.String()
    version = fields.Integer()


class OptionOut(BaseSchema):
    """One choice of a list."""

    id = fields.Integer()
    list_code = fields.String()
    code = fields.String()
    name = fields.String()
    name_en = fields.String()
    position = fields.Integer()
    active = fields.Boolean()


class OptionListOut(BaseSchema):
    """A list of choices."""

    code = fields.String()
    name = fields.String()
    name_en = fields.String()


class ParameterQuery(BaseSchema):
    """For which unit and day."""

    unit_id = ref()
    on = fields.Date(load_default=None)


class ParameterOut(BaseSchema):
    """A parameter with the value in force."""

    key = fields.String()
    label = fields.String()
    kind = fields.String()
    value: Any = fields.Raw()
    default: Any = fields.Raw()


class ParameterIn(BaseSchema):
    """A new value."""

    value: Any = fields.Raw(required=True)
    unit_id = ref()
    valid_from = fields.Date(load_default=None)
