"""The embedded server: one server for all, nothing killed blocks the next start, data closed to everybody else."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from sdm.app import embedded
from sdm.app.embedded import DatabaseUnavailable, ensure_running, plain_url, release, status
from sdm.app.pg import membership, programs, server
from sdm.app.pg import place as places
from sdm.kernel.settings import Settings

USER = """
import os, sys, time
from sdm.app import embedded
from sdm.kernel.settings import Settings
settings = Settings.from_env({**os.environ, "SDM_HOME": sys.argv[1], "SDM_ENV": "test"})
print(embedded.ensure_running(settings), flush=True)
time.sleep(600)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def home() -> Iterator[Path]:
    """A closed folder for data folders; every server below it is stopped at the end."""
    folder = Path(tempfile.mkdtemp(prefix="sdm-home-"))
    yield folder
    for data in folder.rglob("postgres/data"):
        membership.stop(embedded.place_of(settings_for(data.parent.parent)))
    shutil.rmtree(folder)


def settings_for(home: Path, **variables: str) -> Settings:
    """Settings of one data folder; the PostgreSQL programs under test are kept."""
    programs = {"SDM_PG_BIN": os.environ["SDM_PG_BIN"]} if os.environ.get("SDM_PG_BIN") else {}
    return Settings.from_env({"SDM_HOME": str(home), "SDM_ENV": "test", **programs, **variables})


def until(condition: Callable[[], bool], looks: int = 2400) -> bool:
    """Wait for a condition, at most two minutes."""
    for _ in range(looks):
        if condition():
            return True
        time.sleep(0.05)
    return False


def another_user(home: Path) -> subprocess.Popen[str]:
    """A second process that uses the server; returns when it does."""
    process = subprocess.Popen([sys.executable, "-c", USER, str(home)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert "sdm" in process.stdout.readline()
    process.stdout.close()
    return process


def end(process: subprocess.Popen[str], sign: int = signal.SIGKILL) -> None:
    process.send_signal(sign)
    process.wait()


def test_a_second_start_uses_the_same_server_and_keeps_the_data(home: Path) -> None:
    settings = settings_for(home / "one")
    first = ensure_running(settings)
    pid = status(settings).pid
    with psycopg.connect(plain_url(first), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (id int)")
    assert ensure_running(settings) == first
    assert status(settings).pid == pid
    release(settings)
    assert not status(settings).running
    with psycopg.connect(plain_url(ensure_running(settings))) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    release(settings)


def test_the_extensions_are_there_and_similarity_finds_chinese(home: Path) -> None:
    settings = settings_for(home / "one")
    with psycopg.connect(plain_url(ensure_running(settings))) as connection:
        found = {row[0] for row in connection.execute("SELECT extname FROM pg_extension")}
        similar = connection.execute("SELECT similarity('苏州海尔专卖店', '苏州海尔')").fetchone()
    assert set(embedded.EXTENSIONS) <= found
    assert similar is not None and similar[0] > 0.3
    release(settings)


def test_the_server_stays_while_another_process_uses_it_and_ends_with_the_last(home: Path) -> None:
    settings = settings_for(home / "one")
    ensure_running(settings)
    other = another_user(home / "one")
    release(settings)
    assert status(settings).running
    end(other, signal.SIGTERM)
    assert until(lambda: not status(settings).running)


def test_a_killed_user_takes_the_server_with_it_when_it_was_the_last(home: Path) -> None:
    other = another_user(home / "one")
    settings = settings_for(home / "one")
    assert status(settings).running
    end(other, signal.SIGKILL)
    assert until(lambda: not status(settings).running)


def test_a_killed_server_is_started_again_under_its_users_however_often(home: Path) -> None:
    settings = settings_for(home / "one")
    url = ensure_running(settings)
    with psycopg.connect(plain_url(url), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS id")
    for _ in range(7):
        killed = status(settings).pid
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        assert until(lambda gone=killed: status(settings).pid not in (None, gone))
    with psycopg.connect(plain_url(ensure_running(settings))) as connection:
        assert connection.execute("SELECT id FROM kept").fetchone() == (7,)
    release(settings)


def test_a_server_stopped_on_purpose_stays_stopped_until_somebody_needs_it(home: Path) -> None:
    other = another_user(home / "one")
    settings = settings_for(home / "one")
    assert embedded.stop(settings)
    assert not until(lambda: status(settings).running, looks=40)
    ensure_running(settings)
    assert status(settings).running
    end(other)
    release(settings)


def test_the_next_start_works_after_server_watcher_and_user_were_killed_together(home: Path) -> None:
    other = another_user(home / "one")
    settings = settings_for(home / "one")
    watchers = subprocess.run(["pgrep", "-f", f'sdm.app.pg.watcher.*"{home}/one"'], capture_output=True, text=True)
    pid = status(settings).pid
    assert pid is not None and watchers.stdout.split()
    for watcher in watchers.stdout.split():
        os.kill(int(watcher), signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    end(other, signal.SIGKILL)
    with psycopg.connect(plain_url(ensure_running(settings))) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert status(settings).pid != pid
    release(settings)


def test_a_server_left_alone_by_killed_watcher_and_user_is_reused_then_stopped(home: Path) -> None:
    other = another_user(home / "one")
    settings = settings_for(home / "one")
    watchers = subprocess.run(["pgrep", "-f", f'sdm.app.pg.watcher.*"{home}/one"'], capture_output=True, text=True)
    for watcher in watchers.stdout.split():
        os.kill(int(watcher), signal.SIGKILL)
    end(other, signal.SIGKILL)
    orphan = status(settings)
    assert orphan.running and not orphan.in_use
    ensure_running(settings)
    assert status(settings).pid == orphan.pid
    release(settings)
    assert not status(settings).running


def test_a_pid_file_that_names_a_living_stranger_does_not_block(home: Path) -> None:
    settings = settings_for(home / "one")
    ensure_running(settings)
    release(settings)
    stranger = subprocess.Popen(["sleep", "60"])
    data = home / "one" / "postgres" / "data"
    (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n5432\n.\n\n1 1\nready\n")
    (data / ".s.PGSQL.5432.lock").write_text(f"{stranger.pid}\n{data}\n1\n5432\n.\n")
    with psycopg.connect(plain_url(ensure_running(settings))) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert stranger.poll() is None
    end(stranger)  # type: ignore[arg-type]
    release(settings)


def test_two_data_folders_run_two_servers_at_once(home: Path) -> None:
    first, second = settings_for(home / "one"), settings_for(home / "two")
    urls = {ensure_running(first), ensure_running(second)}
    assert len(urls) == 2
    assert status(first).pid != status(second).pid
    release(first)
    assert status(second).running
    release(second)


def test_a_long_path_is_reached_through_a_short_private_folder(home: Path) -> None:
    settings = settings_for(home / ("long" * 20) / ("name" * 20))
    url = ensure_running(settings)
    way = places.socket_folder(embedded.place_of(settings))
    assert len(os.fsencode(way / places.SOCKET_NAME)) <= places.SOCKET_PATH_BYTES_MAX
    assert stat.S_IMODE(way.parent.stat().st_mode) == 0o700
    with psycopg.connect(plain_url(url)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    release(settings)
    shutil.rmtree(way.parent)


def test_a_moved_data_folder_goes_on(home: Path) -> None:
    before = settings_for(home / "before")
    with psycopg.connect(plain_url(ensure_running(before)), autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS id")
    release(before)
    (home / "before").rename(home / "after")
    after = settings_for(home / "after")
    with psycopg.connect(plain_url(ensure_running(after))) as connection:
        assert connection.execute("SELECT id FROM kept").fetchone() == (7,)
    release(after)


def test_nobody_else_can_read_the_folder_and_no_network_port_is_open(home: Path) -> None:
    settings = settings_for(home / "one")
    url = ensure_running(settings)
    folder = home / "one" / "postgres"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "data").stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    with psycopg.connect(plain_url(url)) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
    wrong = plain_url(url).replace((folder / "password").read_text().strip(), "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)
    release(settings)


def test_commits_reach_the_disk_outside_of_tests(home: Path) -> None:
    settings = settings_for(home / "one", SDM_ENV="production")
    with psycopg.connect(plain_url(ensure_running(settings))) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    release(settings)


def test_data_of_another_version_are_refused_with_a_remedy(home: Path) -> None:
    settings = settings_for(home / "one")
    ensure_running(settings)
    release(settings)
    (home / "one" / "postgres" / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(DatabaseUnavailable) as caught:
        ensure_running(settings)
    assert caught.value.code == "database.version"
    assert "SDM_PG_BIN" in caught.value.details["remedy"]


def test_a_broken_configuration_is_named_in_the_servers_own_words(home: Path) -> None:
    settings = settings_for(home / "one")
    ensure_running(settings)
    release(settings)
    with open(home / "one" / "postgres" / "data" / "postgresql.conf", "a") as stream:
        stream.write("no_such_setting = 'x'\n")
    with pytest.raises(DatabaseUnavailable) as caught:
        ensure_running(settings)
    assert caught.value.code == "database.configuration"
    assert "no_such_setting" in caught.value.details["message"]
    assert not status(settings).running


def test_a_folder_that_cannot_be_made_is_named(home: Path) -> None:
    (home / "file").write_text("in the way")
    with pytest.raises(DatabaseUnavailable) as caught:
        ensure_running(settings_for(home / "file" / "below"))
    assert caught.value.code == "database.folder"
    assert "SDM_HOME" in caught.value.details["remedy"]


def test_a_start_without_space_names_the_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "DISK_BYTES_MIN", 10**18)
    with pytest.raises(DatabaseUnavailable) as caught:
        ensure_running(settings_for(home / "one"))
    assert caught.value.code == "database.disk_full"


@as_root
def test_started_by_root_the_server_runs_as_another_user_below_closed_folders(home: Path) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    settings = settings_for(closed / "data")
    ensure_running(settings)
    pid = status(settings).pid
    assert Path(f"/proc/{pid}").stat().st_uid != 0
    assert all(stat.S_IMODE(folder.stat().st_mode) & 0o077 == 0 for folder in (home, closed, closed / "data"))
    release(settings)


@as_root
def test_programs_below_closed_folders_are_copied_where_only_root_writes(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundled = Path(places.bundled_bin_dir()).parents[1]
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(bundled, closed / bundled.name, copy_function=os.link)
    shutil.copytree(bundled.parent / f"{bundled.name}.libs", closed / f"{bundled.name}.libs", copy_function=os.link)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as cache:
        os.chmod(cache, 0o755)
        monkeypatch.setattr(programs, "CACHE_FOLDERS", (cache,))
        place = places.Place(home=str(home / "one"), bin_dir=str(closed / bundled.name / "pginstall" / "bin"))
        account = programs.server_account(place)
        copied = programs.reachable_programs(place, account)
        assert copied.is_relative_to(cache)
        assert all(not path.stat().st_mode & 0o022 for path in Path(cache).rglob("*"))
        member = membership.join(place)
        assert server.running(place)
        membership.leave(place, member)


@as_root
def test_a_normal_user_runs_the_server_as_himself(home: Path) -> None:
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None or not os.access(server.__file__, os.R_OK):
        pytest.skip("no Python that a normal user can run")
    folder = Path(tempfile.mkdtemp(prefix="sdm-nobody-", dir="/var/tmp"))
    shutil.chown(folder, "nobody")
    code = (
        f"import os, sys; sys.path.insert(0, {str(membership.SOURCE)!r})\n"
        "from sdm.app.pg import membership, server\nfrom sdm.app.pg.place import Place\n"
        f"place = Place(home={str(folder / 'h')!r}, bin_dir={places.bundled_bin_dir()!r})\n"
        "member = membership.join(place)\n"
        "print(os.stat(f'/proc/{server.server_pid(place)}').st_uid == os.geteuid() != 0)\n"
        "membership.leave(place, member); print(server.running(place))\n"
    )
    try:
        done = subprocess.run(
            [python, "-B", "-c", code], user="nobody", extra_groups=[], cwd="/", capture_output=True, text=True
        )
        assert done.stdout.split() == ["True", "False"], done.stderr
    finally:
        shutil.rmtree(folder)
