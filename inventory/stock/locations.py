"""Places of the stock ledger: found by what they stand for, made on first use, kept in the process.

Ids are remembered per database engine and only once they are certainly committed: ids made in a transaction that is
undone would otherwise stay behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

from inventory.stock import statements
from inventory.stock.models import BUSINESS, FINANCIAL, OUTSIDE_KINDS
from sdm.kernel import command
from sdm.kernel.db import db

__all__ = [
    "Key",
    "claims",
    "claims_key",
    "dealer",
    "dealers",
    "ensure",
    "find",
    "outside",
    "outside_key",
    "owner",
    "owner_key",
    "owners",
    "sold",
    "sold_key",
    "transit",
    "transit_key",
    "transits",
    "warehouse",
    "warehouses",
]


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What a location stands for; ``ref`` is the id of the unit, warehouse or dealer, 0 for outside kinds."""

    book: str
    kind: str
    ref: int = 0

    @property
    def guarded(self) -> bool:
        """Whether the database refuses to let it fall below what is reserved: our own warehouses."""
        return self.kind == "warehouse"

    @property
    def counted(self) -> bool:
        """Whether balances are kept; not for the outside."""
        return self.kind not in OUTSIDE_KINDS


_known: WeakKeyDictionary[Engine, dict[Key, int]] = WeakKeyDictionary()


def _cache() -> dict[Key, int] | None:
    """Ids known of this engine; None where a session works on a single connection that may be undone as a whole."""
    bind = db.session.get_bind()
    return _known.setdefault(bind, {}) if isinstance(bind, Engine) else None


def find(keys: Iterable[Key]) -> dict[Key, int]:
    """Ids of the locations that exist; absent ones are missing. At most one statement."""
    wanted = sorted(set(keys))
    cache = _cache()
    found = {key: cache[key] for key in wanted if key in cache} if cache is not None else {}
    unknown = [key for key in wanted if key not in found]
    if unknown:
        fresh = _read(unknown)
        found.update(fresh)
        _remember(cache, fresh)
    return found


def ensure(keys: Iterable[Key]) -> dict[Key, int]:
    """Ids of the locations, made where they are absent; safe when several transactions make the same one.

    Raises KeyError for a warehouse, dealer or unit that does not exist.
    """
    wanted = sorted(set(keys))
    found = find(wanted)
    absent = [key for key in wanted if key not in found]
    if not absent:
        return found
    _make(absent)
    fresh = _read(absent)
    _remember(_cache(), fresh)
    missing = [key for key in absent if key not in fresh]
    if missing:
        raise KeyError(missing[0])
    return {**found, **fresh}


def _read(keys: list[Key]) -> dict[Key, int]:
    rows = db.session.execute(statements.FIND_LOCATIONS, _arrays(keys))
    return {Key(row.book, row.kind, row.ref): row.id for row in rows}


def _make(keys: list[Key]) -> None:
    arrays = _arrays(keys)
    arrays["counted"] = [key.counted for key in keys]
    arrays["guarded"] = [key.guarded for key in keys]
    db.session.execute(statements.MAKE_LOCATIONS, arrays)


def _arrays(keys: list[Key]) -> dict[str, list[object]]:
    return {
        "books": [key.book for key in keys],
        "kinds": [key.kind for key in keys],
        "refs": [key.ref for key in keys],
    }


def _remember(cache: dict[Key, int] | None, fresh: dict[Key, int]) -> None:
    if cache is None or not fresh:
        return
    if command.is_running():
        command.after_commit(lambda: cache.update(fresh))
    else:
        cache.update(fresh)


def _one(key: Key) -> int:
    return ensure([key])[key]


def _many(kind: str, book: str, refs: Collection[int]) -> dict[int, int]:
    found = ensure([Key(book, kind, ref) for ref in set(refs)])
    return {key.ref: location_id for key, location_id in found.items()}


def warehouse_key(warehouse_id: int) -> Key:
    """What :func:`warehouse` looks up."""
    return Key(BUSINESS, "warehouse", warehouse_id)


def transit_key(unit_id: int) -> Key:
    """What :func:`transit` looks up."""
    return Key(BUSINESS, "transit", unit_id)


def dealer_key(dealer_id: int) -> Key:
    """What :func:`dealer` looks up."""
    return Key(BUSINESS, "dealer", dealer_id)


def claims_key(unit_id: int) -> Key:
    """What :func:`claims` looks up."""
    return Key(BUSINESS, "claims", unit_id)


def owner_key(unit_id: int) -> Key:
    """What :func:`owner` looks up."""
    return Key(FINANCIAL, "owner", unit_id)


def sold_key(unit_id: int) -> Key:
    """What :func:`sold` looks up."""
    return Key(FINANCIAL, "sold", unit_id)


def outside_key(book: str, kind: str = "outside") -> Key:
    """What :func:`outside` looks up."""
    return Key(book, kind)


def warehouse(warehouse_id: int) -> int:
    """Business location of a warehouse."""
    return _one(warehouse_key(warehouse_id))


def warehouses(ids: Collection[int]) -> dict[int, int]:
    """Business locations of warehouses: warehouse id → location id."""
    return _many("warehouse", BUSINESS, ids)


def transit(unit_id: int) -> int:
    """Goods on the way that this unit owns."""
    return _one(transit_key(unit_id))


def transits(unit_ids: Collection[int]) -> dict[int, int]:
    """Transits of units: unit id → location id."""
    return _many("transit", BUSINESS, unit_ids)


def dealer(dealer_id: int) -> int:
    """Business location of a dealer."""
    return _one(dealer_key(dealer_id))


def dealers(ids: Collection[int]) -> dict[int, int]:
    """Business locations of dealers: dealer id → location id."""
    return _many("dealer", BUSINESS, ids)


def claims(unit_id: int) -> int:
    """Goods of this unit that are short, damaged or lost and not yet decided."""
    return _one(claims_key(unit_id))


def owner(unit_id: int) -> int:
    """The unit's own stock in the financial book."""
    return _one(owner_key(unit_id))


def owners(unit_ids: Collection[int]) -> dict[int, int]:
    """Owner locations of units: unit id → location id."""
    return _many("owner", FINANCIAL, unit_ids)


def sold(unit_id: int) -> int:
    """What the unit sold, in the financial book."""
    return _one(sold_key(unit_id))


def outside(book: str, kind: str = "outside") -> int:
    """A place without balances: supplier, production, consumer, adjustment, scrap, take_on; financial: outside."""
    return _one(outside_key(book, kind))
