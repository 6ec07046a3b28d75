"""Pseudonyms of users: HMAC-SHA256 under a key that stays in a file on the site and never enters the database."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

from gigawatch_contract.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32


def key(path: Path) -> bytes:
    """The site's key, made on first use.

    Raises:
        ConfigurationError: others may read the file, or it is not one of ours.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(KEY_BYTES))
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise ConfigurationError(f"others may read {path}, the key of the users' pseudonyms: chmod 600 it")
        found = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"key_file: {path}: {error.strerror}") from error
    if len(found) != KEY_BYTES:
        raise ConfigurationError(f"key_file: {path} is not a key of {KEY_BYTES} bytes")
    return found


def of(user: str, key: bytes) -> str:
    """The pseudonym of a user: the same for the same user and key."""
    return "u" + hmac.new(key, user.encode(), hashlib.sha256).hexdigest()[:24]
