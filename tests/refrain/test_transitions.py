"""Every status, met by every statement that writes one, on a real row."""

from __future__ import annotations

import re
from importlib import resources
from itertools import product
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from refrain.job import FINISHED, TRANSITIONS, Job, Status
from refrain.store.database import Connection, Row, query
from refrain.store.rows import job_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.refrain.record import Record

Edge = tuple[Status, Status]

STATEMENTS: Mapping[str, Mapping[str, Any]] = {
    "request_cancels": {
        "statuses": None,
        "requested_by": "user:ada",
        "reason": "",
        "cause": "user",
        "message": "Job cancelled by user",
    },
    "request_pause": {"mode": "abort"},
    "resume_job": {},
    "stop_failed_job": {"error": Jsonb({"code": 13}), "message": "failed"},
    "confirm_cancel": {"message": ""},
    "confirm_failure": {},
    "confirm_pause": {},
    "complete_job": {"video": Jsonb({"uri": "artifact:video.mp4"})},
    "start_task": {"kind": "plan"},
}

NOT_STARTED = frozenset({Status.PENDING, Status.PAUSED, Status.CANCELLED})
"""Where a job can be of which no task was ever claimed."""
INSERT = """
INSERT INTO jobs (
    owner, title, artist, max_in_flight, status, pause_mode, tasks_running, error,
    video, started_at, cancel_requested_at, cancel_requested_by, cancel_reason,
    cancel_cause, stopped_at, finished_at
)
SELECT
    'ada', 'Song', 'Band', 4, %(status)s, %(mode)s, %(running)s, %(error)s,
    %(video)s, CASE WHEN %(started)s THEN now() END,
    asked_at, asked_by, reason, cause, stopped_at, finished_at
FROM (VALUES (
    CASE WHEN %(asked)s THEN now() END, CASE WHEN %(asked)s THEN 'user:ada' END,
    CASE WHEN %(asked)s THEN '' END, CASE WHEN %(asked)s THEN 'user' END,
    CASE WHEN %(status)s = 'cancelled' THEN now() END,
    CASE WHEN %(finished)s THEN now() END
)) AS receipt (asked_at, asked_by, reason, cause, stopped_at, finished_at)
RETURNING *
"""


def states() -> Iterator[dict[str, Any]]:
    """Every status, with and without a task running, an error, and a start."""
    booleans = (False, True)
    for status, running, failed, started in product(Status, (0, 1), booleans, booleans):
        if not started and status not in NOT_STARTED:
            continue
        yield {
            "status": status,
            "mode": "drain" if status is Status.PAUSING else None,
            "started": started,
            "running": running,
            "error": Jsonb({"code": 13}) if failed else None,
            "video": Jsonb({}) if status is Status.COMPLETED else None,
            "asked": status in (Status.CANCELLING, Status.CANCELLED),
            "finished": status in FINISHED,
        }


async def rows_that_can_be(connection: Connection) -> list[Job]:
    """A row of each state that the constraints admit."""
    rows: list[Job] = []
    for state in states():
        try:
            async with connection.transaction():
                cursor = await connection.execute(INSERT, state)
                rows += map(job_from, await cursor.fetchall())
        except psycopg.errors.CheckViolation:
            continue
    return rows


async def status_after(connection: Connection, statement: str, job: Job) -> Status:
    """Runs the statement on the row, reads what it made of it, and undoes it."""
    named = {"job_id": job.job_id, "job_ids": [job.job_id]}
    params = {**STATEMENTS[statement], **named}
    async with connection.transaction(force_rollback=True):
        await connection.execute(query(statement), params)
        cursor = await connection.execute(
            "SELECT status FROM jobs WHERE job_id = %s", [job.job_id]
        )
        (row,) = await cursor.fetchall()
        return Status(row["status"])


@pytest.fixture
async def observed(record: Record) -> dict[str, set[Edge]]:
    """By statement, the changes of status that it made."""
    edges: dict[str, set[Edge]] = {name: set() for name in STATEMENTS}
    async with await psycopg.AsyncConnection[Row].connect(
        record.url, row_factory=dict_row
    ) as connection:
        jobs = await rows_that_can_be(connection)
        assert {job.status for job in jobs} == set(Status)
        for name, job in product(STATEMENTS, jobs):
            after = await status_after(connection, name, job)
            if after is not job.status:
                edges[name].add((job.status, after))
    return edges


def test_every_statement_that_writes_the_status_of_a_job_is_tried() -> None:
    assigned = re.compile(r"^ *UPDATE jobs\n( *SET .*?)^ *WHERE", re.M | re.S)
    statements = {
        file.name.removesuffix(".sql")
        for file in (resources.files("refrain") / "queries").iterdir()
        for written in assigned.findall(file.read_text("utf-8"))
        if re.search(r"^ *(SET)? +status = ", written, re.M)
    }
    assert statements == set(STATEMENTS)


async def test_the_statements_make_the_transitions_and_no_others(
    observed: dict[str, set[Edge]],
) -> None:
    allowed = {(old, new) for old, after in TRANSITIONS.items() for new in after}
    made = set[Edge]().union(*observed.values())
    assert made == allowed


async def test_each_statement_makes_its_own_transitions(
    observed: dict[str, set[Edge]],
) -> None:
    assert observed == {
        "request_cancels": {
            (Status.PENDING, Status.CANCELLED),
            (Status.PROCESSING, Status.CANCELLED),
            (Status.PROCESSING, Status.CANCELLING),
            (Status.PAUSING, Status.CANCELLED),
            (Status.PAUSING, Status.CANCELLING),
            (Status.PAUSED, Status.CANCELLED),
        },
        "request_pause": {
            (Status.PENDING, Status.PAUSED),
            (Status.PROCESSING, Status.PAUSED),
            (Status.PROCESSING, Status.PAUSING),
            (Status.PAUSING, Status.PAUSED),
        },
        "resume_job": {
            (Status.PAUSED, Status.PENDING),
            (Status.PAUSED, Status.PROCESSING),
            (Status.PAUSING, Status.PROCESSING),
        },
        "stop_failed_job": {(Status.PAUSING, Status.PROCESSING)},
        "confirm_cancel": {(Status.CANCELLING, Status.CANCELLED)},
        "confirm_failure": {(Status.PROCESSING, Status.FAILED)},
        "confirm_pause": {(Status.PAUSING, Status.PAUSED)},
        "complete_job": {
            (Status.PROCESSING, Status.COMPLETED),
            (Status.PAUSING, Status.COMPLETED),
        },
        "start_task": {(Status.PENDING, Status.PROCESSING)},
    }


async def finished_job(record: Record, status: Status) -> Job:
    """A job with a row in this finished status."""
    worker_id = await record.register()
    job = await record.at_stitch(worker_id)
    task = await record.claim(worker_id)
    if status is Status.CANCELLED:
        await record.cancel(job)
    failed = "UPDATE jobs SET error = '{}' WHERE job_id = %s"
    if status is Status.FAILED:
        await record.read(failed, job.job_id)
    await record.settle(task)
    job = await record.job(job.job_id)
    assert job.status is status
    return job


@pytest.mark.parametrize("status", sorted(FINISHED))
async def test_the_record_refuses_to_leave_a_finished_status(
    record: Record, status: Status
) -> None:
    job = await finished_job(record, status)
    for other in set(Status) - {status}:
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            await record.read(
                "UPDATE jobs SET status = %s WHERE job_id = %s", other, job.job_id
            )
        assert refused.value.diag.constraint_name == "finished_is_final"
    assert (await record.job(job.job_id)).status is status


@pytest.mark.parametrize("video", ['{"uri": "artifact:another.mp4"}', None])
async def test_the_record_refuses_a_second_video(
    record: Record, video: str | None
) -> None:
    job = await finished_job(record, Status.COMPLETED)
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        await record.read(
            "UPDATE jobs SET video = %s WHERE job_id = %s", video, job.job_id
        )
    assert refused.value.diag.constraint_name == "one_video_per_job"


NONSENSE: Mapping[LiteralString, LiteralString] = {
    "status_is_known": "UPDATE jobs SET status = 'stopped'",
    "stage_is_known": "UPDATE jobs SET stage = 'mixing'",
    "cause_is_known": "UPDATE jobs SET cancel_cause = 'mood'",
    "priority_is_in_range": "UPDATE jobs SET priority = 11",
    "max_in_flight_is_in_range": "UPDATE jobs SET max_in_flight = 33",
    "tasks_running_is_in_range": "UPDATE jobs SET tasks_running = 5",
    "segments_completed_is_in_range": "UPDATE jobs SET segments_completed = 3",
    "finished_or_not": "UPDATE jobs SET finished_at = now()",
    "finished_runs_nothing": (
        "UPDATE jobs SET status = 'failed', error = '{}', finished_at = now()"
    ),
    "pause_mode_is_known": "UPDATE jobs SET pause_mode = 'nap'",
    "pausing_has_its_mode": "UPDATE jobs SET pause_mode = 'drain'",
    "pending_and_paused_run_nothing": "UPDATE jobs SET status = 'paused'",
    "completed_has_its_video": "UPDATE jobs SET video = '{}'",
    "failed_has_its_error": (
        "UPDATE jobs SET status = 'failed', tasks_running = 0, finished_at = now()"
    ),
    "cancelled_was_asked_for": "UPDATE jobs SET status = 'cancelling'",
    "cancel_has_its_receipt": (
        "UPDATE jobs SET status = 'cancelling', cancel_requested_at = now()"
    ),
    "stopped_when_cancelled": "UPDATE jobs SET stopped_at = now()",
    "kind_is_known": "UPDATE tasks SET kind = 'mix' WHERE kind = 'plan'",
    "slot_is_known": "UPDATE tasks SET slot = 'gpu'",
    "stop_mode_is_known": "UPDATE tasks SET stop_mode = 'tired'",
    "running_has_its_worker": (
        "UPDATE tasks SET worker_id = NULL WHERE status = 'running'"
    ),
    "ended_or_open": "UPDATE tasks SET ended_at = now() WHERE status = 'running'",
    "span_is_not_empty": "UPDATE segments SET end_offset = start_offset",
    "purpose_is_known": (
        "INSERT INTO provider_calls "
        "(job_id, task_kind, position, attempt, provider, purpose) "
        "SELECT job_id, 'plan', 0, 1, 'local', 'lunch' FROM jobs"
    ),
    "cancel_states_are_known": (
        "INSERT INTO provider_calls (job_id, task_kind, position, attempt, provider, "
        "purpose, on_stop) "
        "SELECT job_id, 'plan', 0, 1, 'omni', 'clip', 'maybe' FROM jobs"
    ),
    "only_dropped_calls_are_cancelled": (
        "INSERT INTO provider_calls (job_id, task_kind, position, attempt, provider, "
        "purpose, cancel_state) "
        "SELECT job_id, 'plan', 0, 1, 'omni', 'clip', 'unknown' FROM jobs"
    ),
    "pending_cancel_is_due": (
        "INSERT INTO provider_calls (job_id, task_kind, position, attempt, provider, "
        "purpose, status, cancel_state) "
        "SELECT job_id, 'plan', 0, 1, 'omni', 'clip', 'dropped', 'pending' FROM jobs"
    ),
    "cancel_answer_is_known": (
        "INSERT INTO provider_calls (job_id, task_kind, position, attempt, provider, "
        "purpose, cancel_answer) "
        "SELECT job_id, 'plan', 0, 1, 'omni', 'clip', 'perhaps' FROM jobs"
    ),
    "answered_has_its_price": (
        "INSERT INTO provider_calls (job_id, task_kind, position, attempt, provider, "
        "purpose, status) "
        "SELECT job_id, 'plan', 0, 1, 'omni', 'clip', 'answered' FROM jobs"
    ),
}


@pytest.mark.parametrize("constraint", NONSENSE)
async def test_the_record_refuses_nonsense(
    record: Record, constraint: LiteralString
) -> None:
    worker_id = await record.register()
    await record.at_segments(worker_id)
    await record.claim(worker_id)
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        await record.read(NONSENSE[constraint])
    assert refused.value.diag.constraint_name == constraint


async def test_every_check_of_the_record_is_tried(record: Record) -> None:
    named = await record.read(
        "SELECT DISTINCT conname FROM pg_constraint "
        "WHERE contype = 'c' AND connamespace = 'public'::regnamespace"
    )
    assert {row["conname"] for row in named} == set(NONSENSE)
