"""The server process: start, readiness, end, and what a killed one leaves behind.

Call with start.lock held.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from pathlib import Path

from sdm.app.pg.cluster import create_cluster
from sdm.app.pg.locks import is_free, open_lock
from sdm.app.pg.place import SOCKET_NAME, Place, ServerError, explain_failure
from sdm.app.pg.process import directory, popen, server_log
from sdm.app.pg.programs import check_version, reachable_programs, server_account

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
LEFTOVER_SECONDS_MAX = 10.0
children: list[int] = []  # processes that outlive their start here; known by number so that ended ones are reaped


def running(place: Place) -> bool:
    """True when a process of the server is alive, ready or not."""
    return not is_free(place, "server.lock")


def ready(place: Place) -> bool:
    """True when the server is alive and takes connections."""
    return running(place) and _pid_file(place)[7:8] == ["ready"] and alive(place)


def ensure_started(place: Place) -> None:
    """Start the server when it is not alive, reuse it when it answers. Call with start.lock held."""
    if not is_free(place, "server.lock"):
        if _await_ready(place, None):
            return
        _clear_leftovers(place)
    if not place.data.is_dir():
        create_cluster(place)
    check_version(place)
    start_server(place)


def start_server(place: Place) -> None:
    """Start the server process and wait until it is ready. ServerError with the server's own words when it is not."""
    account = server_account(place)
    programs = reachable_programs(place, account)
    for name in ("postmaster.pid", f"{SOCKET_NAME}.lock", SOCKET_NAME):
        (place.data / name).unlink(missing_ok=True)  # server.lock is free, so nobody they could name is alive
    options = {**place.options, "listen_addresses": "", "unix_socket_directories": ".", "port": "5432"}
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with directory(place.data) as folder, server_log(place) as log:
        position = os.fstat(log).st_size
        lock = open_lock(place, "server.lock")
        fcntl.flock(lock, fcntl.LOCK_EX)
        os.set_inheritable(lock, True)
        try:
            process = popen(
                [str(programs / "postgres"), "-D", f"{folder.path}", *arguments],
                account,
                log,
                (lock, *folder.descriptors),
            )
        finally:
            os.close(lock)
    if not _await_ready(place, process):
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait()
        raise explain_failure(place, position)
    let_go(process)


def _await_ready(place: Place, process: subprocess.Popen[bytes] | None) -> bool:
    """Wait until the server says it is ready in its pid file; False when it died or takes too long."""
    until = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < until:
        if _pid_file(place)[7:8] == ["ready"] and alive(place):
            return True
        if process is not None and process.poll() is not None:
            return False
        if process is None and (is_free(place, "server.lock") or not alive(place)):
            return False
        time.sleep(0.05)
    return False


def alive(place: Place) -> bool:
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


def halt(place: Place) -> bool:
    """Stop the server: fast shutdown first, then at once, then what is left of it. Call with start.lock held."""
    if is_free(place, "server.lock"):
        return False
    if alive(place):
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
        reap()
        if is_free(place, "server.lock"):
            return True
        time.sleep(0.03)
    return False


def let_go(process: subprocess.Popen[bytes]) -> None:
    """Leave a started process to itself: it may outlive us, and its object does not watch it any more."""
    children.append(process.pid)
    process.returncode = 0


def reap() -> None:
    """Forget those of our children that have ended."""
    for pid in list(children):
        try:
            ended, _ = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            ended = pid
        if ended:
            children.remove(pid)


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
