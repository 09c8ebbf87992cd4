"""List: pages of a million jobs beside the same rows read by their primary keys.

The store's own method and statement, prepared, as the gateway uses them.
"""

from __future__ import annotations

import time
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg

from bench.figure import Figure
from bench.system import System
from refrain.job import Status
from refrain.store import Database, JobFilter, JobStore

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from refrain.store.database import Connection

JOBS = 1_000_000
OWNER = "local"
PAGE = 51
"""What the gateway asks for, to know whether a page of 50 is the last."""
TRIALS = 200
WARM_UP = 50
FILTERS = {"jobs": (None, JOBS), "failed_jobs": ([Status.FAILED], JOBS // 100)}
"""Which statuses, and how many jobs have them."""

INSERT_JOBS = """
    INSERT INTO jobs (
        job_id, owner, status, title, artist, max_in_flight, segments_total,
        event_sequence, message, video, error, cancel_requested_at,
        cancel_requested_by, cancel_reason, cancel_cause, stopped_at, created_at,
        finished_at)
    SELECT
        uuidv7(-job.age), %(owner)s, job.status, 'Song ' || number, 'Benchmark', 4, 40,
        90, 'As it ended',
        CASE job.status WHEN 'completed' THEN '{"uri": "video.mp4"}'::jsonb END,
        CASE job.status WHEN 'failed' THEN '{"code": 13}'::jsonb END,
        cancel.made_at, cancel.made_by, cancel.made_by, cancel.cause, cancel.made_at,
        now() - job.age,
        CASE WHEN job.status <> 'paused' THEN now() END
    FROM generate_series(1, %(jobs)s) AS number
    CROSS JOIN LATERAL (
        SELECT
            make_interval(secs => %(jobs)s - number) AS age,
            CASE
                WHEN number %% 1000 = 0 THEN 'paused'
                WHEN number %% 100 = 1 THEN 'failed'
                WHEN number %% 4 = 2 THEN 'cancelled'
                ELSE 'completed' END AS status
    ) AS job
    LEFT JOIN LATERAL (
        SELECT now() AS made_at, 'user:local' AS made_by, 'user' AS cause
    ) AS cancel ON job.status = 'cancelled'
"""
"""A job a second: every fourth cancelled, every hundredth failed."""

FIND_JOB = """
    SELECT job_id FROM jobs
    WHERE %(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s)
    ORDER BY job_id
    OFFSET %(older)s LIMIT 1
"""

READ_JOBS = "SELECT * FROM jobs WHERE job_id = ANY(%(job_ids)s)"


async def measure() -> list[Figure]:
    """Returns a figure for each page, and for a page of one row."""
    async with System() as system, Database(system.database_url) as database:
        connect = psycopg.AsyncConnection.connect
        async with await connect(system.database_url, autocommit=True) as connection:
            await connection.execute(INSERT_JOBS, {"owner": OWNER, "jobs": JOBS})
            await connection.execute("VACUUM ANALYZE jobs")
            pages = {
                f"list_{name}_{page}": (
                    statuses,
                    await _find_job(connection, statuses, older),
                    PAGE,
                )
                for name, (statuses, count) in FILTERS.items()
                for page, older in _places(count).items()
            }
        statuses, before, _ = pages["list_jobs_middle_page"]
        pages["list_jobs_one_row"] = (statuses, before, 1)
        return [
            await _measure_page(database, name, *page) for name, page in pages.items()
        ]


def _places(count: int) -> dict[str, int]:
    """How many of the jobs are older than the one that the page follows."""
    return {"first_page": count, "middle_page": count // 2, "last_page": PAGE}


async def _find_job(
    connection: psycopg.AsyncConnection[Any],
    statuses: Sequence[Status] | None,
    older: int,
) -> UUID | None:
    """Returns the job that so many are older than; None if all are."""
    params = {"statuses": statuses, "older": older}
    cursor = await connection.execute(FIND_JOB, params)
    (job_id,) = await cursor.fetchone() or (None,)
    return job_id


async def _measure_page(
    database: Database,
    name: str,
    statuses: Sequence[Status] | None,
    before: UUID | None,
    page_size: int,
) -> Figure:
    """Takes turns with the floor, so that both see the machine alike."""
    jobs = JobStore(database)
    wanted = JobFilter(statuses=statuses)
    list_page = partial(
        jobs.list_jobs, OWNER, wanted, before=before, page_size=page_size
    )
    job_ids = [job.job_id for job in await list_page()]
    if len(job_ids) < page_size:
        raise RuntimeError(f"{name} has only {len(job_ids)} jobs")
    read_jobs = partial(database.read, partial(_read_jobs, job_ids=job_ids))
    samples = [
        (await _milliseconds(list_page), await _milliseconds(read_jobs))
        for _ in range(WARM_UP + TRIALS)
    ]
    pages, reads = zip(*samples[WARM_UP:], strict=True)
    return Figure(
        name=name,
        value=median(pages),
        unit="ms",
        floor=median(reads),
        at_most=3,
    )


async def _read_jobs(
    connection: Connection, *, job_ids: Sequence[UUID]
) -> list[dict[str, Any]]:
    cursor = await connection.execute(READ_JOBS, {"job_ids": job_ids})
    return await cursor.fetchall()


async def _milliseconds(read: Callable[[], Awaitable[object]]) -> float:
    start = time.monotonic_ns()
    await read()
    return (time.monotonic_ns() - start) / 1e6
