"""The system's state: scheduler, jobs with their last run, deliveries that failed, and trying these again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint
from sqlalchemy import func, select, update
from werkzeug.wrappers import Response as AnyResponse

from sdm.kernel import audit, clock, jobs
from sdm.kernel.command import command
from sdm.kernel.db import db
from sdm.kernel.i18n import _, _l
from sdm.kernel.jobs import JobRun, SchedulerLease
from sdm.kernel.outbox import OutboxDelivery, OutboxEvent
from sdm.kernel.permissions import Permission
from sdm.kernel.web import NavItem, flash, nav, page, register_states, see_other, view

system_views = Blueprint("system", __name__, url_prefix="/system", template_folder="../templates")
nav.register(NavItem("system", _l("System"), "system.index", Permission.SYSTEM_READ, icon="server", order=50))
register_states(
    "job",
    {
        "running": (_l("Running"), "info"),
        "ok": (_l("Went well"), "good"),
        "failed": (_l("Failed"), "bad"),
        "overdue": (_l("Took too long"), "warn"),
        "never": (_l("Not yet run"), "neutral"),
    },
)
FAILED_SHOWN = 100


@dataclass(frozen=True, slots=True)
class JobLine:
    """A job as the page shows it; `schedule` in words."""

    name: str
    schedule: str
    state: str
    started_at: datetime | None
    duration_ms: int | None
    next_at: datetime | None
    result: str
    runs: int
    failures: int


def job_lines() -> list[JobLine]:
    """All jobs of this installation with their last run."""
    runs = {run.name: run for run in db.session.execute(select(JobRun)).scalars()}
    return [_line(spec, runs.get(spec.name)) for spec in jobs.registered()]


def _line(spec: jobs.JobSpec, run: JobRun | None) -> JobLine:
    schedule = _("every %(seconds)s s", seconds=f"{spec.seconds:g}") if spec.seconds else str(spec.cron)
    return JobLine(
        name=spec.name,
        schedule=schedule,
        state=run.state if run else "never",
        started_at=run.started_at if run else None,
        duration_ms=run.duration_ms if run else None,
        next_at=_next(spec, run),
        result=((run.error or run.result) if run else "") or "",
        runs=run.runs if run else 0,
        failures=run.failures if run else 0,
    )


def _next(spec: jobs.JobSpec, run: JobRun | None) -> datetime | None:
    """When the job is due next; None where its schedule cannot be told."""
    if spec.seconds:
        return run.started_at + timedelta(seconds=spec.seconds) if run else None
    from apscheduler.triggers.cron import CronTrigger

    trigger = CronTrigger.from_crontab(spec.cron, timezone=clock.zone())
    found: datetime | None = trigger.get_next_fire_time(None, clock.now())
    return found


def failed_deliveries() -> Sequence[Any]:
    """Events a reader gave up on, newest first."""
    columns = (
        OutboxDelivery.event_id,
        OutboxDelivery.reader,
        OutboxDelivery.attempts,
        OutboxDelivery.error,
        OutboxEvent.name,
        OutboxEvent.kind,
        OutboxEvent.document_id,
        OutboxEvent.at,
    )
    statement = select(*columns).join(OutboxEvent, OutboxEvent.id == OutboxDelivery.event_id)
    failed = statement.where(OutboxDelivery.state == "failed").order_by(OutboxEvent.id.desc()).limit(FAILED_SHOWN)
    return db.session.execute(failed).all()


@command(Permission.SYSTEM_READ)
def deliver_again() -> int:
    """Let the readers try all failed deliveries again; returns how many."""
    statement = update(OutboxDelivery).where(OutboxDelivery.state == "failed")
    result = db.session.execute(statement.values(state="waiting", attempts=0, next_at=clock.now()))
    count = int(result.rowcount)  # type: ignore[attr-defined]
    if count:
        audit.write("outbox", None, "deliver_again", None, {"count": count})
    return count


@system_views.get("")
@view(Permission.SYSTEM_READ)
def index() -> str:
    """Scheduler, jobs, deliveries."""
    lease = db.session.get(SchedulerLease, jobs.LEASE_NAME)
    waiting = db.session.execute(
        select(func.count(), func.min(OutboxDelivery.next_at)).where(OutboxDelivery.state == "waiting")
    ).one()
    return page(
        "system/index.html",
        lease=lease,
        alive=lease is not None and lease.expires_at > clock.now(),
        jobs=job_lines(),
        waiting=waiting[0],
        oldest=waiting[1],
        failed=failed_deliveries(),
    )


@system_views.post("/deliver-again")
@view(Permission.SYSTEM_READ)
def try_again() -> AnyResponse:
    """Try failed deliveries again."""
    flash(_("%(count)s deliveries will be tried again", count=deliver_again()))
    return see_other("system.index")
