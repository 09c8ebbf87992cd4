"""The budget of a job, and the limit of a provider, before a call is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refrain.errors import CallRefused
from refrain.job import Cause, Status, Task
from refrain.limits import Limit
from refrain.outcome import Aborted
from refrain.provider_call import FREE, CallStatus, CancelState, ProviderCall
from refrain.store import CallNotYet, Change
from refrain.store.calls import CONTENDED, OVER_LIST
from tests.eventually import eventually
from tests.refrain.record import (
    CLIP_USD,
    IMAGE_USD,
    Record,
    clip_call,
    image_call,
    local_call,
)

HOUR = timedelta(hours=1)
FAST = 99_999

# The budget


async def in_flight(record: Record, task: Task) -> None:
    await record.start_clip(task)


async def spent(record: Record, task: Task) -> None:
    call = await record.start_clip(task)
    await record.calls.finish_call(call, CallStatus.ANSWERED, CLIP_USD)


async def billed_for_a_failure(record: Record, task: Task) -> None:
    call = await record.start_clip(task)
    await record.calls.finish_call(call, CallStatus.FAILED, CLIP_USD)


async def dropped_and_unknown(record: Record, task: Task) -> None:
    call = await record.begin(task, image_call(estimate_usd=CLIP_USD))
    await record.calls.abandon_call(call)


async def dropped_and_pending(record: Record, task: Task) -> None:
    await record.calls.abandon_call(await record.start_clip(task))


async def dropped_and_unstoppable(record: Record, task: Task) -> None:
    call = await record.begin(task, clip_call(on_stop=CancelState.UNSUPPORTED))
    await record.calls.abandon_call(call)


async def test_a_call_that_would_pass_the_budget_cancels_the_job_instead(
    record: Record,
) -> None:
    worker_id = await record.register()
    cost = CLIP_USD + IMAGE_USD
    for commit in (
        in_flight,
        spent,
        billed_for_a_failure,
        dropped_and_unknown,
        dropped_and_pending,
        dropped_and_unstoppable,
    ):
        job = await record.at_paid_segments(worker_id, max_cost_usd=cost * OVER_LIST)
        task = await record.claim(worker_id)
        await commit(record, task)
        await record.begin(task, image_call())
        change = await record.calls.begin_provider_call(
            task, image_call(estimate_usd=CLIP_USD)
        )
        assert isinstance(change, Change), commit.__name__
        assert change.stops
        assert change.job.status is Status.CANCELLING
        assert change.job.cancel_cause is Cause.BUDGET
        assert change.job.cancel_requested_by == "budget"
        await record.settle(task, Aborted())
        ended = await record.job(job.job_id)
        assert ended.status is Status.CANCELLED
        assert ended.message == "Job cancelled: budget reached"
        assert ended.spent_usd + ended.unknown_usd == cost
    assert len(await record.read("SELECT call_id FROM provider_calls")) == 2 * 6


async def test_the_first_call_may_be_too_much(record: Record) -> None:
    await record.create(max_cost_usd=Decimal("0.01"))
    task = await record.claim(await record.register())
    change = await record.calls.begin_provider_call(task, image_call())
    assert isinstance(change, Change)
    assert change.job.cancel_cause is Cause.BUDGET
    assert not change.job.paid


async def test_what_is_free_passes_no_budget(record: Record) -> None:
    worker_id = await record.register()
    await record.at_paid_segments(worker_id, max_cost_usd=IMAGE_USD * OVER_LIST)
    task = await record.claim(worker_id)
    dear = await record.begin(task, image_call())
    await record.calls.finish_call(dear, CallStatus.ANSWERED, 2 * IMAGE_USD)
    assert (await record.begin(task, local_call("clip"))).estimate_usd == FREE


# The limit


async def plans(record: Record, count: int) -> list[Task]:
    """Running tasks of as many jobs."""
    worker_id = await record.register()
    for _ in range(count):
        await record.create()
    return [await record.claim(worker_id) for _ in range(count)]


async def test_never_more_calls_at_once_than_the_limit_allows(record: Record) -> None:
    limit = Limit(concurrent=6, per_minute=FAST)
    tasks = await plans(record, 10)
    under_way, most = 0, 0

    async def call(task: Task) -> None:
        nonlocal under_way, most

        async def begun() -> ProviderCall | None:
            try:
                return await record.begin(task, clip_call(limit=limit))
            except CallNotYet:
                return None

        begun_call = await eventually(begun)
        assert begun_call is not None
        under_way += 1
        most = max(most, under_way)
        (row,) = await record.read(
            "SELECT count(*) FROM provider_calls WHERE status = 'sent'"
        )
        assert row["count"] <= limit.concurrent
        under_way -= 1
        await record.calls.finish_call(begun_call, CallStatus.ANSWERED, CLIP_USD)

    await asyncio.gather(*(call(task) for task in 5 * tasks))
    assert 1 < most <= limit.concurrent
    assert len(await record.read("SELECT call_id FROM provider_calls")) == 50


async def test_after_a_burst_the_rate_is_kept(record: Record) -> None:
    (task,) = await plans(record, 1)
    new = image_call(limit=Limit(concurrent=3, per_minute=60))

    async def call() -> timedelta | None:
        try:
            begun = await record.begin(task, new)
        except CallNotYet as not_yet:
            return not_yet.wait
        await record.calls.finish_call(begun, CallStatus.ANSWERED, IMAGE_USD)
        return None

    assert [await call() for _ in range(3)] == [None, None, None]
    waits = [await call() for _ in range(3)]
    # Who is refused takes nobody's turn.
    assert all(wait and wait <= timedelta(seconds=1) for wait in waits)
    await record.read(
        "UPDATE provider_limits SET next_call_at = next_call_at - interval '1 second'"
    )
    assert await call() is None
    assert await call() is not None


async def test_a_refused_call_takes_no_turn(record: Record) -> None:
    (task,) = await plans(record, 1)
    new = image_call(limit=Limit(concurrent=1, per_minute=1))
    stale = replace(task, attempt=2)
    for _ in range(3):
        with pytest.raises(CallRefused):
            await record.calls.begin_provider_call(stale, new)
    await record.begin(task, new)


async def test_a_held_provider_takes_calls_of_nobody(record: Record) -> None:
    limit = Limit(concurrent=9, per_minute=FAST)
    tasks = await plans(record, 2)
    await record.calls.hold_provider("omni", HOUR)
    await record.calls.hold_provider("omni", timedelta(seconds=1))
    for task in tasks:
        with pytest.raises(CallNotYet) as not_yet:
            await record.begin(task, clip_call(limit=limit))
        assert not_yet.value.wait > timedelta(minutes=59)
    await record.begin(tasks[0], image_call(limit=limit))
    await record.read("UPDATE provider_limits SET held_until = clock_timestamp()")
    await record.begin(tasks[0], clip_call(limit=limit))


async def test_a_call_waits_for_no_call_of_another_job(record: Record) -> None:
    (task,) = await plans(record, 1)
    new = clip_call(limit=Limit(concurrent=9, per_minute=FAST))
    held = "SELECT FROM provider_limits WHERE provider = 'omni' FOR UPDATE"
    async with record.holding(held):
        with pytest.raises(CallNotYet) as not_yet:
            await record.begin(task, new)
        assert not_yet.value.wait == CONTENDED
        await record.begin(task, image_call(limit=new.limit))
    await record.begin(task, new)


async def test_what_a_paused_job_keeps_does_not_hold_others_back(
    record: Record,
) -> None:
    new = clip_call(limit=Limit(concurrent=1, per_minute=FAST))
    task, other = await plans(record, 2)
    kept = await record.begin(task, new)
    with pytest.raises(CallNotYet):
        await record.begin(other, new)
    await record.read(
        "UPDATE provider_calls SET created_at = created_at - interval '30 minutes'"
    )
    await record.begin(other, new)
    assert (await record.calls.get_call(kept.call_id)).status is CallStatus.SENT
