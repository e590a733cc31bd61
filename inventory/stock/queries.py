"""Reads of the stock ledger: what is available where, and balances as of any two dates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import case, func, or_, select, union_all
from sqlalchemy.orm import aliased

from branches.org.models import Unit, Warehouse
from inventory.stock.models import Location, StockBalance, StockMove, StockValue
from sdm.kernel.db import db
from sdm.kernel.scope import whole_network

NONE = Decimal(0)


@dataclass(frozen=True, slots=True)
class Availability:
    """Quantities of one product in one warehouse; available = on hand − reserved."""

    on_hand: Decimal = NONE
    reserved: Decimal = NONE

    @property
    def available(self) -> Decimal:
        """What may still be promised."""
        return self.on_hand - self.reserved


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A warehouse of the network that could supply a product: a verdict, not its books."""

    product_id: int
    warehouse_id: int
    warehouse_name: str
    unit_name: str
    available: Decimal
    lead_days: int


def availability(warehouse_id: int, product_ids: Collection[int]) -> dict[int, Availability]:
    """Stock of products in one warehouse; products without stock are there with zeros. A verdict: not scoped."""
    with whole_network("availability of a chosen warehouse"):
        rows = db.session.execute(
            select(
                StockBalance.product_id,
                func.sum(StockBalance.on_hand).label("on_hand"),
                func.sum(StockBalance.reserved).label("reserved"),
            )
            .join(Location, Location.id == StockBalance.location_id)
            .where(Location.warehouse_id == warehouse_id, StockBalance.product_id.in_(product_ids))
            .group_by(StockBalance.product_id)
        ).all()
    found = {row.product_id: Availability(row.on_hand, row.reserved) for row in rows}
    return {product_id: found.get(product_id, Availability()) for product_id in product_ids}


def elsewhere(product_ids: Collection[int], not_warehouse_id: int | None, limit: int = 200) -> list[Elsewhere]:
    """Warehouses of the whole network with these products available, most first; ``not_warehouse_id`` left out."""
    available = (StockBalance.on_hand - StockBalance.reserved).label("available")
    statement = (
        select(
            StockBalance.product_id,
            Warehouse.id.label("warehouse_id"),
            Warehouse.name.label("warehouse_name"),
            Unit.name.label("unit_name"),
            available,
            Warehouse.lead_days,
        )
        .join(Location, Location.id == StockBalance.location_id)
        .join(Warehouse, Warehouse.id == Location.warehouse_id)
        .join(Unit, Unit.id == Warehouse.unit_id)
        .where(StockBalance.product_id.in_(product_ids), Warehouse.active, available > 0)
        .order_by(StockBalance.product_id, available.desc(), Warehouse.id)
        .limit(limit)
    )
    if not_warehouse_id is not None:
        statement = statement.where(Warehouse.id != not_warehouse_id)
    with whole_network("warehouses that could supply"):
        return [Elsewhere(**row._mapping) for row in db.session.execute(statement)]


def as_of(
    location_ids: Collection[int],
    on: date,
    posted_before: datetime | None = None,
    product_ids: Collection[int] | None = None,
) -> dict[tuple[int, int], Decimal]:
    """Quantity per (location, product) from moves with business date ≤ ``on``, posted up to ``posted_before``.

    Zero balances are left out. Always gives the same answer for the same two dates.
    """
    halves = []
    for column, sign in ((StockMove.to_id, 1), (StockMove.from_id, -1)):
        half = select(
            column.label("location_id"), StockMove.product_id, (func.sum(StockMove.qty) * sign).label("qty")
        ).where(column.in_(location_ids), StockMove.occurred_on <= on)
        if posted_before is not None:
            half = half.where(StockMove.posted_at <= posted_before)
        if product_ids is not None:
            half = half.where(StockMove.product_id.in_(product_ids))
        halves.append(half.group_by(column, StockMove.product_id))
    both = union_all(*halves).subquery()
    total = func.sum(both.c.qty)
    statement = (
        select(both.c.location_id, both.c.product_id, total)
        .group_by(both.c.location_id, both.c.product_id)
        .having(total != 0)
    )
    return {(row[0], row[1]): row[2] for row in db.session.execute(statement)}


def moves_of(document_kind: str, document_id: int, book: str | None = None) -> Sequence[Any]:
    """The moves of a document with product and places, in the order written (postings tab)."""
    source, target = aliased(Location), aliased(Location)
    statement = (
        select(
            StockMove.id,
            StockMove.book,
            StockMove.product_id,
            StockMove.qty,
            StockMove.reason,
            StockMove.occurred_on,
            StockMove.posted_at,
            StockMove.line_id,
            StockMove.from_id,
            StockMove.to_id,
            source.kind.label("from_kind"),
            target.kind.label("to_kind"),
        )
        .join(source, source.id == StockMove.from_id)
        .join(target, target.id == StockMove.to_id)
        .where(StockMove.document_kind == document_kind, StockMove.document_id == document_id)
        .order_by(StockMove.id)
        .limit(2000)
    )
    if book is not None:
        statement = statement.where(StockMove.book == book)
    with whole_network("postings of a document in scope"):
        return db.session.execute(statement).all()


def carrying(unit_id: int, product_ids: Collection[int]) -> dict[int, tuple[Decimal, Decimal]]:
    """(quantity, carrying value) per product of an owner unit; absent ones are missing."""
    rows = db.session.execute(
        select(StockValue.product_id, StockValue.qty, StockValue.value).where(
            StockValue.unit_id == unit_id, StockValue.product_id.in_(product_ids)
        )
    )
    return {row.product_id: (row.qty, row.value) for row in rows}


@dataclass(frozen=True, slots=True)
class CardRow:
    """One movement of a stock card with the balance after it; ``came`` or ``went`` is zero."""

    id: int
    occurred_on: date
    posted_at: datetime
    reason: str
    document_kind: str
    document_id: int
    other_kind: str
    came: Decimal
    went: Decimal
    balance: Decimal


@dataclass(frozen=True, slots=True)
class Card:
    """A page of a stock card, newest first; ``opening`` is the balance before the oldest row shown."""

    rows: list[CardRow]
    opening: Decimal
    has_next: bool

    @property
    def closing(self) -> Decimal:
        """Balance after the newest row shown."""
        return self.rows[0].balance if self.rows else self.opening


CARD_ROWS = 50


def card(location_id: int | None, product_id: int, page: int = 1, rows: int = CARD_ROWS) -> Card:
    """Movements of a product at one place, newest first, each with the running balance; the place is in scope."""
    if location_id is None:
        return Card([], NONE, False)
    signed = case((StockMove.to_id == location_id, StockMove.qty), else_=-StockMove.qty)
    other = aliased(Location)
    running = func.sum(signed).over(order_by=(StockMove.occurred_on, StockMove.id)).label("balance")
    statement = (
        select(
            StockMove.id,
            StockMove.occurred_on,
            StockMove.posted_at,
            StockMove.reason,
            StockMove.document_kind,
            StockMove.document_id,
            other.kind.label("other_kind"),
            signed.label("change"),
            running,
        )
        .join(other, other.id == case((StockMove.to_id == location_id, StockMove.from_id), else_=StockMove.to_id))
        .where(
            or_(StockMove.from_id == location_id, StockMove.to_id == location_id), StockMove.product_id == product_id
        )
        .order_by(StockMove.occurred_on.desc(), StockMove.id.desc())
        .limit(rows + 1)
        .offset((page - 1) * rows)
    )
    with whole_network("the other side of movements at a place in scope"):
        found = db.session.execute(statement).all()
    shown = [
        CardRow(
            row.id, row.occurred_on, row.posted_at, row.reason, row.document_kind, row.document_id, row.other_kind,
            max(row.change, NONE), max(-row.change, NONE), row.balance,
        )
        for row in found[:rows]
    ]  # fmt: skip
    opening = found[rows - 1].balance - found[rows - 1].change if len(found) >= rows else NONE
    if 0 < len(found) < rows:
        opening = found[-1].balance - found[-1].change
    return Card(shown, opening, len(found) > rows)


def place_of(*, warehouse_id: int | None = None, dealer_id: int | None = None) -> int | None:
    """Location of a warehouse or dealer in the actor's scope; None where nothing was ever there."""
    column, value = (
        (Location.warehouse_id, warehouse_id) if warehouse_id is not None else (Location.dealer_id, dealer_id)
    )
    return db.session.execute(select(Location.id).where(column == value)).scalar_one_or_none()
