"""The application factory: the only place that knows which parts are plugged together.

Imports nothing but the settings at first, so that small processes below this package stay small.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sdm.kernel.settings import Settings, secret_key

if TYPE_CHECKING:
    from flask import Flask

UPLOAD_BYTES_MAX = 64 * 1024 * 1024
FORM_BYTES_MAX = 8 * 1024 * 1024
FORM_PARTS_MAX = 20_000
STATEMENT_MS_MAX_WEB = 60_000


def create_app(settings: Settings | None = None, start_database: bool = True, role: str = "web") -> Flask:
    """Build the application.

    `settings` default to the environment. `start_database` starts or joins the embedded server where it is used.
    `role` is `web` (statements are bounded) or `tool` (command line and jobs, which may take long).
    Raises SettingsError, DatabaseUnavailable.
    """
    from flask import Flask

    settings = settings or Settings.from_env()
    app = Flask("sdm", root_path=os.path.dirname(os.path.dirname(os.path.abspath(__file__))), static_folder=None)
    app.config["TESTING"] = settings.env == "test"
    app.extensions["sdm_settings"] = settings
    _configure(app, settings, _database_url(settings, start_database), role)
    _install_extensions(app, settings)
    _install_parts(app, settings)
    return app


def settings_of(app: Flask) -> Settings:
    """The settings an application was built with."""
    settings: Settings = app.extensions["sdm_settings"]
    return settings


def _database_url(settings: Settings, start_database: bool) -> str:
    from sdm.app import embedded

    if settings.database_url is not None:
        return settings.database_url
    return embedded.ensure_running(settings) if start_database else "postgresql+psycopg:///sdm"


def _configure(app: Flask, settings: Settings, database_url: str, role: str) -> None:
    app.config.update(
        SECRET_KEY=secret_key(settings),
        SDM_ENV=settings.env,
        SQLALCHEMY_DATABASE_URI=database_url,
        SQLALCHEMY_ENGINE_OPTIONS=engine_options(settings, role),
        SESSION_COOKIE_NAME="__Host-sdm-form" if settings.secure else "sdm-form",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=UPLOAD_BYTES_MAX,
        MAX_FORM_MEMORY_SIZE=FORM_BYTES_MAX,
        MAX_FORM_PARTS=FORM_PARTS_MAX,
        WTF_CSRF_TIME_LIMIT=None,
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_SSL_STRICT=settings.secure,
        BABEL_DEFAULT_LOCALE=settings.default_locale,
        BABEL_DEFAULT_TIMEZONE=settings.timezone,
        PREFERRED_URL_SCHEME="https" if settings.secure else "http",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]


def engine_options(settings: Settings, role: str) -> dict[str, object]:
    """Options of the engine: pool size, and limits on waiting that hold for every connection.

    Behind a transaction pooler nothing may be kept on a connection: no prepared statements, limits per transaction.
    """
    options: dict[str, object] = {
        "pool_size": settings.db_pool_size,
        "max_overflow": settings.db_pool_size,
        "pool_timeout": 10,
        "pool_recycle": 1800,
    }
    if settings.db_pooled:
        options["connect_args"] = {"prepare_threshold": None}
        return options
    limits = {"timezone": "UTC", "lock_timeout": "3000"}
    if role == "web":
        limits["statement_timeout"] = limits["idle_in_transaction_session_timeout"] = str(STATEMENT_MS_MAX_WEB)
    values = " ".join(f"-c {name}={value}" for name, value in limits.items())
    options["connect_args"] = {"options": values, "application_name": f"sdm-{role}"}
    return options


def _install_extensions(app: Flask, settings: Settings) -> None:
    from flask_babel import Babel

    from sdm.app import migrate, wiring
    from sdm.kernel import audit, clock, command, i18n, jobs, scope
    from sdm.kernel.db import db

    wiring.load()
    clock.set_zone(settings.timezone)
    audit.set_seal_key(f"audit:{app.config['SECRET_KEY']}".encode())
    command.set_local_lock_timeout = settings.db_pooled
    i18n.configure(app)
    Babel(app, locale_selector=i18n.current_locale)
    db.init_app(app)
    migrate.init_app(app)
    for install in (scope.install, command.install, jobs.install):
        install(db.session)


def _install_parts(app: Flask, settings: Settings) -> None:
    from werkzeug.middleware.proxy_fix import ProxyFix

    from sdm.app import errors, health, logs, security, wiring
    from sdm.kernel import web

    logs.init_app(app, settings)
    errors.init_app(app)
    web.init_app(app)
    security.init_app(app, settings)
    health.init_app(app, settings)
    for blueprint in wiring.blueprints():
        app.register_blueprint(blueprint)
    for setup in wiring.SETUP:
        wiring.resolve(setup)(app)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_port=0, x_prefix=0
        )
