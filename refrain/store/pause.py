"""The steps of a pause and of its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.errors import WrongStatus
from refrain.job import EventKind, Job, PauseMode, Status, TaskStatus
from refrain.store.rows import task_from
from refrain.store.transaction import (
    Change,
    lock_owned_job,
    read_all,
    record,
    write,
)

if TYPE_CHECKING:
    from uuid import UUID

    from refrain.store.database import Connection


async def pause_job(
    connection: Connection, *, job_id: UUID, owner: str, mode: PauseMode, actor: str
) -> Change:
    """Pauses the job at once, or once what runs of it has settled."""
    job = await lock_owned_job(connection, job_id, owner)
    params = {"job_id": job_id, "mode": mode}
    if await write(connection, "request_pause", params):
        job = await record(connection, job_id, EventKind.PAUSE_REQUESTED, actor)
        if job.status is Status.PAUSED:
            job = await record(connection, job_id, EventKind.PAUSED, actor)
    elif job.status not in {Status.PAUSING, Status.PAUSED}:
        raise _wrong_status("pause", job)
    return Change(job=job, stops=job.pause_mode is PauseMode.ABORT)


async def resume_job(
    connection: Connection, *, job_id: UUID, owner: str, actor: str
) -> Change:
    """Lets the job go on; what is being aborted for the pause is handed back."""
    job = await lock_owned_job(connection, job_id, owner)
    if not await write(connection, "resume_job", {"job_id": job_id}):
        if job.status is Status.PENDING or (
            job.status is Status.PROCESSING and not job.stopping
        ):
            return Change(job=job)
        raise _wrong_status("resume", job)
    job = await record(connection, job_id, EventKind.RESUMED, actor)
    tasks = map(task_from, await read_all(connection, "list_tasks", {"job_id": job_id}))
    queued = [task.kind for task in tasks if task.status is TaskStatus.QUEUED]
    return Change(job=job, queued=tuple(queued[: job.max_in_flight]))


def _wrong_status(verb: str, job: Job) -> WrongStatus:
    """Only a job that stops for its error is refused while it is PROCESSING."""
    failing = job.status is Status.PROCESSING
    return WrongStatus(verb, Status.FAILED if failing else job.status)
