"""The fixtures keep tests apart."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import func, select

from sdm.kernel.db import db
from sdm.kernel.jobs import JobRun


def _add(name: str) -> None:
    db.session.add(JobRun(name=name, epoch=1, state="ok"))
    db.session.flush()


def test_rows_of_a_test_are_gone_in_the_next_one_first(session: object) -> None:
    _add("left over")
    assert db.session.scalar(select(func.count()).select_from(JobRun)) == 1


def test_rows_of_a_test_are_gone_in_the_next_one_second(session: object) -> None:
    assert db.session.scalar(select(func.count()).select_from(JobRun)) == 0


def test_a_committing_database_starts_empty_and_is_not_the_workers(committing_db: Flask, database_url: str) -> None:
    assert committing_db.config["SQLALCHEMY_DATABASE_URI"] != database_url
    with committing_db.app_context():
        assert db.session.scalar(select(func.count()).select_from(JobRun)) == 0
