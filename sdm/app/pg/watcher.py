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
RETRY_SECONDS_MAX = 30.0


def watch(place: Place) -> None:
    """Stop the server when its last user has gone; start it again whenever it died under its users. Returns at the end.

    A start that fails (no space left, no memory) is tried again, at last every half minute, so that the product goes on
    by itself when the cause is gone.
    """
    own = open_lock(place, "watcher.lock", create=False)
    if not try_lock(own, fcntl.LOCK_EX):
        return
    failures, not_before = 0, 0.0
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
            if time.monotonic() >= not_before:
                failures = 0 if _restart(place) else failures + 1
                not_before = time.monotonic() + min(RETRY_SECONDS_MAX, WATCH_SECONDS * 2 ** min(failures, 10))


def _restart(place: Place) -> bool:
    """Start a server that died; a failure is noted and answered with False."""
    try:
        ensure_started(place)
    except ServerError as problem:
        sys.stderr.write(f"watcher: {problem}\n")
        sys.stderr.flush()
        return False
    return True


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
