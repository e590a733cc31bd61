"""`flock` locks of one server. The kernel gives them back whatever happens to their holder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator

from sdm.app.pg.place import Place


def open_lock(place: Place, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    return os.open(place.folder / name, flags, 0o600)


def try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def is_free(place: Place, name: str) -> bool:
    """True when nobody holds the lock, shared or alone. Ask only while holding start.lock."""
    descriptor = open_lock(place, name)
    try:
        return try_lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def starting(place: Place) -> Iterator[None]:
    """Hold start.lock: one process at a time starts, joins or stops."""
    descriptor = open_lock(place, "start.lock")
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
