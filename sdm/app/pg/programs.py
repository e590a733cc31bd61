"""PostgreSQL's programs: the user they run as, and how that user reaches them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

from sdm.app.pg.place import Place, ServerError

CACHE_FOLDERS = ("/var/cache", "/var/lib", "/opt")  # for programs the server's user cannot reach as installed


def server_account(place: Place) -> pwd.struct_passwd | None:
    """The unprivileged user the server runs as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    if place.data.is_dir() and place.data.stat().st_uid != 0 and place.user is None:
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(place.data.stat().st_uid)
    for name in (place.user,) if place.user else ("sdm", "nobody"):
        with contextlib.suppress(KeyError):
            account = pwd.getpwnam(name)
            if account.pw_uid != 0:
                return account
    raise ServerError(
        "database.no_user",
        "PostgreSQL refuses to run as root and there is no other user for it",
        "create one (useradd --system sdm), name an existing one in SDM_PG_USER, or start the product as a normal user",
    )


def reachable_programs(place: Place, account: pwd.struct_passwd | None) -> Path:
    """Folder of the programs as the server's user reaches them: as installed, or a copy in the system's cache."""
    programs = Path(place.bin_dir)
    if account is None or _runs(programs, account):
        return programs
    if programs.parent.name != "pginstall":
        raise ServerError(
            "database.programs_closed",
            f"the user {account.pw_name} cannot run the programs in {programs}",
            "choose programs in a folder open to that user (SDM_PG_BIN), or another user (SDM_PG_USER)",
        )
    copy = _copied_programs(programs, account)
    if copy is None:
        raise ServerError(
            "database.programs_closed",
            f"the user {account.pw_name} can reach neither {programs} nor a copy of it",
            "make /var/cache writable and executable for programs, or start the product as a normal user",
        )
    return copy


def _runs(programs: Path, account: pwd.struct_passwd) -> bool:
    """True when the user can run both programs and read what they need."""
    for name in ("postgres", "initdb"):
        try:
            done = subprocess.run(
                [str(programs / name), "--version"],
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
                cwd="/",
                capture_output=True,
                check=False,
                timeout=30,
            )
        except (OSError, subprocess.SubprocessError):
            return False
        if done.returncode != 0:
            return False
    return True


def _copied_programs(programs: Path, account: pwd.struct_passwd) -> Path | None:
    """Copy server, initdb, libraries and shared files where the user reaches them; None when no place will do."""
    install, package = programs.parent, programs.parent.parent
    build = (programs / "postgres").stat()
    name = hashlib.sha256(f"{programs}:{build.st_size}:{build.st_mtime_ns}".encode()).hexdigest()[:12]
    for base in CACHE_FOLDERS:
        root = Path(base) / f"sdm-postgresql-{name}"
        target = root / package.name / install.name / "bin"
        if not _owned_by_root(root):
            with contextlib.suppress(OSError):
                _copy_install(package, install, root)
        if _owned_by_root(root) and _runs(target, account):
            return target
    return None


def _owned_by_root(folder: Path) -> bool:
    """True for a folder only root can change."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == 0 and not found.st_mode & 0o022


def _copy_install(package: Path, install: Path, root: Path) -> None:
    draft = Path(tempfile.mkdtemp(prefix=f"{root.name}.", dir=root.parent))
    try:
        target = draft / package.name / install.name
        (target / "bin").mkdir(parents=True)
        for program in ("postgres", "initdb"):
            shutil.copy2(install / "bin" / program, target / "bin" / program)
        for part in ("lib", "share"):
            shutil.copytree(install / part, target / part, ignore=shutil.ignore_patterns("*.a", "pgxs"))
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_read(draft)
        os.rename(draft, root)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _open_to_read(root: Path) -> None:
    for folder, _, files in os.walk(root):
        os.chmod(folder, 0o755)  # noqa: S103 - programs, no data
        for name in files:
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)


def program_version(programs: Path) -> int:
    """Major version of the programs in the folder."""
    said = subprocess.run(
        [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    return int(said.split()[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))


def check_version(place: Place) -> None:
    """ServerError when the cluster was made by another major version than the programs."""
    found = (place.data / "PG_VERSION").read_text(encoding="ascii").strip()
    ours = program_version(Path(place.bin_dir))
    if found != str(ours):
        raise ServerError(
            "database.version",
            f"{place.data} was made by PostgreSQL {found}, the programs here are version {ours}",
            f"set SDM_PG_BIN to version {found} programs; to change over: dump, move the folder away, start, restore",
        )
