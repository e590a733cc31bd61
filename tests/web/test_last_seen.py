"""Last seen: written in a transaction of its own, so it needs real commits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine
from flask import Flask

from sdm.auth.models import UserSession
from sdm.kernel.db import db
from tests.factories import auth

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def test_last_seen_is_written_at_most_once_a_minute_and_not_by_polling(committing_db: Flask) -> None:
    client = committing_db.test_client()
    with committing_db.app_context(), time_machine.travel(START, tick=False):
        auth.signed_in(client, auth.user("clerk"))
    seen = []
    for seconds, path in ((30, "/auth/me"), (90, "/app/csrf"), (90, "/auth/me"), (100, "/auth/me")):
        with time_machine.travel(START + timedelta(seconds=seconds), tick=False):
            client.get(path)
            with committing_db.app_context():
                row = db.session.query(UserSession).one()
                seen.append(int((row.last_seen_at - START).total_seconds()))

    assert seen == [0, 0, 90, 90]
