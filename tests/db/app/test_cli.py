"""The command line: exit codes and words a person can use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from sdm.app import cli
from sdm.kernel import checks
from sdm.kernel.checks import Check


@pytest.fixture
def environment(committing_db: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment of a person whose database is that of the test."""
    monkeypatch.setenv("SDM_HOME", str(tmp_path))
    monkeypatch.setenv("SDM_ENV", "test")
    monkeypatch.setenv("SDM_DATABASE_URL", committing_db.config["SQLALCHEMY_DATABASE_URI"])
    monkeypatch.setattr("sdm.app.migrate.require_current", lambda app: None)
    monkeypatch.setattr(checks, "_checks", {})


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    return int(ended.value.code or 0)


def test_the_doctor_is_content_when_every_promise_holds(environment: None, capsys: pytest.CaptureFixture[str]) -> None:
    checks.register([Check("All is well", "a.well", lambda: [])])
    assert run("doctor") == 0
    assert "ok     a.well: All is well" in capsys.readouterr().out


def test_the_doctor_fails_and_names_the_first_offenders(environment: None, capsys: pytest.CaptureFixture[str]) -> None:
    checks.register([Check("Sums fit", "a.sums", lambda: [f"order {n}" for n in range(50)])])
    assert run("doctor") == 1
    out = capsys.readouterr().out
    assert "FAILED a.sums" in out
    assert "order 0" in out and "order 19" in out and "order 20" not in out


def test_a_check_that_cannot_run_is_a_break_and_the_others_still_run(
    environment: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def explode() -> list[str]:
        raise RuntimeError("no such table")

    checks.register([Check("Explodes", "a.first", explode), Check("Well", "b.second", lambda: [])])
    assert run("doctor", "--json") == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (first["ok"], first["error"]) == (False, "RuntimeError: no such table")
    assert second["ok"]


def test_bad_settings_end_with_two_and_name_every_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PORT", "high")
    monkeypatch.setenv("SDM_ENV", "lab")
    assert run("config", "show") == 2
    said = capsys.readouterr().err
    assert "PORT" in said and "SDM_ENV" in said and "Traceback" not in said


def test_an_unknown_command_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("nonsense") == 2
    assert "nonsense" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named_with_a_free_one(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environ = {**os.environ, "SDM_HOME": str(tmp_path / "h"), "PORT": str(port), "SDM_ENV": "test"}
        done = subprocess.run(
            [sys.executable, "-m", "sdm.app.cli", "demo"], env=environ, capture_output=True, text=True, timeout=60
        )
    assert done.returncode == 2
    assert str(port) in done.stderr and "PORT=" in done.stderr and "Traceback" not in done.stderr
