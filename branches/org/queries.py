"""Named reads of the organisation. The small unit tree is read whole and kept until the access version changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from threading import Lock
from typing import Any, TypeVar

from flask import g, has_request_context
from sqlalchemy import or_, select

from branches.org import statements
from branches.org.models import Deputy, LegalEntity, Option, OptionList, Person, Unit, Warehouse
from sdm.kernel import clock
from sdm.kernel.db import db
from sdm.kernel.errors import NotFound

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class UnitNode:
    """A unit as the tree knows it; ``path`` holds the ids from the head office to the unit itself."""

    id: int
    code: str
    name: str
    name_en: str
    kind: str
    parent_id: int | None
    path: tuple[int, ...]
    legal_entity_id: int | None
    manager_id: int | None
    deputy_id: int | None
    active: bool


@dataclass(frozen=True, slots=True)
class Tree:
    """All units by id, and for each the ids of itself and everything below."""

    units: dict[int, UnitNode]
    below: dict[int, frozenset[int]] = field(repr=False)


# --- the access version and what is kept under it ---------------------------------------------------------------------

_kept: dict[str, tuple[int, Any]] = {}
_lock = Lock()
_G = "sdm_access_version"


def access_version() -> int:
    """Version of units, roles, users and parameters as this request (or, outside, this moment) sees it; 0: none yet."""
    if has_request_context() and _G in g:
        return int(g.get(_G))
    version = int(db.session.execute(statements.READ_VERSION).scalar() or 0)
    note_access_version(version)
    return version


def note_access_version(version: int) -> None:
    """Tell the version a request has read with another query, so that it is not read again."""
    if has_request_context():
        setattr(g, _G, version)


def kept(name: str, load: Any) -> Any:
    """What ``load()`` gives, kept per process while the access version stays the same."""
    version = access_version()
    if not version:
        return load()
    found = _kept.get(name)
    if found is None or found[0] != version:
        found = (version, load())
        with _lock:
            _kept[name] = found
    return found[1]


# --- units ------------------------------------------------------------------------------------------------------------


def tree() -> Tree:
    """The whole unit tree."""
    return kept("tree", _load_tree)  # type: ignore[no-any-return]


def _load_tree() -> Tree:
    unit = Unit.__table__.c
    columns = [unit[name] for name in UnitNode.__dataclass_fields__]
    units = {}
    for row in db.session.execute(select(*columns).order_by(unit.id)).mappings():
        units[row["id"]] = UnitNode(**{**row, "path": tuple(row["path"])})
    below: dict[int, set[int]] = {unit_id: set() for unit_id in units}
    for node in units.values():
        for above in node.path:
            below.setdefault(above, set()).add(node.id)
    return Tree(units, {unit_id: frozenset(ids) for unit_id, ids in below.items()})


def unit(unit_id: int) -> UnitNode:
    """A unit; NotFound when there is none."""
    node = tree().units.get(unit_id)
    if node is None:
        raise NotFound("not_found", kind="unit", id=unit_id)
    return node


def unit_by_code(code: str) -> UnitNode | None:
    """A unit by its code."""
    return next((node for node in tree().units.values() if node.code == code), None)


def units(ids: Iterable[int]) -> list[UnitNode]:
    """The known units among ids, parents before children."""
    known = tree().units
    return sorted((known[i] for i in set(ids) if i in known), key=_tree_order)


def _tree_order(node: UnitNode) -> tuple[str, ...]:
    known = tree().units
    return tuple(known[i].code if i in known else "" for i in node.path)


def subtree_ids(unit_id: int) -> frozenset[int]:
    """Ids of the unit and all below; empty for an unknown unit."""
    return tree().below.get(unit_id, frozenset())


def chain_up(unit_id: int) -> list[UnitNode]:
    """The unit first, then each above, the head office last; empty for an unknown unit."""
    known = tree().units
    node = known.get(unit_id)
    return [known[i] for i in reversed(node.path) if i in known] if node else []


def head_office() -> UnitNode:
    """The root; NotFound before the company is set up."""
    for node in tree().units.values():
        if node.kind == "head_office":
            return node
    raise NotFound("not_found", kind="unit", id="head_office")


def level_unit(unit_id: int, level: str) -> UnitNode | None:
    """The unit of that level (office, branch, region, head_office) equal to or above this one; None without one."""
    return next((node for node in chain_up(unit_id) if node.kind == level), None)


def legal_entity_id_of(unit_id: int) -> int:
    """Id of the company that invoices for the unit: its own or that of the nearest unit above. NotFound without one."""
    for node in chain_up(unit_id):
        if node.legal_entity_id is not None:
            return node.legal_entity_id
    raise NotFound("not_found", kind="legal_entity", id=f"unit {unit_id}")


def legal_entity_of(unit_id: int) -> LegalEntity:
    """The company that invoices for the unit. NotFound without one."""
    entity = db.session.get(LegalEntity, legal_entity_id_of(unit_id))
    assert entity is not None
    return entity


# --- people -----------------------------------------------------------------------------------------------------------


def person_names(ids: Collection[int | None]) -> dict[int, str]:
    """Names of people by id, whatever their unit: a name beside a figure is not a record."""
    wanted = {i for i in ids if i is not None}
    if not wanted:
        return {}
    person = Person.__table__.c
    return {row.id: row.name for row in db.session.execute(select(person.id, person.name).where(person.id.in_(wanted)))}


def deputies_of(person_id: int, on: date | None = None) -> list[int]:
    """Ids of the people who stand in for a person on a day (default today)."""
    day = on or clock.today()
    statement = select(Deputy.deputy_id).where(
        Deputy.person_id == person_id, Deputy.valid_from <= day, Deputy.valid_to >= day
    )
    return list(db.session.execute(statement.order_by(Deputy.deputy_id)).scalars())


def stands_in_for(person_id: int, on: date | None = None) -> list[int]:
    """Ids of the people whom a person represents on a day (default today)."""
    day = on or clock.today()
    statement = select(Deputy.person_id).where(
        Deputy.deputy_id == person_id, Deputy.valid_from <= day, Deputy.valid_to >= day
    )
    return list(db.session.execute(statement.order_by(Deputy.person_id)).scalars())


def pick_people(q: str, limit: int = 10) -> list[Person]:
    """People in scope whose code, name, initials or phone contains the text."""
    like = f"%{_escaped(q)}%"
    found = or_(Person.code.ilike(like), Person.name.ilike(like), Person.pinyin.ilike(like), Person.phone.ilike(like))
    statement = select(Person).where(Person.active, found).order_by(Person.name, Person.id).limit(limit)
    return list(db.session.execute(statement).scalars())


def pick_warehouses(q: str, limit: int = 10) -> list[Warehouse]:
    """Warehouses in scope whose code, name or initials contain the text."""
    like = f"%{_escaped(q)}%"
    found = or_(
        Warehouse.code.ilike(like),
        Warehouse.name.ilike(like),
        Warehouse.name_en.ilike(like),
        Warehouse.pinyin.ilike(like),
    )
    statement = select(Warehouse).where(Warehouse.active, found).order_by(Warehouse.code).limit(limit)
    return list(db.session.execute(statement).scalars())


def pick_units(q: str, limit: int = 10) -> list[Unit]:
    """Active units whose code, name or initials contain the text; the caller narrows to a scope."""
    like = f"%{_escaped(q)}%"
    found = or_(Unit.code.ilike(like), Unit.name.ilike(like), Unit.name_en.ilike(like), Unit.pinyin.ilike(like))
    statement = select(Unit).where(Unit.active, found).order_by(Unit.code).limit(limit)
    return list(db.session.execute(statement).scalars())


def _escaped(q: str) -> str:
    return q.strip()[:100].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# --- option lists -----------------------------------------------------------------------------------------------------


def options(list_code: str, active_only: bool = True) -> list[Option]:
    """Choices of an option list in their order."""
    statement = select(Option).where(Option.list_code == list_code).order_by(Option.position, Option.code)
    return list(db.session.execute(statement.where(Option.active) if active_only else statement).scalars())


def option_lists() -> list[OptionList]:
    """All option lists."""
    return list(db.session.execute(select(OptionList).order_by(OptionList.code)).scalars())
