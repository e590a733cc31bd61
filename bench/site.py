"""A served product and the floor beside it, on one database server with real settings (fsync on)."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import make_url

from bench import company
from bench.machine import cpu_seconds, postmaster_pid
from sdm.app import create_app, embedded
from sdm.app import migrate as migrations
from sdm.kernel.db import db
from sdm.kernel.settings import Settings

WORKERS, THREADS = 2, 4
READY_SECONDS_MAX = 60


class Site:
    """One data folder with the embedded server; databases are made on it, web servers are started beside it."""

    def __init__(self, port: int) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sdm-bench-"))
        self.port = port
        self.settings = Settings.from_env({"SDM_HOME": str(self.home), "SDM_SECRET_KEY": "a secret of the bench run"})
        self.base_url = embedded.ensure_running(self.settings)
        self.servers: list[subprocess.Popen[bytes]] = []

    def url(self, database: str) -> str:
        """SQLAlchemy address of a database."""
        return make_url(self.base_url).set(database=database).render_as_string(hide_password=False)

    def connect(self, database: str, **options: Any) -> psycopg.Connection[Any]:
        """A plain connection to a database."""
        return psycopg.connect(self.conninfo(database), **options)

    def conninfo(self, database: str) -> str:
        """libpq address of a database."""
        url = make_url(self.url(database))
        parts = {"user": url.username, "password": url.password, "host": url.host, "port": url.port, **url.query}
        return make_conninfo(dbname=database, **{k: v for k, v in parts.items() if v})

    def create(self, database: str, template: str | None = None) -> None:
        """Make a database with the schema, or as a copy of another one."""
        with self.connect("postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}" TEMPLATE {template or "template0"}')
        if template is None:
            app = create_app(self.settings.replace(database_url=self.url(database)), role="tool")
            migrations.upgrade(app)
            with app.app_context():
                db.engine.dispose()

    def drop(self, database: str) -> None:
        """Remove a database."""
        with self.connect("postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def postmaster(self) -> int:
        """Process id of the database server."""
        return postmaster_pid(str(next(self.home.glob("**/postmaster.pid")).parent))

    def serve_product(self, database: str, workers: int = WORKERS) -> subprocess.Popen[bytes]:
        """Start the product's web server on a database and wait for it."""
        environ = {
            **os.environ, "SDM_HOME": str(self.home), "SDM_DATABASE_URL": self.url(database), "PORT": str(self.port),
            "SDM_WORKERS": str(workers), "SDM_THREADS": str(THREADS), "SDM_LOG_JSON": "1", "SDM_SECRET_KEY": "a secret of the bench run",
        }  # fmt: skip
        return self._start([sys.executable, "-m", "sdm.app.cli", "serve", "--no-scheduler"], environ, "/healthz")

    def serve_floor(self, database: str, workers: int = WORKERS) -> subprocess.Popen[bytes]:
        """Start the floor's web server on a database and wait for it."""
        environ = {**os.environ, "FLOOR_DATABASE": self.conninfo(database)}
        arguments = [
            sys.executable, "-m", "gunicorn", "bench.floor:app", "--bind", f"127.0.0.1:{self.port}",
            "--workers", str(workers), "--worker-class", "gthread", "--threads", str(THREADS), "--log-level", "warning",
        ]  # fmt: skip
        return self._start(arguments, environ, "/empty")

    def _start(self, arguments: list[str], environ: dict[str, str], path: str) -> subprocess.Popen[bytes]:
        log = (self.home / "servers.log").open("ab")
        server = subprocess.Popen(arguments, env=environ, stdout=log, stderr=log)
        self.servers.append(server)
        until = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < until and server.poll() is None:
            if self._answers(path):
                return server
            time.sleep(0.1)
        raise RuntimeError((self.home / "servers.log").read_text()[-3000:])

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self, server: subprocess.Popen[bytes]) -> None:
        """Stop a web server and wait for it."""
        server.terminate()
        server.wait(60)
        self.servers.remove(server)

    def cpu(self, server: subprocess.Popen[bytes]) -> float:
        """CPU seconds so far of a web server with its workers and of the database server."""
        return cpu_seconds(server.pid) + cpu_seconds(self.postmaster())

    def close(self) -> None:
        """Stop everything and remove the data."""
        for server in list(self.servers):
            self.stop(server)
        embedded.release(self.settings)
        shutil.rmtree(self.home, ignore_errors=True)


def grant_everything(site: Site, database: str) -> dict[str, str]:
    """A user with every delivered role at head office and a token; returns the request headers."""
    from sdm.auth.models import ApiToken, Role, User, UserRole
    from sdm.auth.service import ensure_roles
    from sdm.auth.service.sessions import token_hash
    from sdm.kernel.actor import system_actor, use_actor
    from sdm.kernel.command import command
    from sdm.kernel.permissions import Permission

    app = create_app(site.settings.replace(database_url=site.url(database)), role="tool")

    @command(None)
    def make() -> None:
        from branches.org.queries import head_office

        ensure_roles()
        unit_id = head_office().id
        user = User(login="bench", name="Bench", unit_id=unit_id)
        db.session.add(user)
        db.session.flush()
        db.session.add_all(
            UserRole(user_id=user.id, role_id=role.id, unit_id=unit_id) for role in db.session.query(Role)
        )
        permissions = [str(permission) for permission in Permission]
        hashed = token_hash(company.TOKEN)
        db.session.add(ApiToken(user_id=user.id, name="bench", token_hash=hashed, permissions=permissions))

    with app.app_context(), use_actor(system_actor("bench")):
        make()
        db.session.remove()
        db.engine.dispose()
    return {
        "Authorization": f"Bearer {company.TOKEN}",
        "Content-Type": "application/json",
        "Accept": "application/json",
    }


def session_cookie(connection: psycopg.Connection[Any]) -> str:
    """A browser session of the bench user, as a Cookie header."""
    from sdm.auth.identity import cookie_name
    from sdm.auth.service.sessions import token_hash

    connection.execute(
        "INSERT INTO user_session (token_hash, user_id, expires_at) "
        "SELECT %s, id, now() + interval '1 day' FROM app_user WHERE login = 'bench'",
        [token_hash(company.TOKEN)],
    )
    return f"{cookie_name(False)}={company.TOKEN}"
