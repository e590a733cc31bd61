"""Units, people, warehouses and companies for tests. Everything is made through the ORM, in one flush each."""

from __future__ import annotations

from itertools import count
from typing import Any

from branches.org import queries
from branches.org.models import LegalEntity, Person, Unit, Warehouse
from branches.org.statements import TOUCH
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.command import is_running
from sdm.kernel.db import db

_serial = count(1)


def serial() -> int:
    """A number no other row of this run has."""
    return next(_serial)


def keep() -> None:
    """Flush and, outside a command, commit, so that a command that fails later does not take the rows with it."""
    db.session.flush()
    if not is_running():
        db.session.commit()


def save(row: Any) -> Any:
    """Add and commit a row as the system (tests of ``session`` roll it back)."""
    from sdm.kernel.command import command

    @command(None)
    def add() -> None:
        db.session.add(row)

    with use_actor(system_actor("factory")):
        add()
    return row


def touch() -> None:
    """Let every cache of units and rights be read anew."""
    from sdm.kernel.command import command

    @command(None)
    def run() -> None:
        queries.note_access_version(int(db.session.execute(TOUCH).scalar_one()))

    with use_actor(system_actor("factory")):
        run()


def legal_entity(**values: Any) -> LegalEntity:
    """A company that invoices."""
    n = serial()
    return save(LegalEntity(**{"code": f"LE{n}", "name": f"Company {n}", "tax_no": f"9131{n:014d}", **values}))


def unit(kind: str = "branch", parent: Unit | None = None, **values: Any) -> Unit:
    """A unit below a parent; without one a region or branch goes below a new or the present head office."""
    if parent is None and kind != "head_office":
        parent = branch() if kind == "office" else head_office()
    n = serial()
    row = Unit(
        **{"code": f"U{n}", "name": f"{kind} {n}", "kind": kind, "parent_id": parent.id if parent else None, **values}
    )
    save(row)
    row.path = [*(parent.path if parent else []), row.id]
    save(row)
    touch()
    return row


def head_office(**values: Any) -> Unit:
    """The head office, made with its company when there is none."""
    found = db.session.query(Unit).filter_by(kind="head_office").one_or_none()
    if found is not None:
        return found
    values.setdefault("legal_entity_id", legal_entity().id)
    return unit("head_office", **values)


def region(parent: Unit | None = None, **values: Any) -> Unit:
    """A region."""
    return unit("region", parent, **values)


def branch(parent: Unit | None = None, **values: Any) -> Unit:
    """A branch."""
    return unit("branch", parent, **values)


def office(parent: Unit | None = None, **values: Any) -> Unit:
    """An office below a branch."""
    return unit("office", parent, **values)


def person(unit: Unit | None = None, **values: Any) -> Person:
    """Somebody who works in a unit."""
    n = serial()
    unit = unit or branch()
    return save(Person(**{"code": f"P{n}", "name": f"Person {n}", "unit_id": unit.id, **values}))


def warehouse(unit: Unit | None = None, **values: Any) -> Warehouse:
    """A warehouse of a unit."""
    n = serial()
    unit = unit or branch()
    return save(Warehouse(**{"code": f"W{n}", "name": f"Warehouse {n}", "unit_id": unit.id, **values}))
