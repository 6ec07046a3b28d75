"""The errors that a person reads: one sentence that names the place and says what to do.

GigawatchError
 ├── ConfigurationError   a setting is missing or wrong; names its key and where it was read
 ├── SchemaError          the database's schema is older or newer than this code; names the command to run
 └── Unavailable          something outside does not answer now; trying again may help
"""

from __future__ import annotations


class GigawatchError(Exception):
    """Base of every error that ends a command with one clear message and no traceback."""

    exit_code = 1


class ConfigurationError(GigawatchError):
    """A setting is missing or wrong. The message names the key and where its value came from."""

    exit_code = 2


class SchemaError(GigawatchError):
    """The database's schema does not fit this code. The message names the command to run."""

    exit_code = 3


class Unavailable(GigawatchError):  # noqa: N818 - reads as the state it reports; "UnavailableError" says nothing more
    """Something outside (database, receiver, port) does not answer. Trying again later may help."""

    exit_code = 4
