"""The lease: one holder, takeover with the next epoch, and jobs only while it is held."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from sdm.app.scheduler import JOB_DEFAULTS, Scheduler, trigger_of
from sdm.kernel import jobs
from sdm.kernel.actor import current
from sdm.kernel.db import db
from sdm.kernel.jobs import JobRun, JobSpec, Lease
from sdm.kernel.scope import current_scope


@pytest.fixture
def app(committing_db: Flask) -> Iterator[Flask]:
    with committing_db.app_context():
        yield committing_db


def expire() -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE scheduler_lease SET expires_at = clock_timestamp() - interval '1 second'"))


def row(name: str) -> JobRun:
    db.session.rollback()
    found = db.session.get(JobRun, name, populate_existing=True)
    assert found is not None
    return found


def scheduler(app: Flask, *specs: JobSpec, holder: str = "a") -> Scheduler:
    return Scheduler(app, list(specs), holder=holder)


def test_a_second_scheduler_waits(app: Flask) -> None:
    assert scheduler(app, holder="a").step()
    assert not scheduler(app, holder="b").step()


def test_an_expired_lease_is_taken_over_with_the_next_epoch_and_the_first_holder_notices(app: Flask) -> None:
    first, second = scheduler(app, holder="a"), scheduler(app, holder="b")
    first.step()
    expire()
    assert second.step()
    assert second.lease is not None and second.lease.epoch == 2
    assert not first.step()
    assert first.lease is None


def test_renewing_keeps_the_epoch(app: Flask) -> None:
    one = scheduler(app)
    one.step()
    one.step()
    assert one.lease is not None and one.lease.epoch == 1


def test_an_expired_lease_cannot_be_renewed_by_its_holder(app: Flask) -> None:
    lease = jobs.take_lease("a")
    assert lease is not None
    expire()
    assert jobs.renew_lease(lease) is None


def test_a_lease_given_back_is_free_at_once(app: Flask) -> None:
    lease = jobs.take_lease("a")
    assert lease is not None
    jobs.give_lease_back(lease)
    taken = jobs.take_lease("b")
    assert taken is not None and taken.epoch == 2


def test_a_job_runs_only_while_the_lease_is_held(app: Flask) -> None:
    ran: list[str] = []
    spec = JobSpec("once", lambda: ran.append("x"), seconds=1)
    one = scheduler(app, spec)
    assert one.tick(spec) == "skipped"
    one.lease = Lease("scheduler", "a", 1, until=0.0)
    assert one.tick(spec) == "skipped"
    one.lease = None
    one.step()
    assert one.tick(spec) == "ok"
    assert ran == ["x"]


def test_a_job_acts_as_a_named_system_actor_over_the_whole_network(app: Flask) -> None:
    seen: list[object] = []
    spec = JobSpec("who", lambda: seen.append((current().name, current_scope().everything)), seconds=1)
    assert jobs.run_job(app, spec, epoch=1) == "ok"
    assert seen == [("job:who", True)]


def test_a_failing_job_is_noted_and_does_not_raise(app: Flask) -> None:
    def fail() -> None:
        raise ValueError("no luck")

    assert jobs.run_job(app, JobSpec("bad", fail, seconds=1), epoch=1) == "failed"
    assert row("bad").state == "failed"
    assert row("bad").failures == 1
    assert "no luck" in (row("bad").error or "")
    assert jobs.failing_jobs() == ["bad: ValueError: no luck"]
    assert jobs.run_job(app, JobSpec("bad", lambda: 3, seconds=1), epoch=1) == "ok"
    assert (row("bad").result, row("bad").error, row("bad").runs) == ("3", None, 2)


def test_the_time_limit_ends_a_statement_that_takes_too_long(app: Flask) -> None:
    spec = JobSpec("slow", lambda: db.session.execute(text("SELECT pg_sleep(30)")), seconds=1, time_limit=0.2)
    assert jobs.run_job(app, spec, epoch=1) == "failed"
    assert "statement timeout" in (row("slow").error or "")


def test_no_transaction_begins_after_the_time_limit(app: Flask) -> None:
    spec = JobSpec("late", lambda: db.session.execute(text("SELECT 1")), seconds=1, time_limit=0.0)
    assert jobs.run_job(app, spec, epoch=1) == "overdue"
    assert row("late").state == "overdue"


def test_a_scheduler_of_an_older_epoch_runs_nothing(app: Flask) -> None:
    ran: list[str] = []
    jobs.run_job(app, JobSpec("j", lambda: None, seconds=1), epoch=2)
    assert jobs.run_job(app, JobSpec("j", lambda: ran.append("x"), seconds=1), epoch=1) == "superseded"
    assert ran == []


def test_late_ticks_are_run_once_and_never_dropped() -> None:
    assert JOB_DEFAULTS["coalesce"] is True
    assert JOB_DEFAULTS["max_instances"] == 1
    assert JOB_DEFAULTS["misfire_grace_time"] > 60


def test_a_job_has_either_an_interval_or_a_time() -> None:
    with pytest.raises(ValueError, match="either"):
        JobSpec("x", lambda: None)
    with pytest.raises(ValueError, match="either"):
        JobSpec("x", lambda: None, seconds=1, cron="0 0 * * *")
    assert "Asia/Shanghai" in repr(trigger_of(JobSpec("x", lambda: None, cron="0 3 * * *"), "Asia/Shanghai"))
