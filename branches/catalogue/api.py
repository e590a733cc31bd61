"""API of products."""

from __future__ import annotations

from typing import Any

from marshmallow import fields, validate
from sqlalchemy import select

from branches.catalogue import queries, service
from branches.catalogue.models import Product, ProductCategory
from branches.catalogue.schemas import (
    CategoryOut,
    CategorySchema,
    ProductIn,
    ProductOut,
    ResolvedOut,
    ResolveIn,
)
from sdm.kernel import api
from sdm.kernel.permissions import Permission
from sdm.kernel.pinyin import fold, like
from sdm.kernel.schema import BaseSchema

blueprint = api.blueprint("catalogue", __name__)


class ProductQuery(api.PageQuery):
    """Filters of the list; `q` finds code, name, specification, initials and barcode; `below` a category's subtree."""

    q = fields.String(load_default="", validate=validate.Length(max=100, error="input.length"))
    status = fields.String(load_default=None, validate=validate.OneOf(("active", "ended"), error="input.choice"))
    below = fields.Integer(load_default=None)


class StatusIn(BaseSchema):
    """active: sold; ended: no longer sold."""

    status = fields.String(required=True, validate=validate.OneOf(("active", "ended"), error="input.choice"))


class MadeOut(BaseSchema):
    """The id of what was made."""

    id = fields.Integer()


@api.route(
    blueprint, "/products", permission=Permission.PRODUCT_READ, query=ProductQuery, response=ProductOut, paged=True,
    summary="List products",
)  # fmt: skip
def list_products(query: dict[str, Any]) -> api.Page:
    """Products by id, with packs and barcodes."""
    statement = select(Product)
    for word in fold(query["q"]).split()[:6]:
        statement = statement.where(Product.search.like(like(word), escape="\\"))
    if query["status"]:
        statement = statement.where(Product.status == query["status"])
    if query["below"] is not None:
        inside = select(ProductCategory.id).where(ProductCategory.path.contains([query["below"]]))
        statement = statement.where(Product.category_id.in_(inside))
    found = api.page(statement, query["cursor"], query["limit"])
    return api.Page(queries.with_packs(found.items), found.next_cursor)


@api.route(
    blueprint, "/products", methods=["POST"], permission=Permission.PRODUCT_EDIT, request=ProductIn,
    response=ProductOut, creates=True, location="get_product", summary="Enter a product",
)  # fmt: skip
def create_product(body: dict[str, Any]) -> dict[str, Any]:
    """With its packs and barcodes."""
    packs, barcodes = _packs(body)
    return get_product(service.create_product(body, packs, barcodes or ()))


def _packs(body: dict[str, Any]) -> tuple[Any, Any]:
    """Packs and barcodes as the service takes them; None where they are not given."""
    packs, barcodes = body.pop("packs", None), body.pop("barcodes", None)
    return (
        {pack["name"]: pack["factor"] for pack in packs} if packs is not None else None,
        [(barcode["code"], barcode.get("pack", "")) for barcode in barcodes] if barcodes is not None else None,
    )


@api.route(
    blueprint, "/products/<int:id>", permission=Permission.PRODUCT_READ, response=ProductOut, summary="Read a product"
)
def get_product(id: int) -> dict[str, Any]:
    """One product with packs and barcodes."""
    return queries.with_packs([queries.product(id)])[0]


@api.route(
    blueprint, "/products/<int:id>", methods=["PATCH"], permission=Permission.PRODUCT_EDIT,
    request=ProductIn(partial=True), response=ProductOut, if_match=True, summary="Change a product",
)  # fmt: skip
def change_product(id: int, body: dict[str, Any], version: int | None) -> dict[str, Any]:
    """Only the fields that are given change; packs and barcodes are replaced as a whole."""
    packs, barcodes = _packs(body)
    service.change_product(id, version, body, packs, barcodes)
    return get_product(id)


@api.route(
    blueprint, "/products/<int:id>/status", methods=["PUT"], permission=Permission.PRODUCT_EDIT, request=StatusIn,
    response=ProductOut, if_match=True, summary="End the sale of a product or take it up again",
)  # fmt: skip
def set_status(id: int, body: dict[str, Any], version: int | None) -> dict[str, Any]:
    """Stock and documents stay."""
    service.set_product_status(id, body["status"], version)
    return get_product(id)


@api.route(
    blueprint, "/products/resolve", methods=["POST"], permission=Permission.PRODUCT_READ, request=ResolveIn,
    response=ResolvedOut, summary="What codes, barcodes, names or initials mean",
)  # fmt: skip
def resolve(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One answer per text, in the order asked; at most 1,000 texts."""
    found = queries.resolve(body["codes"])
    return [
        {
            "text": text,
            "matched": found[text].matched if text in found else None,
            "product": found[text].product if text in found else None,
            "candidates": found[text].candidates if text in found else (),
        }
        for text in body["codes"]
    ]


@api.route(
    blueprint, "/product-categories", permission=Permission.PRODUCT_READ, response=CategoryOut,
    summary="The product tree",
)  # fmt: skip
def list_categories() -> list[Any]:
    """Parents before children."""
    return queries.category_tree()


@api.route(
    blueprint, "/product-categories", methods=["POST"], permission=Permission.PRODUCT_EDIT, request=CategorySchema,
    response=MadeOut, creates=True, summary="Add a category",
)  # fmt: skip
def create_category(body: dict[str, Any]) -> dict[str, int]:
    """Below `parent_id`."""
    return {"id": service.create_category(body)}


@api.route(
    blueprint, "/product-categories/<int:id>", methods=["PATCH"], permission=Permission.PRODUCT_EDIT,
    request=CategorySchema(partial=True), summary="Change or move a category",
)  # fmt: skip
def change_category(id: int, body: dict[str, Any]) -> None:
    """Everything below moves with it."""
    service.change_category(id, body)
