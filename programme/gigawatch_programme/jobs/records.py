"""A job and what it held, as the accounting of a site tells it: `sacct --parsable2`, or our CSV."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from gigawatch_programme import cells, table
from gigawatch_programme.cells import INT4, LIST, MOMENT, TEXT, Kind
from gigawatch_programme.jobs import nodelist, pseudonym
from gigawatch_programme.table import Column, Problem, Refused

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable

COLUMNS: Final = (
    Column("job_id", TEXT, required=True),
    Column("user", TEXT),
    Column("account", TEXT),
    Column("user_class", TEXT),
    Column("state", TEXT, required=True),
    Column("submitted_at", MOMENT),
    Column("started_at", MOMENT),
    Column("ended_at", MOMENT),
    Column("nodes", Kind(nodelist.expand, empty=[])),
    Column("accelerators", LIST),
    Column("accelerators_per_node", INT4),
)
FIELDS: Final = ("JobID", "User", "Account", "State", "Submit", "Start", "End", "NodeList", "AllocTRES")
"""What `sacct --format=` must name. Any other column, such as a command line, is not read."""
_NEVER: Final = frozenset({"", "Unknown", "None", "N/A"})


@dataclass(frozen=True, slots=True)
class Job:
    """One run of a job; `held` and `count` are the accelerators on each node, None where the source does not say."""

    job_id: str
    user_pseudonym: str | None
    account: str | None
    user_class: str | None
    name: str | None
    state: str
    submitted_at: dt.datetime | None
    started_at: dt.datetime | None
    ended_at: dt.datetime | None
    nodes: tuple[str, ...] = ()
    held: tuple[int, ...] | None = None
    count: int | None = None


def from_csv(file: str, body: bytes, key: bytes, known_nodes: Collection[str]) -> list[Job]:
    """The jobs of our CSV.

    Raises:
        Refused: with every problem found.
    """
    found = table.read(file, body, COLUMNS, unique=("job_id",))
    problems = list(found.problems)
    jobs: list[Job] = []
    for row in found.rows if not problems else ():
        values = row.values
        try:
            held = tuple(sorted({int(INT4.parse(cell)) for cell in values["accelerators"]}))
        except ValueError as error:
            problems.append(Problem(file, str(error), row.number, "accelerators"))
            continue
        job = Job(
            job_id=values["job_id"],
            user_pseudonym=pseudonym.of(values["user"], key) if values["user"] else None,
            account=values["account"],
            user_class=values["user_class"],
            name=None,
            state=values["state"],
            submitted_at=values["submitted_at"],
            started_at=values["started_at"],
            ended_at=values["ended_at"],
            nodes=tuple(values["nodes"]),
            held=held or None,
            count=len(held) or values["accelerators_per_node"],
        )
        problems += _objections(file, row.number, job, known_nodes, ("nodes", "ended_at"))
        jobs.append(job)
    return _whole(file, jobs, problems)


def from_sacct(file: str, body: bytes, key: bytes, known_nodes: Collection[str], *, names: bool = False) -> list[Job]:
    """The jobs of `sacct --parsable2`. Steps are left out; earlier runs of a requeued job are JOBID@START.

    Raises:
        Refused: with every problem found.
    """
    try:
        text = table.decode(body)
    except ValueError as error:
        raise Refused((Problem(file, str(error)),)) from None
    lines = csv.reader(io.StringIO(text), delimiter="|", quoting=csv.QUOTE_NONE)
    header = next(lines)
    missing = [name for name in (*FIELDS, *(["JobName"] if names else [])) if name not in header]
    if missing:
        raise Refused((Problem(file, f"columns are missing: {', '.join(missing)} (sacct --parsable2 --format=)"),))
    problems: list[Problem] = []
    jobs: list[Job] = []
    seen: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines, start=2):
        if len(line) != len(header):
            problems.append(Problem(file, f"has {len(line)} cells, the header has {len(header)}", number))
            continue
        row = dict(zip(header, line, strict=True))
        if "." in row["JobID"]:
            continue
        identity = (row["JobID"], row["Start"])
        if identity in seen:
            problems.append(Problem(file, f'"{row["JobID"]}" is already in row {seen[identity]}', number, "JobID"))
        seen[identity] = number
        job = _row(file, number, row, key, problems, names=names)
        if job is not None:
            problems += _objections(file, number, job, known_nodes, ("NodeList", "End"))
            jobs.append(job)
    return _whole(file, runs(jobs), problems)


def runs(jobs: Iterable[Job]) -> list[Job]:
    """Each run under a name of its own: the last keeps the job's id, earlier ones are JOBID@START."""
    listed = sorted(jobs, key=lambda job: (job.started_at is None, job.started_at or 0))
    last = {job.job_id: position for position, job in enumerate(listed)}
    return [
        job
        if last[job.job_id] == position or job.started_at is None
        else replace(job, job_id=f"{job.job_id}@{job.started_at:%Y-%m-%dT%H:%M:%SZ}")
        for position, job in enumerate(listed)
    ]


def _row(
    file: str, number: int, row: dict[str, str], key: bytes, problems: list[Problem], *, names: bool
) -> Job | None:
    """One row; None with its problems noted."""
    before = len(problems)

    def parsed(column: str, kind: Kind) -> Any:
        cell = row[column].strip()
        try:
            return None if cell in _NEVER or cell == "None assigned" else kind.parse(cell)
        except ValueError as error:
            problems.append(Problem(file, str(error), number, column))
            return None

    user = parsed("User", TEXT)
    nodes: list[str] = parsed("NodeList", Kind(nodelist.expand)) or []
    job_id, state = parsed("JobID", TEXT), parsed("State", TEXT)
    job = Job(
        job_id=job_id,
        user_pseudonym=pseudonym.of(user, key) if user else None,
        account=parsed("Account", TEXT),
        user_class=None,
        name=parsed("JobName", TEXT) if names else None,
        state=state.split()[0] if state else "",  # "CANCELLED by 1000" names a person
        submitted_at=parsed("Submit", MOMENT),
        started_at=parsed("Start", MOMENT),
        ended_at=parsed("End", MOMENT),
        nodes=tuple(nodes),
        count=_per_node(row["AllocTRES"], len(nodes)),
    )
    for column, value in (("JobID", job_id), ("State", state)):
        if not value and len(problems) == before:
            problems.append(Problem(file, "is empty", number, column))
    return job if len(problems) == before else None


def _per_node(resources: str, nodes: int) -> int | None:
    """Accelerators on each node; None where the total does not tell."""
    if not nodes or not resources:
        return None
    found = re.search(r"(?:^|,)gres/gpu=([0-9]{1,9})(?:,|$)", resources)
    total = int(found[1]) if found else 0
    return total // nodes if total % nodes == 0 else None


def _objections(
    file: str, number: int, job: Job, known_nodes: Collection[str], columns: tuple[str, str]
) -> list[Problem]:
    nodes, end = columns
    found = [
        Problem(file, f'"{cells.shown(name)}" is not in the inventory', number, nodes)
        for name in job.nodes
        if name not in known_nodes
    ]
    if len(set(job.nodes)) < len(job.nodes):
        found.append(Problem(file, "names a node twice", number, nodes))
    if job.ended_at and job.started_at and job.ended_at < job.started_at:
        found.append(Problem(file, "is before the start", number, end))
    return found


def _whole(file: str, jobs: list[Job], problems: list[Problem]) -> list[Job]:
    if not jobs and not problems:
        problems.append(Problem(file, "lists no job"))
    if problems:
        raise Refused(tuple(problems))
    return jobs
