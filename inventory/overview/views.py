"""Pages that read across inventory: stock by warehouse, at every level, stock card, moves, bridge, goods placed."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Blueprint, request
from flask_babel import lazy_gettext as _l
from sqlalchemy import Numeric, Select, String, case, cast, func, or_, select
from sqlalchemy.orm import aliased
from werkzeug.wrappers import Response as AnyResponse

from branches.catalogue.models import Product
from branches.org.models import Dealer, Unit, Warehouse
from inventory.channel import queries as channel
from inventory.channel.views import card_rows
from inventory.overview import queries, rules
from inventory.shipments.queries import in_transit_by_warehouse
from inventory.stock import pages
from inventory.stock import queries as stock
from inventory.stock.models import Location, StockBalance, StockMove, StockValue
from sdm.kernel import clock, documents
from sdm.kernel.actor import current
from sdm.kernel.errors import FieldError, InvalidInput
from sdm.kernel.frame import NavItem, nav, url_or_none
from sdm.kernel.i18n import _
from sdm.kernel.listing import Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import page, view

blueprint = Blueprint("stock", __name__, url_prefix="/stock", template_folder="templates")
PAGES_MAX = 10_000
LEVELS = {
    "central": _l("Central"),
    "region": _l("Region"),
    "branch": _l("Branch"),
    "office": _l("Office"),
    "transit": _l("In transit"),
    "claims": _l("Claims"),
    "dealer": _l("Dealers"),
}
PARTS = {
    "warehouse": _l("In warehouses"),
    "transit": _l("In transit"),
    "claims": _l("Claims"),
    "delivered": _l("Delivered, not invoiced"),
    "consigned": _l("Consignment stock"),
    "ahead": _l("Invoiced, not yet signed for"),
    "returned": _l("Returned, not credited"),
}
# Further columns of the list of goods placed, given by packages above (money that is still owed).
PLACED_COLUMNS: list[Column] = []

nav.register(
    NavItem("stock", _l("Stock"), "stock.index", Permission.STOCK_READ, "building-warehouse", order=50),
    NavItem("stock", _l("Stock at every level"), "stock.levels", Permission.STOCK_READ, "hierarchy", order=55),
    NavItem("stock", _l("Stock moves"), "stock.moves", Permission.STOCK_READ, "arrows-exchange", order=60),
    NavItem("stock", _l("Stock value"), "stock.values", Permission.SUPPLY_PRICE_READ, "coins", order=65),
    NavItem("stock", _l("Goods placed"), "stock.placed", Permission.CHANNEL_READ, "map-pin", order=75),
    NavItem("stock", _l("Business and financial stock"), "stock.bridge", Permission.STOCK_READ, "git-merge", order=80),
)

# --- stock by warehouse -----------------------------------------------------------------------------------------------


def _card_url(row: Any) -> str | None:
    return url_or_none("stock.card", warehouse_id=row.warehouse_id, product_id=row.product_id)


def _stock_columns(in_transit: Any) -> tuple[Column, ...]:
    available = StockBalance.on_hand - StockBalance.reserved
    return (
        Column(
            "warehouse",
            _l("Warehouse"),
            Warehouse.name,
            filter="picker",
            picker="warehouse",
            filter_expr=Warehouse.id,
        ),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id),
        Column("code", _l("Code"), Product.code, "code", filter="text"),
        Column(
            "product",
            _l("Product"),
            Product.name,
            filter="picker",
            picker="product",
            filter_expr=Product.id,
            link=_card_url,
        ),
        Column("base_unit", _l("Unit"), Product.base_unit, visible=False),
        Column("on_hand", _l("On hand"), StockBalance.on_hand, "quantity", filter="number-range", total=True),
        Column("reserved", _l("Reserved"), StockBalance.reserved, "quantity", filter="number-range", total=True),
        Column("available", _l("Available"), available, "quantity", filter="number-range", total=True),
        Column("in_transit", _l("In transit"), in_transit, "quantity", total=True),
    )


def _stock_spec() -> ListSpec:
    transit = in_transit_by_warehouse()

    def statement() -> Select[Any]:
        return (
            select(StockBalance)
            .join(Location, Location.id == StockBalance.location_id)
            .join(Warehouse, Warehouse.id == Location.warehouse_id)
            .join(Unit, Unit.id == Location.unit_id)
            .join(Product, Product.id == StockBalance.product_id)
            .outerjoin(
                transit,
                (transit.c.warehouse_id == Warehouse.id) & (transit.c.product_id == StockBalance.product_id),
            )
        )

    return ListSpec(
        name="stock",
        title=_l("Stock"),
        note=_l("available = on hand − reserved; in transit: left the warehouse and not yet signed for"),
        select=statement,
        id=cast(StockBalance.location_id, String) + "-" + cast(StockBalance.product_id, String),
        default_sort="warehouse",
        search=(Product.code, Product.name, Product.pinyin, Warehouse.name),
        card_title="product",
        extra={"warehouse_id": Warehouse.id, "product_id": Product.id},
        columns=_stock_columns(func.coalesce(transit.c.qty, 0)),
        presets=(Preset(_l("Nothing available"), "available.to=0"), Preset(_l("Reserved"), "reserved.from=0.001")),
        empty=_l("Goods receipts bring stock into warehouses."),
    )


@blueprint.get("/")
@view(Permission.STOCK_READ)
def index() -> AnyResponse | str:
    """Stock of every warehouse and product in scope (IL-02)."""
    return render_list(_stock_spec())


# --- stock at every level ---------------------------------------------------------------------------------------------


def _levels_spec() -> ListSpec:
    totals = queries.level_totals()
    figures = tuple(
        Column(name, label, totals.c[name], "quantity", total=True, visible=name != "region")
        for name, label in LEVELS.items()
    )
    return ListSpec(
        name="stock_levels",
        title=_l("Stock at every level"),
        note=_l("What is here or below your unit, from the central warehouse to the dealers; the levels add up"),
        select=lambda: select(Product).join(totals, totals.c.product_id == Product.id),
        id=Product.id,
        default_sort="code",
        row_endpoint="stock.product",
        search=(Product.code, Product.name, Product.pinyin),
        columns=(
            Column("code", _l("Code"), Product.code, "code", filter="text"),
            Column("product", _l("Product"), Product.name, filter="picker", picker="product", filter_expr=Product.id),
            *figures,
            Column("total", _l("Total"), totals.c.total, "quantity", filter="number-range", total=True),
        ),
        empty=_l("There is no stock yet."),
    )


@blueprint.get("/levels")
@view(Permission.STOCK_READ)
def levels() -> AnyResponse | str:
    """All products by level (IL-01)."""
    return render_list(_levels_spec())


@blueprint.get("/products/<int:id>")
@view(Permission.STOCK_READ)
def product(id: int) -> str:
    """One product at every level, adding up to the total of the actor's scope."""
    shown = channel.product(id)
    rows = queries.levels(id)
    by_level = {name: sum((row.on_hand for row in rows if row.level == name), queries.NONE) for name in LEVELS}
    return page(
        "stock/product.html",
        product=shown,
        rows=[_level_row(row, id) for row in rows],
        levels=[(name, label, by_level[name]) for name, label in LEVELS.items() if by_level[name]],
        total=sum(by_level.values(), queries.NONE),
        reserved=sum((row.reserved for row in rows), queries.NONE),
        now=clock.now(),
    )


def _level_row(row: queries.LevelRow, product_id: int) -> dict[str, Any]:
    if row.warehouse_id is not None:
        url = url_or_none("stock.card", warehouse_id=row.warehouse_id, product_id=product_id)
    elif row.level == "dealer":
        url = url_or_none("channel.index", unit=row.unit_id, product=product_id)
    elif row.level == "transit":
        url = url_or_none("shipments.in_transit", unit=row.unit_id)
    else:
        url = None
    place = row.place or pages.word(LEVELS, row.level)
    if row.level == "dealer":
        place = _("%(count)s dealers", count=row.holders)
    warehouse = row.warehouse_id is not None
    return {
        "level": pages.word(LEVELS, row.level),
        "unit": row.unit,
        "place": place,
        "url": url,
        "on_hand": row.on_hand,
        "reserved": row.reserved if warehouse else None,
        "available": row.available if warehouse else None,
    }


# --- stock card and moves ---------------------------------------------------------------------------------------------


@blueprint.get("/card")
@view(Permission.STOCK_READ)
def card() -> str:
    """Stock card of a warehouse and product; a form asks for both where they are missing."""
    warehouse_id, product_id = request.args.get("warehouse_id", type=int), request.args.get("product_id", type=int)
    number = min(max(request.args.get("page", 1, type=int), 1), PAGES_MAX)
    if not warehouse_id or not product_id:
        return page("stock/card.html", warehouse=None, product=None, card=None)
    place = queries.warehouse(warehouse_id)
    shown = stock.card(stock.place_of(warehouse_id=place.id), product_id, number)
    return page(
        "stock/card.html",
        warehouse=place,
        product=channel.product(product_id),
        card=shown,
        rows=card_rows(shown),
        now=stock.availability(place.id, [product_id])[product_id],
        number=number,
    )


def _moves_spec() -> ListSpec:
    source, target = aliased(Location), aliased(Location)
    places = tuple(pages.PLACES.items())

    def statement() -> Select[Any]:
        return (
            select(StockMove)
            .join(Product, Product.id == StockMove.product_id)
            .outerjoin(source, source.id == StockMove.from_id)
            .outerjoin(target, target.id == StockMove.to_id)
            .where(or_(source.unit_id.is_not(None), target.unit_id.is_not(None)))
        )

    return ListSpec(
        name="stock_moves",
        title=_l("Stock moves"),
        select=statement,
        id=StockMove.id,
        default_sort="-entry",
        search=(Product.code, Product.name),
        extra={"document_id": StockMove.document_id, "document_code": StockMove.document_kind},
        columns=(
            Column("entry", _l("Move number"), StockMove.id, "code"),
            Column("occurred_on", _l("Business date"), StockMove.occurred_on, "date", filter="date-range"),
            Column("posted_at", _l("Posted at"), StockMove.posted_at, "datetime", filter="date-range"),
            Column("book", _l("Book"), StockMove.book, filter="choice", choices=tuple(pages.BOOKS.items())),
            Column("reason", _l("Reason"), StockMove.reason, filter="choice", choices=tuple(pages.REASONS.items())),
            Column("code", _l("Code"), Product.code, "code", filter="text"),
            Column("product", _l("Product"), Product.name, filter="picker", picker="product", filter_expr=Product.id),
            Column("from", _l("From"), _place_name(source), filter="choice", filter_expr=source.kind, choices=places),
            Column("to", _l("To"), _place_name(target), filter="choice", filter_expr=target.kind, choices=places),
            Column("qty", _l("Quantity"), StockMove.qty, "quantity", filter="number-range"),
            Column(
                "document",
                _l("Document"),
                StockMove.document_kind,
                choices=_kind_words,
                filter="choice",
                link=_move_url,
            ),
        ),
        presets=(Preset(_l("Business"), "book=b"), Preset(_l("Financial"), "book=f")),
        empty=_l("Nothing moved yet."),
    )


def _place_name(place: Any) -> Any:
    """Name of a warehouse, dealer or unit the actor may see; the kind of place elsewhere."""
    warehouse = select(Warehouse.name).where(Warehouse.id == place.warehouse_id).scalar_subquery()
    dealer = select(Dealer.name).where(Dealer.id == place.dealer_id).scalar_subquery()
    unit = select(Unit.name).where(Unit.id == place.unit_id).scalar_subquery()
    words = case({code: str(word) for code, word in pages.PLACES.items()}, value=place.kind, else_=place.kind)
    return func.coalesce(warehouse, dealer, unit + " · " + words, words)


def _kind_words() -> list[tuple[str, Any]]:
    return [(kind.code, kind.label) for kind in documents.kinds()]


def _move_url(row: Any) -> str | None:
    known = {kind.code: kind for kind in documents.kinds()}
    kind = known.get(row.document_code)
    return url_or_none(kind.endpoint, id=row.document_id) if kind else None


@blueprint.get("/moves")
@view(Permission.STOCK_READ)
def moves() -> AnyResponse | str:
    """Every movement from or to a place in scope, both books."""
    return render_list(_moves_spec())


# --- goods placed -----------------------------------------------------------------------------------------------------


def _placed_spec() -> ListSpec:
    placed, unbilled = queries.placed(), queries.unbilled()

    def statement() -> Select[Any]:
        return (
            select(Dealer)
            .join(Unit, Unit.id == Dealer.unit_id)
            .outerjoin(placed, placed.c.dealer_id == Dealer.id)
            .outerjoin(unbilled, unbilled.c.dealer_id == Dealer.id)
            .where(or_(placed.c.qty > 0, unbilled.c.qty > 0))
        )

    def held_url(row: Any) -> str | None:
        return url_or_none("channel.index", dealer=row.id)

    none = cast(0, Numeric(18, 2))
    return ListSpec(
        name="goods_placed",
        title=_l("Goods placed"),
        note=_l(
            "Goods with dealers at the price they got them; unpaid is what is not invoiced yet, and what is invoiced and open"
        ),
        select=statement,
        id=Dealer.id,
        default_sort="-value",
        row_endpoint="dealers.show",
        search=(Dealer.name, Dealer.pinyin),
        columns=(
            Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id),
            Column("dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=Dealer.id),
            Column("qty", _l("Quantity held"), func.coalesce(placed.c.qty, 0), "quantity", total=True, link=held_url),
            Column("value", _l("Value held"), func.coalesce(placed.c.value, none), "amount", total=True),
            Column("consigned", _l("Of it consigned"), func.coalesce(placed.c.consigned, none), "amount", total=True),
            Column("open_qty", _l("Not invoiced, quantity"), func.coalesce(unbilled.c.qty, 0), "quantity", total=True),
            Column("open", _l("Not invoiced"), func.coalesce(unbilled.c.amount, none), "amount", total=True),
            *PLACED_COLUMNS,
        ),
        empty=_l("No dealer holds goods."),
    )


@blueprint.get("/placed")
@view(Permission.CHANNEL_READ)
def placed() -> AnyResponse | str:
    """Goods placed with dealers, per branch and dealer (IL-13)."""
    return render_list(_placed_spec())


# --- carrying value ---------------------------------------------------------------------------------------------------


def _values_spec() -> ListSpec:
    def statement() -> Select[Any]:
        return (
            select(StockValue)
            .join(Unit, Unit.id == StockValue.unit_id)
            .join(Product, Product.id == StockValue.product_id)
            .where(queries.value_in_scope(), or_(StockValue.qty != 0, StockValue.value != 0))
        )

    average = StockValue.value / func.nullif(StockValue.qty, 0)
    return ListSpec(
        name="stock_values",
        title=_l("Stock value"),
        note=_l("What the units own, at carrying value without VAT: warehouses, on the way and delivered unbilled"),
        select=statement,
        id=cast(StockValue.unit_id, String) + "-" + cast(StockValue.product_id, String),
        default_sort="-value",
        search=(Product.code, Product.name, Product.pinyin, Unit.name),
        card_title="product",
        extra={"unit_id": StockValue.unit_id, "product_id": StockValue.product_id},
        columns=(
            Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=Unit.id),
            Column("code", _l("Code"), Product.code, "code", filter="text"),
            Column(
                "product",
                _l("Product"),
                Product.name,
                filter="picker",
                picker="product",
                filter_expr=Product.id,
                link=lambda row: url_or_none("stock.bridge", unit_id=row.unit_id, product_id=row.product_id),
            ),
            Column("qty", _l("Quantity"), StockValue.qty, "quantity", filter="number-range", total=True),
            Column("average", _l("Average value"), average, "price", sortable=False),
            Column("value", _l("Carrying value"), StockValue.value, "amount", filter="number-range", total=True),
        ),
        empty=_l("There is no stock yet."),
    )


@blueprint.get("/values")
@view(Permission.SUPPLY_PRICE_READ)
def values() -> AnyResponse | str:
    """Carrying value by unit and product."""
    return render_list(_values_spec())


# --- the bridge -------------------------------------------------------------------------------------------------------


@blueprint.get("/bridge")
@view(Permission.STOCK_READ)
def bridge() -> str:
    """Financial stock of a unit explained by places and documents (IL-04)."""
    units = queries.units_in_scope()
    chosen = request.args.get("unit_id", type=int) or _own_unit([unit.id for unit in units])
    product_id = request.args.get("product_id", type=int) or None
    on = _day(request.args.get("on", ""))
    shown = queries.bridge(chosen, on, product_id) if chosen else None
    return page(
        "stock/bridge.html",
        unit_choices=[(unit.id, unit.name) for unit in units],
        chosen=chosen,
        product=channel.product(product_id) if product_id else None,
        on=on,
        shown=shown,
        parts=_parts(shown, product_id) if shown else [],
        rows=[_bridge_row(product, found, chosen, on) for product, found in shown.products] if shown else [],
        documents=_behind(shown) if shown and request.args.get("product_id") else [],
        columns=PARTS,
    )


def _own_unit(unit_ids: list[int]) -> int | None:
    own = current().unit_id
    return own if own in unit_ids else unit_ids[0] if unit_ids else None


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text) if text else clock.today()
    except ValueError:
        raise InvalidInput([FieldError("on", "input.date", text[:40])]) from None


def _parts(shown: queries.BridgePage, product_id: int | None) -> list[dict[str, Any]]:
    """The lines of the bridge with the list behind each figure."""
    unit = shown.unit.id
    product = {"product": product_id} if product_id else {}
    urls = {
        "warehouse": url_or_none("stock.index", unit=unit, **product),
        "transit": url_or_none("shipments.in_transit", unit=unit),
        "claims": url_or_none("stock.moves", to="claims", **product),
        "delivered": url_or_none("invoices.to_bill", unit=unit),
        "consigned": url_or_none("channel.index", unit=unit, ownership="consigned", **product),
    }
    return [
        {"label": label, "qty": shown.total.parts[name], "url": urls.get(name)}
        for name, label in PARTS.items()
        if shown.total.parts[name] or name == "warehouse"
    ]


def _bridge_row(product: Product, found: rules.Bridge, unit_id: int | None, on: date) -> dict[str, Any]:
    url = url_or_none("stock.bridge", unit_id=unit_id, product_id=product.id, on=on.isoformat())
    return {
        "code": product.code,
        "name": product.name,
        "url": url,
        "owner": found.owner,
        "difference": found.difference,
        **found.parts,
    }


def _behind(shown: queries.BridgePage, limit: int = 500) -> list[dict[str, Any]]:
    """The documents behind the causes of one product."""
    known = pages.numbers_of((row.kind, row.document_id) for row in shown.documents[:limit])
    rows = []
    for row in shown.documents[:limit]:
        told = known.get((row.kind, row.document_id), {})
        cause = pages.word(PARTS, row.cause)
        rows.append({"cause": cause, "number": told.get("number", ""), "url": told.get("url"), "qty": row.qty})
    return rows
