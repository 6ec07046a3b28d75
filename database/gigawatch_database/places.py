"""Where the embedded server keeps its programs and its data, and the account it runs as."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from gigawatch_contract.errors import ConfigurationError

ACCOUNTS = ("gigawatch", "nobody")
"""Whom root runs the server as: a user made for it, or else the one that owns nothing."""


@dataclass(frozen=True)
class Account:
    """An unprivileged user: PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


def account(existing: Path) -> Account:
    """Whom the server runs as: this user, or, for root, who owns its existing data, or the first of ACCOUNTS there is.

    Raises:
        ConfigurationError: root's machine has neither, or the data is another user's.
    """
    owner = existing.stat() if existing.exists() else None
    if owner and os.geteuid() not in {0, owner.st_uid}:
        raise ConfigurationError(
            f"{existing} belongs to another user: choose another data folder (--data, GIGAWATCH_DATA)"
        )
    if os.geteuid() != 0:
        return Account("this user", os.geteuid(), os.getegid())
    if owner and owner.st_uid != 0:
        return Account(f"the user with id {owner.st_uid}", owner.st_uid, owner.st_gid)
    for name in ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(f"the user {name}", entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "PostgreSQL does not run as root, and this machine has no user 'gigawatch' or 'nobody': "
        "make one (useradd --system gigawatch), run as an ordinary user, or set GIGAWATCH_DSN"
    )


def cache() -> Path:
    """Where built servers are kept, outside the checkout: GIGAWATCH_CACHE, or the usual place of this user.

    Root's own cache is no place: the server's account cannot enter /root.
    """
    if chosen := os.environ.get("GIGAWATCH_CACHE"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/gigawatch")
    return _home("XDG_CACHE_HOME", ".cache") / "gigawatch"


def data() -> Path:
    """Where the default server's data is kept: GIGAWATCH_DATA, or the usual place of this user."""
    if chosen := os.environ.get("GIGAWATCH_DATA"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/gigawatch")
    return _home("XDG_DATA_HOME", ".local/share") / "gigawatch"


def check_open(folder: Path, who: Account) -> None:
    """Check that the account can enter the folder from the root down.

    Raises:
        ConfigurationError: naming the folder that shuts it out.
    """
    for part in (folder, *folder.parents):
        state = part.stat()
        bit = 0o100 if state.st_uid == who.uid else 0o010 if state.st_gid == who.gid else 0o001
        if not state.st_mode & bit:
            raise ConfigurationError(
                f"{folder}: the database server runs as {who.name}, who may not enter {part}; choose a folder elsewhere, "
                f"such as /var/lib/gigawatch"
            )


def make(folder: Path) -> Path:
    """Make a folder that others may enter, whatever the umask says; returns it.

    Raises:
        ConfigurationError: it cannot be made.
    """
    try:
        for part in reversed((folder, *folder.parents)):
            if not part.exists():
                part.mkdir(exist_ok=True)
                part.chmod(0o755)
    except OSError as error:
        raise ConfigurationError(f"{folder} cannot be made: {error.strerror}") from error
    return folder


def _home(variable: str, usual: str) -> Path:
    """A folder of the XDG base directories: absolute, as their rule asks, or the usual one."""
    chosen = Path(os.environ.get(variable, ""))
    return chosen if chosen.is_absolute() else Path.home() / usual
