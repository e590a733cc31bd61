"""Structured logs: one JSON object per line with time, level, event, request and user; readable lines on a terminal."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from typing import Any

import structlog
from flask import Flask, Response, g, request

from sdm.app import metrics
from sdm.kernel.actor import current_or_none
from sdm.kernel.settings import Settings

REQUEST_ID = re.compile(r"^[A-Za-z0-9_-]{8,64}$")
QUIET_ENDPOINTS = frozenset({"health.healthz", "health.readyz", "health.metrics", "assets.serve", "app.pulse"})
SLOW_MS = 1000.0
STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

log = structlog.get_logger("sdm")


def configure(log_json: bool, level: int = logging.INFO) -> None:
    """Send everything, our own lines and those of libraries, to stderr in one shape. Safe to call again."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _take_extra,
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer], foreign_pre_chain=shared
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [kept for kept in root.handlers if not getattr(kept, "sdm", False)]
    handler.sdm = True  # type: ignore[attr-defined]
    root.addHandler(handler)
    root.setLevel(level)
    for name in ("apscheduler", "alembic", "flask_wtf"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _take_extra(_logger: Any, _name: str, event: dict[str, Any]) -> dict[str, Any]:
    """Values given as `extra=` to the standard logger become fields of the line."""
    record = event.get("_record")
    if record is not None:
        event.update({key: value for key, value in vars(record).items() if key not in STANDARD_ATTRIBUTES})
        event.pop("_structlog", None)
        event.pop("_name", None)
    return event


def init_app(app: Flask, settings: Settings) -> None:
    """Give every request an id and note how it ended."""
    if settings.env != "test":
        configure(settings.log_json)
    app.logger.propagate = True
    app.before_request(lambda: begin(trust_id=settings.proxy_hops > 0))
    app.after_request(finish)


def begin(trust_id: bool) -> None:
    """Start of a request: its id (the proxy's where there is one) and the clock."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if trust_id and REQUEST_ID.match(given) else secrets.token_hex(8)
    g.request_started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def finish(response: Response) -> Response:
    """End of a request: one line with method, route, status, duration and user; no parameters, no body."""
    duration_ms = (time.perf_counter() - g.get("request_started", time.perf_counter())) * 1000
    route = request.url_rule.rule if request.url_rule else "(none)"
    response.headers["X-Request-ID"] = g.get("request_id", "")
    metrics.observe_request(request.method, route, response.status_code, duration_ms / 1000)
    if request.endpoint in QUIET_ENDPOINTS and response.status_code < 400:
        return response
    actor = current_or_none()
    write = log.warning if response.status_code >= 500 or duration_ms > SLOW_MS else log.info
    write(
        "request",
        method=request.method,
        route=route,
        status=response.status_code,
        duration_ms=round(duration_ms, 1),
        user_id=actor.user_id if actor else None,
        address=request.remote_addr,
    )
    return response
