from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gigawatch_contract.errors import ConfigurationError, Unavailable
from gigawatch_database.connect import connect, describe, dsn_or_embedded

if TYPE_CHECKING:
    from gigawatch_database.testing import Database

SECRET = "correct-horse"


def test_a_connection_speaks_utc_and_names_itself(database: Database) -> None:
    with connect(database.dsn, application_name="someone") as connection:
        assert connection.autocommit
        shown = connection.execute("SELECT current_setting('timezone'), current_setting('application_name')").fetchone()
        assert shown == ("UTC", "someone")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": SECRET}, 'password authentication failed for user "gigawatch"'),
        ({"password": ""}, "no password supplied"),
        ({"dbname": "nowhere"}, 'database "nowhere" does not exist'),
        ({"port": "99999"}, "invalid port number"),
    ],
)
def test_a_dsn_that_is_wrong_names_itself_and_the_reason(
    database: Database, change: dict[str, str], words: str
) -> None:
    dsn = make_conninfo("", **{**conninfo_to_dict(database.dsn), **change})
    with pytest.raises(ConfigurationError, match="GIGAWATCH_DSN") as caught:
        connect(dsn, application_name="test")
    assert words in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("dsn", [f"postgresql://u:{SECRET}@[::1/x", f"host localhost {SECRET}", f"port={SECRET} x"])
def test_what_is_no_dsn_is_not_repeated(dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="has the form postgresql://") as caught:
        describe(dsn)
    assert SECRET not in str(caught.value)


def test_a_server_that_does_not_answer_may_do_so_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can answer there
        port = taken.getsockname()[1]
        with pytest.raises(
            Unavailable, match=f"database x at 127.0.0.1:{port} as user u: Connection refused"
        ) as caught:
            connect(f"postgresql://u:{SECRET}@127.0.0.1:{port}/x", application_name="test")
    assert SECRET not in str(caught.value)


def test_a_host_without_an_address_is_said_to_be_one() -> None:
    with pytest.raises(Unavailable, match=r"nowhere\.invalid"):
        connect("postgresql://u@nowhere.invalid/x", application_name="test")


def test_a_dsn_that_was_given_is_used_and_nothing_is_started() -> None:
    with dsn_or_embedded("postgresql://somewhere/x") as dsn:
        assert dsn == "postgresql://somewhere/x"
