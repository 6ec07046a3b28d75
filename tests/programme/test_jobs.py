"""Jobs from accounting: every oddity of sacct, versions, pseudonyms, and who held which accelerator."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigawatch_contract.errors import ConfigurationError
from gigawatch_programme.jobs import nodelist, pseudonym, records, store
from gigawatch_programme.table import Refused

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

KEY = b"k" * 32
NODES = {f"n{number:02}" for number in range(1, 10)}
HEADER = "|".join(records.FIELDS) + "\n"
CSV = ",".join(column.name for column in records.COLUMNS) + "\n"
FACTORY = "sim-aurora"


def utc(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2026, 10, 25, hour, minute, tzinfo=dt.UTC)


def sacct(*rows: str) -> list[records.Job]:
    return records.from_sacct("jobs.txt", (HEADER + "".join(row + "\n" for row in rows)).encode(), KEY, NODES)


def row(job: str = "7", state: str = "COMPLETED", start: str = "2026-10-25T00:30:00", end: str = "Unknown") -> str:
    return f"{job}|ada|climate|{state}|2026-10-25T00:00:00|{start}|{end}|n[01-02]|billing=8,cpu=8,gres/gpu=16,node=2"


@given(st.lists(st.integers(0, 999), min_size=1, max_size=20, unique=True), st.integers(1, 3))
def test_a_bracket_expands_to_each_number_at_its_width(numbers: list[int], width: int) -> None:
    names = [f"n{number:0{width}}-ib" for number in numbers]
    assert nodelist.expand(f"n[{','.join(f'{number:0{width}}' for number in numbers)}]-ib") == names
    assert nodelist.expand(",".join(names)) == names
    low, high = min(numbers), max(numbers)
    assert len(nodelist.expand(f"n[{low:0{width}}-{high}]")) == high - low + 1


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n[01-03,07]", ["n01", "n02", "n03", "n07"]),
        ("n[9-11],login1", ["n9", "n10", "n11", "login1"]),
        ("r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]),
    ],
)
def test_slurms_short_form_is_expanded(text: str, names: list[str]) -> None:
    assert nodelist.expand(text) == names


@pytest.mark.parametrize(
    "text", ["", "n[", "n[3-1]", "n[a]", "n1,", ",n1", "n1,,n2", "n 1", "n[1-999999999]", "n[1-999]m[1-999]", "n[]"]
)
def test_what_is_no_list_of_nodes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"list|range|comma|more than"):
        nodelist.expand(text)


def test_a_row_becomes_a_job_without_its_users_name() -> None:
    (job,) = sacct(row(end="2026-10-25T01:30:00"))
    assert job == records.Job(
        "7", pseudonym.of("ada", KEY), "climate", None, None, "COMPLETED", utc(0), utc(0, 30), utc(1, 30), ("n01", "n02"), None, 8
    )  # fmt: skip


def test_an_hour_that_daylight_saving_repeats_is_told_apart() -> None:
    first, second = sacct(row("1", start="2026-10-25T02:30:00+0200"), row("2", start="2026-10-25T02:30:00+0100"))
    assert (first.started_at, second.started_at) == (utc(0, 30), utc(1, 30))


def test_the_oddities_of_sacct() -> None:
    jobs = {
        job.job_id: job
        for job in sacct(
            row("100_3", "RUNNING"),
            row("100_4.batch"),
            "100_[5-9]|ada|climate|PENDING|2026-10-25T00:00:00|Unknown|Unknown|None assigned|",
            row("8", "CANCELLED by 1000", end="2026-10-25T01:00:00"),
            row("9", "REQUEUED", "2026-10-25T00:10:00", "2026-10-25T00:20:00"),
            row("9", "COMPLETED", "2026-10-25T00:30:00", "2026-10-25T00:40:00"),
        )
    }
    assert set(jobs) == {"100_3", "100_[5-9]", "8", "9", "9@2026-10-25T00:10:00Z"}
    assert jobs["100_3"].ended_at is None
    assert (jobs["100_[5-9]"].started_at, jobs["100_[5-9]"].nodes) == (None, ())
    assert jobs["8"].state == "CANCELLED", "who cancelled is a person"
    assert (jobs["9"].state, jobs["9@2026-10-25T00:10:00Z"].state) == ("COMPLETED", "REQUEUED")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (row().replace("n[01-02]", "n[01-77]"), 'row 2, column NodeList: "n10" is not in the inventory'),
        (row(start="yesterday"), 'row 2, column Start: "yesterday" is not a time'),
        (row(end="2026-10-24T00:00:00"), "row 2, column End: is before the start"),
        (row() + "\n" + row(), 'row 3, column JobID: "7" is already in row 2'),
        ("7|ada", "row 2: has 2 cells, the header has 9"),
        (row().replace("ada", "=cmd"), "row 2, column User: \"=cmd\" starts with '='"),
    ],
)
def test_a_broken_sacct_is_refused_by_row_and_column(rows: str, message: str) -> None:
    with pytest.raises(Refused) as refused:
        sacct(rows)
    assert str(refused.value.problems[0]).removeprefix("jobs.txt: ").startswith(message)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"\xff\xfej\0", "is UTF-16"),
        (CSV.encode() + b"\xe9,,,,,,,,,,\n", "is not UTF-8"),
        (b"<html>", "is a web page"),
        (b"job_id,state\n1,RUNNING\n", 'column "user" is missing'),
        ((CSV + "1,ada,,,RUNNING,,25.10.2026,,n01,,8\n").encode(), 'row 2, column started_at: "25.10.2026" is not a time'),
        ((CSV + '1,ada,,,RUNNING,,2026-10-25T00:00Z,,n01,,"8,0"\n').encode(), "row 2, column accelerators_per_node:"),
        ((CSV + "1,ada,,,RUNNING,,2026-10-25T00:00Z,,x1,,8\n").encode(), 'row 2, column nodes: "x1" is not in the inventory'),
        ((CSV + "1,=ada,,,RUNNING,,,,,,\n").encode(), "row 2, column user:"),
        ((CSV + "1,,,,RUNNING,,,,,,\n" * 2).encode(), 'row 3: job_id "1" is already in row 2'),
        (b"x" * (16 * 1024 * 1024 + 1), "is larger than 16 MB"),
    ],
)  # fmt: skip
def test_a_broken_csv_of_each_kind_is_refused_by_row_and_column(body: bytes, message: str) -> None:
    with pytest.raises(Refused) as refused:
        records.from_csv("jobs.csv", body, KEY, NODES)
    assert str(refused.value.problems[0]).removeprefix("jobs.csv: ").startswith(message)


def test_a_pseudonym_is_stable_and_depends_on_the_sites_key(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key"
    first = pseudonym.key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert pseudonym.key(path) == first != pseudonym.key(tmp_path / "other")
    assert pseudonym.of("ada", first) == pseudonym.of("ada", first) != pseudonym.of("bo", first)
    assert pseudonym.of("ada", first) != pseudonym.of("ada", KEY)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="others may read"):
        pseudonym.key(path)


def save(connection: psycopg.Connection, *jobs: records.Job) -> int:
    return store.save(connection, FACTORY, jobs, file="jobs.txt", form="slurm", entered_by="ada")


def test_accounting_written_again_is_a_version_and_the_newest_holds(connection: psycopg.Connection) -> None:
    running = sacct(row(state="RUNNING"))
    ended = sacct(row(end="2026-10-25T01:30:00"))
    assert [save(connection, *running), save(connection, *running), save(connection, *ended)] == [1, 0, 1]
    assert store.current(connection, FACTORY) == {"7": ended[0]}
    assert connection.execute("SELECT state FROM job ORDER BY import_id").fetchall() == [("RUNNING",), ("COMPLETED",)]
    spans = connection.execute("SELECT DISTINCT held_from, held_to FROM allocation_current").fetchall()
    assert spans == [(utc(0, 30), utc(1, 30))]
    everything = connection.execute("SELECT string_agg(j::text || i::text, '') FROM job j, job_import i").fetchone()
    assert everything is not None
    assert "ada|" not in everything[0]
    assert KEY.hex() not in everything[0]


def test_which_accelerators_which_job_held(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO factory (factory_id, simulated) VALUES (%s, true)", [FACTORY])
    for host in ("n01", "n02"):
        connection.execute("INSERT INTO node (factory_id, host_name) VALUES (%s, %s)", [FACTORY, host])
    connection.execute(
        "INSERT INTO accelerator (factory_id, node_id, hw_id, accelerator_index) "
        "SELECT factory_id, node_id, host_name || '-' || i, i FROM node, generate_series(0, 3) AS g (i)"
    )
    told, whole = (
        dataclasses.replace(sacct(row(job))[0], nodes=("n01",), held=held, count=count)
        for job, held, count in (("1", (0, 1), 2), ("2", None, 4))
    )
    part = dataclasses.replace(whole, job_id="3", count=2, nodes=("n02",))
    save(connection, told, dataclasses.replace(whole, nodes=("n02",)), part)
    found = connection.execute("SELECT job_id, hw_id FROM accelerator_job ORDER BY 1, 2").fetchall()
    assert found == [("1", "n01-0"), ("1", "n01-1"), *(("2", f"n02-{i}") for i in range(4))]


def test_two_jobs_on_one_accelerator_at_one_time_are_told(connection: psycopg.Connection) -> None:
    first = dataclasses.replace(sacct(row("1", end="2026-10-25T01:00:00"))[0], held=(0, 1))
    after = dataclasses.replace(sacct(row("2", start="2026-10-25T01:00:00"))[0], held=(0, 1))
    other = dataclasses.replace(first, job_id="3", held=(2, 3))
    save(connection, first, after, other)
    assert connection.execute("SELECT * FROM allocation_overlap").fetchall() == []
    save(connection, dataclasses.replace(after, started_at=utc(0, 50)))
    found = connection.execute(
        "SELECT host_name, job_id, other_job_id, overlaps_from, overlaps_to FROM allocation_overlap ORDER BY 1"
    ).fetchall()
    assert found == [(host, "1", "2", utc(0, 50), utc(1)) for host in ("n01", "n02")]
