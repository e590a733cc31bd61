"""A list shows, counts, sums, exports and acts on nothing outside the actor's scope."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from branches.org.models import Person, Unit
from sdm.kernel import actor
from sdm.kernel import listing_query as query
from sdm.kernel.db import db
from sdm.kernel.errors import Forbidden
from sdm.kernel.listing import Column, ListSpec
from sdm.kernel.scope import Scope

PEOPLE = ListSpec(
    name="people",
    title="People",
    select=lambda: select(Person).join(Unit, Unit.id == Person.unit_id),
    id=Person.id,
    default_sort="code",
    columns=(
        Column("code", "Code", Person.code, "code"),
        Column("unit", "Unit", Unit.name, filter="picker", picker="unit", filter_expr=Person.unit_id),
        Column("sum", "Sum", Person.id, "integer", total=True),
    ),
)


@pytest.fixture
def two_units(session: Any, app: Flask) -> Iterator[tuple[list[int], list[int]]]:
    with actor.use_actor(actor.system_actor("test")):
        units = [Unit(code=f"L{n}", name=f"L{n}", kind="branch", path=[]) for n in (1, 2)]
        db.session.add_all(units)
        db.session.flush()
        people = [Person(code=f"LP{n}", name=f"LP{n}", unit_id=unit.id) for n, unit in enumerate(units)]
        db.session.add_all(people)
        db.session.flush()
        ids = [unit.id for unit in units], [person.id for person in people]
        db.session.expunge_all()
    with app.test_request_context("/"):
        yield ids


def as_person(*units: int) -> Any:
    return actor.use_actor(actor.Actor(1, "Li", frozenset(), Scope(units=frozenset(units))))


def test_rows_count_totals_and_ids_are_those_of_the_scope(two_units: tuple[list[int], list[int]]) -> None:
    (mine, other), (my_person, foreign) = two_units

    with as_person(mine):
        state = query.parse(PEOPLE, MultiDict())
        assert [row.id for row in query.rows(state)] == [my_person]
        assert query.count(state) == 1
        assert query.totals(state) == {"sum": my_person}
        assert query.ids(state, 10) == [my_person]
        assert query.ids_among(state, [str(my_person), str(foreign)]) == [my_person]
        picked = query.parse(PEOPLE, MultiDict({"unit": str(other)}))
        query.name_picked(picked)
        assert query.count(picked) == 0
        assert picked.filters["unit"].shown != "L2"


def test_without_an_actor_a_list_of_scoped_rows_is_refused(two_units: tuple[list[int], list[int]]) -> None:
    state = query.parse(PEOPLE, MultiDict())

    with pytest.raises(Forbidden):
        query.rows(state)
