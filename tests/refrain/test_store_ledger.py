"""The ledger: what each way to stop makes of each call, and what the job has cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from refrain.job import (
    Cause,
    EventKind,
    Job,
    Kind,
    PauseMode,
    Status,
    Task,
    TaskStatus,
)
from refrain.outcome import Aborted, Failed
from refrain.provider_call import FREE, CallStatus, CancelState, Purpose
from refrain.store import Change, JobFilter
from tests.refrain.ledger import costs
from tests.refrain.record import (
    CLIP_USD,
    FAILED,
    IMAGE_USD,
    PRICE,
    RETRY,
    SEGMENT_USD,
    Record,
    clip_call,
    clip_of,
    image_call,
    local_call,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def abort(record: Record, *tasks: Task) -> None:
    for task in tasks:
        await record.settle(task, Aborted())


async def by_its_owner(record: Record, job: Job, *tasks: Task) -> None:
    await record.cancel(job)
    await abort(record, *tasks)


async def in_a_batch(record: Record, job: Job, *tasks: Task) -> None:
    local = await record.create()
    await record.jobs.cancel_jobs(
        [local.job_id, job.job_id], "ada", requested_by="user:ada", reason=""
    )
    await abort(record, *tasks)


async def by_a_filter(record: Record, _job: Job, *tasks: Task) -> None:
    await record.jobs.cancel_matching(
        "ada", JobFilter(), requested_by="user:ada", reason=""
    )
    await abort(record, *tasks)


async def by_its_deadline(record: Record, _job: Job, *tasks: Task) -> None:
    await record.read("UPDATE jobs SET cancel_at = now()")
    await record.jobs.cancel_overdue()
    await abort(record, *tasks)


async def by_its_budget(record: Record, _job: Job, *tasks: Task) -> None:
    await record.read("UPDATE jobs SET max_cost_usd = 0.6342")
    change = await record.calls.begin_provider_call(tasks[1], clip_call())
    assert isinstance(change, Change)
    assert change.job.cancel_cause is Cause.BUDGET
    await abort(record, *tasks)


async def by_a_failure(record: Record, _job: Job, *tasks: Task) -> None:
    await record.settle(await record.claim(await record.register()), FAILED)
    await abort(record, *tasks)


async def as_its_worker_died(record: Record, job: Job, *tasks: Task) -> None:
    await record.cancel(job)
    assert tasks[0].worker_id is not None
    await record.die(tasks[0].worker_id)
    await record.tasks.rescue_tasks(job.job_id, "sweep")


@pytest.mark.parametrize(
    "stops",
    [
        by_its_owner,
        in_a_batch,
        by_a_filter,
        by_its_deadline,
        by_its_budget,
        by_a_failure,
        as_its_worker_died,
    ],
)
async def test_every_stop_costs_and_saves_the_same(
    record: Record, stops: Callable[..., Awaitable[None]]
) -> None:
    job, task, other = await record.under_way()
    await stops(record, job, task, other)
    stopped = await record.job(job.job_id)
    assert stopped.status in {Status.CANCELLED, Status.FAILED}
    assert costs(stopped) == {
        "spent_usd": PRICE,
        "unknown_usd": CLIP_USD + IMAGE_USD,
        "avoided_usd": CLIP_USD + SEGMENT_USD,
        "cancels_pending": 1,
        "cancels_unknown": 1,
    }
    # The last event tells of it, to those who watch.
    assert (await record.events(job))[-1].job == stopped


async def test_what_runs_is_in_flight_until_it_settles(record: Record) -> None:
    job, task, other = await record.under_way()
    assert costs(await record.job(job.job_id)) == {
        "spent_usd": PRICE,
        "in_flight_usd": CLIP_USD + IMAGE_USD,
        "unstoppable_usd": IMAGE_USD,
        "calls_to_stop": 2,
    }
    asked = await record.cancel(job)
    assert asked.status is Status.CANCELLING
    saved = CLIP_USD + SEGMENT_USD
    assert costs(asked) == {
        "spent_usd": PRICE,
        "in_flight_usd": CLIP_USD + IMAGE_USD,
        "unstoppable_usd": IMAGE_USD,
        "calls_to_stop": 2,
        "avoided_usd": saved,
    }
    change = await record.settle(other, Aborted())
    assert change is not None
    assert costs(change.job) == {
        "spent_usd": PRICE,
        "in_flight_usd": CLIP_USD,
        "calls_to_stop": 1,
        "unknown_usd": IMAGE_USD,
        "cancels_unknown": 1,
        "avoided_usd": saved,
    }
    await record.settle(task, Aborted())
    assert (await record.job(job.job_id)).cancels_pending == 1


async def test_what_finishes_anyway_is_spent(record: Record) -> None:
    job, task, other = await record.under_way()
    await record.cancel(job)
    call = await record.calls.take_up_call(task, provider="omni", purpose=Purpose.CLIP)
    assert call is None
    (row,) = await record.read(
        "SELECT call_id FROM provider_calls WHERE purpose = 'clip'"
    )
    call = await record.calls.get_call(row["call_id"])
    await record.calls.finish_call(call, CallStatus.ANSWERED, CLIP_USD)
    await record.settle(task, clip_of(task))
    await abort(record, other)
    assert costs(await record.job(job.job_id)) == {
        "spent_usd": PRICE + CLIP_USD,
        "unknown_usd": IMAGE_USD,
        "cancels_unknown": 1,
        "avoided_usd": CLIP_USD + SEGMENT_USD,
    }


async def paused(record: Record, job: Job, task: Task) -> None:
    await record.pause(job, PauseMode.ABORT)
    await record.settle(task, Aborted())
    assert await record.stands(job, Status.PAUSED)


async def in_backoff(record: Record, _job: Job, task: Task) -> None:
    await record.settle(task, replace(RETRY, delay=timedelta(hours=1)))


async def handed_back(record: Record, _job: Job, task: Task) -> None:
    await record.settle(task, Aborted())


async def test_a_cancel_of_what_waits_is_a_duty_at_once(record: Record) -> None:
    worker_id = await record.register()
    for wait in (paused, in_backoff, handed_back):
        job = await record.at_paid_segments(worker_id)
        task = await record.claim(worker_id)
        call = await record.start_clip(task)
        await wait(record, job, task)
        assert costs(await record.job(job.job_id)) == {
            "in_flight_usd": CLIP_USD,
            "calls_to_stop": 1,
        }
        cancelled = await record.cancel(job)
        assert cancelled.status is Status.CANCELLED, wait.__name__
        for event in (await record.events(job))[-2:]:
            assert costs(event.job) == {
                "unknown_usd": CLIP_USD,
                "cancels_pending": 1,
                "avoided_usd": IMAGE_USD + SEGMENT_USD,
            }
        dropped = await record.calls.get_call(call.call_id)
        assert dropped.status is CallStatus.DROPPED
        assert dropped.operation_id == call.operation_id
        assert dropped.cancel_due_at is not None
        assert dropped.cancel_until is not None
        assert dropped.cancel_until - dropped.cancel_due_at >= timedelta(minutes=59)


async def test_each_call_ends_as_its_kind_does(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    calls = [
        await record.begin(task, new)
        for new in (
            local_call("image"),
            image_call(),
            clip_call(),
            clip_call(provider="veo", on_stop=CancelState.UNSUPPORTED),
        )
    ]
    await by_its_owner(record, job, task)
    ended = [await record.calls.get_call(call.call_id) for call in calls]
    assert [call.cancel_state for call in ended] == [
        CancelState.NOT_NEEDED,
        CancelState.UNKNOWN,
        CancelState.PENDING,
        CancelState.UNSUPPORTED,
    ]
    assert [call.status for call in ended] == [
        CallStatus.ANSWERED,
        *3 * [CallStatus.DROPPED],
    ]
    assert [call.price_usd for call in ended] == [FREE, None, None, None]
    assert all(call.ended_at for call in ended)
    assert costs(await record.job(job.job_id)) == {
        "spent_usd": CLIP_USD,
        "unknown_usd": CLIP_USD + IMAGE_USD,
        "cancels_pending": 1,
        "cancels_unknown": 1,
        "cancels_unsupported": 1,
    }


async def test_a_batch_drops_the_calls_of_each_of_its_jobs(record: Record) -> None:
    worker_id = await record.register()
    jobs = [await record.at_paid_segments(worker_id, segments=1) for _ in range(2)]
    for _ in jobs:
        task = await record.claim(worker_id)
        await record.start_clip(task)
        await in_backoff(record, jobs[0], task)
    bystander = await record.at_paid_segments(worker_id, segments=1)
    await record.start_clip(await record.claim(worker_id))
    await record.jobs.cancel_jobs(
        [job.job_id for job in jobs], "ada", requested_by="user:ada", reason=""
    )
    for job in jobs:
        cancelled = await record.job(job.job_id)
        assert cancelled.status is Status.CANCELLED
        assert (cancelled.cancels_pending, cancelled.avoided_usd) == (1, IMAGE_USD)
    assert (await record.job(bystander.job_id)).in_flight_usd == CLIP_USD


async def test_what_is_free_is_stopped_too(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=2)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    free = {"provider": "odyssey", "estimate_usd": FREE}
    calls = [await record.start_clip(each, **free) for each in (task, other)]
    await in_backoff(record, job, task)
    await by_its_owner(record, job, other)
    for call in calls:
        dropped = await record.calls.get_call(call.call_id)
        assert dropped.cancel_state is CancelState.PENDING
    assert costs(await record.job(job.job_id)) == {"cancels_pending": 2}


async def test_a_made_segment_leaves_nothing_running(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id)
    first = await record.claim(worker_id)
    left = await record.start_clip(first)
    await record.settle(first, Aborted())
    task = await record.claim(worker_id)
    assert task.position == first.position
    other = await record.claim(worker_id)
    kept = await record.start_clip(other)
    await record.settle(other, Aborted())
    await record.begin(task, local_call("clip"))
    await record.settle(task, clip_of(task))
    dropped = await record.calls.get_call(left.call_id)
    assert dropped.cancel_state is CancelState.PENDING
    assert await record.calls.get_call(kept.call_id) == kept
    assert costs(await record.job(job.job_id)) == {
        "unknown_usd": CLIP_USD,
        "cancels_pending": 1,
        "in_flight_usd": CLIP_USD,
        "calls_to_stop": 1,
    }


async def test_a_failure_tells_what_it_cost_when_the_last_task_settles(
    record: Record,
) -> None:
    job, task, other = await record.under_way()
    error = Failed(error={"code": 13, "message": "refused"}, retryable=False)
    await record.settle(task, error)
    failing = await record.job(job.job_id)
    assert failing.stopping
    assert (failing.cancels_pending, failing.in_flight_usd) == (1, IMAGE_USD)
    await record.settle(other, Aborted())
    (*_, aborted, failed) = await record.events(job)
    assert (aborted.kind, failed.kind) == (EventKind.TASK_ABORTED, EventKind.FAILED)
    assert costs(aborted.job) == costs(failed.job)
    assert failed.job.in_flight_usd == FREE
    assert (await record.task(job, Kind.SEGMENT, 2)).status is TaskStatus.SKIPPED
