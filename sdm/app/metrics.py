"""Figures for monitoring, safe with several worker processes (prometheus-client's multi-process folder)."""

from __future__ import annotations

import os

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

from sdm.kernel import command

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
REQUESTS = Histogram("sdm_request_seconds", "Time of requests", ("method", "route", "status"), buckets=BUCKETS)
RETRIES = Counter("sdm_command_retries", "Commands tried again after a database conflict", ("sqlstate",))


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    """Note one answered request under its route, never under its address."""
    REQUESTS.labels(method if method in METHODS else "other", route, str(status)).observe(seconds)


def observe_retry(sqlstate: str) -> None:
    """Note one repeated command."""
    RETRIES.labels(sqlstate).inc()


def watch_commands() -> None:
    """Be told about repeated commands."""
    if observe_retry not in command.retries:
        command.retries.append(observe_retry)


def render(outbox_age_seconds: float | None, heartbeat_age_seconds: float | None) -> tuple[bytes, str]:
    """All figures in the text format, with its content type. Ages are None where nothing is waiting or running."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        collected = CollectorRegistry()
        MultiProcessCollector(collected)  # type: ignore[no-untyped-call]
    else:
        collected = REGISTRY
    now = CollectorRegistry()
    Gauge("sdm_outbox_age_seconds", "Age of the oldest waiting event", registry=now).set(outbox_age_seconds or 0)
    Gauge("sdm_scheduler_heartbeat_age_seconds", "Time since the scheduler's heartbeat", registry=now).set(
        -1 if heartbeat_age_seconds is None else heartbeat_age_seconds
    )
    return generate_latest(collected) + generate_latest(now), CONTENT_TYPE_LATEST
