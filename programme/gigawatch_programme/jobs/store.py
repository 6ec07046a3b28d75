"""Jobs in the database: an import keeps what is new or different, as a version; nothing is overwritten."""

from __future__ import annotations

from dataclasses import astuple, fields
from typing import TYPE_CHECKING, Any, Final

from gigawatch_programme.jobs.records import Job

if TYPE_CHECKING:
    from collections.abc import Iterable

    import psycopg

_FACTS: Final = tuple(field.name for field in fields(Job) if field.name not in {"nodes", "held", "count"})


def current(connection: psycopg.Connection, factory: str, job_ids: Iterable[str] | None = None) -> dict[str, Job]:
    """The jobs of a factory as the newest imports tell them, by id."""
    chosen = None if job_ids is None else list(job_ids)
    jobs = connection.execute(
        f"SELECT {', '.join(_FACTS)} FROM job_current "  # noqa: S608 - the names of our own fields
        "WHERE factory_id = %(factory)s AND (%(ids)s::text[] IS NULL OR job_id = ANY(%(ids)s)) "
        "ORDER BY started_at, job_id".encode(),
        {"factory": factory, "ids": chosen},
    ).fetchall()
    held: dict[str, list[tuple[Any, ...]]] = {}
    for job_id, *rest in connection.execute(
        "SELECT job_id, host_name, held, count FROM allocation_current "
        "WHERE factory_id = %(factory)s AND (%(ids)s::text[] IS NULL OR job_id = ANY(%(ids)s)) ORDER BY host_name",
        {"factory": factory, "ids": chosen},
    ).fetchall():
        held.setdefault(job_id, []).append(tuple(rest))
    found: dict[str, Job] = {}
    for row in jobs:
        parts = held.get(row[0], [])
        which = tuple(parts[0][1]) if parts and parts[0][1] is not None else None
        count = parts[0][2] if parts else None
        found[row[0]] = Job(*row, nodes=tuple(part[0] for part in parts), held=which, count=count)
    return found


def save(
    connection: psycopg.Connection, factory: str, jobs: Iterable[Job], *, file: str, form: str, entered_by: str
) -> int:
    """Keep each job that is new or differs from what holds, whole or not at all; returns how many."""
    listed = list(jobs)
    with connection.transaction():
        connection.execute("LOCK TABLE job_import IN SHARE ROW EXCLUSIVE MODE")  # one import at a time
        before = {
            job_id: _held(job) for job_id, job in current(connection, factory, (j.job_id for j in listed)).items()
        }
        news = [job for job in listed if before.get(job.job_id) != _held(job)]
        if not news:
            return 0
        made = connection.execute(
            "INSERT INTO job_import (entered_by, file, format) VALUES (%s, %s, %s) RETURNING import_id",
            [entered_by, file, form],
        ).fetchone()
        assert made is not None
        with connection.cursor() as cursor:
            into = f"COPY job (import_id, factory_id, {', '.join(_FACTS)}) FROM STDIN"
            with cursor.copy(into.encode()) as copy:
                for job in news:
                    copy.write_row((made[0], factory, *astuple(job)[: len(_FACTS)]))
            into = (
                "COPY allocation (import_id, factory_id, job_id, host_name, held, count, held_from, held_to) FROM STDIN"
            )
            with cursor.copy(into) as copy:
                for job in news:
                    if job.started_at is None:
                        continue
                    held = None if job.held is None else list(job.held)
                    for node in job.nodes:
                        row = (made[0], factory, job.job_id, node, held, job.count, job.started_at, job.ended_at)
                        copy.write_row(row)
    return len(news)


def _held(job: Job) -> tuple[Any, ...]:
    """What is compared: nodes in any order, and none before the start."""
    if job.started_at is None or not job.nodes:
        return (*astuple(job)[: len(_FACTS)], (), None, None)
    return (*astuple(job)[: len(_FACTS)], tuple(sorted(job.nodes)), job.held, job.count)
