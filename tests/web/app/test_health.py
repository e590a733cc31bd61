"""Health: the process, readiness with reasons, figures for those who may read them."""

from __future__ import annotations

import pytest
from flask import Flask
from sqlalchemy import text

from sdm.app import create_app, health, metrics, migrate
from sdm.kernel import jobs
from sdm.kernel.db import db
from sdm.kernel.settings import Settings


@pytest.fixture
def ready_app(committing_db: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An application whose tables are at the newest revision."""
    with committing_db.app_context():
        applied = migrate.current(committing_db)
    monkeypatch.setattr(health, "head_revision", lambda: applied)
    return committing_db


def test_the_process_answers_without_a_database(test_settings: Settings) -> None:
    nowhere = "postgresql+psycopg://nobody@/none?host=/nonexistent"
    client = create_app(test_settings.replace(database_url=nowhere)).test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.get_json()["reasons"] == ["database.unreachable"]


def test_a_silent_scheduler_is_a_reason(ready_app: Flask) -> None:
    answer = ready_app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["reasons"]) == (503, ["scheduler.silent"])


def test_with_a_heartbeat_it_is_ready_until_the_heartbeat_is_too_old(ready_app: Flask) -> None:
    with ready_app.app_context():
        jobs.take_lease("a")
        assert ready_app.test_client().get("/readyz").status_code == 200
        with db.engine.begin() as connection:
            connection.execute(text("UPDATE scheduler_lease SET heartbeat_at = now() - interval '31 seconds'"))
    assert ready_app.test_client().get("/readyz").get_json()["reasons"] == ["scheduler.silent"]


def test_pending_migrations_are_a_reason(ready_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "head_revision", lambda: "a newer one")
    assert "migrations.pending" in ready_app.test_client().get("/readyz").get_json()["reasons"]


def test_an_empty_database_says_both(empty_database_url: str, test_settings: Settings) -> None:
    app = create_app(test_settings.replace(database_url=empty_database_url))
    assert app.test_client().get("/readyz").get_json()["reasons"] == ["migrations.pending", "scheduler.silent"]
    with app.app_context():
        db.engine.dispose()


def test_figures_are_for_this_machine_only(app: Flask) -> None:
    client = app.test_client()
    client.get("/healthz")
    text_of = client.get("/metrics").get_data(as_text=True)
    assert 'sdm_request_seconds_count{method="GET",route="/healthz",status="200"}' in text_of
    assert "sdm_outbox_age_seconds 0.0" in text_of
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 403


def test_with_a_token_only_who_shows_it_reads_the_figures(test_settings: Settings, database_url: str) -> None:
    app = create_app(test_settings.replace(database_url=database_url, metrics_token="t" * 20))
    client = app.test_client()
    assert client.get("/metrics").status_code == 403
    assert client.get("/metrics", headers={"Authorization": f"Bearer {'t' * 20}"}).status_code == 200
    with app.app_context():
        db.engine.dispose()


def test_figures_name_routes_not_addresses(app: Flask) -> None:
    client = app.test_client()
    client.get("/no/such/page/17")
    assert "/no/such/page" not in client.get("/metrics").get_data(as_text=True)


def test_repeated_commands_are_counted() -> None:
    metrics.watch_commands()
    metrics.watch_commands()
    from sdm.kernel import command

    assert command.retries.count(metrics.observe_retry) == 1


def test_the_request_id_of_a_trusted_proxy_is_kept_and_others_are_replaced(
    app: Flask, test_settings: Settings, database_url: str
) -> None:
    given = {"X-Request-ID": "abcdef12-3456"}
    assert app.test_client().get("/healthz", headers=given).headers["X-Request-ID"] != "abcdef12-3456"
    behind = create_app(test_settings.replace(database_url=database_url, proxy_hops=1)).test_client()
    assert behind.get("/healthz", headers=given).headers["X-Request-ID"] == "abcdef12-3456"
    evil = {"X-Request-ID": "x\x7f<script>"}
    assert "<" not in behind.get("/healthz", headers=evil).headers["X-Request-ID"]
