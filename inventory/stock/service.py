"""Posting to the stock ledger: moves with their balances, reservations, carrying value.

Plain functions for commands of other packages, which have locked their document in scope before they call. Within one
transaction: business moves first, then financial moves, then values, so that everybody locks in the same order.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from inventory.stock import statements
from inventory.stock.models import BUSINESS, FINANCIAL
from inventory.stock.rules import issue_value, unit_value
from sdm.kernel import locks
from sdm.kernel.db import db
from sdm.kernel.errors import N_, FieldError, InsufficientStock, InvalidInput, describe
from sdm.kernel.money import round_amount
from sdm.kernel.units import is_valid_qty

__all__ = [
    "BUSINESS",
    "FINANCIAL",
    "Move",
    "ReserveLine",
    "ValueMove",
    "lock_balances",
    "post_moves",
    "post_value",
    "release",
    "reserve",
]

describe(
    {
        "stock.qty": N_("%(value)s is not a quantity; use a number greater than zero with at most three decimals"),
        "stock.places": N_("Goods cannot move from a place to itself"),
        "constraint.ck_stock_balance_reserved_within_on_hand": N_("Not enough stock"),
    }
)


@dataclass(frozen=True, slots=True)
class Move:
    """``qty`` > 0 base units from one location to another.

    ``reserve_line_id``: the line whose reservation this move consumes, where it is another than ``line_id``.
    ``corrects_id``: the move this one takes back.
    """

    from_id: int
    to_id: int
    product_id: int
    qty: Decimal
    line_id: int | None = None
    lot_id: int = 0
    reserve_line_id: int | None = None
    corrects_id: int | None = None


@dataclass(frozen=True, slots=True)
class ReserveLine:
    """``qty`` > 0 base units to hold for a line."""

    line_id: int
    product_id: int
    qty: Decimal


@dataclass(frozen=True, slots=True)
class ValueMove:
    """A change of carrying value: ``qty`` signed (positive in), ``value`` like it; None on an issue = moving average.

    ``fallback``: value per unit where an issue goes beyond the stock.
    """

    unit_id: int
    product_id: int
    qty: Decimal
    value: Decimal | None = None
    line_id: int | None = None
    fallback: Decimal | None = None


def post_moves(
    book: str,
    moves: Sequence[Move],
    *,
    reason: str,
    occurred_on: date,
    document_kind: str,
    document_id: int,
    consume_from: str | None = None,
) -> None:
    """Write moves and change their balances: one statement when all balance rows exist, three otherwise.

    ``consume_from`` names the document kind whose reservations the moves use up first. Locks balances in the order
    (location, product, lot). Raises InsufficientStock with all shortages, having changed nothing.
    """
    if not moves:
        return
    _check_moves(moves)
    locks.reach(locks.Rank.BALANCE)
    values = _move_arrays(moves) | _consume(moves, consume_from)
    values |= {
        "book": book,
        "reason": reason,
        "occurred_on": occurred_on,
        "document_kind": document_kind,
        "document_id": document_id,
    }
    faults = db.session.execute(statements.APPLY_MOVES, values).all()
    missing = [row for row in faults if row.missing]
    if missing:
        _make_balances(missing)
        faults = db.session.execute(statements.APPLY_MOVES, values).all()
    if faults:
        raise InsufficientStock("stock.insufficient", shortages=[_shortage(row) for row in faults])


def lock_balances(
    location_ids: Iterable[int],
    product_ids: Iterable[int],
    *,
    warehouse_id: int = 0,
    held_by: tuple[str, int] = ("", 0),
) -> None:
    """Lock balances in the order (location, product, lot), for what changes them in several steps of one transaction.

    Those of the products at the places and in the warehouse, and those of what the document ``held_by`` (kind, id) has
    reserved. Giving back and taking anew without this would lock out of order.
    """
    locks.reach(locks.Rank.BALANCE)
    wanted = {
        "locations": sorted(set(location_ids)),
        "products": sorted(set(product_ids)),
        "warehouse": warehouse_id,
        "kind": held_by[0],
        "id": held_by[1],
    }
    db.session.execute(statements.LOCK_BALANCES, wanted)


def _check_moves(moves: Sequence[Move]) -> None:
    faults = [
        FieldError(f"lines.{index}.qty", "stock.qty", str(move.qty))
        for index, move in enumerate(moves)
        if move.qty <= 0 or not is_valid_qty(move.qty)
    ]
    faults += [
        FieldError(f"lines.{index}", "stock.places") for index, move in enumerate(moves) if move.from_id == move.to_id
    ]
    if faults:
        raise InvalidInput(faults)


def _move_arrays(moves: Sequence[Move]) -> dict[str, Any]:
    return {
        "froms": [move.from_id for move in moves],
        "tos": [move.to_id for move in moves],
        "products": [move.product_id for move in moves],
        "lots": [move.lot_id for move in moves],
        "qtys": [move.qty for move in moves],
        "lines": [move.line_id for move in moves],
        "corrects": [move.corrects_id for move in moves],
    }


def _consume(moves: Sequence[Move], kind: str | None) -> dict[str, list[Any]]:
    """Use up the reservations of the moves' lines; the freed quantities per place as arrays."""
    picked = [(move.reserve_line_id or move.line_id, move) for move in moves if move.reserve_line_id or move.line_id]
    rows: Sequence[Any] = []
    if kind is not None and picked:
        arrays = {
            "kind": kind,
            "lines": [line_id for line_id, _ in picked],
            "locations": [move.from_id for _, move in picked],
            "products": [move.product_id for _, move in picked],
            "lots": [move.lot_id for _, move in picked],
            "qtys": [move.qty for _, move in picked],
        }
        rows = db.session.execute(statements.CONSUME, arrays).all()
    return {
        "freed_locations": [row.location_id for row in rows],
        "freed_products": [row.product_id for row in rows],
        "freed_lots": [row.lot_id for row in rows],
        "freed_qtys": [row.taken for row in rows],
    }


def _make_balances(missing: Sequence[Any]) -> None:
    db.session.execute(
        statements.MAKE_BALANCES,
        {
            "locations": [row.location_id for row in missing],
            "products": [row.product_id for row in missing],
            "lots": [row.lot_id for row in missing],
        },
    )


def _shortage(row: Any) -> dict[str, Any]:
    return {
        "product_id": row.product_id,
        "location_id": row.location_id,
        "wanted": row.wanted,
        "available": max(row.available, Decimal(0)),
    }


def reserve(
    lines: Iterable[ReserveLine],
    *,
    warehouse_id: int,
    unit_id: int,
    document_kind: str,
    document_id: int,
    expires_at: datetime | None = None,
) -> None:
    """Hold stock of a warehouse for lines, all or nothing, in one statement.

    Locks balances in the order of products. Raises InsufficientStock with all shortages (product_id, warehouse_id,
    wanted, available), having changed nothing: the transaction may go on.
    """
    wanted = list(lines)
    if not wanted:
        return
    locks.reach(locks.Rank.BALANCE)
    short = db.session.execute(
        statements.RESERVE,
        {
            "warehouse_id": warehouse_id,
            "unit_id": unit_id,
            "document_kind": document_kind,
            "document_id": document_id,
            "expires_at": expires_at,
            "lines": [line.line_id for line in wanted],
            "products": [line.product_id for line in wanted],
            "qtys": [line.qty for line in wanted],
        },
    ).all()
    if short:
        raise InsufficientStock(
            "stock.insufficient",
            shortages=[
                {
                    "product_id": row.product_id,
                    "warehouse_id": warehouse_id,
                    "wanted": row.wanted,
                    "available": max(row.available, Decimal(0)),
                }
                for row in short
            ],
        )


def release(
    document_kind: str, document_id: int, line_ids: Collection[int] | None = None, state: str = "released"
) -> dict[int, Decimal]:
    """Give back what a document (or some of its lines) still holds; answers product id → freed quantity."""
    locks.reach(locks.Rank.BALANCE)
    rows = db.session.execute(
        statements.RELEASE,
        {
            "kind": document_kind,
            "id": document_id,
            "lines": None if line_ids is None else sorted(line_ids),
            "state": state,
        },
    )
    return {row.product_id: row.qty for row in rows}


def post_value(moves: Sequence[ValueMove], *, occurred_on: date, document_kind: str, document_id: int) -> list[Decimal]:
    """Change carrying values; answers the value of each move, signed like its quantity.

    Locks values in the order (unit, product), after balances. Issues without a value cost the moving average at their
    place in the list; the last unit takes what is left.
    """
    if not moves:
        return []
    locks.reach(locks.Rank.BALANCE)
    stock = _lock_values(moves)
    values = [_apply(stock, move) for move in moves]
    db.session.execute(
        statements.WRITE_VALUES,
        {
            "units": [move.unit_id for move in moves],
            "products": [move.product_id for move in moves],
            "qtys": [move.qty for move in moves],
            "values": values,
            "lines": [move.line_id for move in moves],
            "occurred_on": occurred_on,
            "document_kind": document_kind,
            "document_id": document_id,
        },
    )
    return values


def _lock_values(moves: Sequence[ValueMove]) -> dict[tuple[int, int], tuple[Decimal, Decimal]]:
    keys = {"units": [move.unit_id for move in moves], "products": [move.product_id for move in moves]}
    rows = db.session.execute(statements.LOCK_VALUES, keys).all()
    missing = [row for row in rows if row.missing]
    if missing:
        db.session.execute(
            statements.MAKE_VALUES,
            {"units": [row.unit_id for row in missing], "products": [row.product_id for row in missing]},
        )
        rows = db.session.execute(statements.LOCK_VALUES, keys).all()
    return {(row.unit_id, row.product_id): (row.qty, row.value) for row in rows}


def _apply(stock: dict[tuple[int, int], tuple[Decimal, Decimal]], move: ValueMove) -> Decimal:
    """Value of one move; keeps the running stock of the following ones."""
    key = (move.unit_id, move.product_id)
    qty, value = stock[key]
    if move.value is not None:
        change = move.value
    elif move.qty < 0:
        change = -issue_value(qty, value, -move.qty, move.fallback)
    else:
        change = round_amount(move.qty * unit_value(qty, value, move.fallback))
    stock[key] = (qty + move.qty, value + change)
    return change
