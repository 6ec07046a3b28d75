"""The data folder of an embedded server: what is in it, what made it, and whose it is.

`postgres/` is the server's own, `log` its log, `password` for this user alone, `server.json` says what made it; `lock`,
`users` and `kept` are how the processes that share it agree.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_database import places
from gigawatch_database.installation import POSTGRESQL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from gigawatch_database.installation import Installation

AGREEMENTS = {"lock", "users", "kept"}


@dataclass(frozen=True)
class Made:
    """What made a data folder. `reason` says why it is without TimescaleDB, where that was wanted."""

    postgresql: str
    timescaledb: str | None
    reason: str | None


@dataclass(frozen=True)
class Folder:
    """A data folder and the account that its server runs as."""

    path: Path
    account: places.Account

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def password(self) -> str:
        return (self.path / "password").read_text("utf-8")

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program of the server as its account, with nothing of our environment that could steer it."""
        foreign = os.geteuid() != self.account.uid
        return subprocess.run(
            words,
            cwd=self.path,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            umask=0o077,
            user=self.account.uid if foreign else None,
            group=self.account.gid if foreign else None,
            extra_groups=[] if foreign else None,
        )

    def write(self, path: Path, text: str, *, handed_over: bool = False) -> None:
        """Write a file for this user alone or, handed over, for the account alone; never for more, not even at first."""
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            if handed_over:
                os.fchown(file.fileno(), self.account.uid, self.account.gid)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())


def at(path: Path) -> Folder:
    """The data folder at a path, made if it is not there.

    Raises:
        ConfigurationError: it cannot be made, holds something else, or shuts the server out.
    """
    path = places.make(path.absolute()).resolve()
    if set(str(path)) & set('"$`\\\n'):
        raise ConfigurationError(f"{path}: choose a data folder without quotes, '$' or '\\' in its name")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigurationError(f"{path} belongs to another user: choose another data folder (--data, GIGAWATCH_DATA)")
    here = {entry.name for entry in path.iterdir()} - AGREEMENTS
    if here and not here & {"password", "server.json"}:
        raise ConfigurationError(
            f"{path} is not empty and not a data folder of Gigawatch: choose another (--data, GIGAWATCH_DATA)"
        )
    account = places.account(path / "postgres")
    places.check_open(path, account)
    return Folder(path, account)


def made(folder: Folder) -> Made | None:
    """What made the folder's data, or None where there is none yet.

    Raises:
        ConfigurationError: another PostgreSQL made it.
    """
    if not folder.postgres.exists():
        return None
    notes = folder.path / "server.json"
    try:
        facts = Made(**json.loads(notes.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError(f"{notes} cannot be read: {error}") from error
    if facts.postgresql != POSTGRESQL:
        raise ConfigurationError(
            f"{folder.path} was made by PostgreSQL {facts.postgresql}, this is {POSTGRESQL}: "
            "use another data folder, or the version of Gigawatch that made it"
        )
    return facts


def check(folder: Folder, facts: Made, programs: Installation) -> None:
    """Refuse to serve a folder with another TimescaleDB than made it.

    Raises:
        ConfigurationError: the versions differ.
        Unavailable: TimescaleDB, which the folder needs, is not among the programs.
    """
    if not facts.timescaledb or facts.timescaledb == programs.timescaledb:
        return
    needs = f"{folder.path} was made with TimescaleDB {facts.timescaledb}"
    if programs.timescaledb:
        raise ConfigurationError(
            f"{needs}, this is {programs.timescaledb}: use another data folder, or the version of Gigawatch that made it"
        )
    raise Unavailable(f"{needs}. {programs.reason}")


def create(folder: Folder, programs: Installation, *, user: str, password: str, throw_away: bool) -> Made:
    """Make the folder's data: whole, or not at all; not safe on disk where it is to be thrown away.

    Raises:
        Unavailable: PostgreSQL refuses; the message holds its last words.
    """
    facts = Made(POSTGRESQL, programs.timescaledb, programs.reason)
    partial = folder.path / "postgres.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    os.chown(partial, folder.account.uid, folder.account.gid)
    folder.write(folder.path / "password", password)
    handed = folder.path / "password.partial"
    folder.write(handed, password, handed_over=True)
    words = ["-U", user, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    if throw_away:
        words.append("--no-sync")
    try:
        done = folder.run(programs.bin / "initdb", "-D", partial, f"--pwfile={handed}", *words)
    finally:
        handed.unlink()
    if done.returncode != 0:
        raise Unavailable(f"PostgreSQL could not be set up in {folder.path}: {last_words(done.stderr or done.stdout)}")
    folder.write(folder.path / "server.json", json.dumps(asdict(facts), indent=2) + "\n")
    partial.rename(folder.postgres)
    return facts


def last_words(lines: str | Sequence[str]) -> str:
    """The line of a program's output that tells most: its last error, or its last line."""
    lines = lines.splitlines() if isinstance(lines, str) else lines
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if "FATAL" in line or "PANIC" in line or "error:" in line]
    return (errors or lines or ["no word"])[-1][:300]
