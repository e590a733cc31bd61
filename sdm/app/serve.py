"""`sdm serve`: database, web workers and scheduler under one parent, which ends them together.

Children live in sessions of their own, so Ctrl+C reaches the parent only and the order of the end is ours: web, then
scheduler, then the database server with its last user. A killed parent takes its children with it (Linux).
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sdm.app import embedded
from sdm.kernel.errors import N_, SdmError, describe
from sdm.kernel.settings import Settings

GRACE_SECONDS = 35.0
READY_SECONDS_MAX = 60.0
SCHEDULER_RESTART_SECONDS = 5.0
PR_SET_PDEATHSIG = 1

describe(
    {
        "serve.port_in_use": N_(
            "Port %(port)s is taken by another program; set PORT to a free one, e.g. PORT=%(next)s"
        ),
        "serve.port_refused": N_("Cannot listen on %(host)s port %(port)s: %(reason)s"),
        "serve.not_ready": N_("The web server did not answer within %(seconds)s seconds; its log is above"),
    }
)


class CannotServe(SdmError):
    """The address cannot be used, or the web server does not come up."""


@dataclass(slots=True)
class Children:
    """The processes below `sdm serve`."""

    settings: Settings
    with_scheduler: bool
    web: subprocess.Popen[bytes] | None = None
    scheduler: subprocess.Popen[bytes] | None = None
    scheduler_since: float = 0.0
    signals: list[int] = field(default_factory=list)

    def start(self) -> None:
        """Start both."""
        self.web = spawn(["-m", "gunicorn", "--config", "python:sdm.app.gunicorn_conf", "sdm.app:create_app()"])
        self._start_scheduler()

    def _start_scheduler(self) -> None:
        if self.with_scheduler:
            self.scheduler = spawn(["-m", "sdm.app.cli", "scheduler"])
            self.scheduler_since = time.monotonic()

    def supervise(self) -> int:
        """Wait for the end of the web server or a signal; a scheduler that ended is started again. Exit code."""
        while not self.signals:
            if self.web is not None and self.web.poll() is not None:
                return self.web.returncode or 1
            ended = self.scheduler is not None and self.scheduler.poll() is not None
            if ended and time.monotonic() - self.scheduler_since > SCHEDULER_RESTART_SECONDS:
                self._start_scheduler()
            time.sleep(0.2)
        return 0

    def stop(self) -> None:
        """End both politely, then for certain."""
        for child in (self.web, self.scheduler):
            if child is not None and child.poll() is None:
                child.terminate()
        until = time.monotonic() + GRACE_SECONDS
        for child in (self.web, self.scheduler):
            if child is not None:
                _end(child, until, self.signals)


def _end(child: subprocess.Popen[bytes], until: float, signals: list[int]) -> None:
    """Wait for a child; kill it when time is up or the person asked twice."""
    while child.poll() is None:
        if time.monotonic() > until or len(signals) > 1:
            child.kill()
            child.wait()
            return
        time.sleep(0.05)


def spawn(arguments: list[str]) -> subprocess.Popen[bytes]:
    """A Python child in a session of its own that ends with its parent."""
    return subprocess.Popen(
        [sys.executable, *arguments], start_new_session=True, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent
    )


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def serve(settings: Settings, with_scheduler: bool = True, when_ready: Callable[[], None] | None = None) -> int:
    """Serve until a signal or the end of the web server; returns the exit code. Raises CannotServe."""
    require_free_port(settings)
    embedded.ensure_running(settings)
    folder = figures_folder(settings)
    children = Children(settings, with_scheduler)
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, lambda number, _frame: children.signals.append(number))
    try:
        children.start()
        if await_ready(settings, children) and when_ready is not None:
            when_ready()
        return children.supervise()
    finally:
        children.stop()
        shutil.rmtree(folder, ignore_errors=True)
        embedded.release(settings)


def require_free_port(settings: Settings) -> None:
    """CannotServe when something listens at the address already, or we may not."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as problem:
            details = {"host": settings.host, "port": settings.port, "reason": problem.strerror}
            if problem.errno == 98 or "in use" in str(problem):
                raise CannotServe("serve.port_in_use", next=settings.port + 1, **details) from problem
            raise CannotServe("serve.port_refused", **details) from problem


def await_ready(settings: Settings, children: Children) -> bool:
    """Wait until the web server answers; False when asked to stop before. CannotServe when it does not come up."""
    until = time.monotonic() + READY_SECONDS_MAX
    while not children.signals and (children.web is None or children.web.poll() is None):
        if answers(settings):
            return True
        if time.monotonic() > until:
            raise CannotServe("serve.not_ready", seconds=int(READY_SECONDS_MAX))
        time.sleep(0.1)
    return False


def answers(settings: Settings) -> bool:
    """True when `/healthz` answers."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(host, settings.port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def figures_folder(settings: Settings) -> Path:
    """Folder in which the workers of this run keep their figures; those of ended runs are removed."""
    run = settings.home / "run"
    run.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in run.glob("figures-*"):
        with contextlib.suppress(ValueError):
            if not _exists(int(old.name.partition("-")[2])):
                shutil.rmtree(old, ignore_errors=True)
    folder = run / f"figures-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    return folder


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
