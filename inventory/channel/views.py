"""Pages of dealers' stock: what each holds, and the stock card of a dealer and product."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request
from flask_babel import lazy_gettext as _l
from sqlalchemy import Select, select
from werkzeug.wrappers import Response as AnyResponse

from branches.catalogue.models import Product
from branches.org.models import Dealer, Unit
from inventory.channel import queries
from inventory.channel.models import StockBucket
from inventory.stock import pages
from inventory.stock.queries import Card
from sdm.kernel.frame import NavItem, nav, register_states, url_or_none
from sdm.kernel.listing import Column, ListSpec, Preset, render_list
from sdm.kernel.permissions import Permission
from sdm.kernel.web import page, view

blueprint = Blueprint("channel", __name__, url_prefix="/channel", template_folder="templates")
PAGES_MAX = 10_000
OWNERSHIPS = {"bought": _l("Bought"), "consigned": _l("Consignment stock")}
register_states("bucket_ownership", {code: (label, "neutral") for code, label in OWNERSHIPS.items()})
nav.register(
    NavItem("stock", _l("Channel inventory"), "channel.index", Permission.CHANNEL_READ, "building-store", order=70)
)


def _select() -> Select[Any]:
    return (
        select(StockBucket)
        .join(Dealer, Dealer.id == StockBucket.dealer_id)
        .join(Product, Product.id == StockBucket.product_id)
        .join(Unit, Unit.id == StockBucket.unit_id)
        .where(StockBucket.remaining_qty > 0)
    )


def _card_url(row: Any) -> str | None:
    return url_or_none("channel.card", dealer_id=row.dealer_id, product_id=row.product_id)


LIST = ListSpec(
    name="channel_buckets",
    title=_l("Channel inventory"),
    note=_l("What dealers hold, by price bucket: delivery, ownership and protected price; used first in, first out."),
    select=_select,
    id=StockBucket.id,
    default_sort="dealer",
    search=(Dealer.name, Dealer.pinyin, Product.code, Product.name),
    extra={"dealer_id": StockBucket.dealer_id, "product_id": StockBucket.product_id},
    columns=(
        Column(
            "dealer", _l("Dealer"), Dealer.name, filter="picker", picker="dealer", filter_expr=StockBucket.dealer_id
        ),
        Column("unit", _l("Branch"), Unit.name, filter="picker", picker="unit", filter_expr=StockBucket.unit_id),
        Column("code", _l("Code"), Product.code, "code", filter="text"),
        Column(
            "product",
            _l("Product"),
            Product.name,
            filter="picker",
            picker="product",
            filter_expr=StockBucket.product_id,
            link=_card_url,
        ),
        Column("ownership", _l("Ownership"), StockBucket.ownership, filter="choice", choices=tuple(OWNERSHIPS.items())),
        Column("received_on", _l("Received on"), StockBucket.received_on, "date", filter="date-range"),
        Column("qty", _l("Received"), StockBucket.qty, "quantity", total=True),
        Column("remaining", _l("Left"), StockBucket.remaining_qty, "quantity", filter="number-range", total=True),
        Column("price", _l("Protected price"), StockBucket.protected_price, "price", filter="number-range"),
        Column("value", _l("Value"), StockBucket.remaining_qty * StockBucket.protected_price, "amount", total=True),
    ),
    presets=(Preset(_l("Consignment stock"), "ownership=consigned"),),
    empty=_l("Dealers hold goods once they have signed for a delivery."),
)


@blueprint.get("/")
@view(Permission.CHANNEL_READ)
def index() -> AnyResponse | str:
    """What dealers in scope hold, by bucket."""
    return render_list(LIST)


@blueprint.get("/card")
@view(Permission.CHANNEL_READ)
def card() -> str:
    """Stock card of a dealer and product; a form asks for both where they are missing."""
    dealer_id, product_id = request.args.get("dealer_id", type=int), request.args.get("product_id", type=int)
    number = min(max(request.args.get("page", 1, type=int), 1), PAGES_MAX)
    if not dealer_id or not product_id:
        return page("channel/card.html", dealer=None, product=None, card=None)
    dealer, product = queries.dealer(dealer_id), queries.product(product_id)
    shown = queries.stock_card(dealer_id, product_id, number)
    return page(
        "channel/card.html",
        dealer=dealer,
        product=product,
        card=shown,
        rows=card_rows(shown),
        buckets=queries.buckets(dealer_id, product_id),
        number=number,
    )


def card_rows(shown: Card) -> list[dict[str, Any]]:
    """Rows of a stock card with the number and address of each document."""
    known = pages.numbers_of((row.document_kind, row.document_id) for row in shown.rows)
    rows = []
    for row in shown.rows:
        told = known.get((row.document_kind, row.document_id), {})
        rows.append(
            {
                "day": row.occurred_on,
                "document": told.get("number", ""),
                "url": told.get("url"),
                "reason": pages.word(pages.REASONS, row.reason),
                "other": pages.word(pages.PLACES, row.other_kind),
                "came": row.came or None,
                "went": row.went or None,
                "balance": row.balance,
            }
        )
    return rows
