"""How each segment stands, and what it has cost, as clients see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.job import Kind, TaskStatus
from refrain.outcome import Aborted
from refrain.provider_call import FREE, CallStatus
from tests.refrain.record import (
    CLIP_USD,
    FAILED,
    IMAGE_USD,
    PRICE,
    RETRY,
    SEGMENT_USD,
    Record,
    image_call,
    plan_of,
)

if TYPE_CHECKING:
    from refrain.job import Job, SegmentState


async def states(record: Record, job: Job) -> list[SegmentState]:
    return await record.jobs.list_segments(job.job_id)


async def statuses(record: Record, job: Job) -> list[TaskStatus]:
    return [state.status for state in await states(record, job)]


async def test_a_segment_stands_where_its_task_does(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=3)
    assert await statuses(record, job) == [TaskStatus.QUEUED] * 3
    await record.settle(await record.claim(worker_id))
    running = await record.claim(worker_id)
    assert await statuses(record, job) == [
        TaskStatus.COMPLETED,
        TaskStatus.RUNNING,
        TaskStatus.QUEUED,
    ]
    await record.cancel(job)
    await record.settle(running, Aborted())
    listed = await states(record, job)
    assert [state.status for state in listed] == [
        TaskStatus.COMPLETED,
        TaskStatus.CANCELLED,
        TaskStatus.SKIPPED,
    ]
    assert [state.segment for state in listed] == await record.tasks.list_segments(
        job.job_id
    )


async def test_a_segment_says_what_went_wrong_last(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=1)
    await record.settle(await record.claim(worker_id), RETRY)
    (again,) = await states(record, job)
    assert (again.status, again.error) == (TaskStatus.QUEUED, RETRY.error)
    await record.read("UPDATE tasks SET available_at = now()")
    await record.settle(await record.claim(worker_id), FAILED)
    (failed,) = await states(record, job)
    assert (failed.status, failed.error) == (TaskStatus.FAILED, FAILED.error)


async def test_a_segment_of_a_plan_that_finished_anyway_is_skipped(
    record: Record,
) -> None:
    job, worker_id = await record.create(), await record.register()
    plan = await record.claim(worker_id)
    await record.cancel(job)
    await record.settle(plan, plan_of(2, SEGMENT_USD))
    assert await statuses(record, job) == [TaskStatus.SKIPPED] * 2


async def test_a_segment_that_a_retry_takes_over_is_completed_and_free(
    record: Record,
) -> None:
    worker_id = await record.register()
    old = await record.at_paid_segments(worker_id)
    task = await record.claim(worker_id)
    image = await record.begin(task, image_call())
    await record.calls.finish_call(image, CallStatus.ANSWERED, PRICE)
    await record.settle(task)
    await record.cancel(old)
    retried = await record.jobs.retry_job(old.job_id, "ada", request_id=None)
    taken_over, left = await states(record, retried.job)
    assert (taken_over.status, taken_over.spent_usd) == (TaskStatus.COMPLETED, FREE)
    assert (left.status, left.segment.estimate_usd) == (TaskStatus.QUEUED, SEGMENT_USD)
    assert (await states(record, old))[0].spent_usd == PRICE


async def test_each_segment_says_what_its_own_calls_cost(record: Record) -> None:
    job, _, _ = await record.under_way()
    assert [
        (state.spent_usd, state.in_flight_usd) for state in await states(record, job)
    ] == [(PRICE, CLIP_USD), (FREE, IMAGE_USD), (FREE, FREE)]


async def test_what_a_plan_cost_is_on_none_of_its_segments(record: Record) -> None:
    job, worker_id = await record.create(), await record.register()
    plan = await record.claim(worker_id, Kind.PLAN)
    board = await record.begin(plan, image_call())
    await record.calls.finish_call(board, CallStatus.ANSWERED, PRICE)
    await record.settle(plan, plan_of(1, SEGMENT_USD))
    (only,) = await states(record, job)
    assert (only.spent_usd, only.in_flight_usd) == (FREE, FREE)
