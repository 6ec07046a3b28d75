"""What a person types, and what they read."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from gigawatch_programme import cli
from gigawatch_programme.registry import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gigawatch_database.testing import Database, Server

    Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(database: Database, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Runs `gigawatch programme …` on a fresh database; returns exit code, stdout and stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        code = cli.main([*map(str, words), "--dsn", database.dsn], prog="gigawatch programme")
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the shipped files, to be edited."""
    return shutil.copytree(str(SHIPPED), tmp_path / "registry")


def test_an_empty_registry_says_which_command_fills_it(typed: Typed) -> None:
    for words in (["list"], ["show", "jaif"]):
        assert typed(*words) == (
            1,
            "",
            "gigawatch programme: the registry is empty: run `gigawatch programme import`\n",
        )


def test_import_takes_the_shipped_files_and_says_when_nothing_changed(typed: Typed) -> None:
    code, out, _ = typed("import")
    assert code == 0
    assert out.startswith("imported 396 rows of 10 files as import 1, entered by Gigawatch ")
    code, out, _ = typed("import")
    assert code == 0
    assert out.startswith("unchanged: import 1 of ")


def test_list_shows_every_factory_by_its_id_and_never_a_rank_or_a_sum(typed: Typed) -> None:
    typed("import")
    _, out, _ = typed("list")
    lines = [line.split() for line in out.splitlines()]
    ids = list(dict.fromkeys(words[0] for words in lines[1 : lines.index([])]))
    assert len(ids) == 19
    assert ids == sorted(ids)
    assert "23,536 | about 24,000" in out
    assert "47,536" not in out
    assert "650 to 700" in out
    (lumi_ai,) = [line for line in lines if "LUMI-AI" in line]
    assert lumi_ai[3:9] == ["-", "not", "disclosed", "-", "-", "-"]


def test_show_names_source_date_and_reader_of_each_fact_and_sets_conflicts_side_by_side(typed: Typed) -> None:
    typed("import")
    code, out, _ = typed("show", "jaif")
    assert code == 0
    conflict = out[out.index("JUPITER Booster, operational; sources differ:") :]
    assert conflict.index("23,536") < conflict.index("about 24,000")
    assert "2025-09-05, secondary: http://www.opda-techreview.com/?p=38312" in conflict
    _, out, _ = typed("show", "ro-aif")
    assert "not disclosed, unknown: not found" in out
    assert "looked for, not found" in out


def test_show_of_an_unknown_factory_names_those_there_are(typed: Typed) -> None:
    typed("import")
    code, out, err = typed("show", "jiaf")
    assert (code, out) == (1, "")
    assert err.startswith("gigawatch programme: there is no factory 'jiaf'; the registry has: 1healthai, ai-at, ")


def test_an_edited_folder_is_imported_under_the_name_of_who_entered_it(typed: Typed, folder: Path) -> None:
    typed("import")
    file = folder / "capacity.csv"
    file.write_text(file.read_text("utf-8").replace("about,,", "about,NVIDIA Grace Blackwell,"), "utf-8")
    code, out, _ = typed("import", folder, "--entered-by", "Ada Lovelace")
    assert (code, out) == (0, "imported 396 rows of 10 files as import 2, entered by Ada Lovelace\n")


def test_a_folder_with_mistakes_is_refused_whole_and_each_is_named(typed: Typed, folder: Path) -> None:
    file = folder / "capacity.csv"
    file.write_text(file.read_text("utf-8").replace("2026-08-31", "2026-13-01"), "utf-8")
    code, out, err = typed("import", folder)
    assert (code, out) == (1, "")
    assert err == (
        "gigawatch programme: nothing was imported: 1 problem\n"
        '  capacity.csv: row 3, column as_of: "2026-13-01" is not a date (YYYY-MM-DD, YYYY-MM, YYYY-Q1 to -Q4 or YYYY)\n'
    )
    assert typed("list")[0] == 1


def test_an_inventory_is_imported_and_said_to_be_unchanged_the_second_time(typed: Typed, tmp_path: Path) -> None:
    file = tmp_path / "inventory.csv"
    file.write_text("factory_id,host_name,rack,accelerators,model\nsim-aurora,n1,r1,8,\nsim-aurora,n2,r1,8,\n", "utf-8")
    code, out, _ = typed("inventory", file, "--from", "2026-11-16T08:00Z")
    assert (code, out) == (
        0,
        "2 nodes with 16 accelerators from 2026-11-16 08:00:00 UTC on: 2 rows opened, 0 closed, 0 unchanged\n",
    )
    assert typed("inventory", file)[1] == "unchanged: the inventory in force lists the same 2 nodes\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["inventory", "no-such-file.csv"], "no-such-file.csv: No such file or directory"),
        (["inventory", "x.csv", "--from", "soon"], "--from 'soon' is not a time (ISO 8601, such as 2026-10-10T08:00Z)"),
        (["import", "--entered-by", "a\x1bb"], "entered_by holds an invisible character (U+001B) or a line break"),
        (["import", "no-such-folder"], "nothing was imported: 10 problems"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_clear_sentence(words: list[str], message: str, typed: Typed) -> None:
    code, out, err = typed(*words)
    assert code != 0
    assert out == ""
    assert err.startswith(f"gigawatch programme: {message}")
    assert "Traceback" not in err


def test_a_database_that_was_never_migrated_is_told_the_command(
    timescale: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with timescale.database(template=None) as empty:
        assert cli.main(["list", "--dsn", empty.dsn], prog="gigawatch programme") == 3
    assert "run `gigawatch migrate`" in capsys.readouterr().err
