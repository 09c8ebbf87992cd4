"""Bulk: CancelJobs of 10,000 jobs with 8 queued tasks each, 1,000 with one in flight.

The floor is what the record must be written anyway: the same rows of other jobs, by
plain set statements without a lock or a decision, in chunks of 1,000 jobs that commit
like those of CancelJobs. One transaction of all would save nine commits of ten, and no
row.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import psycopg

from bench.figure import Figure
from bench.system import System
from bench.tasks_in_flight import TasksInFlight
from refrain.v1.job_service_pb2 import CancelJobsRequest

if TYPE_CHECKING:
    from uuid import UUID

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]

JOBS = 10_000
IN_FLIGHT = 1000
CHUNK = 1000
STOP_BOUND = 3.0
"""Seconds from the call until the last task has met its CancelledError."""

INSERT_JOBS = """
    WITH job AS (
        INSERT INTO jobs (owner, title, artist, max_in_flight, event_sequence)
        SELECT %(owner)s, 'Song ' || number, 'Benchmark', 4, 1
        FROM generate_series(1, %(jobs)s) AS number
        RETURNING job_id
    ),
    plan AS (
        INSERT INTO tasks (job_id, kind, slot)
        SELECT job_id, 'plan', 'provider'
        FROM job
        WHERE %(planned)s
    ),
    segment AS (
        INSERT INTO tasks (job_id, kind, position, slot)
        SELECT job_id, 'segment', position, 'media'
        FROM job CROSS JOIN generate_series(0, 7) AS position
    )
    SELECT job_id FROM job
"""
"""The plans are for the worker of the benchmark, which claims nothing else."""

SKIP_TASKS = """
    UPDATE tasks
    SET status = 'skipped', stop_mode = 'never_started', ended_at = now()
    WHERE job_id = ANY(%(job_ids)s) AND status = 'queued'
"""

CANCEL_JOBS = """
    UPDATE jobs
    SET status = 'cancelled', event_sequence = event_sequence + 2, updated_at = now(),
        cancel_requested_at = now(), cancel_requested_by = 'user:local',
        cancel_reason = '', cancel_cause = 'user', tasks_skipped = 8,
        message = 'Job cancelled by user', stopped_at = now(), finished_at = now()
    WHERE job_id = ANY(%(job_ids)s)
"""

RECORD_EVENTS = """
    INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
    SELECT job_id, number, 'cancelled', 'user:local', '', to_jsonb(jobs)
    FROM jobs CROSS JOIN generate_series(2, %(last_event)s) AS number
    WHERE job_id = ANY(%(job_ids)s)
"""


async def measure() -> list[Figure]:
    """Returns the time of the call, and when the last task in flight was aborted."""
    async with (
        System() as system,
        await psycopg.AsyncConnection.connect(
            system.database_url, autocommit=True
        ) as connection,
    ):
        tasks = await TasksInFlight.start(system, slots=IN_FLIGHT)
        await _insert_jobs(connection, "local", IN_FLIGHT, planned=True)
        await tasks.refill(IN_FLIGHT)
        await _insert_jobs(connection, "local", JOBS - IN_FLIGHT)
        before = await _floor(connection, "before")
        await connection.execute("CHECKPOINT")
        called = time.monotonic_ns()
        answer = await system.jobs.CancelJobs(CancelJobsRequest(all=True))
        seconds = (time.monotonic_ns() - called) / 1e9
        counts = (answer.cancelled, answer.cancelling, answer.remaining)
        if counts != (JOBS - IN_FLIGHT, IN_FLIGHT, 0):
            raise RuntimeError(f"CancelJobs answered {counts}")
        stops = await tasks.stops(dict.fromkeys(tasks.job_ids, called))
        after = await _floor(connection, "after")
    return [
        Figure(
            name=f"bulk_cancel_of_{JOBS}",
            value=seconds,
            unit="s",
            floor=(before + after) / 2,
            at_most=3,
        ),
        Figure(
            name=f"bulk_last_abort_of_{IN_FLIGHT}",
            value=max(stop.aborted for stop in stops) / 1e3,
            unit="s",
            floor=STOP_BOUND,
            at_most=1,
        ),
    ]


async def _floor(connection: Connection, owner: str) -> float:
    """Returns the seconds that the plain statements take for as many jobs."""
    job_ids = await _insert_jobs(connection, owner, JOBS)
    await connection.execute("CHECKPOINT")
    start = time.monotonic()
    for first in range(0, JOBS, CHUNK):
        params = {
            "job_ids": job_ids[first : first + CHUNK],
            # CancelJobs writes one event of a job that is CANCELLING, else two.
            "last_event": 2 if first < IN_FLIGHT else 3,
        }
        async with connection.transaction():
            for statement in (SKIP_TASKS, CANCEL_JOBS, RECORD_EVENTS):
                await connection.execute(statement, params)
    return time.monotonic() - start


async def _insert_jobs(
    connection: Connection, owner: str, jobs: int, *, planned: bool = False
) -> list[UUID]:
    params = {"owner": owner, "jobs": jobs, "planned": planned}
    cursor = await connection.execute(INSERT_JOBS, params)
    job_ids = [job_id for (job_id,) in await cursor.fetchall()]
    await connection.execute("ANALYZE jobs, tasks, job_events")
    return job_ids
