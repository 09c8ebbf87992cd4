"""Pause and resume, by the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from refrain.errors import CallRefused, JobNotFound, WrongStatus
from refrain.job import (
    AbortReason,
    EventKind,
    Kind,
    PauseMode,
    Status,
    TaskStatus,
)
from refrain.outcome import Aborted
from tests.refrain.record import FAILED, local_call

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from refrain.job import Job
    from tests.refrain.record import Record

DRAIN, ABORT = PauseMode


async def pending(record: Record, _worker_id: UUID) -> Job:
    return await record.create()


async def queued(record: Record, worker_id: UUID) -> Job:
    return await record.at_segments(worker_id)


async def running(record: Record, worker_id: UUID) -> Job:
    job = await record.at_segments(worker_id)
    await record.claim(worker_id)
    return await record.job(job.job_id)


async def failing(record: Record, worker_id: UUID) -> Job:
    job = await record.at_segments(worker_id)
    task = await record.claim(worker_id)
    await record.claim(worker_id)
    await record.settle(task, FAILED)
    return await record.job(job.job_id)


async def pausing(record: Record, worker_id: UUID) -> Job:
    return await record.pause(await running(record, worker_id))


async def paused(record: Record, worker_id: UUID) -> Job:
    return await record.pause(await queued(record, worker_id))


async def paused_before_it_started(record: Record, worker_id: UUID) -> Job:
    return await record.pause(await pending(record, worker_id))


async def cancelling(record: Record, worker_id: UUID) -> Job:
    return await record.cancel(await running(record, worker_id))


async def cancelling_with_an_error(record: Record, worker_id: UUID) -> Job:
    return await record.cancel(await failing(record, worker_id))


async def cancelled(record: Record, worker_id: UUID) -> Job:
    return await record.cancel(await queued(record, worker_id))


async def completed(record: Record, worker_id: UUID) -> Job:
    job = await record.at_stitch(worker_id)
    await record.settle(await record.claim(worker_id))
    return await record.job(job.job_id)


@pytest.mark.parametrize(
    ("reach", "status"),
    [
        (pending, Status.PAUSED),
        (queued, Status.PAUSED),
        (running, Status.PAUSING),
        (pausing, Status.PAUSING),
        (paused, Status.PAUSED),
    ],
)
async def test_a_pause_takes_effect_once_nothing_runs(
    record: Record, reach: Callable[[Record, UUID], Awaitable[Job]], status: Status
) -> None:
    job = await reach(record, await record.register())
    assert (await record.pause(job)).status is status
    await record.assert_sound()


@pytest.mark.parametrize(
    ("reach", "status"),
    [
        (pending, Status.PENDING),
        (running, Status.PROCESSING),
        (pausing, Status.PROCESSING),
        (paused, Status.PROCESSING),
        (paused_before_it_started, Status.PENDING),
    ],
)
async def test_a_resumed_job_stands_where_it_was(
    record: Record, reach: Callable[[Record, UUID], Awaitable[Job]], status: Status
) -> None:
    job = await reach(record, await record.register())
    assert (await record.resume(job)).status is status
    await record.assert_sound()


@pytest.mark.parametrize(
    ("reach", "word"),
    [
        (failing, "failed"),
        (cancelling, "cancelling"),
        (cancelling_with_an_error, "cancelling"),
        (cancelled, "cancelled"),
        (completed, "completed"),
    ],
)
async def test_what_stops_or_is_finished_can_neither_be_paused_nor_resumed(
    record: Record, reach: Callable[[Record, UUID], Awaitable[Job]], word: str
) -> None:
    job = await reach(record, await record.register())
    with pytest.raises(WrongStatus, match=f"Cannot pause job with status: {word}"):
        await record.pause(job)
    with pytest.raises(WrongStatus, match=f"Cannot resume job with status: {word}"):
        await record.resume(job)
    assert await record.job(job.job_id) == job


async def test_another_owners_job_is_not_found(record: Record) -> None:
    job = await record.create()
    with pytest.raises(JobNotFound):
        await record.jobs.pause_job(job.job_id, "eve", DRAIN, actor="user:eve")
    with pytest.raises(JobNotFound):
        await record.jobs.resume_job(job.job_id, "eve", actor="user:eve")


async def test_a_drained_task_ends_and_its_successor_waits(record: Record) -> None:
    worker_id = await record.register()
    job = await running(record, worker_id)
    (task,) = [t for t in await record.jobs.list_tasks(job.job_id) if t.worker_id][1:]
    await record.pause(job)
    held = [(task.job_id, task.kind, task.position, task.attempt)]
    assert await record.workers.list_stops(worker_id, held) == {}
    await record.calls.begin_provider_call(task, local_call("clip"))
    await record.settle(task)
    assert await record.stands(job, Status.PAUSED)
    assert not await record.claims(worker_id)
    assert (await record.job(job.job_id)).segments_completed == 1


async def test_an_aborted_task_is_told_and_calls_nobody_and_is_handed_back(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    assert (await record.pause(job, ABORT)).pause_mode is ABORT
    held = (task.job_id, task.kind, task.position, task.attempt)
    stops = await record.workers.list_stops(worker_id, [held])
    assert stops == {held: AbortReason.PAUSED}
    with pytest.raises(CallRefused):
        await record.calls.begin_provider_call(task, local_call("clip"))
    await record.settle(task, Aborted())
    handed_back = await record.task(job, Kind.SEGMENT)
    assert handed_back.status is TaskStatus.QUEUED
    assert handed_back.failures == 0
    assert await record.stands(job, Status.PAUSED)
    await record.assert_sound()


async def test_abort_overrides_drain_and_not_the_reverse(record: Record) -> None:
    job = await running(record, await record.register())
    assert (await record.pause(job, DRAIN)).pause_mode is DRAIN
    assert (await record.pause(job, ABORT)).pause_mode is ABORT
    before = await record.job(job.job_id)
    assert (await record.pause(job, DRAIN)).pause_mode is ABORT
    assert await record.job(job.job_id) == before
    kinds = [event.kind for event in await record.events(job)]
    assert kinds.count(EventKind.PAUSE_REQUESTED) == 2


async def test_what_was_aborted_for_a_pause_that_is_over_is_done_again(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    await record.pause(job, ABORT)
    assert (await record.resume(job)).pause_mode is None
    await record.settle(task, Aborted())
    again = await record.claim(worker_id)
    assert (again.attempt, again.failures) == (2, 0)
    await record.assert_sound()


async def test_resuming_rings_for_as_many_tasks_as_may_run(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=5, max_in_flight=2)
    await record.pause(job)
    change = await record.jobs.resume_job(job.job_id, "ada", actor="user:ada")
    assert change.queued == (Kind.SEGMENT, Kind.SEGMENT)


async def test_a_deadline_passes_while_a_job_is_paused(record: Record) -> None:
    job = await paused(record, await record.register())
    await record.read("UPDATE jobs SET cancel_at = now()")
    (change,) = await record.jobs.cancel_overdue()
    assert change.job.job_id == job.job_id
    assert change.job.status is Status.CANCELLED
    await record.assert_sound()
