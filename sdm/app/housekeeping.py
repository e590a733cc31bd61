"""Jobs and checks of the kernel itself: delivery of events, the audit seal, old request keys, the nightly doctor."""

from __future__ import annotations

from sqlalchemy import func, select

from sdm.kernel import audit, checks, command, idempotency, outbox
from sdm.kernel.checks import Check
from sdm.kernel.db import db
from sdm.kernel.jobs import JobSpec, failing_jobs

UNSEALED_SECONDS_MAX = 600


def seal_audit() -> int:
    """Seal everything committed so far; number of rows sealed."""
    sealed = total = audit.seal()
    while sealed:
        sealed = audit.seal()
        total += sealed
    return total


@command.command(None)
def forget_old_keys() -> int:
    """Delete request keys that are too old to be repeated."""
    return idempotency.forget_old()


def nightly_doctor() -> str:
    """Ask every check but the one about jobs; RuntimeError names the broken ones, so the run shows as failed."""
    broken = []
    for check in checks.registered():
        if check.code != "jobs.failing":
            outcome = checks.run(check)
            if not outcome.ok:
                broken.append(f"{outcome.code}: {outcome.error or outcome.offenders[0]}")
    if broken:
        raise RuntimeError("; ".join(broken))
    return "all checks hold"


def undelivered_events() -> list[str]:
    """Events a reader gave up on."""
    row = outbox.OutboxDelivery
    found = db.session.execute(
        select(row.reader, func.count()).where(row.state == "failed").group_by(row.reader).order_by(row.reader)
    )
    return [f"{reader}: {count}" for reader, count in found]


JOBS = (
    JobSpec("outbox", outbox.run_readers, seconds=2, time_limit=60),
    JobSpec("audit-seal", seal_audit, seconds=30, time_limit=120),
    JobSpec("idempotency-keys", forget_old_keys, cron="17 3 * * *", time_limit=300),
    JobSpec("doctor", nightly_doctor, cron="40 2 * * *", time_limit=3600),
)

CHECKS = (
    Check("Every link of the audit seal fits", "audit.seal_broken", audit.broken_links),
    Check("Audit rows are sealed in time", "audit.unsealed", lambda: audit.unsealed_for(UNSEALED_SECONDS_MAX)),
    Check("Every event reached its readers", "outbox.failed", undelivered_events),
    Check("The last run of every job went well", "jobs.failing", failing_jobs),
)
