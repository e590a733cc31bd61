"""Making the cluster: all or nothing, with the best character handling the machine has."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from pathlib import Path

from sdm.app.pg.place import ROLE, Place, check_disk, failure, read_or_make_password
from sdm.app.pg.process import directory, popen
from sdm.app.pg.programs import program_version, reachable_programs, server_account

TUNING = {
    "shared_buffers": "256MB",
    "max_connections": "100",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%a ",
    "log_lock_waits": "on",
    "log_checkpoints": "off",
}


def create_cluster(place: Place) -> None:
    """Make the cluster beside its final place and move it there when complete, so no half-made one is ever found."""
    check_disk(place)
    account = server_account(place)
    programs = reachable_programs(place, account)
    for leftover in place.folder.glob("init-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = Path(tempfile.mkdtemp(prefix="init-", dir=place.folder))
    password = read_or_make_password(place)
    (draft / "password").write_text(password, encoding="ascii")
    for path in (draft, draft / "password"):
        _hand_over(path, account)
    try:
        _run_initdb(programs, draft, account)
        with open(draft / "data" / "postgresql.conf", "a", encoding="utf-8") as stream:
            stream.write("\n# values of SDM; change them here\n")
            stream.writelines(f"{name} = '{value}'\n" for name, value in TUNING.items())
        os.rename(draft / "data", place.data)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _hand_over(path: Path, account: pwd.struct_passwd | None) -> None:
    os.chmod(path, 0o700 if path.is_dir() else 0o600)
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _run_initdb(programs: Path, draft: Path, account: pwd.struct_passwd | None) -> None:
    """Run initdb with the best character handling the machine has: C.UTF-8 order, then plain C."""
    said = b""
    for locale in _locale_arguments(programs):
        shutil.rmtree(draft / "data", ignore_errors=True)
        with directory(draft) as folder, tempfile.TemporaryFile() as output:
            command = [
                str(programs / "initdb"),
                "-D",
                f"{folder.path}/data",
                "-U",
                ROLE,
                "-A",
                "scram-sha-256",
                "--encoding=UTF8",
                f"--pwfile={folder.path}/password",
                *locale,
            ]
            process = popen(command, account, output.fileno(), folder.descriptors)
            if process.wait() == 0:
                return
            output.seek(0)
            said = output.read()
    raise failure("the database could not be created", said.decode(errors="replace")[-3000:])


def _locale_arguments(programs: Path) -> list[list[str]]:
    """Locale choices for initdb, best first. Similarity search finds Chinese only where the character type is UTF-8."""
    plain = ["--locale=C"]
    unicode = ["--locale=C.UTF-8"]
    if program_version(programs) >= 17:
        unicode += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return [unicode, plain]
