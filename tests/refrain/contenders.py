"""Contenders for one job: the state that they meet it in, and what each does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refrain.errors import WrongStatus
from refrain.job import Cause, Job, PauseMode, Task, TaskStatus
from refrain.outcome import Aborted
from tests.refrain.record import FAILED, Record, clip_of, outcome_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    Contender = Callable[[Record, UUID, Sequence[Task]], Awaitable[Any]]


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


async def last_orphaned_and_cancelling(record: Record) -> Job:
    """The last segment of a job that stops runs on a worker that is dead."""
    return await record.cancel(await last_orphaned(record))


async def pausing(record: Record) -> Job:
    """The last segment runs, and its job is to pause once it is done."""
    return await record.pause(await last_running(record))


async def running_tasks(record: Record, job: Job) -> list[Task]:
    tasks = await record.jobs.list_tasks(job.job_id)
    return [task for task in tasks if task.status is TaskStatus.RUNNING]


async def cancel(record: Record, job_id: UUID, _running: Sequence[Task]) -> Any:
    try:
        return (await record.cancel(job_id)).status
    except WrongStatus:
        return "refused"


async def cancel_as_admin(record: Record, job_id: UUID, _: Sequence[Task]) -> Any:
    change = await record.jobs.cancel_job(
        job_id, "ada", requested_by="admin:eve", reason="spam", cause=Cause.ADMIN
    )
    return change.job.status


async def pause(record: Record, job_id: UUID, _running: Sequence[Task]) -> Any:
    pause = record.jobs.pause_job(job_id, "ada", PauseMode.ABORT, actor="user:ada")
    try:
        return (await pause).job.status
    except WrongStatus:
        return "refused"


async def resume(record: Record, job_id: UUID, _running: Sequence[Task]) -> Any:
    resume = record.jobs.resume_job(job_id, "ada", actor="user:ada")
    try:
        return (await resume).job.status
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
