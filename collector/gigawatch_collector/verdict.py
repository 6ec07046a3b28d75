"""What a failed transaction means for the requests in it."""

from __future__ import annotations

from typing import Literal

import psycopg

Verdict = Literal["poison", "again", "down"]
"""poison: one of the requests holds what the database will never take. again: the same transaction may pass now.
down: the database cannot take anything at the moment, and what this connection has learnt may be wrong."""


def verdict(error: Exception) -> Verdict:
    """Judge an error of a transaction."""
    match error:
        case psycopg.errors.DeadlockDetected() | psycopg.errors.SerializationFailure():
            return "again"
        case psycopg.errors.ForeignKeyViolation():  # what we remember is not there any more
            return "down"
        case psycopg.DataError() | psycopg.IntegrityError() | psycopg.errors.ProgramLimitExceeded():
            return "poison"
        case psycopg.Error() | OSError():  # TimeoutError is an OSError
            return "down"
        case _:  # a fault of our own, made by something in one of the requests
            return "poison"
