"""Settings of one process, read once from the environment into a frozen object.

Every problem of a bad configuration is named at once: who starts the product sees the whole list, not its first line.
Reading settings touches neither disk nor database; `secret_key()` is the one function here that writes.
"""

from __future__ import annotations

import dataclasses
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo

ENVIRONMENTS = ("production", "demo", "test")
LOCALES = ("zh_CN", "en")
SECRET_FIELDS = frozenset({"secret_key", "metrics_token"})
URL_FIELDS = frozenset({"database_url", "database_direct_url"})
DEFAULT_HOME_NAME = "sdm-data"
SECRET_KEY_FILE = "secret-key"  # noqa: S105 - the name of a file, not a secret
SECRET_KEY_LENGTH_MIN = 16


class SettingsError(ValueError):
    """The environment does not describe a usable configuration.

    `problems` maps the name of each variable to what is wrong with it and what to write instead.
    """

    code = "settings.invalid"

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        lines = [f"  {name}: {problem}" for name, problem in self.problems.items()]
        super().__init__("\n".join(["the configuration has problems:", *lines]))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the environment decides. Field comments name the variable and its unit."""

    home: Path  # SDM_HOME: data folder; database, secret key, uploaded files
    database_url: str | None = dataclasses.field(default=None, repr=False)  # SDM_DATABASE_URL: None = embedded server
    database_direct_url: str | None = dataclasses.field(
        default=None, repr=False
    )  # SDM_DATABASE_DIRECT_URL: past a pooler, for migrations
    db_pooled: bool = False  # SDM_DB_POOLED: the URL leads through a transaction pooler
    db_pool_size: int = 8  # SDM_DB_POOL_SIZE: connections kept per process
    host: str = "127.0.0.1"  # SDM_HOST: address to listen on
    port: int = 8000  # PORT
    public_url: str | None = None  # SDM_PUBLIC_URL: address people type; https switches secure cookies and HSTS on
    proxy_hops: int = 0  # SDM_PROXY_HOPS: trusted reverse proxies in front
    workers: int = 2  # SDM_WORKERS: web worker processes
    threads: int = 4  # SDM_THREADS: threads per web worker
    env: str = "production"  # SDM_ENV
    log_json: bool = True  # SDM_LOG_JSON
    default_locale: str = "zh_CN"  # SDM_DEFAULT_LOCALE
    timezone: str = "Asia/Shanghai"  # SDM_TIMEZONE: business dates are taken here
    pg_bin: Path | None = None  # SDM_PG_BIN: other PostgreSQL programs for the embedded server
    pg_user: str | None = None  # SDM_PG_USER: user the embedded server runs as when started by root
    secret_key: str | None = dataclasses.field(default=None, repr=False)  # SDM_SECRET_KEY: None = kept in home
    metrics_token: str | None = dataclasses.field(default=None, repr=False)  # SDM_METRICS_TOKEN

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Settings:
        """Read `environ` (default: the process environment). Raises SettingsError naming every problem at once."""
        environ = os.environ if environ is None else environ
        values: dict[str, object] = {}
        problems: dict[str, str] = {}
        for field, (variable, parse) in _VARIABLES.items():
            raw = environ.get(variable, "").strip()
            if not raw:
                continue
            try:
                values[field] = parse(raw)
            except ValueError as problem:
                problems[variable] = str(problem)
        if "home" not in values and "SDM_HOME" not in problems:
            _default_home(values, problems)
        if problems:
            raise SettingsError(problems)
        return cls(**values)  # type: ignore[arg-type]

    @property
    def embedded(self) -> bool:
        """True when the product starts and owns its PostgreSQL server itself."""
        return self.database_url is None

    @property
    def secure(self) -> bool:
        """True when people reach the product through https."""
        return self.public_url is not None and self.public_url.startswith("https://")

    def masked(self) -> dict[str, str | int | bool | None]:
        """Settings to show to a person or a log: secrets and passwords inside addresses are hidden."""
        return {field.name: _mask(field.name, getattr(self, field.name)) for field in dataclasses.fields(self)}

    def replace(self, **changes: object) -> Settings:
        """A copy with some fields changed."""
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


def mask_url(url: str) -> str:
    """The address with its password replaced by stars."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    user, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user.split(':', 1)[0]}:***@{host}"))


def secret_key(settings: Settings) -> str:
    """The key that signs cookies: from the environment, or made once and kept in the data folder with mode 0600."""
    if settings.secret_key:
        return settings.secret_key
    ensure_home(settings)
    path = settings.home / SECRET_KEY_FILE
    if not path.exists():
        _write_once(path, secrets.token_urlsafe(48))
    return path.read_text(encoding="ascii").strip()


def ensure_home(settings: Settings) -> Path:
    """Create the data folder, closed to other users. An existing folder keeps its mode."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    return settings.home


def _write_once(path: Path, text: str) -> None:
    """Write a private file so that of two processes starting together exactly one wins, with complete content."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(text)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _default_home(values: dict[str, object], problems: dict[str, str]) -> None:
    try:
        values["home"] = Path.home() / DEFAULT_HOME_NAME
    except RuntimeError:
        problems["SDM_HOME"] = "this user has no home folder; name a data folder"


def _mask(name: str, value: object) -> str | int | bool | None:
    if name in SECRET_FIELDS and value:
        return "***"
    if name in URL_FIELDS and isinstance(value, str):
        return mask_url(value)
    return str(value) if isinstance(value, Path) else value  # type: ignore[return-value]


def _text(raw: str) -> str:
    return raw


def _path(raw: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(raw)))


def _flag(raw: str) -> bool:
    if raw.lower() in ("1", "true", "yes", "on"):
        return True
    if raw.lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError(f"{raw!r} is neither yes nor no; write 1 or 0")


def _number(low: int, high: int) -> Callable[[str], int]:
    def parse(raw: str) -> int:
        if not (raw.isascii() and raw.isdigit() and low <= int(raw) <= high):
            raise ValueError(f"{raw!r} is not a whole number between {low} and {high}")
        return int(raw)

    return parse


def _choice(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def parse(raw: str) -> str:
        if raw not in allowed:
            raise ValueError(f"{raw!r} is unknown; choose one of {', '.join(allowed)}")
        return raw

    return parse


def _database_url(raw: str) -> str:
    scheme, separator, rest = raw.partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise ValueError("is not a PostgreSQL address; write postgresql://user:password@host:5432/database")
    if not urlsplit(f"postgresql://{rest}").path.strip("/"):
        raise ValueError("names no database; write postgresql://user:password@host:5432/database")
    return f"postgresql+psycopg://{rest}"


def _public_url(raw: str) -> str:
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{raw!r} is not an address; write https://sdm.example.com")
    return raw.rstrip("/")


def _timezone(raw: str) -> str:
    try:
        ZoneInfo(raw)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"{raw!r} is not a time zone; write for example Asia/Shanghai") from None
    return raw


def _secret(raw: str) -> str:
    if len(raw) < SECRET_KEY_LENGTH_MIN:
        raise ValueError(f"is shorter than {SECRET_KEY_LENGTH_MIN} characters; leave it out to have one made")
    return raw


def _programs(raw: str) -> Path:
    path = _path(raw)
    if not (path / "postgres").exists() or not (path / "initdb").exists():
        raise ValueError(f"{raw!r} holds no PostgreSQL programs (postgres, initdb)")
    return path


_VARIABLES: dict[str, tuple[str, Callable[[str], object]]] = {
    "home": ("SDM_HOME", _path),
    "database_url": ("SDM_DATABASE_URL", _database_url),
    "database_direct_url": ("SDM_DATABASE_DIRECT_URL", _database_url),
    "db_pooled": ("SDM_DB_POOLED", _flag),
    "db_pool_size": ("SDM_DB_POOL_SIZE", _number(1, 100)),
    "host": ("SDM_HOST", _text),
    "port": ("PORT", _number(1, 65535)),
    "public_url": ("SDM_PUBLIC_URL", _public_url),
    "proxy_hops": ("SDM_PROXY_HOPS", _number(0, 10)),
    "workers": ("SDM_WORKERS", _number(1, 64)),
    "threads": ("SDM_THREADS", _number(1, 64)),
    "env": ("SDM_ENV", _choice(ENVIRONMENTS)),
    "log_json": ("SDM_LOG_JSON", _flag),
    "default_locale": ("SDM_DEFAULT_LOCALE", _choice(LOCALES)),
    "timezone": ("SDM_TIMEZONE", _timezone),
    "pg_bin": ("SDM_PG_BIN", _programs),
    "pg_user": ("SDM_PG_USER", _text),
    "secret_key": ("SDM_SECRET_KEY", _secret),
    "metrics_token": ("SDM_METRICS_TOKEN", _secret),
}
