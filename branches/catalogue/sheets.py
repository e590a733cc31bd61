"""Import sheets of the product tree and of products with packs and barcodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from branches.catalogue import queries, rules, statements
from branches.catalogue.models import Barcode, Product, ProductCategory, ProductPack
from branches.catalogue.service import refresh_search
from sdm.kernel import audit
from sdm.kernel.command import command
from sdm.kernel.db import db, table_of
from sdm.kernel.i18n import _l
from sdm.kernel.permissions import Permission
from sdm.kernel.sheets import Applied, Column, ImportSheet, RowFault, SheetRow, missing, repeated, unknown, values_of
from sdm.kernel.upsert import Upserted, ids_by, upsert

# --- categories -------------------------------------------------------------------------------------------------------

_CATEGORY = ("code", "name", "name_en", "position", "active")


def _check_categories(rows: Sequence[SheetRow]) -> list[RowFault]:
    stored = {row.id: row for row in db.session.execute(select(ProductCategory)).scalars()}
    codes = {row.code for row in stored.values()}
    in_file = {row.get("code") for row in rows}
    parents = {row.code: stored[row.parent_id].code if row.parent_id in stored else None for row in stored.values()}
    parents.update({row.get("code"): row.get("parent") for row in rows if row.has("parent")})
    faults = [
        *repeated(rows, ("code",)),
        *missing(rows, ("name",), lambda row: row.get("code") not in codes),
        *unknown(rows, "parent", codes | in_file),
    ]
    for row in rows:
        if row.get("parent") and _below_itself(row.get("code"), parents):
            faults.append(RowFault(row.number, "parent", rules.CATEGORY_LOOP, row.get("parent")))
    return faults


def _below_itself(code: Any, parents: Mapping[Any, Any]) -> bool:
    seen: set[Any] = set()
    above = parents.get(code)
    while above is not None and above not in seen:
        if above == code:
            return True
        seen.add(above)
        above = parents.get(above)
    return False


@command(Permission.PRODUCT_EDIT)
def _apply_categories(rows: Sequence[SheetRow]) -> Applied:
    done = upsert(ProductCategory, [row.given(_CATEGORY) for row in rows], kind="product_category")
    if rows[0].has("parent"):
        ids = {**ids_by(ProductCategory, values_of(rows, "parent")), **done.ids}
        table = table_of(ProductCategory)
        statement = update(table).where(table.c.id == bindparam("row_id")).values(parent_id=bindparam("parent"))
        placed = [{"row_id": done.ids[row.values["code"]], "parent": ids.get(row.get("parent") or "")} for row in rows]
        db.session.execute(statement, placed)
    db.session.execute(statements.REBUILD_PATHS)
    db.session.expire_all()
    return done.applied


def _export_categories() -> Iterable[Mapping[str, Any]]:
    nodes = queries.category_tree()
    codes = {node.id: node.code for node in nodes}
    for node in nodes:
        yield {**{key: getattr(node, key) for key in _CATEGORY}, "parent": codes.get(node.parent_id or 0)}


CATEGORIES = ImportSheet(
    code="product_categories",
    label=_l("Product tree"),
    permission=Permission.PRODUCT_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("name_en", _l("English name")),
        Column("parent", _l("Below"), "code", help=_l("code of a category; may be one of the same file")),
        Column("position", _l("Place in the order"), "integer"),
        Column("active", _l("Active"), "boolean"),
    ),
    key=("code",),
    check=_check_categories,
    apply=_apply_categories,
    export=_export_categories,
    whole_file=True,
    order=60,
)

# --- products ---------------------------------------------------------------------------------------------------------

_PRODUCT = (
    "code", "name", "name_en", "pinyin_fixed", "brand", "specification", "base_unit", "tax_rate", "stocked", "status",
    "list_price",
)  # fmt: skip
STATUSES = (("active", _l("Sold")), ("ended", _l("No longer sold")))


def _check_products(rows: Sequence[SheetRow]) -> list[RowFault]:
    codes = [row.get("code") for row in rows if row.get("code")]
    known = {row.code: row for row in db.session.execute(select(Product).where(Product.code.in_(codes))).scalars()}
    categories = ids_by(ProductCategory, values_of(rows, "category"))
    faults = [
        *repeated(rows, ("code",)),
        *missing(rows, ("name", "category"), lambda row: row.get("code") not in known),
        *unknown(rows, "category", categories),
        *_taken_barcodes(rows),
    ]
    packs = queries.packs_by_product(product.id for product in known.values())
    for row in rows:
        product = known.get(row.get("code") or "")
        stored = dict(packs.get(product.id, ())) if product else {}
        faults += _product_faults(row, product.base_unit if product else "台", stored)
    return faults


def _product_faults(row: SheetRow, base_unit: str, stored: Mapping[str, Decimal]) -> Iterator[RowFault]:
    rate, price = row.get("tax_rate"), row.get("list_price")
    if rate is not None and not 0 <= rate < 1:
        yield RowFault(row.number, "tax_rate", "input.range", rate, {"low": 0, "high": "0.99"})
    if price is not None and price < 0:
        yield RowFault(row.number, "list_price", "input.not_negative", price)
    packs, faults = rules.split_packs(row.get("packs") or "")
    used = packs if row.has("packs") else stored
    barcodes = rules.split_barcodes(row.get("barcodes") or "")
    faults += rules.check_packs(row.get("base_unit") or base_unit, used, barcodes)
    faults += rules.split_attributes(row.get("attributes") or "")[1]
    for fault in faults:
        yield RowFault(row.number, fault.field, fault.code, fault.value, fault.details)


def _taken_barcodes(rows: Sequence[SheetRow]) -> Iterator[RowFault]:
    """Barcodes that belong to another product, in the database or in the file."""
    given = [(row, code) for row in rows for code, _pack in rules.split_barcodes(row.get("barcodes") or "")]
    if not given:
        return
    wanted = sorted({code for _row, code in given})
    statement = select(Barcode.code, Product.code).join(Product, Product.id == Barcode.product_id)
    owners = {code: product for code, product in db.session.execute(statement.where(Barcode.code.in_(wanted)))}
    replacing = {row.get("code") for row in rows if row.has("barcodes")}
    products = Counter(code for code, _product in {(code, row.get("code")) for row, code in given})
    for row, code in given:
        owner = owners.get(code)
        if owner is not None and owner != row.get("code") and owner not in replacing:
            yield RowFault(row.number, "barcodes", rules.BARCODE_TAKEN, code, {"product": owner})
        elif products[code] > 1:
            yield RowFault(row.number, "barcodes", "sheet.twice", code)


@command(Permission.PRODUCT_EDIT)
def _apply_products(rows: Sequence[SheetRow]) -> Applied:
    categories = ids_by(ProductCategory, values_of(rows, "category"))
    values = []
    for row in rows:
        found = row.given(_PRODUCT)
        for name, meant in (("base_unit", "台"), ("tax_rate", Decimal("0.13"))):
            if name in found and found[name] is None:
                found[name] = meant
        if row.get("category"):
            found["category_id"] = categories[row.values["category"]]
        if row.has("attributes"):
            found["attributes"] = rules.split_attributes(row.get("attributes") or "")[0]
        values.append(found)
    done = upsert(Product, values, kind="product")
    changed = _replace_packs(rows, done)
    refresh_search(list(done.ids.values()))
    also = changed - set(done.touched())
    return Applied(len(done.created), len(done.changed) + len(also), done.unchanged - len(also))


def _replace_packs(rows: Sequence[SheetRow], done: Upserted) -> set[int]:
    """Make packs and barcodes what the file says; returns the ids of products that differed. At most six statements."""
    if not rows[0].has("packs") and not rows[0].has("barcodes"):
        return set()
    ids = {done.ids[row.values["code"]]: row for row in rows}
    old_packs, old_barcodes = queries.packs_by_product(ids), queries.barcodes_by_product(ids)
    packs: dict[int, dict[str, Decimal]] = {}
    barcodes: dict[int, list[tuple[str, str]]] = {}
    for product_id, row in ids.items():
        stored_packs, stored_barcodes = dict(old_packs.get(product_id, ())), old_barcodes.get(product_id, [])
        wanted = rules.split_packs(row.get("packs") or "")[0] if row.has("packs") else stored_packs
        codes = rules.split_barcodes(row.get("barcodes") or "") if row.has("barcodes") else stored_barcodes
        codes = [(code, pack if pack in wanted else "") for code, pack in codes]
        if wanted != stored_packs or sorted(codes) != sorted(stored_barcodes):
            packs[product_id], barcodes[product_id] = wanted, codes
    if packs:
        _write_packs(packs, barcodes)
    return set(packs)


def _write_packs(packs: Mapping[int, Mapping[str, Decimal]], barcodes: Mapping[int, list[tuple[str, str]]]) -> None:
    db.session.execute(delete(Barcode).where(Barcode.product_id.in_(sorted(packs))))
    db.session.execute(delete(ProductPack).where(ProductPack.product_id.in_(sorted(packs))))
    rows = [
        {"product_id": product_id, "name": name, "factor": factor}
        for product_id, named in packs.items()
        for name, factor in named.items()
    ]
    ids: dict[tuple[int, str], int] = {}
    if rows:
        made = insert(table_of(ProductPack)).returning(
            table_of(ProductPack).c.product_id, table_of(ProductPack).c.name, table_of(ProductPack).c.id
        )
        ids = {(product_id, name): pack_id for product_id, name, pack_id in db.session.execute(made, rows)}
    codes = [
        {"product_id": product_id, "code": code, "pack_id": ids.get((product_id, pack))}
        for product_id, given in barcodes.items()
        for code, pack in given
    ]
    if codes:
        db.session.execute(insert(table_of(Barcode)), codes)
    for product_id, given in barcodes.items():
        audit.write("product", product_id, "changed", None, {"packs": dict(packs[product_id]), "barcodes": given})


def _export_products() -> Iterable[Mapping[str, Any]]:
    statement = select(Product, ProductCategory.code).join(ProductCategory, ProductCategory.id == Product.category_id)
    rows = db.session.execute(statement.order_by(Product.code)).all()
    packs = queries.packs_by_product(row[0].id for row in rows)
    barcodes = queries.barcodes_by_product(row[0].id for row in rows)
    for product, category in rows:
        yield {
            **{key: getattr(product, key) for key in _PRODUCT},
            "category": category,
            "attributes": rules.join_attributes(product.attributes),
            "packs": rules.join_packs(packs.get(product.id, ())),
            "barcodes": rules.join_barcodes(barcodes.get(product.id, ())),
        }


PRODUCTS = ImportSheet(
    code="products",
    label=_l("Products"),
    permission=Permission.PRODUCT_EDIT,
    columns=(
        Column("code", _l("Code"), "code", required=True),
        Column("name", _l("Name")),
        Column("name_en", _l("English name")),
        Column("category", _l("Category"), "code", help=_l("code of the category")),
        Column("brand", _l("Brand")),
        Column("specification", _l("Specification")),
        Column("attributes", _l("Attributes"), max_length=8000, help=_l("one per line: name: value")),
        Column("base_unit", _l("Unit"), max_length=64),
        Column("tax_rate", _l("VAT rate"), "rate", help=_l("0.13 or 13%")),
        Column("stocked", _l("Kept in stock"), "boolean"),
        Column("list_price", _l("Suggested price"), "price"),
        Column("packs", _l("Packs"), max_length=2000, help=_l("name=units, e.g. box=10; pallet=100")),
        Column(
            "barcodes", _l("Barcodes"), max_length=4000,
            help=_l("of the unit: 6901234567892; of a pack: 6901234567893=box"),
        ),
        Column("pinyin_fixed", _l("Own search codes"), max_length=64),
        Column("status", _l("State"), "choice", choices=STATUSES),
    ),
    key=("code",),
    check=_check_products,
    apply=_apply_products,
    export=_export_products,
    order=65,
)  # fmt: skip

SHEETS = (CATEGORIES, PRODUCTS)
