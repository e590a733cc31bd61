"""Set-based statements of the stock ledger: one per step whatever the number of lines.

They bypass the session's scope. Callers pass ids of places that belong to documents already locked in scope.
Balances are locked in the order (location, product, lot); the rows read for the decision are the locked ones, and a
statement that finds any shortage changes nothing and answers all of them.
"""

from __future__ import annotations

from inventory.stock.statements.moves import APPLY_MOVES, LOCK_BALANCES, MAKE_BALANCES
from inventory.stock.statements.places import FIND_LOCATIONS, MAKE_LOCATIONS
from inventory.stock.statements.reservations import CONSUME, END_EXPIRED, EXPIRED, RELEASE, RESERVE
from inventory.stock.statements.values import LOCK_VALUES, MAKE_VALUES, WRITE_VALUES

__all__ = [
    "APPLY_MOVES",
    "CONSUME",
    "END_EXPIRED",
    "EXPIRED",
    "FIND_LOCATIONS",
    "LOCK_BALANCES",
    "LOCK_VALUES",
    "MAKE_BALANCES",
    "MAKE_LOCATIONS",
    "MAKE_VALUES",
    "RELEASE",
    "RESERVE",
    "WRITE_VALUES",
]
