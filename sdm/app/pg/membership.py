"""Who uses the server: the first user starts it, the last one stops it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from sdm.app.pg.locks import is_free, open_lock, starting
from sdm.app.pg.place import STOPPED, Place, prepare_folder
from sdm.app.pg.process import server_log
from sdm.app.pg.server import ensure_started, halt, let_go

SOURCE = Path(__file__).resolve().parents[3]  # the folder that holds the package
WATCHER = (
    "import sys; sys.path.insert(0, sys.argv[1]); from sdm.app.pg.watcher import main; sys.exit(main(sys.argv[2]))"
)


def join(place: Place) -> int:
    """Become a user of the server and start it when it is not alive. Takes start.lock, then users.lock shared.

    Returns the descriptor that keeps the membership; pass it to `leave()`. ServerError when the server cannot start.
    """
    prepare_folder(place)
    with starting(place):
        member = open_lock(place, "users.lock")
        try:
            fcntl.flock(member, fcntl.LOCK_SH)
            (place.folder / STOPPED).unlink(missing_ok=True)
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
    with contextlib.suppress(FileNotFoundError):
        stop_if_unused(place)


def stop_if_unused(place: Place) -> bool:
    """Stop the server unless somebody uses it. True when it is stopped afterwards."""
    with starting(place, create=False):
        if not is_free(place, "users.lock"):
            return False
        halt(place)
        return True


def stop(place: Place) -> bool:
    """Stop the server whoever uses it, and keep it stopped until the next join. True when one was running."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), starting(place, create=False):
        (place.folder / STOPPED).touch(mode=0o600)
        return halt(place)
    return False


def has_users(place: Place) -> bool:
    """True when some process uses the server."""
    return not is_free(place, "users.lock")


def _ensure_watcher(place: Place) -> None:
    """Start the watcher unless one is there. Call with start.lock held."""
    if not is_free(place, "watcher.lock"):
        return
    os.close(open_lock(place, "watcher.lock"))  # the watcher itself makes no files
    with server_log(place) as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", WATCHER, str(SOURCE), json.dumps(asdict(place))],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            start_new_session=True,
        )
    let_go(process)
