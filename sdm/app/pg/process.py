"""Starting a program of PostgreSQL as the right user, with its log, below folders that are closed to him."""

from __future__ import annotations

import contextlib
import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdm.app.pg.place import Place

LOG_BYTES_MAX = 20_000_000


@dataclass(frozen=True, slots=True)
class Folder:
    path: str
    descriptors: tuple[int, ...]


@contextlib.contextmanager
def directory(folder: Path) -> Iterator[Folder]:
    """A name of the folder that another user may follow although its parents are closed to him."""
    if os.geteuid() != 0 or not Path("/proc/self/fd").exists():
        yield Folder(str(folder), ())
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.set_inheritable(descriptor, True)
        yield Folder(f"/proc/self/fd/{descriptor}", (descriptor,))
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def server_log(place: Place) -> Iterator[int]:
    with contextlib.suppress(FileNotFoundError):
        if place.log.stat().st_size > LOG_BYTES_MAX:
            place.log.replace(place.log.with_suffix(".log.1"))
    descriptor = os.open(place.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def popen(
    command: list[str], account: pwd.struct_passwd | None, output: int, descriptors: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    identity: dict[str, Any] = {}
    if account is not None:
        identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    process: subprocess.Popen[bytes] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        cwd="/",
        env=_environment(),
        pass_fds=descriptors,
        start_new_session=True,
        **identity,
    )
    return process


def _environment() -> dict[str, str]:
    """What the server may see of our environment: nothing that steers PostgreSQL and no secrets."""
    return {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "HOME") if name in os.environ} | {
        "LC_ALL": "C",
        "TZ": "UTC",
    }
