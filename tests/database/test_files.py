from __future__ import annotations

from typing import TYPE_CHECKING

from gigawatch_database import files
from gigawatch_database.files import File

if TYPE_CHECKING:
    from pathlib import Path


def test_statements_end_at_semicolons_that_are_not_in_strings_comments_or_bodies() -> None:
    file = File(
        "x.sql",
        "-- first; not a statement\n"
        "SELECT ';', 'it''s; here';\n"
        "/* ; */ DO $$ BEGIN PERFORM 1; END $$;\n"
        'SELECT 1 AS "a;b" -- ; tail\n'
        ";\n"
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ SELECT 1; $body$\n",
    )
    assert list(file.statements()) == [
        (2, "SELECT ';', 'it''s; here'"),
        (3, "DO $$ BEGIN PERFORM 1; END $$"),
        (4, 'SELECT 1 AS "a;b" -- ; tail\n'),
        (6, "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $body$ SELECT 1; $body$\n"),
    ]


def test_a_file_of_comments_has_no_statement() -> None:
    assert not list(File("x.sql", "-- nothing;\n/* here; */\n").statements())


def test_numbers_order_the_folders_together_and_repeatable_files_come_last(tmp_path: Path) -> None:
    for name in ("migrations/b/0001_x.sql", "migrations/a/0003_x.sql", "grade/plain/0002_x.sql", "grade/plain/f.sql"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in files.read("plain", tmp_path)] == [
        "migrations/b/0001_x.sql",
        "grade/plain/0002_x.sql",
        "migrations/a/0003_x.sql",
        "grade/plain/f.sql",
    ]


def test_no_two_run_once_files_have_one_number() -> None:
    for grade in files.FOLDERS:
        numbers = [file.number for file in files.read(grade) if file.number is not None]
        assert len(numbers) == len(set(numbers)) >= 4
