"""Commands: one transaction, joined when nested, retried from the input, replayed by key."""

import uuid

import pytest
from sqlalchemy import func, select

from sdm.kernel import actor, audit, command, drafts, idempotency, locks, outbox
from sdm.kernel.db import db
from sdm.kernel.drafts import Draft
from sdm.kernel.errors import Forbidden, InvalidInput
from sdm.kernel.scope import EVERYTHING

PERSON = actor.Actor(user_id=7, name="Li", permissions=frozenset({"a:b"}), scope=EVERYTHING)


@pytest.fixture
def acting(session):
    """A person acts."""
    with actor.use_actor(PERSON):
        yield session
    idempotency.clear()


def draft():
    db.session.add(Draft(uuid=uuid.uuid4(), user_id=7, kind="x", content={}))
    db.session.flush()


def drafts_now():
    return db.session.execute(select(func.count()).select_from(Draft)).scalar_one()


def test_a_failing_command_leaves_nothing(acting):
    @command.command(None)
    def fails():
        draft()
        raise ValueError

    with pytest.raises(ValueError):
        fails()

    assert drafts_now() == 0


def test_a_nested_command_joins_and_goes_down_with_the_outer_one(acting):
    @command.command(None)
    def inner():
        draft()

    @command.command(None)
    def outer():
        inner()
        raise ValueError

    with pytest.raises(ValueError):
        outer()

    assert drafts_now() == 0


def test_a_permission_is_needed_by_the_outermost(acting):
    @command.command("c:d")
    def guarded():
        draft()

    with pytest.raises(Forbidden):
        guarded()


def test_changes_are_not_committed_outside_a_command(acting):
    db.session.add(Draft(uuid=uuid.uuid4(), user_id=7, kind="x", content={}))

    with pytest.raises(RuntimeError, match="only a command commits"):
        db.session.commit()
    db.session.rollback()


def test_a_deadlock_is_retried_from_the_input(acting, monkeypatch):
    calls = []

    class Deadlock(Exception):
        """Stands for the driver's error."""

    monkeypatch.setattr(command, "DBAPIError", Deadlock)
    monkeypatch.setattr(command, "sqlstate", lambda _error: "40P01")

    @command.command(None)
    def unlucky(value):
        calls.append(value)
        draft()
        if len(calls) < 3:
            raise Deadlock
        return value

    assert unlucky(5) == 5
    assert calls == [5, 5, 5]
    assert drafts_now() == 1


def test_the_same_key_answers_again_without_working_again(acting):
    @command.command(None)
    def make():
        draft()
        return idempotency.DocumentRef("x", 3, "X3", "open", 1, uuid.UUID(int=1))

    idempotency.begin("key-00001", "POST /x", {"a": 1})
    first = make()
    idempotency.begin("key-00001", "POST /x", {"a": 1})
    second = make()

    assert first == second
    assert drafts_now() == 1


def test_the_same_key_with_other_content_is_refused(acting):
    make = command.command(None)(draft)
    idempotency.begin("key-00002", "POST /x", {"a": 1})
    make()
    idempotency.begin("key-00002", "POST /x", {"a": 2})

    with pytest.raises(InvalidInput, match="idempotency.mismatch"):
        make()


def test_a_failed_command_keeps_no_key(acting):
    @command.command(None)
    def sometimes(fails):
        if fails:
            raise ValueError
        draft()

    idempotency.begin("key-00003", "POST /x", {})
    with pytest.raises(ValueError):
        sometimes(True)
    sometimes(False)

    assert drafts_now() == 1


def test_locks_are_taken_in_one_order_only(acting):
    @command.command(None)
    def wrong():
        locks.reach(locks.Rank.BALANCE)
        locks.reach(locks.Rank.CREDIT)

    with pytest.raises(RuntimeError, match="lock order: CREDIT after BALANCE"):
        wrong()


def test_locks_need_a_command(acting):
    with pytest.raises(RuntimeError, match="inside a command"):
        locks.reach(locks.Rank.DOCUMENT)


def test_facts_go_to_their_readers_once(acting):
    heard = []
    outbox.register(outbox.Reader("test-reader", frozenset({"thing.made"}), heard.append))

    @command.command(None)
    def make():
        outbox.record("thing.made", "thing", 4, None, colour="red")
        outbox.record("thing.ignored", "thing", 5, None)

    make()
    assert outbox.run_readers() == 1
    assert outbox.run_readers() == 0
    assert [(event.name, event.document_id, event.payload) for event in heard] == [("thing.made", 4, {"colour": "red"})]
    outbox._readers.pop("test-reader")


def test_a_failing_reader_waits_and_shows_its_error(acting):
    def fail(_event):
        raise ValueError("receiver down")

    outbox.register(outbox.Reader("test-failing", frozenset({"thing.broken"}), fail))
    command.command(None)(lambda: outbox.record("thing.broken", "thing", 4, None))()

    outbox.run_readers()

    row = db.session.execute(select(outbox.OutboxDelivery)).scalars().one()
    assert (row.state, row.attempts) == ("waiting", 1)
    assert "receiver down" in row.error
    outbox._readers.pop("test-failing")


def test_a_draft_is_only_its_owners(acting):
    key = uuid.uuid4()
    assert drafts.save(key, "order", {"n": 1}) == 1
    assert drafts.save(key, "order", {"n": 2}) == 2

    with actor.use_actor(actor.Actor(user_id=8, name="Wu", permissions=frozenset(), scope=EVERYTHING)):
        assert drafts.save(key, "order", {"n": 3}) == 0
        assert drafts.load(key) is None
    assert drafts.load(key).content == {"n": 2}


def test_the_audit_names_who_did_what(acting):
    command.command(None)(lambda: audit.write("thing", 9, "made", None, {"state": [None, "open"]}))()

    assert [(who, action, changes) for _at, who, action, changes in audit.history("thing", 9)] == [
        ("Li", "made", {"state": [None, "open"]})
    ]
