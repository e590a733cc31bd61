"""The embedded PostgreSQL server as the product uses it: one call gives the address of a running database.

`ensure_running()` may be called by any number of processes and threads; the server ends with the last of them. What
happens behind it is in `sdm.app.pg`.
"""

from __future__ import annotations

import atexit
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from sdm.app.pg import membership as pg
from sdm.app.pg import server as pg_server
from sdm.app.pg.place import ROLE, Place, ServerError, bundled_bin_dir, read_or_make_password, socket_folder
from sdm.kernel.errors import N_, SdmError, describe
from sdm.kernel.settings import Settings

DATABASE = "sdm"
EXTENSIONS = ("btree_gist", "pg_trgm", "ltree")
OPTIONS_TEST = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "128MB", "max_connections": "200"}


class DatabaseUnavailable(SdmError):
    """The embedded server cannot start: `message` in the server's words, `remedy` for a person."""


describe(
    {
        code: N_("%(message)s\nWhat to do: %(remedy)s")
        for code in {"database.programs_missing", "database.held_elsewhere", "database.no_user", "database.version",
                     "database.programs_closed", "database.folder", "database.folder_owner", "database.disk_full",
                     "database.socket_path", "database.memory", "database.read_only", "database.permissions",
                     "database.configuration", "database.start_failed"}
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Status:
    """State of the embedded server of one data folder."""

    running: bool
    in_use: bool
    pid: int | None
    folder: Path


@dataclass(slots=True)
class _Membership:
    place: Place
    descriptor: int
    pid: int


_memberships: dict[str, _Membership] = {}
_guard = threading.Lock()


def place_of(settings: Settings) -> Place:
    """Where the embedded server of these settings lives. In tests speed is worth more than surviving a power cut."""
    return Place(
        home=str(settings.home),
        bin_dir=str(settings.pg_bin) if settings.pg_bin else _bundled(),
        user=settings.pg_user,
        options=OPTIONS_TEST if settings.env == "test" else {},
    )


def ensure_running(settings: Settings, database: str = DATABASE) -> str:
    """Address of the database for SQLAlchemy. Starts the embedded server when needed and stays its user until exit.

    Raises DatabaseUnavailable with the reason and the remedy.
    """
    if settings.database_url is not None:
        return settings.database_url
    place = place_of(settings)
    with _guard:
        try:
            _join(place)
            url = _url(place, database)
            _ensure_database(place, database)
        except ServerError as problem:
            raise DatabaseUnavailable(problem.code, message=problem.message, remedy=problem.remedy) from problem
    return url


def release(settings: Settings) -> None:
    """Stop using the server; when this was its last user the call returns after it has ended."""
    with _guard:
        membership = _memberships.pop(str(settings.home), None)
    if membership is not None and membership.pid == os.getpid():
        pg.leave(membership.place, membership.descriptor)


def stop(settings: Settings) -> bool:
    """Stop the server although somebody may use it. True when one was running."""
    return pg.stop(place_of(settings))


def status(settings: Settings) -> Status:
    """What the data folder says about its server."""
    place = place_of(settings)
    alive = pg_server.running(place)
    return Status(alive, pg.has_users(place), pg_server.server_pid(place) if alive else None, place.folder)


def _bundled() -> str:
    try:
        return bundled_bin_dir()
    except ServerError as problem:
        raise DatabaseUnavailable(problem.code, message=problem.message, remedy=problem.remedy) from problem


def _join(place: Place) -> None:
    membership = _memberships.get(place.home)
    if membership is not None and membership.pid == os.getpid() and pg_server.ready(place):
        return
    descriptor = pg.join(place)
    if membership is not None and membership.pid == os.getpid():
        os.close(membership.descriptor)
    _memberships[place.home] = _Membership(place, descriptor, os.getpid())


@atexit.register
def _release_all() -> None:
    """At the end of the process; a forked child leaves the membership of its parent alone."""
    for membership in list(_memberships.values()):
        if membership.pid == os.getpid():
            pg.leave(membership.place, membership.descriptor)
    _memberships.clear()


def _url(place: Place, database: str) -> str:
    password = read_or_make_password(place)
    folder = quote(str(socket_folder(place)), safe="/")
    return f"postgresql+psycopg://{ROLE}:{quote(password, safe='')}@/{database}?host={folder}&port=5432"


def plain_url(url: str) -> str:
    """The address as psycopg and the PostgreSQL tools take it."""
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _ensure_database(place: Place, database: str) -> None:
    """Create the database with its extensions the first time. Holds an advisory lock against a second starter."""
    with psycopg.connect(plain_url(_url(place, "postgres")), autocommit=True) as connection:
        if _exists(connection, database):
            return
        connection.execute("SELECT pg_advisory_lock(7301)")
        if not _exists(connection, database):
            draft = f"{database}_draft"
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(draft)))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(draft)))
            _add_extensions(place, draft)
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
            connection.execute(rename.format(sql.Identifier(draft), sql.Identifier(database)))


def _exists(connection: psycopg.Connection, database: str) -> bool:
    return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is not None


def _add_extensions(place: Place, database: str) -> None:
    with psycopg.connect(plain_url(_url(place, database)), autocommit=True) as connection:
        for extension in EXTENSIONS:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
