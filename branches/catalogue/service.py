"""Commands on products and their tree."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import aggregate_order_by

from branches.catalogue import rules, statements
from branches.catalogue.models import Barcode, Product, ProductCategory, ProductPack
from sdm.kernel import audit
from sdm.kernel.command import command
from sdm.kernel.db import db, expire_loaded, table_of
from sdm.kernel.errors import Conflict, FieldError, InvalidInput, NotFound, StaleVersion
from sdm.kernel.locks import lock_rows
from sdm.kernel.permissions import Permission
from sdm.kernel.pinyin import initials, search_text

PRODUCT_FIELDS = (
    "code",
    "name",
    "name_en",
    "pinyin_fixed",
    "category_id",
    "brand",
    "specification",
    "attributes",
    "base_unit",
    "tax_rate",
    "stocked",
    "list_price",
)
CATEGORY_FIELDS = ("code", "name", "name_en", "parent_id", "position", "active")


@command(Permission.PRODUCT_EDIT)
def create_product(
    values: Mapping[str, Any], packs: Mapping[str, Decimal] | None = None, barcodes: Sequence[tuple[str, str]] = ()
) -> int:
    """Create a product with its packs {name: base units} and barcodes [(code, pack name or "")]; returns its id.

    Raises InvalidInput with all faults at once.
    """
    chosen = {key: value for key, value in values.items() if key in PRODUCT_FIELDS}
    _require(chosen, packs or {}, barcodes, None)
    product = Product(**chosen)
    db.session.add(product)
    db.session.flush()
    _replace_packs(product.id, packs or {}, barcodes)
    refresh_search([product.id])
    audit.write("product", product.id, "created", None, audit.changed({}, chosen))
    return product.id


@command(Permission.PRODUCT_EDIT)
def change_product(
    product_id: int,
    version: int | None,
    values: Mapping[str, Any],
    packs: Mapping[str, Decimal] | None = None,
    barcodes: Sequence[tuple[str, str]] | None = None,
) -> int:
    """Change a product; packs and barcodes replace all earlier ones, None leaves them. Returns the new version.

    Raises NotFound, StaleVersion, InvalidInput with all faults at once.
    """
    product = _locked(Product, product_id, version)
    known_packs, known_barcodes = packs_of(product_id)
    packs = known_packs if packs is None else packs
    barcodes = known_barcodes if barcodes is None else barcodes
    chosen = {key: value for key, value in values.items() if key in PRODUCT_FIELDS}
    before = {key: getattr(product, key) for key in chosen}
    _require({**{key: getattr(product, key) for key in PRODUCT_FIELDS}, **chosen}, packs, barcodes, product_id)
    for key, value in chosen.items():
        setattr(product, key, value)
    product.version += 1
    if (dict(packs), sorted(barcodes)) != (known_packs, sorted(known_barcodes)):
        _replace_packs(product_id, packs, barcodes)
    refresh_search([product_id])
    changes = audit.changed(
        {**before, "packs": known_packs, "barcodes": sorted(known_barcodes)},
        {**chosen, "packs": dict(packs), "barcodes": sorted(barcodes)},
    )
    audit.write("product", product_id, "changed", None, changes)
    return int(product.version)


@command(Permission.PRODUCT_EDIT)
def set_product_status(product_id: int, status: str, version: int | None = None) -> int:
    """End the sale of a product (`ended`) or take it up again (`active`); returns the new version."""
    if status not in {"active", "ended"}:
        raise InvalidInput([FieldError("status", "input.choice", status, {"choices": "active, ended"})])
    product = _locked(Product, product_id, version)
    before, product.status = product.status, status
    product.version += 1
    audit.write("product", product_id, status, None, {"status": [before, status]})
    return int(product.version)


def packs_of(product_id: int) -> tuple[dict[str, Decimal], list[tuple[str, str]]]:
    """Packs {name: factor} and barcodes [(code, pack name or "")] of a product."""
    packs = db.session.execute(
        select(ProductPack.name, ProductPack.factor)
        .where(ProductPack.product_id == product_id)
        .order_by(ProductPack.factor, ProductPack.name)
    ).all()
    barcodes = db.session.execute(
        select(Barcode.code, func.coalesce(ProductPack.name, ""))
        .outerjoin(ProductPack, ProductPack.id == Barcode.pack_id)
        .where(Barcode.product_id == product_id)
        .order_by(Barcode.code)
    ).all()
    return {name: factor for name, factor in packs}, [(code, pack) for code, pack in barcodes]


def _require(
    values: Mapping[str, Any], packs: Mapping[str, Decimal], barcodes: Sequence[tuple[str, str]], own_id: int | None
) -> None:
    faults = [FieldError(key, "input.required") for key in ("code", "name", "category_id") if not values.get(key)]
    faults += rules.check_packs(values.get("base_unit") or "台", packs, barcodes)
    faults += _taken(values.get("code"), own_id)
    faults += _barcodes_taken([code for code, _pack in barcodes], own_id)
    if values.get("category_id") and db.session.get(ProductCategory, values["category_id"]) is None:
        faults.append(FieldError("category_id", "input.unknown", values["category_id"]))
    if faults:
        raise InvalidInput(faults)


def _taken(code: str | None, own_id: int | None) -> list[FieldError]:
    found = db.session.execute(select(Product.id).where(Product.code == code)).scalar() if code else None
    if found is None or found == own_id:
        return []
    return [FieldError("code", "exists", code, {"field": "code"})]


def _barcodes_taken(codes: Collection[str], own_id: int | None) -> list[FieldError]:
    if not codes:
        return []
    rows = db.session.execute(
        select(Barcode.code, Product.code.label("product"))
        .join(Product, Product.id == Barcode.product_id)
        .where(Barcode.code.in_(codes), Barcode.product_id.is_distinct_from(own_id))
    )
    return [FieldError("barcodes", rules.BARCODE_TAKEN, row.code, {"product": row.product}) for row in rows]


def _replace_packs(product_id: int, packs: Mapping[str, Decimal], barcodes: Sequence[tuple[str, str]]) -> None:
    db.session.execute(delete(Barcode).where(Barcode.product_id == product_id))
    db.session.execute(delete(ProductPack).where(ProductPack.product_id == product_id))
    ids: dict[str, int] = {}
    if packs:
        rows = [{"product_id": product_id, "name": name, "factor": factor} for name, factor in packs.items()]
        inserted = db.session.execute(insert(ProductPack).returning(ProductPack.name, ProductPack.id), rows)
        ids = {name: pack_id for name, pack_id in inserted}
    if barcodes:
        rows = [{"product_id": product_id, "code": code, "pack_id": ids.get(pack)} for code, pack in barcodes]
        db.session.execute(insert(Barcode), rows)


def refresh_search(product_ids: Collection[int]) -> None:
    """Recompute initials and search text of products: one read and one write for any number."""
    db.session.flush()
    codes = func.string_agg(Barcode.code, aggregate_order_by(literal(" "), Barcode.code))
    barcodes = select(codes).where(Barcode.product_id == Product.id).correlate(Product).scalar_subquery()
    columns = (Product.id, Product.code, Product.name, Product.name_en, Product.brand, Product.specification)
    rows = db.session.execute(
        select(*columns, Product.pinyin_fixed, barcodes.label("barcodes")).where(Product.id.in_(sorted(product_ids)))
    ).all()
    values = [
        {
            "row_id": row.id,
            "pinyin": initials(row.name, row.pinyin_fixed),
            "search": search_text(
                row.code, row.name, row.name_en, row.brand, row.specification, row.pinyin_fixed, row.barcodes
            ),
        }
        for row in rows
    ]
    if values:
        table = table_of(Product)
        statement = update(table).where(table.c.id == bindparam("row_id"))
        db.session.execute(statement.values(pinyin=bindparam("pinyin"), search=bindparam("search")), values)
        expire_loaded(Product, {value["row_id"] for value in values}, ["pinyin", "search"])


@command(Permission.PRODUCT_EDIT)
def create_category(values: Mapping[str, Any]) -> int:
    """Create a category below `parent_id` (None: a root); returns its id."""
    chosen = {key: value for key, value in values.items() if key in CATEGORY_FIELDS}
    _require_category(chosen, None)
    row = ProductCategory(**chosen)
    db.session.add(row)
    db.session.flush()
    db.session.execute(statements.REBUILD_PATHS)
    audit.write("product_category", row.id, "created", None, audit.changed({}, chosen))
    return row.id


@command(Permission.PRODUCT_EDIT)
def change_category(category_id: int, values: Mapping[str, Any]) -> None:
    """Change or move a category with everything below it. Raises NotFound, InvalidInput."""
    rows = lock_rows(ProductCategory, [category_id])
    if not rows:
        raise NotFound("not_found", kind="product_category", id=category_id)
    chosen = {key: value for key, value in values.items() if key in CATEGORY_FIELDS}
    before = {key: getattr(rows[0], key) for key in chosen}
    _require_category({**{key: getattr(rows[0], key) for key in CATEGORY_FIELDS}, **chosen}, category_id)
    for key, value in chosen.items():
        setattr(rows[0], key, value)
    db.session.flush()
    db.session.execute(statements.REBUILD_PATHS)
    audit.write("product_category", category_id, "changed", None, audit.changed(before, chosen))


@command(Permission.PRODUCT_EDIT)
def remove_category(category_id: int) -> None:
    """Remove a category that has neither products nor categories. Raises NotFound, Conflict."""
    row = db.session.get(ProductCategory, category_id)
    if row is None:
        raise NotFound("not_found", kind="product_category", id=category_id)
    products = exists().where(Product.category_id == category_id)
    below = exists().where(ProductCategory.parent_id == category_id)
    used = db.session.execute(select(products | below)).scalar()
    if used:
        raise Conflict(rules.CATEGORY_IN_USE)
    audit.write("product_category", category_id, "removed", None, {"code": [row.code, None]})
    db.session.delete(row)


def _require_category(values: Mapping[str, Any], own_id: int | None) -> None:
    faults = [FieldError(key, "input.required") for key in ("code", "name") if not values.get(key)]
    found = db.session.execute(select(ProductCategory.id).where(ProductCategory.code == values.get("code"))).scalar()
    if found is not None and found != own_id:
        faults.append(FieldError("code", "exists", values["code"], {"field": "code"}))
    parent_id = values.get("parent_id")
    parent = db.session.get(ProductCategory, parent_id) if parent_id else None
    if parent_id and parent is None:
        faults.append(FieldError("parent_id", "input.unknown", parent_id))
    elif parent is not None and own_id is not None and own_id in parent.path:
        faults.append(FieldError("parent_id", rules.CATEGORY_LOOP, parent.name))
    if faults:
        raise InvalidInput(faults)


def _locked(model: Any, row_id: int, version: int | None) -> Any:
    rows = lock_rows(model, [row_id])
    if not rows:
        raise NotFound("not_found", kind=model.__tablename__, id=row_id)
    if version is not None and rows[0].version != version:
        raise StaleVersion("version.stale", expected=version, actual=rows[0].version)
    return rows[0]
