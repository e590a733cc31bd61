"""SQL about the database itself: no rows of the business, so no scope."""

from __future__ import annotations

from sqlalchemy import Connection, text

NO_TABLES = "none"

_HAS_REVISION = text("SELECT to_regclass('alembic_version') IS NOT NULL")
_HAS_TABLES = text("SELECT to_regclass('scheduler_lease') IS NOT NULL")
_REVISION = text("SELECT version_num FROM alembic_version")
_ONE_SEEDER = text("SELECT pg_advisory_xact_lock(7319001)")
_OUTBOX_AGE = text(
    "SELECT extract(epoch FROM clock_timestamp() - min(next_at)) FROM outbox_delivery "
    "WHERE state = 'waiting' AND next_at <= clock_timestamp()"
)


def applied_revision(connection: Connection) -> str | None:
    """Revision of the tables; None where they were not made by migrations, NO_TABLES where there are none."""
    if connection.execute(_HAS_REVISION).scalar():
        revision: str | None = connection.execute(_REVISION).scalar()
        return revision
    return None if connection.execute(_HAS_TABLES).scalar() else NO_TABLES


def outbox_age_seconds(connection: Connection) -> float | None:
    """How long the oldest due event has been waiting; None when none is."""
    age = connection.execute(_OUTBOX_AGE).scalar()
    return None if age is None else float(age)


def one_seeder(connection: Connection) -> None:
    """Wait until no other process makes the first data; held to the end of the transaction."""
    connection.execute(_ONE_SEEDER)
