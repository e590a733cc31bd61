"""The demo company: made up, the same on every load, a year of business up to today in every state, also in red ones.

``load`` goes step by step; each step is noted with its data, so that a load which was broken off goes on, and a second
one does nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from sdm.auth import identity
from sdm.intake.demo import history, live, masters
from sdm.intake.statements import demo as statements
from sdm.kernel import audit
from sdm.kernel.command import command
from sdm.kernel.db import db

Report = Callable[[str, int, int], None]


def logins() -> list[tuple[str, str, str]]:
    """(role, login, password) of one person per role; shown on the sign-in page of the demo only."""
    return [(title, login, masters.PASSWORD) for login, _role, title, _here in masters.SIGN_INS]


def announce(app: Flask) -> None:
    """Let the sign-in page of a demo show who can sign in."""
    identity.register_demo_logins(logins)


def load(report: Report) -> None:
    """Make the demo company in an empty database; steps that are done are left out."""
    steps: list[tuple[str, Callable[[Report], None]]] = [
        ("masters", _masters), ("history", _history), ("receipts", _receipts), ("live", live.load),
    ]  # fmt: skip
    for name, step in steps:
        if name in _done():
            continue
        report(name, 0, 1)
        step(report)
        _note(name)
        report(name, 1, 1)
    while audit.seal():
        continue


def _masters(_report: Report) -> None:
    masters.make()


def _history(report: Report) -> None:
    run_id = history.stage_rows()
    done, total = 0, 1
    while done < total:
        done, total = history.post_next(run_id)
        report("history", done, total)


def _receipts(_report: Report) -> None:
    history.receive()
    _analyse()


def _done() -> set[str]:
    return set(db.session.execute(statements.DONE).scalars())


@command(None)
def _note(step: str) -> None:
    audit.write("demo", None, step, None)


@command(None)
def _analyse() -> None:
    """Statistics for what was written in bulk, so that the first pages are fast."""
    db.session.execute(statements.ANALYSE)
