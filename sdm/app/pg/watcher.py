"""The watcher: a small process that ends the server with its last user and revives it under the others."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import sys
import time

from sdm.app.pg.locks import is_free, open_lock, starting, try_lock
from sdm.app.pg.place import STOPPED, Place, ServerError
from sdm.app.pg.server import alive, ensure_started, halt, reap

WATCH_SECONDS = 0.5
RESTARTS_MAX = 5


def watch(place: Place) -> None:
    """Stop the server when its last user has gone; start it again when it died under its users. Returns at the end."""
    own = open_lock(place, "watcher.lock", create=False)
    if not try_lock(own, fcntl.LOCK_EX):
        return
    restarts = 0
    while (place.folder / "start.lock").exists():
        time.sleep(WATCH_SECONDS)
        with contextlib.suppress(FileNotFoundError), starting(place, create=False):
            if is_free(place, "users.lock"):
                os.close(own)  # before start.lock, so that whoever joins next starts a new watcher
                halt(place)
                return
            reap()
            if (place.folder / STOPPED).exists():
                return
            if not is_free(place, "server.lock") and alive(place):
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


def main(place: str) -> int:
    """Entry of the watcher process; `place` is a Place as JSON."""
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, signal.SIG_IGN)
    try:
        watch(Place(**json.loads(place)))
    except (ServerError, OSError) as problem:
        sys.stderr.write(f"watcher: {problem}\n")
        return 1
    return 0
