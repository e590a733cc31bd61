"""Periodic work: what a job is, the scheduler's lease, and how one job is run.

The lease is one row with a holder, an epoch and an expiry; the database's clock decides. Whoever finds it expired takes
it over with the next epoch. A job runs only while its process holds the lease, as a named system actor over the whole
network, in an application context of its own. What each job did last is kept in `job_run` for everybody to see.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy import BigInteger, Integer, event, text
from sqlalchemy.orm import Mapped, mapped_column

from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.columns import Code, Created, Long, Stamp
from sdm.kernel.db import Base, db

LEASE_SECONDS = 15
RENEW_SECONDS = 5
LEASE_NAME = "scheduler"
ERROR_LENGTH_MAX = 2000


class SchedulerLease(Base):
    """Who runs the jobs now; `epoch` grows with every takeover."""

    __tablename__ = "scheduler_lease"

    name: Mapped[Code] = mapped_column(primary_key=True)
    holder: Mapped[Code]
    epoch: Mapped[int] = mapped_column(BigInteger)
    expires_at: Mapped[Stamp]
    heartbeat_at: Mapped[Stamp]


class JobRun(Base):
    """The last run of a job: `state` is running, ok, failed or overdue; `duration_ms` of the last finished run."""

    __tablename__ = "job_run"

    name: Mapped[Code] = mapped_column(primary_key=True)
    epoch: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[Code]
    started_at: Mapped[Created]
    finished_at: Mapped[datetime | None]
    duration_ms: Mapped[int | None] = mapped_column(Integer)
    result: Mapped[Long | None]
    error: Mapped[Long | None]
    runs: Mapped[int] = mapped_column(BigInteger, server_default="0")
    failures: Mapped[int] = mapped_column(BigInteger, server_default="0")


@dataclass(frozen=True, slots=True)
class JobSpec:
    """A periodic job: every `seconds`, or at a `cron` time in the company's zone (`minute hour day month weekday`).

    `function` takes nothing and may return a short result. `time_limit` in seconds bounds its statements.
    """

    name: str
    function: Callable[[], Any]
    seconds: float | None = None
    cron: str | None = None
    time_limit: float = 60.0

    def __post_init__(self) -> None:
        if (self.seconds is None) == (self.cron is None):
            raise ValueError(f"job {self.name}: give either seconds or cron")


class TimeLimitExceeded(Exception):
    """A job used up its time; what it had committed stays, the rest is undone."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A granted lease. `until` is the process clock's reading up to which it certainly holds."""

    name: str
    holder: str
    epoch: int
    until: float

    @property
    def held(self) -> bool:
        """True while nobody else can have taken it over."""
        return time.monotonic() < self.until


_specs: dict[str, JobSpec] = {}
_deadline: ContextVar[float | None] = ContextVar("sdm_job_deadline", default=None)


def register(specs: Iterable[JobSpec]) -> None:
    """Add jobs; the same name again replaces the earlier one."""
    for spec in specs:
        _specs[spec.name] = spec


def registered() -> list[JobSpec]:
    """All jobs in order of their names."""
    return [_specs[name] for name in sorted(_specs)]


# --- the lease --------------------------------------------------------------------------------------------------------

_TAKE = text(
    """
INSERT INTO scheduler_lease AS l (name, holder, epoch, expires_at, heartbeat_at)
VALUES (:name, :holder, 1, clock_timestamp() + make_interval(secs => :seconds), clock_timestamp())
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, epoch = l.epoch + 1,
  expires_at = clock_timestamp() + make_interval(secs => :seconds), heartbeat_at = clock_timestamp()
WHERE l.expires_at < clock_timestamp()
RETURNING l.epoch
"""
)
_RENEW = text(
    """
UPDATE scheduler_lease
SET expires_at = clock_timestamp() + make_interval(secs => :seconds), heartbeat_at = clock_timestamp()
WHERE name = :name AND holder = :holder AND epoch = :epoch AND expires_at >= clock_timestamp()
RETURNING epoch
"""
)
_GIVE_BACK = text(
    "UPDATE scheduler_lease SET expires_at = clock_timestamp() - interval '1 second' "
    "WHERE name = :name AND holder = :holder AND epoch = :epoch"
)
_AGE = text("SELECT extract(epoch FROM clock_timestamp() - heartbeat_at) FROM scheduler_lease WHERE name = :name")


def take_lease(holder: str, name: str = LEASE_NAME, seconds: float = LEASE_SECONDS) -> Lease | None:
    """Take the lease when it is free or expired; None while another holds it. One statement, its own transaction."""
    asked = time.monotonic()
    with db.engine.begin() as connection:
        epoch = connection.execute(_TAKE, {"name": name, "holder": holder, "seconds": seconds}).scalar()
    return None if epoch is None else Lease(name, holder, int(epoch), asked + seconds)


def renew_lease(lease: Lease, seconds: float = LEASE_SECONDS) -> Lease | None:
    """Prolong the lease; None when it was lost (expired or taken over)."""
    asked = time.monotonic()
    values = {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch, "seconds": seconds}
    with db.engine.begin() as connection:
        epoch = connection.execute(_RENEW, values).scalar()
    return None if epoch is None else Lease(lease.name, lease.holder, lease.epoch, asked + seconds)


def give_lease_back(lease: Lease) -> None:
    """Let another take over at once; does nothing when the lease is not ours any more."""
    with db.engine.begin() as connection:
        connection.execute(_GIVE_BACK, {"name": lease.name, "holder": lease.holder, "epoch": lease.epoch})


def heartbeat_age_seconds(name: str = LEASE_NAME) -> float | None:
    """Seconds since the scheduler last renewed its lease; None when there never was one."""
    with db.engine.connect() as connection:
        age = connection.execute(_AGE, {"name": name}).scalar()
    return None if age is None else float(age)


# --- running one job --------------------------------------------------------------------------------------------------

_STARTED = text(
    """
INSERT INTO job_run AS j (name, epoch, state, started_at, runs) VALUES (:name, :epoch, 'running', clock_timestamp(), 1)
ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, state = 'running', started_at = clock_timestamp(),
  runs = j.runs + 1
WHERE j.epoch <= excluded.epoch
RETURNING j.epoch
"""
)
_FINISHED = text(
    """
UPDATE job_run SET state = :state, finished_at = clock_timestamp(), result = :result, error = :error,
  duration_ms = :duration_ms, failures = failures + :failed
WHERE name = :name AND epoch = :epoch
"""
)


def run_job(app: Flask, spec: JobSpec, epoch: int) -> str:
    """Run one job in its own application context and note how it went. Returns ok, failed, overdue or superseded.

    Never raises for a failing job. An older epoch than the last one noted does nothing: a newer scheduler is at work.
    """
    with app.app_context():
        if not _note(_STARTED, name=spec.name, epoch=epoch):
            return "superseded"
        started = time.monotonic()
        state, result, error = _outcome(app, spec)
        _note(
            _FINISHED,
            name=spec.name,
            epoch=epoch,
            state=state,
            failed=int(state != "ok"),
            result=result,
            error=error,
            duration_ms=round((time.monotonic() - started) * 1000),
        )
        return state


def _outcome(app: Flask, spec: JobSpec) -> tuple[str, str | None, str | None]:
    try:
        with _time_limit(spec.time_limit), use_actor(system_actor(f"job:{spec.name}")):
            result = spec.function()
    except TimeLimitExceeded as problem:
        app.logger.error("job overdue", extra={"job": spec.name})
        return "overdue", None, str(problem)
    except Exception as problem:
        app.logger.exception("job failed", extra={"job": spec.name})
        return "failed", None, f"{type(problem).__name__}: {problem}"[:ERROR_LENGTH_MAX]
    finally:
        db.session.rollback()
    return "ok", None if result is None else str(result)[:ERROR_LENGTH_MAX], None


def _note(statement: Any, **values: Any) -> bool:
    with db.engine.begin() as connection:
        return connection.execute(statement, values).rowcount > 0


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    token = _deadline.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _deadline.reset(token)


def install(session_factory: Any) -> None:
    """Bound the transactions of jobs by what is left of their time; done by the application factory."""
    if not event.contains(session_factory, "after_begin", _bound_statements):
        event.listen(session_factory, "after_begin", _bound_statements)


def _bound_statements(_session: Any, _transaction: Any, connection: Any) -> None:
    deadline = _deadline.get()
    if deadline is None:
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeLimitExceeded("the time limit of the job is used up")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {math.ceil(left * 1000)}")


_FAULTY = text("SELECT name, state, error FROM job_run WHERE state IN ('failed', 'overdue') ORDER BY name LIMIT 20")


def failing_jobs() -> list[str]:
    """Jobs whose last run went wrong, as `name: error`; for the doctor and the health page."""
    with db.engine.connect() as connection:
        return [f"{row.name}: {row.error or row.state}" for row in connection.execute(_FAULTY)]
