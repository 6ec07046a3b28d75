from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from psycopg.conninfo import conninfo_to_dict

from gigawatch_contract.errors import ConfigurationError, SchemaError
from gigawatch_database import files, migrate, testing
from gigawatch_database.files import File

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ONE, TWO, VIEW = (
    File("migrations/a/0001_one.sql", "one"),
    File("migrations/a/0002_two.sql", "two"),
    File("views/v.sql", "v"),
)

PARTITIONS = next(file for file in files.read("apache") if file.name.endswith("/partitions.sql"))


def ran(*known: File) -> dict[str, str]:
    return {file.name: file.sha256 for file in known}


def test_a_new_database_lacks_everything() -> None:
    plan = migrate.pending([ONE, TWO, VIEW], {})
    assert (plan.once, plan.repeat, len(plan)) == ([ONE, TWO], [VIEW], 3)


def test_an_up_to_date_database_lacks_nothing() -> None:
    plan = migrate.pending([ONE, VIEW], ran(ONE, VIEW))
    assert (plan.once, plan.repeat, len(plan)) == ([], [], 0)


def test_one_changed_view_makes_all_run_again() -> None:
    other = File("views/w.sql", "w")
    plan = migrate.pending([ONE, VIEW, other], ran(ONE, VIEW, File("views/w.sql", "old")))
    assert (plan.repeat, len(plan)) == ([VIEW, other], 1)


def test_a_view_file_that_is_gone_makes_the_others_run_again() -> None:
    assert migrate.pending([ONE], ran(ONE, VIEW)).repeat == []
    assert migrate.pending([ONE, VIEW], ran(ONE, VIEW, File("views/w.sql", "w"))).repeat == [VIEW]


def test_edited_history_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"0001_one\.sql was edited after it ran"):
        migrate.pending([File(ONE.name, "changed")], ran(ONE))


def test_a_database_that_is_newer_than_the_code_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"has migrations/a/0002_two\.sql.*update Gigawatch"):
        migrate.pending([ONE], ran(ONE, TWO))


@pytest.fixture
def empty(timescale: testing.Server) -> Iterator[testing.Database]:
    with timescale.database(template=None) as database:
        yield database


@pytest.fixture
def sql(tmp_path: Path) -> Path:
    """A small schema of its own: one table, one view."""
    write(tmp_path, "migrations/a/0001_one.sql", "CREATE TABLE one (a int, b int);")
    write(tmp_path, "grade/timescale/partitions.sql", PARTITIONS.body)
    write(tmp_path, "views/m.sql", "CREATE OR REPLACE VIEW middle AS SELECT a, b FROM one;")
    return tmp_path


def write(root: Path, name: str, body: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(body)


def run(database: testing.Database, root: Path | None = None) -> list[str]:
    with database.connect() as connection:
        return migrate.migrate(connection, report=lambda _: None, root=root)


def test_migrating_twice_changes_nothing(database: testing.Database, plain_database: testing.Database) -> None:
    for migrated in (database, plain_database):
        assert run(migrated) == []
        with migrated.connect() as connection:
            assert migrate.check(connection) == migrated.grade


def test_a_service_names_the_command_to_run(empty: testing.Database) -> None:
    with empty.connect() as connection, pytest.raises(SchemaError, match=r"lacks \d+ files.*run `gigawatch migrate`"):
        migrate.check(connection)


def test_migrators_wait_for_each_other_and_one_does_the_work(empty: testing.Database) -> None:
    results: list[list[str]] = []
    threads = [threading.Thread(target=lambda: results.append(run(empty))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, results)) == [False, False, False, True]


def test_a_failing_file_leaves_nothing_behind_and_names_its_line(empty: testing.Database, sql: Path) -> None:
    write(
        sql,
        "migrations/a/0002_bad.sql",
        "CREATE TABLE two (a int);\n\n-- and\nINSERT INTO one\n  SELECT nonsense FROM one;\n",
    )
    with pytest.raises(SchemaError, match=r'0002_bad\.sql, line 5: column "nonsense" does not exist'):
        run(empty, sql)
    with empty.connect() as connection:
        assert connection.execute("SELECT name FROM schema_migration").fetchall() == [("migrations/a/0001_one.sql",)]
        assert connection.execute("SELECT to_regclass('one')::text, to_regclass('two')").fetchone() == ("one", None)
    write(sql, "migrations/a/0002_bad.sql", "CREATE TABLE two (a int);")
    assert "migrations/a/0002_bad.sql" in run(empty, sql)


def test_a_view_may_rest_on_one_of_a_later_file(empty: testing.Database, sql: Path) -> None:
    write(sql, "views/a.sql", "CREATE OR REPLACE VIEW upper_one AS SELECT a FROM middle;")
    assert run(empty, sql)[-2:] == ["views/a.sql", "views/m.sql"]


def test_a_view_that_lacks_what_nobody_brings_is_named(empty: testing.Database, sql: Path) -> None:
    write(sql, "views/a.sql", "CREATE OR REPLACE VIEW upper_one AS\nSELECT a FROM nowhere;")
    with pytest.raises(SchemaError, match=r'views/a\.sql, line 2: relation "nowhere" does not exist'):
        run(empty, sql)


def test_views_lose_and_change_columns_and_go(empty: testing.Database, sql: Path) -> None:
    write(sql, "views/a.sql", "CREATE OR REPLACE VIEW upper_one AS SELECT a FROM middle;")
    run(empty, sql)
    write(sql, "views/m.sql", "CREATE OR REPLACE VIEW middle AS SELECT a::text AS a FROM one;")
    run(empty, sql)
    (sql / "views/a.sql").unlink()
    run(empty, sql)
    with empty.connect() as connection:
        found = connection.execute(
            "SELECT pg_typeof(a)::text FROM (SELECT a FROM middle UNION ALL SELECT 'x') v"
        ).fetchone()
        assert found == ("text",)
        assert connection.execute("SELECT to_regclass('upper_one')").fetchone() == (None,)


def test_a_view_of_another_person_is_not_dropped(empty: testing.Database, sql: Path) -> None:
    run(empty, sql)
    with empty.connect() as connection:
        connection.execute("CREATE VIEW theirs AS SELECT a FROM middle")
    write(sql, "views/m.sql", "CREATE OR REPLACE VIEW middle AS SELECT b FROM one;")
    with pytest.raises(SchemaError, match="view theirs depends on view middle"):
        run(empty, sql)
    with empty.connect() as connection:
        assert connection.execute("SELECT count(*) FROM theirs").fetchone() == (0,)


@pytest.fixture
def visitor(empty: testing.Database) -> Iterator[testing.Database]:
    """The empty database as a user sees it who owns nothing in it."""
    with empty.connect() as connection:
        connection.execute("CREATE ROLE visitor LOGIN PASSWORD 'visitor'")
    yield testing.Database(
        empty.dsn.replace(str(conninfo_to_dict(empty.dsn)["password"]), "visitor").replace(
            "//gigawatch:", "//visitor:"
        ),
        empty.grade,
    )
    with empty.connect() as connection:
        connection.execute("DROP ROLE visitor")


def test_a_server_that_offers_timescaledb_and_refuses_it_is_not_taken_for_plain(visitor: testing.Database) -> None:
    with pytest.raises(SchemaError, match="as a superuser"):
        run(visitor)


def test_a_user_who_may_not_make_tables_is_told_so(empty: testing.Database, visitor: testing.Database) -> None:
    with empty.connect() as connection:
        connection.execute("CREATE EXTENSION timescaledb")
    with pytest.raises(ConfigurationError, match="may not do this: permission denied for schema public"):
        run(visitor)


def test_a_user_who_may_not_read_the_ledger_is_told_so(empty: testing.Database, visitor: testing.Database) -> None:
    run(empty)
    with (
        visitor.connect() as connection,
        pytest.raises(ConfigurationError, match="permission denied for table schema_migration"),
    ):
        migrate.check(connection)


def test_a_database_that_goes_away_is_said_to(empty: testing.Database, sql: Path) -> None:
    write(sql, "migrations/a/0002_end.sql", "SELECT pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(SchemaError, match=r"0002_end\.sql, line 1: terminating connection"):
        run(empty, sql)
    write(sql, "migrations/a/0002_end.sql", "SELECT 1;")
    assert "migrations/a/0002_end.sql" in run(empty, sql)
