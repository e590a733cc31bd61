"""What every installation starts with: the functions listed in `wiring.SEEDS`, run after each migration."""

from __future__ import annotations

import dataclasses

from flask import Flask

from sdm.app import statements, wiring
from sdm.kernel.actor import system_actor, use_actor
from sdm.kernel.command import command
from sdm.kernel.db import db


def plant(app: Flask) -> None:
    """Make what is missing, all or nothing; repeating it changes nothing. Processes wait for each other."""
    with app.app_context(), use_actor(dataclasses.replace(system_actor("cli:seeds"), via="cli")):
        _plant()


@command(None)
def _plant() -> None:
    statements.one_seeder(db.session.connection())
    for name in wiring.SEEDS:
        wiring.resolve(name)()
