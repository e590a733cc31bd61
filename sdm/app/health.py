"""Is it well? `/healthz` (the process), `/readyz` (database, migrations, scheduler), `/metrics` (figures)."""

from __future__ import annotations

import hmac
import ipaddress

from flask import Blueprint, Flask, Response, abort, current_app, request
from sqlalchemy.exc import SQLAlchemyError

from sdm.app import metrics as figures
from sdm.app import statements
from sdm.app.migrate import head_revision
from sdm.kernel import jobs
from sdm.kernel.db import db
from sdm.kernel.settings import Settings
from sdm.kernel.web import json_reply, pulse_check, view

HEARTBEAT_SECONDS_MAX = 2 * jobs.LEASE_SECONDS
health = Blueprint("health", __name__)


def init_app(app: Flask, settings: Settings) -> None:
    """Register the endpoints and the light check behind the thin line."""
    app.register_blueprint(health)
    figures.watch_commands()
    if settings.env != "test":
        pulse_check(scheduler_pulse)


@health.get("/healthz")
@view(public=True)
def healthz() -> Response:
    """The process answers; the database is not asked."""
    return json_reply({"ok": True})


@health.get("/readyz")
@view(public=True)
def readyz() -> Response:
    """Ready for work, or 503 with the reasons."""
    reasons = reasons_not_ready()
    return json_reply({"ok": not reasons, "reasons": reasons}, 503 if reasons else 200)


@health.get("/metrics")
@view(public=True)
def metrics() -> Response:
    """Figures in the Prometheus text format, for this machine or with the token."""
    _require_reader()
    try:
        with db.engine.connect() as connection:
            waiting = statements.outbox_age_seconds(connection)
        heartbeat = jobs.heartbeat_age_seconds()
    except SQLAlchemyError:
        waiting = heartbeat = None
    body, kind = figures.render(waiting, heartbeat)
    return Response(body, content_type=kind)


def reasons_not_ready() -> list[str]:
    """Codes of what keeps the product from working: database, migrations, scheduler."""
    try:
        with db.engine.connect() as connection:
            applied = statements.applied_revision(connection)
        age = None if applied == statements.NO_TABLES else jobs.heartbeat_age_seconds()
    except SQLAlchemyError:
        return ["database.unreachable"]
    reasons = []
    if applied != head_revision():
        reasons.append("migrations.pending")
    if age is None or age > HEARTBEAT_SECONDS_MAX:
        reasons.append("scheduler.silent")
    return reasons


def scheduler_pulse() -> str | None:
    """A sentence when jobs do not run, for the thin line of every page."""
    from sdm.kernel.i18n import _

    try:
        age = jobs.heartbeat_age_seconds()
    except SQLAlchemyError:
        return str(_("The database does not answer"))
    if age is None or age > HEARTBEAT_SECONDS_MAX:
        return str(_("Background work stands still: the scheduler does not run"))
    return None


def _require_reader() -> None:
    """Let in who shows the token; without a token set, who sits at this machine."""
    from sdm.app import settings_of

    token = settings_of(current_app).metrics_token
    if token:
        if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {token}"):
            abort(403)
    elif not _is_loopback(request.remote_addr or ""):
        abort(403)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
