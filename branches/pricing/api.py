"""API of prices."""

from __future__ import annotations

from datetime import date
from typing import Any

from marshmallow import fields
from sqlalchemy import select

from branches.org import dealers_queries
from branches.pricing import queries, rules, service
from branches.pricing.models import ListPrice, PriceList, SupplyPrice
from branches.pricing.schemas import (
    EndSchema,
    EnteredOut,
    EntriesIn,
    ListIn,
    ListOut,
    PricedOut,
    PriceOut,
    QuoteIn,
    SupplyEntriesIn,
    SupplyOut,
)
from sdm.kernel import api, clock
from sdm.kernel.actor import current
from sdm.kernel.permissions import Permission

blueprint = api.blueprint("pricing", __name__)
INTERNAL = ("supply_price", "margin", "margin_rate", "note")


class PriceQuery(api.PageQuery):
    """Filters of prices: one product, those that hold on a day."""

    product_id = fields.Integer(load_default=None)
    on = fields.Date(load_default=None)


@api.route(
    blueprint, "/price-lists", permission=Permission.PRICE_READ, query=api.PageQuery, response=ListOut, paged=True,
    summary="List price lists",
)  # fmt: skip
def list_lists(query: dict[str, Any]) -> api.Page:
    """Lists in scope by id."""
    return api.page(select(PriceList), query["cursor"], query["limit"])


@api.route(
    blueprint, "/price-lists", methods=["POST"], permission=Permission.PRICE_EDIT, request=ListIn, response=ListOut,
    creates=True, location="get_list", summary="Create a price list",
)  # fmt: skip
def create_list(body: dict[str, Any]) -> PriceList:
    """For everyone, a grade, a unit or one dealer."""
    return queries.price_list(service.create_list(body))


@api.route(
    blueprint, "/price-lists/<int:id>", permission=Permission.PRICE_READ, response=ListOut, summary="Read a price list"
)
def get_list(id: int) -> PriceList:
    """One price list."""
    return queries.price_list(id)


@api.route(
    blueprint, "/price-lists/<int:id>", methods=["PATCH"], permission=Permission.PRICE_EDIT,
    request=ListIn(partial=True), response=ListOut, if_match=True, summary="Change a price list",
)  # fmt: skip
def change_list(id: int, body: dict[str, Any], version: int | None) -> PriceList:
    """The target is fixed once the list has prices."""
    service.change_list(id, version, body)
    return queries.price_list(id)


@api.route(
    blueprint, "/price-lists/<int:id>/prices", permission=Permission.PRICE_READ, query=PriceQuery, response=PriceOut,
    paged=True, summary="Prices of a list",
)  # fmt: skip
def list_prices(id: int, query: dict[str, Any]) -> api.Page:
    """By id; `on` keeps those that hold on a day."""
    queries.price_list(id)
    return _prices(select(ListPrice).where(ListPrice.list_id == id), ListPrice, query)


def _prices(statement: Any, model: Any, query: dict[str, Any]) -> api.Page:
    if query["product_id"] is not None:
        statement = statement.where(model.product_id == query["product_id"])
    if query["on"] is not None:
        statement = statement.where(model.valid.contains(query["on"]))
    return api.page(statement, query["cursor"], query["limit"])


@api.route(
    blueprint, "/price-lists/<int:id>/prices", methods=["POST"], permission=Permission.PRICE_EDIT, request=EntriesIn,
    response=EnteredOut, creates=True, summary="Enter prices",
)  # fmt: skip
def enter_prices(id: int, body: dict[str, Any]) -> service.Entered:
    """All or none; each closes the price that holds at its first day. 422 names every faulty entry."""
    return service.enter_prices(id, [service.PriceEntry(**entry) for entry in body["entries"]])


@api.route(
    blueprint, "/prices/<int:id>/end", methods=["POST"], permission=Permission.PRICE_EDIT, request=EndSchema,
    summary="Let a price end after a day",
)  # fmt: skip
def end_price(id: int, body: dict[str, date]) -> None:
    """Today or later."""
    service.end_price(id, body["last_day"])


@api.route(
    blueprint, "/supply-prices", permission=Permission.SUPPLY_PRICE_READ, query=PriceQuery, response=SupplyOut,
    paged=True, summary="Supply prices by period",
)  # fmt: skip
def list_supply(query: dict[str, Any]) -> api.Page:
    """By id; `on` keeps those that hold on a day."""
    return _prices(select(SupplyPrice), SupplyPrice, query)


@api.route(
    blueprint, "/supply-prices", methods=["POST"], permission=Permission.SUPPLY_PRICE_EDIT, request=SupplyEntriesIn,
    response=EnteredOut, creates=True, summary="Enter supply prices",
)  # fmt: skip
def enter_supply(body: dict[str, Any]) -> service.Entered:
    """All or none; each closes the one that holds at its first day."""
    return service.enter_supply_prices([service.SupplyEntry(**entry) for entry in body["entries"]])


@api.route(
    blueprint, "/prices/quote", methods=["POST"], permission=Permission.PRICE_READ, request=QuoteIn,
    response=PricedOut, summary="What a dealer pays, and why",
)  # fmt: skip
def quote(body: dict[str, Any]) -> list[dict[str, Any]]:
    """One answer per line, in their order; nothing is saved."""
    dealer = dealers_queries.dealer(body["dealer_id"])
    lines = [rules.WantedLine(**line) for line in body["lines"]]
    basis = queries.price_basis(dealer.id, (line.product_id for line in lines), body["on"] or clock.today())
    return [_shown(line) for line in rules.price_lines(basis, lines)]


def _shown(line: rules.PricedLine) -> dict[str, Any]:
    """The line without what only readers of supply prices may know."""
    hidden = () if current().can(Permission.SUPPLY_PRICE_READ) else INTERNAL
    story = {key: value for key, value in line.explanation.items() if key not in hidden}
    names = (name for name in PricedOut().fields if name != "explanation")
    return {**{name: getattr(line, name) for name in names}, "explanation": story}
