"""Races for one job: who runs them, and what they may come to."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refrain.errors import WrongStatus
from refrain.job import Aborted, Job, Status, Task, TaskStatus
from tests.refrain.record import FAILED, Record, clip_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from uuid import UUID

    Contender = Callable[[Record, UUID, Sequence[Task]], Awaitable[Any]]

TRIALS = 1000
FEWER_TRIALS = 200
AT_ONCE = 4
"""Trials that run side by side; with two contenders each they fill the pool."""


async def one_running(record: Record) -> Job:
    """One segment runs and another is queued."""
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=2, max_in_flight=1)
    await record.claim(worker_id)
    return job


async def last_running(record: Record) -> Job:
    """The last segment runs."""
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=1)
    await record.claim(worker_id)
    return job


async def last_two_running(record: Record) -> Job:
    """The last two segments run."""
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=2)
    await record.claim(worker_id)
    await record.claim(worker_id)
    return job


async def stitch_running(record: Record) -> Job:
    """The stitch runs."""
    worker_id = await record.register()
    job = await record.at_stitch(worker_id)
    await record.claim(worker_id)
    return job


async def last_orphaned(record: Record) -> Job:
    """The last segment runs on a worker that is dead."""
    job = await last_running(record)
    (task,) = await running_tasks(record, job)
    assert task.worker_id is not None
    await record.die(task.worker_id)
    return job


async def cancel(record: Record, job_id: UUID, _running: Sequence[Task]) -> Any:
    try:
        return (await record.cancel(job_id)).status
    except WrongStatus:
        return "refused"


async def settle(record: Record, _job_id: UUID, running: Sequence[Task]) -> Any:
    change = await record.settle(running[0], outcome_of(running[0]))
    return change and change.job.status


async def settle_other(record: Record, _job_id: UUID, running: Sequence[Task]) -> Any:
    change = await record.settle(running[1], clip_of(running[1]))
    return change and change.job.status


async def fail(record: Record, _job_id: UUID, running: Sequence[Task]) -> Any:
    change = await record.settle(running[0], FAILED)
    return change and change.job.status


async def hand_back(record: Record, _job_id: UUID, running: Sequence[Task]) -> Any:
    change = await record.settle(running[0], Aborted())
    return change and change.job.status


async def rescue(record: Record, job_id: UUID, _running: Sequence[Task]) -> Any:
    return len(await record.tasks.rescue_tasks(job_id, "sweep"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Two contenders for a job, and what becomes of it by who came first."""

    prepare: Callable[[Record], Awaitable[Job]]
    contenders: tuple[Contender, Contender]
    firsts: tuple[str, str]
    """The event that tells that this contender came first."""
    ends: tuple[str, str]
    """What the job then comes to."""
    answers: tuple[tuple[Any, Any], tuple[Any, Any]]
    """What the contenders then hear, the first one's answer first."""
    trials: int = FEWER_TRIALS


RACES: Mapping[str, Race] = {
    "cancel against settle": Race(
        trials=TRIALS,
        prepare=one_running,
        contenders=(cancel, settle),
        firsts=("cancel_requested", "task_completed 0"),
        ends=(
            "cancelled: plan completed, "
            "segment 0 completed finished_anyway, segment 1 skipped never_started",
            "cancelled: plan completed, "
            "segment 0 completed, segment 1 skipped never_started",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLED),
            (Status.PROCESSING, Status.CANCELLED),
        ),
    ),
    "cancel against the last segment": Race(
        trials=TRIALS,
        prepare=last_running,
        contenders=(cancel, settle),
        firsts=("cancel_requested", "task_completed 0"),
        ends=(
            "cancelled: plan completed, segment 0 completed finished_anyway",
            "cancelled: plan completed, segment 0 completed, "
            "stitch skipped never_started",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLED),
            (Status.PROCESSING, Status.CANCELLED),
        ),
    ),
    "cancel against publication": Race(
        trials=TRIALS,
        prepare=stitch_running,
        contenders=(cancel, settle),
        firsts=("cancel_requested", "task_completed"),
        ends=(
            "cancelled: plan completed, segment 0 completed, "
            "stitch cancelled finished_anyway",
            "completed: plan completed, segment 0 completed, stitch completed",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLED),
            (Status.COMPLETED, "refused"),
        ),
    ),
    "cancel against failure": Race(
        prepare=last_two_running,
        contenders=(cancel, fail),
        firsts=("cancel_requested", "task_failed 0"),
        ends=(
            "cancelling: plan completed, "
            "segment 0 cancelled finished_anyway, segment 1 running",
            "cancelling with error: plan completed, "
            "segment 0 failed, segment 1 running",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLING),
            (Status.PROCESSING, Status.CANCELLING),
        ),
    ),
    "cancel against rescue": Race(
        prepare=last_orphaned,
        contenders=(cancel, rescue),
        firsts=("cancel_requested", "task_rescued 0"),
        ends=(
            "cancelled: plan completed, segment 0 cancelled lease_expired",
            "cancelled: plan completed, segment 0 skipped never_started",
        ),
        answers=((Status.CANCELLING, 1), (1, Status.CANCELLED)),
    ),
    "rescue against settle": Race(
        trials=TRIALS,
        prepare=last_orphaned,
        contenders=(rescue, settle),
        firsts=("task_rescued 0", "task_completed 0"),
        ends=(
            "processing: plan completed, segment 0 queued",
            "processing: plan completed, segment 0 completed, stitch queued",
        ),
        answers=((1, None), (Status.PROCESSING, 0)),
    ),
    "settle against hand-back of the same attempt": Race(
        prepare=last_running,
        contenders=(settle, hand_back),
        firsts=("task_completed 0", "task_handed_back 0"),
        ends=(
            "processing: plan completed, segment 0 completed, stitch queued",
            "processing: plan completed, segment 0 queued",
        ),
        answers=((Status.PROCESSING, None), (Status.PROCESSING, None)),
    ),
    "the last segment against the last but one": Race(
        prepare=last_two_running,
        contenders=(settle, settle_other),
        firsts=("task_completed 0", "task_completed 1"),
        ends=(
            "processing: plan completed, "
            "segment 0 completed, segment 1 completed, stitch queued",
            "processing: plan completed, "
            "segment 0 completed, segment 1 completed, stitch queued",
        ),
        answers=(
            (Status.PROCESSING, Status.PROCESSING),
            (Status.PROCESSING, Status.PROCESSING),
        ),
    ),
}


async def running_tasks(record: Record, job: Job) -> list[Task]:
    tasks = await record.jobs.list_tasks(job.job_id)
    return [task for task in tasks if task.status is TaskStatus.RUNNING]


async def came_to(
    record: Record, job_ids: Sequence[UUID], since: int
) -> list[tuple[str, str]]:
    """Of each job, the first event since, and what it has come to."""
    rows = await record.read(
        """
        SELECT
            concat_ws(' ', event.kind, event.position) AS first_event,
            concat(
                jobs.status,
                CASE WHEN jobs.error IS NOT NULL THEN ' with error' END,
                ': ',
                (SELECT string_agg(
                    concat_ws(
                        ' ', kind, CASE kind WHEN 'segment' THEN position END,
                        status, stop_mode),
                    ', ' ORDER BY kind, position)
                FROM tasks WHERE tasks.job_id = jobs.job_id)
            ) AS end
        FROM jobs LEFT JOIN job_events AS event
            ON event.job_id = jobs.job_id AND event.sequence = %s
        WHERE jobs.job_id = ANY(%s)
        """,
        since + 1,
        list(job_ids),
    )
    return [(row["first_event"], row["end"]) for row in rows]


def chunks(job_ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [job_ids[at : at + AT_ONCE] for at in range(0, len(job_ids), AT_ONCE)]


async def at_once(work: list[Awaitable[Any]]) -> list[Any]:
    random.shuffle(work)
    return await asyncio.gather(*work)
