"""The product as it really runs: its own data folder, embedded server, gunicorn workers; and a client that retries.

Used by the fault tests and nothing else. Everything stops with :meth:`Stack.stop`, also after a failed test.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

RETRY_SECONDS_MAX = 60.0
TRANSIENT = {500, 502, 503, 504, 409}


def free_port() -> int:
    """A port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Stack:
    """`sdm serve` on a data folder of its own."""

    def __init__(self, workers: int = 2) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sdm-fault-"))
        self.port = free_port()
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SDM_") or k == "SDM_PG_BIN"},
            "SDM_HOME": str(self.home), "PORT": str(self.port), "SDM_WORKERS": str(workers), "SDM_ENV": "production",
            "SDM_SECRET_KEY": "a secret of the fault tests",
        }  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, scheduler: bool = False) -> None:
        """Start and wait until it answers."""
        arguments = [sys.executable, "-m", "sdm.app.cli", "serve", *([] if scheduler else ["--no-scheduler"])]
        with (self.home / "serve.log").open("ab") as log:
            self.process = subprocess.Popen(arguments, env=self.environ, stdout=log, stderr=log)
        self.await_answer()

    def await_answer(self) -> None:
        """Wait until `/healthz` answers."""
        until = time.monotonic() + RETRY_SECONDS_MAX
        while time.monotonic() < until:
            try:
                if request(self.port, "GET", "/healthz").status == 200:
                    return
            except OSError:
                time.sleep(0.1)
        raise AssertionError(f"no answer; the log says: {(self.home / 'serve.log').read_text()[-3000:]}")

    def stop(self) -> None:
        """Stop politely, then for certain, and remove the data."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an `sdm` command on the same data."""
        return subprocess.run(
            [sys.executable, "-m", "sdm.app.cli", *arguments], env=self.environ, capture_output=True, text=True
        )

    def python(self, code: str) -> str:
        """Run Python in a process of its own on the same data; returns what it prints."""
        done = subprocess.run([sys.executable, "-c", code], env=self.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def module(self, *arguments: str) -> Any:
        """Run a module of the tests in a process of its own; what its last line says as JSON."""
        done = subprocess.run([sys.executable, "-m", *arguments], env=self.environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    def postmaster(self) -> int:
        """Process id of the database server."""
        files = list(self.home.glob("**/postmaster.pid"))
        assert files, "no database server runs"
        return int(files[0].read_text().split()[0])

    def web_workers(self) -> list[int]:
        """Process ids of the gunicorn workers."""
        assert self.process is not None
        masters = [pid for pid in children(self.process.pid) if "gunicorn" in command_line(pid)]
        return [pid for master in masters for pid in children(master)]


def children(pid: int) -> list[int]:
    """Process ids of the direct children."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            if int(stat[stat.rindex(")") + 2 :].split()[1]) == pid:
                found.append(int(entry.name))
    return found


def command_line(pid: int) -> str:
    """Command line of a process; empty when it is gone."""
    try:
        return (Path("/proc") / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and decoded body of an answer."""

    status: int
    body: Any
    headers: dict[str, str]


def request(port: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
    """One request on a connection of its own. OSError when the line breaks."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        raw = json.dumps(body) if body is not None else None
        sent = {"Content-Type": "application/json", "Accept": "application/json", **(headers or {})}
        connection.request(method, path, raw, sent)
        answer = connection.getresponse()
        content = answer.read()
        kind = answer.headers.get("Content-Type", "")
        decoded = json.loads(content) if "json" in kind and content else content.decode(errors="replace")
        return Answer(answer.status, decoded, dict(answer.headers))
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()


def persistent(port: int, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
    """A request that is repeated with the same key until it is answered for good."""
    until = time.monotonic() + RETRY_SECONDS_MAX
    last: Any = None
    while time.monotonic() < until:
        try:
            last = request(port, method, path, body, headers)
            if last.status not in TRANSIENT or (last.status == 409 and not _busy(last)):
                return last
        except OSError as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"no final answer within {RETRY_SECONDS_MAX} s: {last}")


def _busy(answer: Answer) -> bool:
    return isinstance(answer.body, dict) and answer.body.get("code") == "busy"


@dataclass(slots=True)
class Load:
    """Clients that send orders until told to stop; what was acknowledged is kept per key."""

    port: int
    make: Callable[[], dict[str, Any]]
    headers: dict[str, str]
    path: str = "/api/v1/orders"
    clients: int = 8
    acknowledged: dict[str, Answer] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._client) for _ in range(self.clients)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _client(self) -> None:
        while not self._stop.is_set():
            key = str(uuid4())
            self.sent.add(key)
            try:
                answer = persistent(
                    self.port, "POST", self.path, {**self.make(), "uuid": key}, {**self.headers, "Idempotency-Key": key}
                )
            except AssertionError as error:
                self.failures.append(str(error))
                return
            if answer.status in {200, 201}:
                self.acknowledged[key] = answer
            else:
                self.failures.append(f"{answer.status} {str(answer.body)[:300]}")
