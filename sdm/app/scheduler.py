"""The scheduler process: renews the lease and lets the registered jobs tick while the lease is ours.

APScheduler only ticks; what to run, how often and for how long is in each package's JOBS. A second copy waits and takes
over when the lease expires. Jobs run in a few threads; one that fails or hangs never stops the others.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from sdm.kernel import jobs
from sdm.kernel.jobs import JobSpec, Lease

# A tick is late rather than lost, late ticks become one, and a job never runs beside itself.
JOB_DEFAULTS = {"misfire_grace_time": 3600, "coalesce": True, "max_instances": 1}
THREADS = 4

log = structlog.get_logger("sdm.scheduler")


class Scheduler:
    """One candidate for the lease, with its jobs. `step()` renews or takes the lease; `run()` does so until stopped."""

    def __init__(self, app: Flask, specs: list[JobSpec] | None = None, holder: str | None = None) -> None:
        self.app = app
        self.holder = holder or f"{socket.gethostname()[:30]}:{os.getpid()}:{secrets.token_hex(4)}"
        self.lease: Lease | None = None
        self.stopping = threading.Event()
        self._ticks = BackgroundScheduler(
            timezone="UTC",
            jobstores={"default": MemoryJobStore()},
            executors={"default": ThreadPoolExecutor(THREADS)},
            job_defaults=JOB_DEFAULTS,
        )
        zone = app.config["BABEL_DEFAULT_TIMEZONE"]
        for spec in jobs.registered() if specs is None else specs:
            self._ticks.add_job(self.tick, trigger_of(spec, zone), args=[spec], id=spec.name)

    def tick(self, spec: JobSpec) -> str:
        """Run one job if the lease is ours; "skipped" otherwise, else how the run ended."""
        lease = self.lease
        if lease is None or not lease.held:
            return "skipped"
        try:
            return jobs.run_job(self.app, spec, lease.epoch)
        except SQLAlchemyError as problem:
            log.warning("job not noted", job=spec.name, reason=str(problem).splitlines()[0])
            return "failed"

    def step(self) -> bool:
        """Renew the lease or try to take it. True when it is ours."""
        before = self.lease
        with self.app.app_context():
            try:
                renewed = jobs.renew_lease(before) if before else None
                self.lease = renewed or jobs.take_lease(self.holder)
            except SQLAlchemyError as problem:
                log.warning("lease not renewed", reason=str(problem).splitlines()[0])
                self.lease = before if before and before.held else None
        if (before is None) != (self.lease is None):
            log.info("lease", held=self.lease is not None, epoch=self.lease.epoch if self.lease else None)
        return self.lease is not None

    def run(self) -> None:
        """Work until `stopping` is set; then let running jobs end and give the lease back."""
        self._ticks.start()
        parent = os.getppid()
        try:
            while not self.stopping.is_set() and os.getppid() == parent:
                self.step()
                self.stopping.wait(jobs.RENEW_SECONDS)
        finally:
            self._ticks.shutdown(wait=True)
            self._give_back()

    def _give_back(self) -> None:
        if self.lease is not None:
            with self.app.app_context():
                try:
                    jobs.give_lease_back(self.lease)
                except SQLAlchemyError:
                    log.warning("lease not given back")


def trigger_of(spec: JobSpec, zone: str) -> BaseTrigger:
    """When a job is due: an interval, or a crontab time in the company's zone."""
    if spec.cron is not None:
        return CronTrigger.from_crontab(spec.cron, timezone=zone)
    return IntervalTrigger(seconds=spec.seconds, timezone="UTC")


def main(app: Flask) -> None:
    """Run as a process of its own until SIGTERM or SIGINT."""
    scheduler = Scheduler(app)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: scheduler.stopping.set())
    log.info("scheduler started", jobs=len(jobs.registered()))
    scheduler.run()
    log.info("scheduler stopped")
