"""Attempts: how one loses its permit to call a provider, and how the next follows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from refrain.job import Job, Kind, PauseMode, Status, Task
from refrain.outcome import Aborted
from tests.refrain.record import FAILED, RETRY, Record

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


async def cancelled(record: Record, job: Job, task: Task) -> Task:
    await record.cancel(job)
    return task


async def failed(record: Record, job: Job, task: Task) -> Task:
    other = await record.claim(await record.register(), Kind.SEGMENT)
    await record.settle(other, FAILED)
    assert (await record.job(job.job_id)).stopping
    return task


async def paused_with_abort(record: Record, job: Job, task: Task) -> Task:
    await record.pause(job, PauseMode.ABORT)
    return task


async def of_an_old_attempt(record: Record, _job: Job, task: Task) -> Task:
    assert task.worker_id is not None
    await record.settle(task, Aborted())
    again = await record.claim(task.worker_id)
    assert (again.position, again.attempt) == (task.position, task.attempt + 1)
    return task


async def of_a_dead_worker(record: Record, _job: Job, task: Task) -> Task:
    assert task.worker_id is not None
    await record.die(task.worker_id)
    return task


async def of_an_expired_lease(record: Record, _job: Job, task: Task) -> Task:
    await record.read("UPDATE workers SET expires_at = clock_timestamp()")
    return task


async def of_another_worker(record: Record, _job: Job, task: Task) -> Task:
    return replace(task, worker_id=await record.register())


async def of_a_deleted_job(record: Record, job: Job, task: Task) -> Task:
    await record.cancel(job)
    await record.settle(task, Aborted())
    await record.jobs.delete_job(job.job_id, "ada")
    return task


LOSES_ITS_PERMIT: Sequence[Callable[[Record, Job, Task], Awaitable[Task]]] = [
    cancelled,
    failed,
    paused_with_abort,
    of_an_old_attempt,
    of_a_dead_worker,
    of_an_expired_lease,
    of_another_worker,
    of_a_deleted_job,
]


async def handed_back(record: Record, _job: Job, task: Task) -> Task:
    await record.settle(task, Aborted())
    return await record.claim(await record.register())


async def rescued(record: Record, job: Job, task: Task) -> Task:
    assert task.worker_id is not None
    await record.die(task.worker_id)
    await record.tasks.rescue_tasks(job.job_id, "sweep")
    return await record.claim(await record.register())


async def retried(record: Record, _job: Job, task: Task) -> Task:
    await record.settle(task, RETRY)
    return await record.claim(await record.register())


async def paused_and_resumed(record: Record, job: Job, task: Task) -> Task:
    await record.pause(job, PauseMode.ABORT)
    await record.settle(task, Aborted())
    assert await record.stands(job, Status.PAUSED)
    await record.resume(job)
    return await record.claim(await record.register())


GOES_ON: Sequence[Callable[[Record, Job, Task], Awaitable[Task]]] = [
    handed_back,
    rescued,
    retried,
    paused_and_resumed,
]
