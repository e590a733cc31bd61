"""Reads of products: by id, by what somebody types or scans, and their tree."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Select, case, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.orm import aliased

from branches.catalogue.models import Barcode, Product, ProductCategory, ProductPack
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound
from sdm.kernel.pinyin import fold, like

CANDIDATES_MAX = 5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A product that an entered text may mean, in `unit` of `factor` base units."""

    product_id: int
    code: str
    name: str
    specification: str
    base_unit: str
    tax_rate: Decimal
    stocked: bool
    ended: bool
    unit: str
    factor: Decimal


@dataclass(frozen=True, slots=True)
class ResolvedProduct:
    """What an entered text means. `product` is None when it is ambiguous: `candidates` then lists what it may be.

    `matched`: code, barcode, name or pinyin.
    """

    matched: str
    product: Candidate | None
    candidates: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductPage:
    """Everything the page of a product shows of the product itself."""

    product: Product
    category_path: list[tuple[int, str]]
    packs: list[tuple[str, Decimal]]
    barcodes: list[tuple[str, str]]


def product(product_id: int) -> Product:
    """A product; NotFound when there is none."""
    row = db.session.get(Product, product_id)
    if row is None:
        raise NotFound("not_found", kind="product", id=product_id)
    return row


def products_by_id(ids: Iterable[int]) -> dict[int, Product]:
    """Products by id; unknown ids are missing."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = db.session.execute(select(Product).where(Product.id.in_(wanted))).scalars()
    return {row.id: row for row in rows}


def product_page(product_id: int) -> ProductPage:
    """A product with its place in the tree, packs and barcodes."""
    row = product(product_id)
    packs = db.session.execute(
        select(ProductPack.name, ProductPack.factor)
        .where(ProductPack.product_id == product_id)
        .order_by(ProductPack.factor, ProductPack.name)
    )
    barcodes = db.session.execute(
        select(Barcode.code, func.coalesce(ProductPack.name, row.base_unit))
        .outerjoin(ProductPack, ProductPack.id == Barcode.pack_id)
        .where(Barcode.product_id == product_id)
        .order_by(Barcode.code)
    )
    path = category_path(row.category_id)
    return ProductPage(row, path, [(n, f) for n, f in packs], [(c, p) for c, p in barcodes])


def packs_by_product(ids: Iterable[int]) -> dict[int, list[tuple[str, Decimal]]]:
    """Packs (name, base units) of many products, smallest first."""
    found: dict[int, list[tuple[str, Decimal]]] = {}
    statement = select(ProductPack.product_id, ProductPack.name, ProductPack.factor)
    statement = statement.where(ProductPack.product_id.in_(sorted(set(ids)))).order_by(ProductPack.factor)
    for product_id, name, factor in db.session.execute(statement):
        found.setdefault(product_id, []).append((name, factor))
    return found


# --- what somebody types, pastes or scans -----------------------------------------------------------------------------

_COLUMNS = (
    Product.id,
    Product.code,
    Product.name,
    Product.specification,
    Product.base_unit,
    Product.tax_rate,
    Product.stocked,
    Product.status,
)
_ONE = literal(Decimal(1)).label("factor")


def resolve(codes: Iterable[str]) -> dict[str, ResolvedProduct]:
    """What each entered text means, by the text as entered: code, then barcode, then exact name or initials.

    At most three statements for any number of texts. Unknown texts are missing; ambiguous ones list their candidates.
    """
    texts = {code: fold(code) for code in codes if code and fold(code)}
    found: dict[str, ResolvedProduct] = {}
    for matched, read in (("code", _by_code), ("barcode", _by_barcode), ("name", _by_name)):
        open_texts = {folded for entered, folded in texts.items() if entered not in found}
        if not open_texts:
            break
        hits = read(open_texts)
        for entered, folded in texts.items():
            if entered not in found and folded in hits:
                found[entered] = _resolved(matched, folded, hits[folded])
    return found


def _resolved(matched: str, folded: str, hits: list[Candidate]) -> ResolvedProduct:
    if matched == "name" and not any(fold(hit.name) == folded for hit in hits):
        matched = "pinyin"
    selling = [hit for hit in hits if not hit.ended] or hits
    if len(selling) == 1:
        return ResolvedProduct(matched, selling[0])
    return ResolvedProduct(matched, None, tuple(selling[:CANDIDATES_MAX]))


def _by_code(texts: set[str]) -> dict[str, list[Candidate]]:
    spelled = {form for text in texts for form in (text, text.upper())}
    statement = select(*_COLUMNS, Product.base_unit.label("unit"), _ONE)
    rows = db.session.execute(statement.where(Product.code.in_(sorted(spelled)))).all()
    found = _grouped((fold(row.code), row) for row in rows)
    mixed = texts - found.keys()
    if not mixed:
        return found
    rows = db.session.execute(statement.where(func.lower(Product.code).in_(sorted(mixed)))).all()
    return found | _grouped((fold(row.code), row) for row in rows)


def _by_barcode(texts: set[str]) -> dict[str, list[Candidate]]:
    spelled = {form for text in texts for form in (text, text.upper())}
    statement = (
        select(
            *_COLUMNS,
            func.coalesce(ProductPack.name, Product.base_unit).label("unit"),
            func.coalesce(ProductPack.factor, Decimal(1)).label("factor"),
            Barcode.code.label("barcode"),
        )
        .join(Barcode, Barcode.product_id == Product.id)
        .outerjoin(ProductPack, ProductPack.id == Barcode.pack_id)
        .where(Barcode.code.in_(sorted(spelled)))
    )
    return _grouped((fold(row.barcode), row) for row in db.session.execute(statement))


def _by_name(texts: set[str]) -> dict[str, list[Candidate]]:
    readings = func.string_to_array(cast(Product.pinyin, TEXT), " ")
    wanted = cast(sorted(texts), ARRAY(TEXT))
    statement = select(*_COLUMNS, Product.base_unit.label("unit"), _ONE, Product.pinyin).where(
        or_(readings.op("&&")(wanted), func.lower(Product.name).in_(sorted(texts)))
    )
    rows = db.session.execute(statement.order_by(Product.code)).all()
    named = _grouped((fold(row.name), row) for row in rows if fold(row.name) in texts)
    spelled = _grouped((word, row) for row in rows for word in row.pinyin.split() if word in texts)
    return spelled | named


def _grouped(pairs: Iterable[tuple[str, Any]]) -> dict[str, list[Candidate]]:
    found: dict[str, list[Candidate]] = {}
    for text, row in pairs:
        found.setdefault(text, []).append(
            Candidate(
                row.id,
                row.code,
                row.name,
                row.specification,
                row.base_unit,
                row.tax_rate,
                row.stocked,
                row.status != "active",
                row.unit,
                row.factor,
            )
        )
    return found


def searched(q: str) -> Select[Any]:
    """Products whose code, name, specification, initials or barcode contain every word of the text, best first."""
    words = fold(q).split()[:6]
    statement = select(Product)
    for word in words:
        statement = statement.where(Product.search.like(like(word), escape="\\"))
    if not words:
        return statement.order_by(Product.code)
    first = words[0]
    start = like(first)[1:]
    rank = case(
        (func.lower(Product.code) == first, 0),
        (func.lower(Product.code).like(start, escape="\\"), 1),
        (Product.pinyin.like(start, escape="\\"), 2),
        (Product.name.ilike(start, escape="\\"), 3),
        else_=4,
    )
    return statement.order_by(rank, func.length(Product.name), Product.code)


def pick(q: str, limit: int = 10, ended: bool = False) -> list[Product]:
    """The best products for a text; those no longer sold only when asked for. A barcode finds its product."""
    statement = searched(q) if ended else searched(q).where(Product.status == "active")
    return list(db.session.execute(statement.limit(limit)).scalars())


# --- the tree ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CategoryNode:
    """A category with its depth (0 for a root) and how many products lie in it and below."""

    id: int
    code: str
    name: str
    name_en: str
    parent_id: int | None
    path: tuple[int, ...]
    depth: int
    position: int
    active: bool
    products: int = 0
    children: list[int] = field(default_factory=list)


def category(category_id: int) -> ProductCategory:
    """A category; NotFound when there is none."""
    row = db.session.get(ProductCategory, category_id)
    if row is None:
        raise NotFound("not_found", kind="product_category", id=category_id)
    return row


def category_tree() -> list[CategoryNode]:
    """All categories, parents before children, by position and code; two statements."""
    counts = _product_counts()
    rows = {row.id: row for row in db.session.execute(select(ProductCategory)).scalars()}
    below: dict[int, int] = dict.fromkeys(rows, 0)
    children: dict[int, list[int]] = {category_id: [] for category_id in rows}
    for row in rows.values():
        if row.parent_id in children:
            children[row.parent_id].append(row.id)
        for above in row.path:
            if above in below:
                below[above] += counts.get(row.id, 0)

    def place(row: ProductCategory) -> tuple[tuple[int, str], ...]:
        return tuple((rows[i].position, rows[i].code) for i in row.path if i in rows)

    return [
        CategoryNode(
            row.id,
            row.code,
            row.name,
            row.name_en,
            row.parent_id,
            tuple(row.path),
            len(row.path) - 1,
            row.position,
            row.active,
            below[row.id],
            children[row.id],
        )
        for row in sorted(rows.values(), key=place)
    ]


def _product_counts() -> dict[int, int]:
    statement = select(Product.category_id, func.count()).group_by(Product.category_id)
    return {category_id: number for category_id, number in db.session.execute(statement)}


def category_path(category_id: int) -> list[tuple[int, str]]:
    """(id, name) from the root to the category; one statement."""
    leaf = aliased(ProductCategory)
    statement = (
        select(ProductCategory.id, ProductCategory.name)
        .join(leaf, leaf.path.contains(func.to_jsonb(ProductCategory.id)))
        .where(leaf.id == category_id)
        .order_by(func.jsonb_array_length(ProductCategory.path))
    )
    return [(row.id, row.name) for row in db.session.execute(statement)]


def category_subtree(category_id: int) -> set[int]:
    """Ids of a category and all below."""
    statement = select(ProductCategory.id).where(ProductCategory.path.contains([category_id]))
    return set(db.session.execute(statement).scalars())


def pick_categories(q: str, limit: int = 10) -> list[ProductCategory]:
    """Active categories whose code or name contains the text."""
    text = like(q)
    statement = (
        select(ProductCategory)
        .where(ProductCategory.active)
        .where(
            or_(
                func.lower(ProductCategory.code).like(text, escape="\\"),
                func.lower(ProductCategory.name).like(text, escape="\\"),
                func.lower(ProductCategory.name_en).like(text, escape="\\"),
            )
        )
        .order_by(func.jsonb_array_length(ProductCategory.path), ProductCategory.position, ProductCategory.code)
    )
    return list(db.session.execute(statement.limit(limit)).scalars())


def names_of(ids: Collection[int]) -> dict[int, str]:
    """Names of products by id."""
    if not ids:
        return {}
    statement = select(Product.id, Product.name).where(Product.id.in_(sorted(set(ids))))
    return {row.id: row.name for row in db.session.execute(statement)}


PRODUCT_COLUMNS = (
    "id",
    "code",
    "name",
    "name_en",
    "pinyin",
    "pinyin_fixed",
    "category_id",
    "brand",
    "specification",
    "attributes",
    "base_unit",
    "tax_rate",
    "stocked",
    "list_price",
    "status",
    "version",
)


def with_packs(products: Iterable[Product]) -> list[dict[str, Any]]:
    """Products as mappings with `packs` [{name, factor}] and `barcodes` [{code, pack}]: two statements in all."""
    rows = list(products)
    packs = packs_by_product(row.id for row in rows)
    barcodes = barcodes_by_product(row.id for row in rows)
    return [
        {
            **{name: getattr(row, name) for name in PRODUCT_COLUMNS},
            "packs": [{"name": name, "factor": factor} for name, factor in packs.get(row.id, ())],
            "barcodes": [{"code": code, "pack": pack} for code, pack in barcodes.get(row.id, ())],
        }
        for row in rows
    ]


def barcodes_by_product(ids: Iterable[int]) -> dict[int, list[tuple[str, str]]]:
    """Barcodes (code, pack name or "") of many products."""
    found: dict[int, list[tuple[str, str]]] = {}
    statement = (
        select(Barcode.product_id, Barcode.code, func.coalesce(ProductPack.name, ""))
        .outerjoin(ProductPack, ProductPack.id == Barcode.pack_id)
        .where(Barcode.product_id.in_(sorted(set(ids))))
        .order_by(Barcode.code)
    )
    for product_id, code, pack in db.session.execute(statement):
        found.setdefault(product_id, []).append((code, pack))
    return found
