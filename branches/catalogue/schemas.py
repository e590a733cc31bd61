"""Shapes of products and categories for forms and the API."""

from __future__ import annotations

from decimal import Decimal

from marshmallow import fields, validate

from branches.org.dealers_schemas import reference, text
from sdm.kernel.schema import BaseSchema, PriceField, QtyField, RateField, not_negative, positive

tax_range = validate.Range(min=Decimal(0), max=Decimal("0.99"), error="input.range")


class ProductSchema(BaseSchema):
    """A product without packs and barcodes. `tax_rate` 0.13 = 13 %; `list_price` is only a suggestion."""

    code = text(64, required=True)
    name = text(required=True)
    name_en = text()
    pinyin_fixed = text(64)
    category_id = reference(required=True)
    brand = text()
    specification = text()
    base_unit = text(64, required=True)
    tax_rate = RateField(load_default=Decimal("0.13"), validate=tax_range)
    stocked = fields.Boolean(load_default=False)
    list_price = PriceField(load_default=None, allow_none=True, validate=not_negative)


class ProductForm(ProductSchema):
    """The form: packs `box=10; pallet=100`, barcodes `6901; 6902=box`, attributes one per line; tax rate in percent."""

    tax_rate = fields.String(required=True)  # type: ignore[assignment]
    packs = text(2000)
    barcodes = text(4000)
    attributes = text(8000)


class PackSchema(BaseSchema):
    """A larger unit of `factor` base units."""

    name = text(64, required=True)
    factor = QtyField(required=True, validate=positive)


class BarcodeSchema(BaseSchema):
    """A barcode of the base unit (`pack` empty) or of a pack."""

    code = text(64, required=True)
    pack = text(64)


class ProductIn(ProductSchema):
    """A product through the API; packs and barcodes replace all earlier ones."""

    stocked = fields.Boolean(load_default=True)
    attributes = fields.Dict(
        keys=fields.String(validate=validate.Length(1, 64)),
        values=fields.String(validate=validate.Length(max=200)),
        load_default=dict,
    )
    packs = fields.List(fields.Nested(PackSchema), load_default=list, validate=validate.Length(max=50))
    barcodes = fields.List(fields.Nested(BarcodeSchema), load_default=list, validate=validate.Length(max=200))


class ProductOut(ProductSchema):
    """A product as it is."""

    id = fields.Integer()
    attributes = fields.Dict()
    status = fields.String()
    pinyin = fields.String()
    version = fields.Integer()
    packs = fields.List(fields.Nested(PackSchema))
    barcodes = fields.List(fields.Nested(BarcodeSchema))


class CategorySchema(BaseSchema):
    """A class of goods below another (none: a root)."""

    code = text(64, required=True)
    name = text(required=True)
    name_en = text()
    parent_id = reference()
    position = fields.Integer(load_default=0, validate=validate.Range(0, 9999, error="input.range"))
    active = fields.Boolean(load_default=False)


class CategoryOut(CategorySchema):
    """A category with its depth and the products in it and below."""

    id = fields.Integer()
    depth = fields.Integer()
    products = fields.Integer()


class ResolveIn(BaseSchema):
    """Texts as typed, pasted or scanned."""

    codes = fields.List(
        fields.String(validate=validate.Length(max=200, error="input.length")), required=True,
        validate=validate.Length(max=1000),
    )  # fmt: skip


class CandidateOut(BaseSchema):
    """A product that a text may mean, in `unit` of `factor` base units."""

    id = fields.Integer(attribute="product_id")
    code = fields.String()
    label = fields.String(attribute="name")
    specification = fields.String()
    base_unit = fields.String()
    unit = fields.String()
    factor = QtyField()
    stocked = fields.Boolean()
    ended = fields.Boolean()


class ResolvedOut(BaseSchema):
    """What a text means; ambiguous ones have no product but candidates; unknown ones have neither."""

    text = fields.String()
    matched = fields.String(allow_none=True)
    product = fields.Nested(CandidateOut, allow_none=True)
    candidates = fields.List(fields.Nested(CandidateOut))
