"""The audit chain: committed rows are sealed once, rows of slow transactions are not lost, tampering is found."""

import threading

from sqlalchemy import select, text

from sdm.kernel import actor, audit, command
from sdm.kernel.db import db


def write_one(document_id, wait=None):
    @command.command(None)
    def write():
        audit.write("thing", document_id, "made", None, {"n": document_id})
        db.session.execute(select(1))
        if wait:
            entered, go = wait
            db.session.execute(text("SELECT pg_current_xact_id()"))
            entered.set()
            go.wait(20)

    with actor.use_actor(actor.system_actor("test")):
        write()


def sealed():
    return list(db.session.execute(select(audit.AuditSeal.audit_id).order_by(audit.AuditSeal.seq)).scalars())


def test_a_slow_transaction_is_sealed_after_its_commit(committing_db):
    entered, go = threading.Event(), threading.Event()

    def slow():
        with committing_db.app_context():
            write_one(1, (entered, go))

    thread = threading.Thread(target=slow)
    thread.start()
    assert entered.wait(20)
    with committing_db.app_context(), actor.use_actor(actor.system_actor("test")):
        write_one(2)
        audit.seal()
        before = len(sealed())
        go.set()
        thread.join()
        audit.seal()

        assert before == 0  # row 2 is younger than the running transaction: it waits, so that nothing is passed over
        assert len(sealed()) == 2
        assert audit.broken_links() == []


def test_every_kind_of_tampering_is_found(committing_db):
    with committing_db.app_context(), actor.use_actor(actor.system_actor("test")):
        for document_id in range(10):
            write_one(document_id)
        assert audit.seal() == 10
        assert audit.seal() == 0
        victims = sealed()
        for change in (
            "UPDATE audit_row SET actor_name = 'nobody' WHERE id = :id",
            "DELETE FROM audit_row WHERE id = :id",
        ):
            victim = victims.pop(3)
            with db.engine.begin() as connection:
                connection.execute(text("SET LOCAL session_replication_role = replica"))
                connection.execute(text(change), {"id": victim})
            db.session.rollback()
            assert victim in audit.broken_links()
