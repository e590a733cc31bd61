"""Fixtures of all tests: one server for the whole run, one database per worker, fresh databases for real commits.

- `database_url`: a migrated database of this worker. `SDM_TEST_DATABASE_URL` names another server whose role may create
  databases; `SDM_PG_BIN` lets the embedded launcher run other PostgreSQL programs. Default: the bundled ones.
- `app`: the application on that database. `client`: its test client.
- `session`: the application's session inside one outer transaction; commits become savepoints, all is rolled back.
- `committing_db`: the application on a fresh copy of the template, for real commits and several sessions.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg import sql
from sqlalchemy import make_url

from sdm.app import create_app, embedded
from sdm.app import migrate as migrations
from sdm.kernel.db import db
from sdm.kernel.settings import Settings

HOME_VARIABLE = "SDM_TEST_HOME"
TEMPLATE = "sdm_template"
SECRET = "a secret of the tests, known to all"


def pytest_configure(config: pytest.Config) -> None:
    """The controlling process makes the data folder that all workers share."""
    if HOME_VARIABLE not in os.environ:
        home = tempfile.mkdtemp(prefix="sdm-test-")
        os.environ[HOME_VARIABLE] = home
        atexit.register(_remove_home, home)
    for name in [name for name in os.environ if name.startswith("SDM_") and not name.startswith("SDM_TEST_")]:
        if name != "SDM_PG_BIN":
            del os.environ[name]


def _remove_home(home: str) -> None:
    """Stop the server with its last user, then remove the folder."""
    embedded.release(_settings(home))
    shutil.rmtree(home, ignore_errors=True)


def _settings(home: str, **changes: object) -> Settings:
    environ = {"SDM_HOME": home, "SDM_ENV": "test", "SDM_SECRET_KEY": SECRET}
    if os.environ.get("SDM_PG_BIN"):
        environ["SDM_PG_BIN"] = os.environ["SDM_PG_BIN"]
    return Settings.from_env(environ).replace(**changes)


@pytest.fixture(scope="session")
def test_settings() -> Settings:
    """Settings of the tests without a database address."""
    return _settings(os.environ[HOME_VARIABLE])


@pytest.fixture(scope="session")
def server_url(test_settings: Settings) -> str:
    """Address of the maintenance database of the server that the tests use."""
    given = os.environ.get("SDM_TEST_DATABASE_URL")
    if given:
        return Settings.from_env({"SDM_DATABASE_URL": given, "SDM_HOME": str(test_settings.home)}).database_url or ""
    return with_database(embedded.ensure_running(test_settings), "postgres")


@pytest.fixture(scope="session")
def template(server_url: str, test_settings: Settings) -> str:
    """Name of the database with the complete schema and no rows; made by the first worker that needs it."""
    name = f"{TEMPLATE}_{Path(os.environ[HOME_VARIABLE]).name.replace('-', '_').lower()}"
    with _one_at_a_time(test_settings.home):
        if not _execute(server_url, "SELECT 1 FROM pg_database WHERE datname = %s", name):
            draft = f"{name}_draft"
            create_database(server_url, draft)
            build_schema(with_database(server_url, draft), test_settings)
            rename = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(draft), sql.Identifier(name))
            _execute(server_url, rename)
            atexit.register(_drop_foreign, server_url, name)
    return name


def build_schema(url: str, settings: Settings) -> None:
    """Build all tables: by migrations where there are any, else straight from the models."""
    app = create_app(settings.replace(database_url=url), role="tool")
    if migrations.head_revision() is not None:
        migrations.upgrade(app)
    else:
        create_all(app)
    with app.app_context():
        db.engine.dispose()


def create_all(app: Flask) -> None:
    """Build all tables straight from the models."""
    with app.app_context():
        with db.engine.begin() as connection:
            for extension in embedded.EXTENSIONS:
                connection.exec_driver_sql(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        db.create_all()


@pytest.fixture(scope="session")
def database_url(server_url: str, template: str) -> Iterator[str]:
    """A database of this worker with the complete schema."""
    with fresh_database(server_url, template) as url:
        yield url


@pytest.fixture(scope="session")
def app(database_url: str, test_settings: Settings) -> Iterator[Flask]:
    """The application on this worker's database."""
    application = create_app(test_settings.replace(database_url=database_url))
    yield application
    with application.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """A browser without cookies on the application."""
    return app.test_client()


@pytest.fixture
def session(app: Flask) -> Iterator[object]:
    """The session inside an application context; whatever is committed in the test is rolled back after it.

    Requests of `client` in the same test see the same transaction.
    """
    with app.app_context(), db.engine.connect() as connection:
        outer = connection.begin()
        db.session.remove()
        db.session.configure(bind=connection, join_transaction_mode="create_savepoint")
        try:
            yield db.session
        finally:
            db.session.remove()
            db.session.configure(bind=None, join_transaction_mode="conditional_savepoint")
            outer.rollback()


@pytest.fixture
def committing_db(server_url: str, template: str, test_settings: Settings) -> Iterator[Flask]:
    """The application on a fresh database of its own, with real commits; dropped afterwards.

    Its address is `app.config["SQLALCHEMY_DATABASE_URI"]`; open an application context in every thread.
    """
    with fresh_database(server_url, template) as url:
        application = create_app(test_settings.replace(database_url=url, db_pool_size=20))
        yield application
        with application.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database without any table."""
    with fresh_database(server_url, None) as url:
        yield url


# --- databases --------------------------------------------------------------------------------------------------------

_serial = iter(range(1, 1_000_000))


@contextmanager
def fresh_database(server_url: str, template: str | None) -> Iterator[str]:
    """A new database, copied from a template or empty; dropped at the end although somebody may be connected."""
    name = f"sdm_t{os.getpid()}_{next(_serial)}"
    create_database(server_url, name, template)
    try:
        yield with_database(server_url, name)
    finally:
        drop_database(server_url, name)


def create_database(server_url: str, name: str, template: str | None = None) -> None:
    """CREATE DATABASE; a template that another worker copies just now is waited for."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    for attempt in range(50):
        try:
            _execute(server_url, statement)
            return
        except psycopg.errors.ObjectInUse:
            if attempt == 49:
                raise
            time.sleep(0.1)


def drop_database(server_url: str, name: str) -> None:
    """DROP DATABASE, ending its connections."""
    _execute(server_url, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def with_database(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _foreign_server() -> bool:
    return bool(os.environ.get("SDM_TEST_DATABASE_URL"))


def _drop_foreign(server_url: str, name: str) -> None:
    if _foreign_server():
        drop_database(server_url, name)


def _execute(url: str, statement: sql.Composable | str, *values: object) -> list[tuple]:
    with psycopg.connect(embedded.plain_url(url), autocommit=True) as connection:
        cursor = connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def _one_at_a_time(home: Path) -> Iterator[None]:
    with open(home / "template.lock", "w", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def fresh() -> object:
    """`fresh(server_url, template)`: context manager of a new database, for tests that need several."""
    return fresh_database


@pytest.fixture(scope="session", name="create_all")
def create_all_fixture() -> object:
    """`create_all(app)`: build all tables straight from the models."""
    return create_all
