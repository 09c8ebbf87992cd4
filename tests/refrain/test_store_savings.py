"""What a job has cost and saved beside its stops: its plan, its end, its retry."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from refrain.job import Job, Kind, Status, Task
from refrain.outcome import Aborted
from refrain.provider_call import FREE, CallStatus, Purpose
from refrain.store import JobFilter
from tests.refrain.ledger import costs
from tests.refrain.record import (
    CLIP_USD,
    FAILED,
    IMAGE_USD,
    PRICE,
    SEGMENT_USD,
    Record,
    clip_call,
    image_call,
    local_call,
    plan_of,
)


async def stop(record: Record, job: Job, task: Task) -> None:
    await record.cancel(job)
    await record.settle(task, Aborted())


async def test_a_plan_that_finishes_anyway_says_what_its_segments_save(
    record: Record,
) -> None:
    job, worker_id = await record.create(), await record.register()
    plan = await record.claim(worker_id)
    await record.cancel(job)
    await record.settle(plan, plan_of(2, SEGMENT_USD))
    cancelled = await record.job(job.job_id)
    assert cancelled.segments_usd == cancelled.avoided_usd == 2 * SEGMENT_USD


async def test_nothing_is_saved_where_a_free_one_stands_in(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id)
    task = await record.claim(worker_id)
    refused = await record.begin(task, image_call())
    await record.calls.finish_call(refused, CallStatus.FAILED, FREE)
    await record.calls.finish_call(
        await record.begin(task, local_call("image")), CallStatus.ANSWERED, FREE
    )
    await stop(record, job, task)
    assert costs(await record.job(job.job_id)) == {
        "avoided_usd": CLIP_USD + SEGMENT_USD
    }


async def test_a_call_that_came_to_nothing_saves_its_next_try(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    failed = await record.begin(task, image_call())
    billed = Decimal("0.0100")
    await record.calls.finish_call(failed, CallStatus.FAILED, billed)
    await stop(record, job, task)
    assert costs(await record.job(job.job_id)) == {
        "spent_usd": billed,
        "avoided_usd": SEGMENT_USD,
    }


async def test_a_finished_job_has_saved_nothing(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    image = await record.begin(task, image_call())
    await record.calls.finish_call(image, CallStatus.ANSWERED, PRICE)
    await record.begin(task, local_call("clip"))
    await record.settle(task)
    stitch = await record.claim(worker_id, Kind.STITCH)
    await record.settle(stitch)
    completed = await record.job(job.job_id)
    assert completed.status is Status.COMPLETED
    assert costs(completed) == {"spent_usd": PRICE}
    await record.jobs.cancel_jobs(
        [job.job_id], "ada", requested_by="user:ada", reason="too late"
    )
    assert await record.job(job.job_id) == completed
    (local,) = await record.read(
        "SELECT status, price_usd FROM provider_calls WHERE provider = 'local'"
    )
    assert local == {"status": CallStatus.ANSWERED, "price_usd": FREE}


async def test_a_storyboard_is_spent_and_no_segment(record: Record) -> None:
    job, worker_id = await record.create(), await record.register()
    plan = await record.claim(worker_id)
    new = image_call(purpose=Purpose.STORYBOARD)
    call = await record.begin(plan, new)
    await record.calls.finish_call(call, CallStatus.ANSWERED, PRICE)
    dear = replace(
        plan_of(3, SEGMENT_USD),
        segments=(
            *plan_of(2, SEGMENT_USD).segments,
            replace(plan_of(3).segments[2], estimate_usd=2 * SEGMENT_USD),
        ),
    )
    await record.settle(plan, dear)
    planned = await record.job(job.job_id)
    assert planned.segments_usd == 4 * SEGMENT_USD
    assert planned.segment_usd == 2 * SEGMENT_USD
    assert costs(await record.cancel(job)) == {
        "spent_usd": PRICE,
        "avoided_usd": 4 * SEGMENT_USD,
    }


# What a cancel would save


async def test_a_cancel_would_save_what_is_neither_made_nor_in_flight(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=3)
    assert job.avoidable_usd == 3 * SEGMENT_USD
    await record.settle(await record.claim(worker_id))
    task = await record.claim(worker_id)
    await record.start_clip(task)
    under_way = await record.job(job.job_id)
    assert under_way.avoidable_usd == 2 * SEGMENT_USD - CLIP_USD
    await stop(record, job, task)
    assert (await record.job(job.job_id)).avoidable_usd == FREE


async def test_a_cancel_would_save_nothing_of_a_job_that_stops_already(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=3)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    await record.settle(task, FAILED)
    failing = await record.job(job.job_id)
    assert failing.stopping
    assert failing.avoidable_usd == FREE
    foreseen = await record.jobs.count_cancellable("ada", JobFilter())
    assert (foreseen.running, foreseen.avoidable_usd) == (1, FREE)
    await record.settle(other, Aborted())
    assert (await record.job(job.job_id)).avoidable_usd == FREE


async def test_what_cancels_would_save_is_the_sum_of_what_each_would(
    record: Record,
) -> None:
    worker_id = await record.register()
    for segments, new in (
        (1, clip_call(estimate_usd=9 * CLIP_USD)),
        (2, image_call()),
    ):
        await record.at_paid_segments(worker_id, segments=segments)
        await record.begin(await record.claim(worker_id, Kind.SEGMENT), new)
    await record.cancel(await record.at_paid_segments(worker_id))
    await record.at_paid_segments(worker_id, owner="eve")
    await record.create()
    jobs = await record.jobs.list_cancellable("ada", JobFilter(), 10)
    each = sorted(job.avoidable_usd for job in jobs)
    assert each == [FREE, FREE, 2 * SEGMENT_USD - IMAGE_USD]
    foreseen = await record.jobs.count_cancellable("ada", JobFilter())
    assert foreseen.total == 3
    assert foreseen.avoidable_usd == sum(each)
    assert foreseen.in_flight_usd == IMAGE_USD + 9 * CLIP_USD
    assert foreseen.unstoppable_usd == IMAGE_USD


# Retries


async def test_a_retry_pays_for_what_is_not_reused_out_of_a_fresh_budget(
    record: Record,
) -> None:
    worker_id = await record.register()
    budget = 2 * CLIP_USD
    job = await record.at_paid_segments(worker_id, segments=3, max_cost_usd=budget)
    task = await record.claim(worker_id)
    for new in (image_call(), clip_call()):
        call = await record.begin(task, new)
        await record.calls.finish_call(call, CallStatus.ANSWERED, new.estimate_usd)
    await record.settle(task)
    await record.cancel(job)
    assert (await record.job(job.job_id)).avoided_usd == 2 * SEGMENT_USD
    change = await record.jobs.retry_job(job.job_id, "ada", request_id=None)
    retried = change.job
    assert retried.segments_usd == 2 * SEGMENT_USD
    assert (retried.segment_usd, retried.max_cost_usd) == (SEGMENT_USD, budget)
    assert costs(retried) == {}
    assert retried.paid
    task = await record.claim(worker_id)
    assert (task.job_id, task.position) == (retried.job_id, 1)
    await record.start_clip(task)
    await stop(record, retried, task)
    assert costs(await record.job(retried.job_id)) == {
        "unknown_usd": CLIP_USD,
        "cancels_pending": 1,
        "avoided_usd": IMAGE_USD + SEGMENT_USD,
    }


async def test_a_retry_of_what_was_not_planned_is_planned_anew(record: Record) -> None:
    job = await record.create(max_cost_usd=CLIP_USD)
    await record.cancel(job)
    change = await record.jobs.retry_job(job.job_id, "ada", request_id=None)
    assert (change.job.max_cost_usd, change.job.segments_usd) == (CLIP_USD, FREE)
    worker_id = await record.register()
    await record.settle(await record.claim(worker_id), plan_of(2, SEGMENT_USD))
    planned = await record.job(change.job.job_id)
    assert planned.segments_usd == 2 * SEGMENT_USD
    assert planned.paid
