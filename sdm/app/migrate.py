"""Migrations: where they lie, what the newest is, and how they are run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from flask_migrate import Migrate

from sdm.kernel.db import db
from sdm.kernel.errors import N_, SdmError, describe

FOLDER = Path(__file__).resolve().parents[2] / "migrations"

migrate = Migrate(db=db, directory=str(FOLDER), compare_type=True)

describe({"migrations.pending": N_("The tables are not up to date; run: sdm db upgrade")})


def init_app(app: Flask) -> None:
    """Make the migrations known to the application."""
    migrate.init_app(app, db, directory=str(FOLDER))


@lru_cache(maxsize=1)
def head_revision() -> str | None:
    """The newest revision that lies in the folder; None when there is none."""
    return ScriptDirectory(str(FOLDER)).get_current_head()


def upgrade(app: Flask, revision: str = "head") -> None:
    """Bring the database up to a revision. Waits its turn when another process migrates."""
    with app.app_context():
        command.upgrade(_config(), revision)


def downgrade(app: Flask, revision: str) -> None:
    """Take the database back to a revision."""
    with app.app_context():
        command.downgrade(_config(), revision)


def new_revision(app: Flask, message: str) -> None:
    """Write a revision from the difference between the database and the models."""
    with app.app_context():
        command.revision(_config(), message=message, autogenerate=True)


def current(app: Flask) -> str | None:
    """Revision the database is at; None for an empty one."""
    with app.app_context(), db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(app: Flask) -> None:
    """Refuse to work on tables of another version (SdmError `migrations.pending`)."""
    if current(app) != head_revision():
        raise SdmError("migrations.pending")


def _config() -> Config:
    config: Config = migrate.get_config(str(FOLDER))
    return config
