"""Scope: every ORM statement is filtered, without an actor nothing is visible, foreign writes are refused."""

import pytest
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import aliased

from branches.org.models import Person, Unit
from sdm.kernel import actor, command
from sdm.kernel.db import db
from sdm.kernel.errors import Forbidden
from sdm.kernel.scope import EVERYTHING, Scope, posting_scope, whole_network


def as_person(*units):
    return actor.use_actor(
        actor.Actor(user_id=1, name="Li", permissions=frozenset(), scope=Scope(units=frozenset(units)))
    )


@pytest.fixture
def two_units(session):
    """Two units with one person each."""
    with actor.use_actor(actor.system_actor("test")):
        units = [Unit(code=f"T{n}", name=f"T{n}", kind="branch", path=[]) for n in (1, 2)]
        db.session.add_all(units)
        db.session.flush()
        people = [Person(code=f"P{n}", name=f"P{n}", unit_id=unit.id) for n, unit in enumerate(units)]
        db.session.add_all(people)
        db.session.flush()
        ids = [u.id for u in units], [p.id for p in people]
        db.session.expunge_all()
    return ids


def test_every_kind_of_read_is_filtered(two_units):
    (mine, _other), (my_person, foreign) = two_units
    one = aliased(Person)
    with as_person(mine):
        run = db.session.execute
        assert list(run(select(Person.id)).scalars()) == [my_person]
        assert [row.id for row in run(select(Person)).scalars()] == [my_person]
        assert run(select(func.count(Person.id))).scalar_one() == 1
        assert list(run(select(one.id)).scalars()) == [my_person]
        assert run(select(Unit.id).where(exists().where(Person.unit_id == Unit.id))).scalars().all() == [mine]
        assert run(select(select(func.count(Person.id)).scalar_subquery())).scalar_one() == 1
        assert db.session.get(Person, foreign) is None
        assert run(select(Person.id).union(select(Person.id))).scalars().all() == [my_person]
        cte = select(Person.id).cte()
        assert run(select(cte.c.id)).scalars().all() == [my_person]


def test_a_joined_alias_is_filtered_as_itself_also_beside_its_own_table(two_units):
    (mine, other), (my_person, foreign) = two_units
    one = aliased(Person)
    units = select(Unit.id, one.id).outerjoin(one, one.unit_id == Unit.id).order_by(Unit.id)
    pairs = select(Person.id, one.id).outerjoin(one, one.id != Person.id)

    with as_person(mine):
        assert [tuple(row) for row in db.session.execute(units)] == [(mine, my_person), (other, None)]
        assert [tuple(row) for row in db.session.execute(pairs)] == [(my_person, None)]
    with as_person(other):
        assert [tuple(row) for row in db.session.execute(units)] == [(mine, None), (other, foreign)]
        assert [tuple(row) for row in db.session.execute(pairs)] == [(foreign, None)]


def test_bulk_changes_reach_own_rows_only(two_units):
    (mine, _other), _people = two_units
    with as_person(mine):
        assert db.session.execute(update(Person).values(job_title="x")).rowcount == 1
        assert db.session.execute(delete(Person)).rowcount == 1


def test_without_an_actor_nothing_is_visible(two_units):
    with actor.use_actor(None):
        with pytest.raises(Forbidden):
            db.session.execute(select(Person.id))
        assert db.session.execute(select(select(func.count(Person.id)).scalar_subquery())).scalar_one() == 0


def test_a_foreign_write_is_refused(two_units):
    (mine, other), _people = two_units
    with as_person(mine):
        db.session.add(Person(code="X", name="X", unit_id=other))
        with pytest.raises(Forbidden):
            db.session.flush()
        db.session.rollback()


def test_posting_scope_reaches_other_books(two_units):
    (mine, other), _people = two_units

    @command.command(None)
    def post():
        with posting_scope():
            db.session.add(Person(code="X2", name="X", unit_id=other))
            db.session.flush()

    with as_person(mine):
        post()


def test_a_verdict_may_span_the_network(two_units):
    (mine, _other), _people = two_units
    with as_person(mine):
        with whole_network("test"):
            assert db.session.execute(select(func.count(Person.id))).scalar_one() == 2
        assert db.session.execute(select(func.count(Person.id))).scalar_one() == 1


def test_two_scopes_one_after_the_other(two_units):
    (mine, other), (my_person, foreign) = two_units
    with as_person(mine):
        assert db.session.execute(select(Person.id)).scalars().all() == [my_person]
    with as_person(other):
        assert db.session.execute(select(Person.id)).scalars().all() == [foreign]
    with as_person(mine, other):
        assert len(db.session.execute(select(Person.id)).scalars().all()) == 2
    with actor.use_actor(actor.Actor(user_id=1, name="All", permissions=frozenset(), scope=EVERYTHING)):
        assert len(db.session.execute(select(Person.id)).scalars().all()) == 2
