"""`flock` locks of one server. The kernel gives them back whatever happens to their holder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator

from sdm.app.pg.place import Place


def open_lock(place: Place, name: str, create: bool = True) -> int:
    """Open a lock file. FileNotFoundError when it is not there and may not be made."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | (os.O_CREAT if create else 0)
    return os.open(place.folder / name, flags, 0o600)


def try_lock(descriptor: int, kind: int) -> bool:
    """Take a lock without waiting; False when somebody else holds it."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def is_free(place: Place, name: str) -> bool:
    """True when nobody holds the lock, shared or alone. Ask only while holding start.lock."""
    try:
        descriptor = open_lock(place, name, create=False)
    except (FileNotFoundError, NotADirectoryError):
        return True
    try:
        return try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def starting(place: Place, create: bool = True) -> Iterator[None]:
    """Hold start.lock: one process at a time starts, joins or stops.

    FileNotFoundError without `create` when the folder is gone: whoever ends something never makes files anew.
    """
    descriptor = open_lock(place, "start.lock", create)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
