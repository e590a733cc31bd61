"""`sdm serve` as a person runs it: it answers, and whatever ends it, nothing is left running."""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sdm.app import embedded
from sdm.kernel.settings import Settings


def until(condition: Callable[[], bool], seconds: float = 180.0) -> bool:
    """Wait for a condition."""
    for _ in range(int(seconds / 0.1)):
        if condition():
            return True
        time.sleep(0.1)
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """One running `sdm serve` on a data folder of its own."""

    def __init__(self, home: Path) -> None:
        self.port = free_port()
        self.log = home / "serve.log"
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("SDM_") or name == "SDM_PG_BIN"
        }
        environ = {**kept, "SDM_HOME": str(home / "data"), "SDM_ENV": "test", "PORT": str(self.port)}
        self.settings = Settings.from_env(environ)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sdm.app.cli", "serve"], env=environ, stdout=log, stderr=log
            )

    def answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def nothing_runs(self) -> bool:
        return not self.answers() and not embedded.status(self.settings).running


@pytest.fixture
def served() -> Iterator[Served]:
    home = Path(tempfile.mkdtemp(prefix="sdm-serve-"))
    running = Served(home)
    assert until(running.answers), running.log.read_text()
    yield running
    if running.process.poll() is None:
        running.process.kill()
    running.process.wait()
    assert until(running.nothing_runs)
    shutil.rmtree(home)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_everything_in_good_order(served: Served, sign: signal.Signals) -> None:
    served.process.send_signal(sign)
    assert served.process.wait(110) == 0
    assert served.nothing_runs()


def test_a_killed_parent_leaves_nothing_running(served: Served) -> None:
    served.process.kill()
    served.process.wait()
    assert until(served.nothing_runs)


def test_a_killed_database_is_back_for_the_next_request(served: Served) -> None:
    def database_answers() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
        try:
            connection.request("GET", "/readyz")
            return b"database.unreachable" not in connection.getresponse().read()
        except OSError:
            return False
        finally:
            connection.close()

    assert until(database_answers)
    pid = embedded.status(served.settings).pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: embedded.status(served.settings).pid not in (None, pid))
    assert until(database_answers)
