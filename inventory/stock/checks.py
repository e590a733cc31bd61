"""What doctor asks of the stock ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from inventory.stock.statements import proof
from sdm.kernel.checks import Check
from sdm.kernel.db import db

__all__ = ["CHECKS", "offenders"]


def offenders(statement: Any) -> Callable[[], list[str]]:
    """A check's function: every row of the statement as ``column=value`` words."""

    def ask() -> list[str]:
        rows = db.session.execute(statement)
        return [" ".join(f"{key}={value}" for key, value in row._mapping.items()) for row in rows]

    return ask


CHECKS = (
    Check("Every stock balance is the sum of its moves", "stock.balances", offenders(proof.WRONG_BALANCES)),
    Check("Both stock books are zero per product", "stock.books", offenders(proof.BOOKS_NOT_ZERO)),
    Check("Moves stay within their book", "stock.places", offenders(proof.FOREIGN_PLACES)),
    Check("Reserved stock is what is held for documents", "stock.reserved", offenders(proof.WRONG_RESERVED)),
    Check("No warehouse is oversold", "stock.oversold", offenders(proof.OVERSOLD)),
    Check("Every carrying value is the sum of its moves", "stock.values", offenders(proof.WRONG_VALUES)),
    Check("What carries value is what owners own", "stock.value_qty", offenders(proof.WRONG_VALUE_QTY)),
)
