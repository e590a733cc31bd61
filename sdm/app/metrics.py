"""Figures for monitoring, safe with several worker processes (prometheus-client's multi-process folder)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.metrics_core import GaugeMetricFamily
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
    ages = CollectorRegistry()
    ages.register(_Ages(outbox_age_seconds, heartbeat_age_seconds))
    return generate_latest(collected) + generate_latest(ages), CONTENT_TYPE_LATEST


class _Ages:
    """Two figures read at this moment; kept out of the workers' files."""

    def __init__(self, outbox_seconds: float | None, heartbeat_seconds: float | None) -> None:
        self.outbox_seconds = outbox_seconds
        self.heartbeat_seconds = heartbeat_seconds

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The age of the oldest waiting event (0: none waits) and of the scheduler's heartbeat (absent: never)."""
        yield GaugeMetricFamily("sdm_outbox_age_seconds", "Age of the oldest due event", self.outbox_seconds or 0.0)
        if self.heartbeat_seconds is not None:
            text = "Time since the scheduler renewed its lease"
            yield GaugeMetricFamily("sdm_scheduler_heartbeat_age_seconds", text, self.heartbeat_seconds)
