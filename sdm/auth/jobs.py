"""Periodic work of sign-ins."""

from __future__ import annotations

from sdm.auth.service import forget_old
from sdm.kernel.jobs import JobSpec

JOBS = (JobSpec("sign-ins", forget_old, cron="23 3 * * *", time_limit=120),)
