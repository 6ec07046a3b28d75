"""Locks between processes: files that the system unlocks when their holder ends, however it ends."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@contextmanager
def held(path: Path) -> Generator[None]:
    """Hold the lock alone; waits for it."""
    with opened(path) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def opened(path: Path) -> Generator[IO[bytes]]:
    """The lock's file, not locked yet; closing it lets go.

    Raises:
        ConfigurationError: the file is not this user's to write.
    """
    try:
        file = path.open("ab")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}") from error
    with file:
        yield file


def share(file: IO[bytes]) -> None:
    """Hold the lock together with others that share it."""
    fcntl.flock(file, fcntl.LOCK_SH)


def alone(file: IO[bytes]) -> bool:
    """Whether nobody shares the lock any more; then this process holds it alone."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
