from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_database import embedded, installation, places, server, timescale

if TYPE_CHECKING:
    from collections.abc import Iterator

REASON = "TimescaleDB could not be built: no C compiler (install gcc and libc6-dev)"
STARTER = """
import sys, time
from pathlib import Path
from gigawatch_database import embedded
with embedded.running(Path(sys.argv[1]), timescale=sys.argv[2] == "timescale", report=print) as server:
    print(server.grade, server.dsn, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def data(server_folder: Path) -> Iterator[Path]:
    """A data folder to be, with a space in its name; whatever runs there at the end is stopped."""
    path = server_folder / "data folder"
    yield path
    if path.exists():
        embedded.stop(path)
        shutil.rmtree(path)


def answers(dsn: str) -> bool:
    try:
        with psycopg.connect(dsn, connect_timeout=5):
            return True
    except psycopg.OperationalError:
        return False


def quiet(_: str) -> None:
    """What a server that is already built reports is of no interest."""


def test_the_server_is_reached_by_its_dsn_and_gone_afterwards(data: Path) -> None:
    with embedded.running(data, report=quiet, throw_away=True) as found:
        assert answers(found.dsn)
        assert conninfo_to_dict(found.dsn)["host"] == "127.0.0.1"
        assert found.data == data
    assert not answers(found.dsn)
    assert not (data / "postgres" / "postmaster.pid").exists()


def test_only_who_knows_the_password_gets_in_and_only_its_user_may_read_it(data: Path) -> None:
    with embedded.running(data, timescale=False, throw_away=True) as found:
        parts = conninfo_to_dict(found.dsn)
        assert not answers(found.dsn.replace(str(parts["password"]), "guess"))
        assert (data / "password").read_text() == parts["password"]
        assert (data / "password").stat().st_mode & 0o777 == 0o600
        assert (data / "postgres").stat().st_mode & 0o777 == 0o700
        with psycopg.connect(found.dsn) as connection:
            row = connection.execute(
                "SELECT current_setting('unix_socket_directories'), current_setting('listen_addresses')"
            )
            assert row.fetchone() == ("", "127.0.0.1")


def test_what_was_committed_is_there_again_after_a_stop_and_after_a_crash(data: Path) -> None:
    with embedded.running(data, timescale=False) as found, psycopg.connect(found.dsn) as connection:
        connection.execute("CREATE TABLE kept (id int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    with embedded.running(data, timescale=False) as found:
        with psycopg.connect(found.dsn) as connection:
            connection.execute("INSERT INTO kept VALUES (2)")
        os.kill(int((data / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        until(lambda: not answers(found.dsn))
        with embedded.running(data, timescale=False) as again, psycopg.connect(again.dsn) as connection:
            assert connection.execute("SELECT id FROM kept ORDER BY id").fetchall() == [(1,), (2,)]


def until(condition: object, patience_s: float = 30) -> None:
    """Wait for a condition, which a slow machine may take its time for."""
    assert callable(condition)
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_last_user_stops_it(data: Path) -> None:
    with embedded.running(data, timescale=False, throw_away=True) as first:
        with embedded.running(data, timescale=False, throw_away=True) as second:
            assert second.dsn == first.dsn
        assert answers(first.dsn)
    assert not answers(first.dsn)


def test_start_keeps_it_running_until_stop(data: Path) -> None:
    assert embedded.find(data) is None
    started = embedded.start(data, timescale=False)
    with embedded.running(data, timescale=False) as used:
        assert used.dsn == started.dsn
    assert embedded.find(data) == started
    assert embedded.stop(data)
    assert not answers(started.dsn)
    assert not embedded.stop(data)
    assert embedded.find(data) is None


def test_users_that_come_at_once_share_one_server(data: Path) -> None:
    found: list[str] = []
    together = threading.Barrier(3)

    def use() -> None:
        with embedded.running(data, timescale=False, throw_away=True) as running:
            found.append(running.dsn)
            together.wait(60)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert len(set(found)) == 1
    assert not answers(found[0])


def test_a_server_whose_starter_was_killed_is_found_used_and_stopped(data: Path) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, data, "plain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with starter:
        assert starter.stdout
        dsn = starter.stdout.readline().split()[1]
        starter.kill()
    assert answers(dsn)
    with embedded.running(data, timescale=False) as found:
        assert found.dsn == dsn
    assert not answers(dsn)


def test_a_port_that_a_killed_servers_notes_name_and_another_has_now_is_not_taken_for_ours(data: Path) -> None:
    with embedded.running(data, timescale=False, throw_away=True) as found:
        pass
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        notes = data / "postgres" / "postmaster.pid"
        notes.write_text(f"999999999\n{data / 'postgres'}\n0\n{other.getsockname()[1]}\n\n127.0.0.1\n")

        def hang_up() -> None:
            other.accept()[0].close()

        threading.Thread(target=hang_up).start()
        with embedded.running(data, timescale=False, throw_away=True) as again:
            assert answers(again.dsn)
            assert again.dsn != found.dsn


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with (
        pytest.raises(ConfigurationError, match="not empty and not a data folder of Gigawatch"),
        embedded.running(tmp_path),
    ):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"postgresql": "15"}, "was made by PostgreSQL 15, this is 16"),
        ({"timescaledb": "2.18.0"}, r"was made with TimescaleDB 2\.18\.0, this is 2\.19\.3"),
    ],
)
def test_a_folder_of_another_version_is_refused(data: Path, change: dict[str, str], words: str) -> None:
    with embedded.running(data, timescale=False, throw_away=True):
        pass
    notes = data / "server.json"
    notes.write_text(json.dumps({**json.loads(notes.read_text()), **change}))
    with pytest.raises(ConfigurationError, match=words), embedded.running(data, report=quiet):
        pass
    notes.write_text(json.dumps({**json.loads(notes.read_text()), "postgresql": "16", "timescaledb": None}))


def test_a_half_made_folder_is_made_anew(data: Path) -> None:
    data.mkdir()
    (data / "password").write_text("old")
    (data / "postgres.partial").mkdir()
    (data / "postgres.partial" / "PG_VERSION").write_text("16")
    with embedded.running(data, timescale=False, throw_away=True) as found:
        assert answers(found.dsn)
    assert not (data / "postgres.partial").exists()


def test_a_server_that_does_not_start_says_why(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(server.SETTINGS, "shared_buffers", "much")
    words = r"does not start; .*log ends: .*FATAL: .*contains errors"
    with pytest.raises(Unavailable, match=words), embedded.running(data, timescale=False):
        pass


def test_a_folder_that_shuts_the_server_out_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    closed.chmod(0o700)
    somebody = places.Account("the user somebody", os.getuid() + 1, os.getgid() + 1)
    with pytest.raises(ConfigurationError, match=r"runs as the user somebody, who may not enter .*"):
        places.check_open(closed / "data", somebody)
    places.check_open(Path("/"), somebody)


@pytest.fixture
def without_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH that has neither cc nor gcc."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def test_without_a_compiler_the_server_is_plain_and_says_so_ever_after(
    data: Path, server_folder: Path, without_compiler: None
) -> None:
    said: list[str] = []
    cache = server_folder / "empty cache"
    for _ in range(2):
        with embedded.running(data, report=said.append, cache=cache, throw_away=True) as found:
            assert found.grade == "plain"
            assert found.reason == REASON
            assert answers(found.dsn)
    assert said == [f"{REASON}. Going on with plain PostgreSQL"]  # the first time; the folder stays what it is
    shutil.rmtree(cache)


def test_a_folder_that_needs_timescaledb_is_not_served_without(
    data: Path, server_folder: Path, timescale: object, without_compiler: None
) -> None:
    with embedded.running(data, report=quiet, throw_away=True):
        pass
    cache = server_folder / "empty cache"
    words = r"was made with TimescaleDB.* could not be built: no C compiler"
    with pytest.raises(Unavailable, match=words), embedded.running(data, report=quiet, cache=cache):
        pass
    shutil.rmtree(cache)


def test_processes_that_need_it_at_once_build_it_once(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[Path] = []

    def build(pginstall: Path, work: Path, report: object) -> Path:
        built.append(pginstall)
        (work / "source.orig.tar.xz").touch()
        return work / "source.orig.tar.xz"

    monkeypatch.setattr(timescale, "build", build)
    cache = server_folder / "new cache"
    threads = [threading.Thread(target=lambda: installation.install(cache=cache)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert " " not in str(built[0])
    assert {path.name for path in cache.iterdir()} == {
        "lock",
        Path(installation.install(cache=cache).bin).parts[len(cache.parts)],
    }
    shutil.rmtree(cache)


def test_a_build_that_is_cut_off_leaves_nothing_that_passes_for_one(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(pginstall: Path, work: Path, report: object) -> Path:
        raise KeyboardInterrupt

    monkeypatch.setattr(timescale, "build", build)
    cache = server_folder / "new cache"
    with pytest.raises(KeyboardInterrupt):
        installation.install(cache=cache)
    assert [path.name for path in cache.iterdir()] == ["lock"]
    shutil.rmtree(cache)


@dataclass(frozen=True)
class Somebody:
    """An ordinary user with a home of its own; `uid` is None for the one who runs the tests."""

    python: str
    home: Path
    packages: Path | None
    uid: int | None
    gid: int | None

    def starts_a_server(self) -> subprocess.Popen[str]:
        """A process that runs a server until its stdin ends, and prints grade and DSN last."""
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"]}
        if self.packages:
            environment["PYTHONPATH"] = str(self.packages)
        return subprocess.Popen(
            [self.python, "-c", STARTER, "data of mine", "timescale"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.home,
            env=environment,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
        )


@pytest.fixture
def somebody(server_folder: Path) -> Iterator[Somebody]:
    """An ordinary user whose home has a space in its name.

    For root that is `nobody`, who may enter neither this checkout nor its environment: it gets copies.
    """
    home = server_folder / "some one"
    home.mkdir()
    if os.geteuid() != 0:
        yield Somebody(sys.executable, home, None, None, None)
    else:
        packages = server_folder / "packages"
        packages.mkdir()
        for name in ("psycopg", "psycopg-binary", installation.WHEEL, "typing-extensions"):
            copy(name, packages)
        for module in ("gigawatch_contract", "gigawatch_database"):
            shutil.copytree(Path(sys.modules[module].__file__ or "").parent, packages / module)
        nobody = places.account(home / "none")
        os.chown(home, nobody.uid, nobody.gid)
        # The program itself: the link to it may lie where nobody may enter.
        known = (Path(path).resolve() for path in (sys.executable, "/usr/bin/python3"))
        python = next(path for path in known if may_enter(path, nobody))
        yield Somebody(str(python), home, packages, nobody.uid, nobody.gid)
        shutil.rmtree(packages)
    shutil.rmtree(home)


def may_enter(program: Path, who: places.Account) -> bool:
    try:
        places.check_open(program.parent, who)
    except ConfigurationError:
        return False
    return program.exists()


def copy(name: str, packages: Path) -> None:
    """The files of a distribution; PostgreSQL 18, which the wheel also has, is left out."""
    for file in distribution(name).files or ():
        if ".." in file.parts or "pginstall18" in file.parts or "__pycache__" in file.parts:
            continue
        (packages / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(file.locate()), packages / file)


def test_an_ordinary_user_has_a_server_of_its_own(somebody: Somebody, timescale: object) -> None:
    """On TimescaleDB, from a cache that is its own."""
    built = installation.install(report=quiet).bin.parents[2]
    cache = somebody.home / ".cache"
    shutil.copytree(built, cache / "gigawatch" / built.name, symlinks=True)
    if somebody.uid is not None:
        subprocess.run(["chown", "-R", f"{somebody.uid}:{somebody.gid}", cache], check=True)
    with somebody.starts_a_server() as process:
        assert process.stdout
        grade, dsn = process.stdout.readline().split()
        assert grade == "apache"
        assert answers(dsn)
        owner = (somebody.home / "data of mine" / "postgres").stat().st_uid
        assert owner == (os.getuid() if somebody.uid is None else somebody.uid)
        process.communicate()
    assert process.returncode == 0
    assert not answers(dsn)


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_an_ordinary_user_builds_timescaledb(somebody: Somebody) -> None:
    """From Debian's source, with apt as that user, in a home with a space in its name."""
    if somebody.packages:
        copy("cmake", somebody.packages)
        copy("ninja", somebody.packages)
    with somebody.starts_a_server() as process:
        lines = process.communicate()[0].splitlines()
    assert process.returncode == 0
    assert [line.split()[0] for line in lines] == ["Fetching", "Building", "apache"]
