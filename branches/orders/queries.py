"""Reads of orders, quotations and returns, for commands and pages."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from branches.catalogue import queries as catalogue
from branches.catalogue.models import Product
from branches.orders import rules, statements
from branches.orders.models import OrderHold, QuotationLine, SalesOrder, SalesOrderLine, SalesReturnLine
from branches.org import parameters
from sdm.kernel import documents
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound

NONE = Decimal(0)


def sells_for_head_office(unit_id: int) -> bool:
    """Whether a unit sells goods of the head office only (parameter ``goods.owner``)."""
    return bool(parameters.value("goods.owner", unit_id) == "head_office")


def product_ids(codes: Iterable[str]) -> dict[str, int]:
    """Product ids of codes or barcodes as entered; unknown and ambiguous ones are missing."""
    found = catalogue.resolve(codes)
    return {text: hit.product.product_id for text, hit in found.items() if hit.product is not None}


def pack_factors(ids: Collection[int]) -> dict[tuple[int, str], Decimal]:
    """(product, pack) → base units in one pack."""
    packs = catalogue.packs_by_product(ids)
    return {(product_id, name): factor for product_id, found in packs.items() for name, factor in found}


def order(order_id: int) -> SalesOrder:
    """An order in scope, or NotFound."""
    found: SalesOrder = documents.get(SalesOrder, order_id)
    return found


def lines_of(order_id: int) -> list[SalesOrderLine]:
    """Lines of an order that was read in scope, freshly, by number."""
    statement = (
        select(SalesOrderLine)
        .where(SalesOrderLine.order_id == order_id)
        .order_by(SalesOrderLine.line_no)
        .execution_options(populate_existing=True)
    )
    return list(db.session.execute(statement).scalars())


def lines_of_orders(order_ids: Collection[int]) -> dict[int, list[SalesOrderLine]]:
    """Lines of several orders that were read in scope."""
    statement = (
        select(SalesOrderLine)
        .where(SalesOrderLine.order_id.in_(order_ids))
        .order_by(SalesOrderLine.order_id, SalesOrderLine.line_no)
        .execution_options(populate_existing=True)
    )
    found: dict[int, list[SalesOrderLine]] = {order_id: [] for order_id in order_ids}
    for line in db.session.execute(statement).scalars():
        found[line.order_id].append(line)
    return found


def products(ids: Collection[int]) -> dict[int, Any]:
    """code, name, base unit and stocked of products by id."""
    statement = select(Product.id, Product.code, Product.name, Product.base_unit, Product.stocked)
    rows = db.session.execute(statement.where(Product.id.in_(sorted(set(ids)))))
    return {row.id: row for row in rows}


def open_holds(order_id: int) -> list[OrderHold]:
    """Open holds of an order that was read in scope."""
    statement = (
        select(OrderHold)
        .where(OrderHold.order_id == order_id, OrderHold.state == "open")
        .order_by(OrderHold.id)
        .execution_options(populate_existing=True)
    )
    return list(db.session.execute(statement).scalars())


def holds_of(order_id: int) -> list[OrderHold]:
    """All holds of an order that was read in scope, oldest first."""
    statement = select(OrderHold).where(OrderHold.order_id == order_id).order_by(OrderHold.id)
    return list(db.session.execute(statement).scalars())


def releases_of(holds: Sequence[OrderHold]) -> list[rules.Release]:
    """What was released on an order, valid or not."""
    return [
        rules.Release(hold.kind, hold.released_amount, hold.released_until)
        for hold in holds
        if hold.state == "released" and hold.released_amount is not None and hold.released_until is not None
    ]


def hold(hold_id: int) -> OrderHold:
    """A hold whose order the caller reads in scope; NotFound."""
    row = db.session.get(OrderHold, hold_id, populate_existing=True)
    if row is None:
        raise NotFound("not_found", kind="order_hold", id=hold_id)
    return row


def picked(order_id: int) -> dict[int, Decimal]:
    """Order line → quantity on picked, not yet sent shipments."""
    rows = db.session.execute(statements.PICKED, {"order_id": order_id})
    return {row.order_line_id: row.qty for row in rows}


def picked_number(order_id: int) -> str:
    """Number of a picked shipment of the order; empty without one."""
    return str(db.session.execute(statements.PICKED_NUMBER, {"order_id": order_id}).scalar() or "")


def quotation_lines(quotation_id: int) -> list[QuotationLine]:
    """Lines of a quotation that was read in scope."""
    statement = select(QuotationLine).where(QuotationLine.quotation_id == quotation_id).order_by(QuotationLine.line_no)
    return list(db.session.execute(statement).scalars())


def return_lines(return_id: int) -> list[SalesReturnLine]:
    """Lines of a return that was read in scope."""
    statement = (
        select(SalesReturnLine)
        .where(SalesReturnLine.return_id == return_id)
        .order_by(SalesReturnLine.line_no)
        .execution_options(populate_existing=True)
    )
    return list(db.session.execute(statement).scalars())
