"""Periodic work on dealers."""

from __future__ import annotations

from branches.org.dealers_service import apply_due_parents
from sdm.kernel.jobs import JobSpec

JOBS = (JobSpec("dealers.due_parents", apply_due_parents, cron="5 0 * * *"),)
