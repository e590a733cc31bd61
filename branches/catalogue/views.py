"""Pages of products and their tree."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.catalogue import queries, rules, service
from branches.catalogue.models import Product, ProductCategory
from branches.catalogue.schemas import CandidateOut, CategorySchema, ProductForm, ResolveIn
from sdm.kernel import audit
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.forms import submitted
from sdm.kernel.frame import may
from sdm.kernel.i18n import _, _l, current_locale
from sdm.kernel.listing import BulkAction, Button, Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.picks import Hit, picker
from sdm.kernel.schema import load
from sdm.kernel.web import NavItem, flash, json_reply, nav, page, register_states, see_other, url_or_none, view

blueprint = Blueprint("catalogue", __name__, url_prefix="/products", template_folder="templates")

register_states("product", {"active": (_l("On sale"), "good"), "ended": (_l("No longer sold"), "neutral")})
nav.register(
    NavItem("master", _l("Products"), "catalogue.index", Permission.PRODUCT_READ, icon="package", order=10),
    NavItem("master", _l("Product tree"), "catalogue.tree", Permission.PRODUCT_READ, icon="hierarchy", order=11),
)
ACTIONS = {
    "created": _l("Created"),
    "changed": _l("Changed"),
    "ended": _l("Sale ended"),
    "active": _l("Sold again"),
}

# --- what other packages show on a product's page ---------------------------------------------------------------------

_tabs: dict[str, tuple[int, str, Any, str, str | None]] = {}


def register_tab(key: str, label: Any, endpoint: str, permission: str | None = None, order: int = 100) -> None:
    """Add a tab to the product's page; the endpoint takes the product as `id` and answers a part of a page."""
    _tabs[key] = (order, key, label, endpoint, permission)


def _shown_tabs(product_id: int) -> list[tuple[str, Any, str]]:
    found = []
    for _order, key, label, endpoint, permission in sorted(_tabs.values(), key=lambda tab: tab[:2]):
        url = url_or_none(endpoint, id=product_id)
        if url and may(permission):
            found.append((key, label, url))
    return found


# --- list -------------------------------------------------------------------------------------------------------------


def _select() -> Select[Any]:
    statement = select(Product).join(ProductCategory, ProductCategory.id == Product.category_id)
    below = request.args.get("below", "")
    if below.isdecimal() and len(below) < 18:
        statement = statement.where(ProductCategory.path.contains([int(below)]))
    return statement


LIST = ListSpec(
    name="products",
    title=_l("Products"),
    select=_select,
    id=Product.id,
    default_sort="code",
    row_endpoint="catalogue.show",
    search=(Product.search,),
    card_title="name",
    columns=(
        Column("code", _l("Code"), Product.code, "code", filter="text"),
        Column("name", _l("Name"), Product.name, filter="text"),
        Column("specification", _l("Specification"), Product.specification, filter="text"),
        Column("brand", _l("Brand"), Product.brand, filter="text"),
        Column(
            "category", _l("Category"), ProductCategory.name, filter="picker", picker="category",
            filter_expr=Product.category_id,
        ),
        Column("base_unit", _l("Unit"), Product.base_unit),
        Column("tax_rate", _l("VAT rate"), Product.tax_rate, "percent"),
        Column("list_price", _l("Suggested price"), Product.list_price, "price", filter="number-range"),
        Column("status", _l("State"), Product.status, "state", states="product", filter="choice"),
        Column("stocked", _l("Kept in stock"), Product.stocked, "bool", filter="bool", visible=False),
        Column("name_en", _l("English name"), Product.name_en, visible=False),
        Column("taken_on", _l("Taken on"), Product.taken_on, "bool", filter="bool", visible=False),
    ),
    presets=(Preset(_l("On sale"), "status=active"), Preset(_l("No longer sold"), "status=ended")),
    buttons=(Button(_l("New product"), "catalogue.new", Permission.PRODUCT_EDIT),),
    actions=(
        BulkAction(
            "end",
            _l("End the sale"),
            lambda product_id: service.set_product_status(int(product_id), "ended"),
            Permission.PRODUCT_EDIT,
            confirm=_l("%(count)s products can no longer be ordered; their stock and documents stay"),
            tone="bad",
            icon="x",
        ),
    ),
    empty=_l("Enter the first product or import the list."),
    empty_button=Button(_l("New product"), "catalogue.new", Permission.PRODUCT_EDIT),
)  # fmt: skip


@blueprint.route("/", methods=["GET", "POST"])
@view(Permission.PRODUCT_READ)
def index() -> AnyResponse | str:
    """All products."""
    return render_list(LIST)


@picker("product", Permission.PRODUCT_READ)
def pick_products(wanted: str, limit: int) -> list[Hit]:
    """Products on sale by code, barcode, name or initials."""
    return [
        Hit(row.id, _shown(row), row.code, row.specification, {"base_unit": row.base_unit})
        for row in queries.pick(wanted, limit)
    ]


@picker("category", Permission.PRODUCT_READ)
def pick_categories(wanted: str, limit: int) -> list[Hit]:
    """Categories by code or name."""
    return [Hit(row.id, _shown(row), row.code) for row in queries.pick_categories(wanted, limit)]


def _shown(row: Any) -> str:
    return str((current_locale() == "en" and row.name_en) or row.name)


@blueprint.post("/resolve")
@view(Permission.PRODUCT_READ)
def resolve() -> Response:
    """What pasted or scanned texts mean: `{"codes": […]}` → `{"items": {text: {matched, product, candidates}}}`."""
    codes = load(ResolveIn(), request.get_json(silent=True) or {})["codes"]
    shape = CandidateOut()
    items = {
        text: {
            "matched": found.matched,
            "product": shape.dump(found.product) if found.product else None,
            "candidates": shape.dump(found.candidates, many=True),
        }
        for text, found in queries.resolve(codes).items()
    }
    return json_reply({"items": items})


# --- one product ------------------------------------------------------------------------------------------------------


@blueprint.get("/<int:id>")
@view(Permission.PRODUCT_READ)
def show(id: int) -> str:
    """One product."""
    shown = queries.product_page(id)
    return page(
        "catalogue/show.html",
        shown=shown,
        product=shown.product,
        steps=_steps(shown.product),
        tabs=_shown_tabs(id),
        history=[
            {"at": at, "who": who, "text": ACTIONS.get(action, action), "note": ", ".join(changes)}
            for at, who, action, changes in reversed(audit.history("product", id))
        ],
    )


def _steps(product: Product) -> list[dict[str, Any]]:
    if not may(Permission.PRODUCT_EDIT):
        return []
    ending = product.status == "active"
    told = _("%(name)s can no longer be ordered; its stock and documents stay", name=product.name)
    return [
        {
            "label": _("End the sale") if ending else _("Sell again"),
            "url": url_or_none("catalogue.status", id=product.id, status="ended" if ending else "active"),
            "fields": {"version": product.version},
            "icon": "x" if ending else "refresh",
            "confirm": told if ending else "",
        },
        {
            "label": _("Change"),
            "url": url_or_none("catalogue.edit", id=product.id),
            "method": "get",
            "icon": "edit",
            "primary": True,
        },
    ]


def _version() -> int | None:
    text = request.form.get("version", "")
    return int(text) if text.isdecimal() and len(text) < 10 else None


@blueprint.post("/<int:id>/<any(active,ended):status>")
@view(Permission.PRODUCT_EDIT)
def status(id: int, status: str) -> AnyResponse:
    """End the sale or take it up again."""
    service.set_product_status(id, status, _version())
    flash(_("Saved"))
    return see_other("catalogue.show", id=id)


@blueprint.route("/new", methods=["GET", "POST"])
@view(Permission.PRODUCT_EDIT)
def new() -> Any:
    """A new product."""

    def create(values: dict[str, Any], packs: Any, barcodes: Any) -> int:
        return service.create_product(values, packs, barcodes)

    return _product_form(None, create)


@blueprint.route("/<int:id>/edit", methods=["GET", "POST"])
@view(Permission.PRODUCT_EDIT)
def edit(id: int) -> Any:
    """Change a product."""

    def change(values: dict[str, Any], packs: Any, barcodes: Any) -> int:
        service.change_product(id, _version(), values, packs, barcodes)
        return id

    return _product_form(queries.product_page(id), change)


def _product_form(shown: queries.ProductPage | None, save: Callable[[dict[str, Any], Any, Any], int]) -> Any:
    context = {
        "shown": shown,
        "product": shown.product if shown else None,
        "texts": _texts(shown),
    }
    if request.method == "GET":
        return page("catalogue/form.html", **context)

    def submit(**values: Any) -> AnyResponse:
        packs, faults = rules.split_packs(values.pop("packs"))
        barcodes = rules.split_barcodes(values.pop("barcodes"))
        values["attributes"], wrong = rules.split_attributes(values["attributes"])
        values["tax_rate"] = _percent(values["tax_rate"], faults)
        if faults or wrong:
            raise InvalidInput([*faults, *wrong])
        product_id = save(values, packs, barcodes)
        flash(_("Saved"))
        return see_other("catalogue.show", id=product_id)

    return submitted(ProductForm(), submit, "catalogue/form.html", **context)


def _percent(text: str, faults: list[FieldError]) -> Decimal:
    """A typed percentage as a rate; a fault when it is none."""
    try:
        rate = Decimal(text.replace("%", "").replace("％", "").strip()) / 100
        if rate.is_finite() and 0 <= rate < 1 and rate == rate.quantize(Decimal("0.000001")):
            return rate
        faults.append(FieldError("tax_rate", "input.range", text[:40], {"low": 0, "high": 99}))
    except InvalidOperation:
        faults.append(FieldError("tax_rate", "input.number", text[:40]))
    return Decimal(0)


def _texts(shown: queries.ProductPage | None) -> dict[str, str]:
    if shown is None:
        return {"packs": "", "barcodes": "", "attributes": "", "tax_rate": "13", "category": ""}
    base = shown.product.base_unit
    barcodes = [(code, "" if pack == base else pack) for code, pack in shown.barcodes]
    return {
        "packs": rules.join_packs(shown.packs),
        "barcodes": rules.join_barcodes(barcodes),
        "attributes": rules.join_attributes(shown.product.attributes),
        "tax_rate": f"{(shown.product.tax_rate * 100).normalize():f}",
        "category": shown.category_path[-1][1] if shown.category_path else "",
    }


# --- the tree ---------------------------------------------------------------------------------------------------------


@blueprint.get("/tree")
@view(Permission.PRODUCT_READ)
def tree() -> str:
    """The product tree; each class leads to its products (BA-16)."""
    return page("catalogue/tree.html", nodes=queries.category_tree())


@blueprint.route("/tree/new", methods=["GET", "POST"])
@view(Permission.PRODUCT_EDIT)
def new_category() -> Any:
    """A new category."""
    return _category_form(None)


@blueprint.route("/tree/<int:id>", methods=["GET", "POST"])
@view(Permission.PRODUCT_EDIT)
def category(id: int) -> Any:
    """Change or move a category."""
    return _category_form(queries.category(id))


def _category_form(row: ProductCategory | None) -> Any:
    parent_id = row.parent_id if row else request.args.get("parent_id", type=int)
    parent = queries.category(parent_id) if parent_id else None
    context = {"category": row, "parent": parent}
    if request.method == "GET":
        return page("catalogue/category.html", **context)

    def save(**values: Any) -> AnyResponse:
        if row is None:
            service.create_category(values)
        else:
            service.change_category(row.id, values)
        flash(_("Saved"))
        return see_other("catalogue.tree")

    return submitted(CategorySchema(), save, "catalogue/category.html", **context)


@blueprint.post("/tree/<int:id>/remove")
@view(Permission.PRODUCT_EDIT)
def remove_category(id: int) -> AnyResponse:
    """Remove an empty category."""
    service.remove_category(id)
    flash(_("Category removed"))
    return see_other("catalogue.tree")
