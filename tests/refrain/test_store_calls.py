"""Provider calls: who may send one, and who takes up what another has started."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from refrain.errors import CallRefused
from refrain.job import Kind, PauseMode, Task
from refrain.outcome import Aborted
from refrain.provider_call import (
    FREE,
    CallStatus,
    CancelState,
    ProviderCall,
    Purpose,
)
from tests.refrain.attempts import GOES_ON, LOSES_ITS_PERMIT, handed_back, retried
from tests.refrain.record import (
    CLIP_USD,
    IMAGE_USD,
    Record,
    clip_call,
    image_call,
    local_call,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from refrain.job import Job

HOUR = timedelta(hours=1)
FAST = 99_999
CALLS = [
    local_call("image"),
    image_call(),
    clip_call(),
    clip_call(provider="veo", on_stop=CancelState.UNSUPPORTED),
    clip_call(estimate_usd=9 * CLIP_USD),
]


async def take_up(
    record: Record, task: Task, provider: str = "omni", purpose: Purpose = Purpose.CLIP
) -> ProviderCall | None:
    return await record.calls.take_up_call(task, provider=provider, purpose=purpose)


# The fence


@pytest.mark.parametrize("loses_its_permit", LOSES_ITS_PERMIT)
async def test_an_attempt_without_a_permit_calls_nobody_and_takes_nothing_up(
    record: Record, loses_its_permit: Callable[[Record, Job, Task], Awaitable[Task]]
) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, max_cost_usd=3 * CLIP_USD)
    task = await record.claim(worker_id)
    started = await record.start_clip(task)
    taken_up = await take_up(record, task)
    assert taken_up is not None
    assert taken_up.call_id == started.call_id
    assert await record.calls.is_running(task)
    stale = await loses_its_permit(record, job, task)
    before = await record.read("SELECT * FROM jobs")
    for new in CALLS:
        with pytest.raises(CallRefused):
            await record.calls.begin_provider_call(stale, new)
    assert await take_up(record, stale) is None
    assert not await record.calls.is_running(stale)
    assert len(await record.read("SELECT call_id FROM provider_calls")) == 1
    # Nor does one that would pass the budget cancel the job.
    assert await record.read("SELECT * FROM jobs") == before


async def test_a_drained_attempt_calls_on_and_takes_up(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id)
    task = await record.claim(worker_id)
    await record.pause(job, PauseMode.DRAIN)
    started = await record.start_clip(task)
    taken_up = await take_up(record, task)
    assert taken_up is not None
    assert taken_up.call_id == started.call_id


async def test_a_row_says_all_of_its_call(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id)
    await record.claim(worker_id)
    task = await record.claim(worker_id)
    call = await record.begin(task, clip_call())
    assert await record.calls.get_call(call.call_id) == call
    assert (call.job_id, call.kind, call.position) == (job.job_id, Kind.SEGMENT, 1)
    assert (call.attempt, call.provider, call.model) == (1, "omni", "mover")
    assert (call.purpose, call.estimate_usd) == (Purpose.CLIP, CLIP_USD)
    assert (call.status, call.price_usd) == (CallStatus.SENT, None)
    assert (call.on_stop, call.cancel_state) == (
        CancelState.PENDING,
        CancelState.NOT_NEEDED,
    )


# What is kept


async def started(record: Record, **changes: object) -> tuple[Job, Task, ProviderCall]:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    return job, task, await record.start_clip(task, **changes)


@pytest.mark.parametrize("goes_on", GOES_ON)
async def test_the_next_attempt_takes_up_operations_and_nothing_else(
    record: Record, goes_on: Callable[[Record, Job, Task], Awaitable[Task]]
) -> None:
    job, task, call = await started(record)
    veo = await record.start_clip(task, provider="veo", on_stop=CancelState.UNSUPPORTED)
    image = await record.begin(task, image_call())
    again = await goes_on(record, job, task)
    assert (await record.job(job.job_id)).in_flight_usd == 2 * CLIP_USD
    assert await take_up(record, again) == replace(call, attempt=2)
    assert await take_up(record, again, "veo") == replace(veo, attempt=2)
    assert await take_up(record, task) is None
    # Nobody waits for its answer any more.
    assert await take_up(record, again, "gemini", Purpose.IMAGE) is None
    dropped = await record.calls.get_call(image.call_id)
    assert (dropped.status, dropped.cancel_state) == (
        CallStatus.DROPPED,
        CancelState.UNKNOWN,
    )


async def test_only_its_own_operation_is_taken_up(record: Record) -> None:
    worker_id = await record.register()
    await record.at_paid_segments(worker_id)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    call = await record.start_clip(task)
    assert await take_up(record, other) is None
    assert await take_up(record, task, "veo") is None
    assert await take_up(record, task, "omni", Purpose.IMAGE) is None
    assert await take_up(record, task) == call


async def failed_upstream(record: Record, call: ProviderCall) -> None:
    await record.calls.finish_call(call, CallStatus.FAILED, FREE)


async def abandoned(record: Record, call: ProviderCall) -> None:
    await record.calls.abandon_call(call)


async def answered_and_gone(record: Record, call: ProviderCall) -> None:
    await record.calls.finish_call(call, CallStatus.ANSWERED, CLIP_USD)
    await record.calls.abandon_call(call)


async def test_what_came_to_nothing_is_not_taken_up(record: Record) -> None:
    job, task, call = await started(record)
    for end in (failed_upstream, abandoned, answered_and_gone):
        await end(record, call)
        task = await handed_back(record, job, task)
        assert await take_up(record, task) is None, end.__name__
        call = await record.start_clip(task)


async def test_a_clip_that_was_paid_and_not_fetched_is_paid_once(
    record: Record,
) -> None:
    job, task, call = await started(record)
    await record.calls.finish_call(call, CallStatus.ANSWERED, CLIP_USD)
    taken_up = await take_up(record, await retried(record, job, task))
    assert taken_up is not None
    assert taken_up.status is CallStatus.ANSWERED
    await record.calls.finish_call(taken_up, CallStatus.ANSWERED, 2 * CLIP_USD)
    assert (await record.job(job.job_id)).spent_usd == CLIP_USD
    # Gone at the provider: paid all the same, and bought again by the next attempt.
    await record.calls.abandon_call(taken_up)
    gone = await record.calls.get_call(call.call_id)
    assert (gone.status, gone.cancel_state) == (
        CallStatus.FAILED,
        CancelState.NOT_NEEDED,
    )
    assert (await record.job(job.job_id)).spent_usd == CLIP_USD


async def test_of_two_operations_the_newer_is_taken_up(record: Record) -> None:
    job, task, _ = await started(record)
    newer = await record.start_clip(task)
    taken_up = await take_up(record, await handed_back(record, job, task))
    assert taken_up is not None
    assert taken_up.call_id == newer.call_id


async def test_an_old_attempt_does_not_drop_what_a_newer_has_taken_up(
    record: Record,
) -> None:
    job, task, call = await started(record)
    taken_up = await take_up(record, await handed_back(record, job, task))
    assert taken_up is not None
    await record.calls.abandon_call(call)
    assert await record.calls.get_call(call.call_id) == taken_up
    await record.calls.abandon_call(taken_up)
    dropped = await record.calls.get_call(call.call_id)
    assert dropped.cancel_state is CancelState.PENDING


async def test_a_cancel_and_a_take_up_leave_one_of_them_the_operation(
    record: Record,
) -> None:
    job, task, call = await started(record)
    again = await handed_back(record, job, task)
    _, refused = await record.in_order(
        job, lambda: record.cancel(job), lambda: take_up(record, again)
    )
    assert refused is None
    left = await record.calls.get_call(call.call_id)
    assert (left.attempt, left.status) == (1, CallStatus.SENT)
    await record.settle(again, Aborted())
    dropped = await record.calls.get_call(call.call_id)
    assert dropped.cancel_state is CancelState.PENDING


# Writes that come twice, or late


async def test_a_call_is_finished_once(record: Record) -> None:
    job, _, call = await started(record)
    await record.calls.finish_call(call, CallStatus.ANSWERED, CLIP_USD)
    finished = await record.calls.get_call(call.call_id)
    await record.calls.finish_call(call, CallStatus.ANSWERED, FREE)
    assert await record.calls.get_call(call.call_id) == finished
    # The provider has another thought, and bills what it billed.
    await record.calls.finish_call(call, CallStatus.FAILED, FREE)
    assert (await record.calls.get_call(call.call_id)).status is CallStatus.FAILED
    await record.calls.finish_call(call, CallStatus.ANSWERED, 2 * CLIP_USD)
    await record.calls.abandon_call(call)
    failed_call = await record.calls.get_call(call.call_id)
    assert (failed_call.status, failed_call.price_usd) == (CallStatus.FAILED, CLIP_USD)
    assert (await record.job(job.job_id)).spent_usd == CLIP_USD


async def test_a_late_answer_says_what_was_not_known(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    call = await record.begin(task, image_call())
    await record.cancel(job)
    await record.settle(task, Aborted())
    before = await record.job(job.job_id)
    assert (before.unknown_usd, before.spent_usd) == (IMAGE_USD, FREE)
    price = Decimal("0.0712")
    await record.calls.finish_call(call, CallStatus.ANSWERED, price)
    after = await record.job(job.job_id)
    assert after == replace(
        before, unknown_usd=FREE, spent_usd=price, cancels_unknown=0
    )


async def test_no_late_word_takes_a_dropped_operation_back(record: Record) -> None:
    job, task, call = await started(record)
    veo = await record.start_clip(task, provider="veo", on_stop=CancelState.UNSUPPORTED)
    await record.cancel(job)
    await record.settle(task, Aborted())
    for each in (call, veo):
        dropped = await record.calls.get_call(each.call_id)
        assert dropped.status is CallStatus.DROPPED
        assert dropped.cancel_state is each.on_stop
        await record.calls.finish_call(each, CallStatus.ANSWERED, CLIP_USD)
        await record.calls.finish_call(each, CallStatus.FAILED, FREE)
        await record.calls.abandon_call(each)
        assert await record.calls.get_call(each.call_id) == dropped


async def test_the_first_id_of_an_operation_stays(record: Record) -> None:
    _, _, call = await started(record)
    await record.calls.record_operation(call.call_id, "another")
    assert await record.calls.get_call(call.call_id) == call


async def test_an_operation_belongs_to_one_call(record: Record) -> None:
    _, task, call = await started(record)
    other = await record.begin(task, clip_call())
    veo = await record.begin(task, clip_call(provider="veo"))
    assert call.operation_id is not None
    await record.calls.record_operation(other.call_id, call.operation_id)
    assert await record.calls.get_call(other.call_id) == other
    await record.calls.record_operation(veo.call_id, call.operation_id)
    named = await record.calls.get_call(veo.call_id)
    assert named.operation_id == call.operation_id


async def test_a_call_that_is_nobodys_is_not_found(record: Record) -> None:
    _, _, call = await started(record)
    await record.read("DELETE FROM provider_calls")
    with pytest.raises(CallRefused):
        await record.calls.get_call(call.call_id)


async def test_an_image_is_kept_by_the_attempt_that_runs(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id)
    task = await record.claim(worker_id)

    async def uri() -> str | None:
        return (await record.tasks.get_segment(task)).image_uri

    stranger = replace(task, worker_id=await record.register())
    assert not await record.calls.keep_image(stranger, "stranger")
    assert await uri() is None
    assert await record.calls.keep_image(task, "mine")
    assert await record.calls.keep_image(task, "mine")
    await record.cancel(job)
    assert await record.calls.keep_image(task, "mine, late")
    await record.settle(task, Aborted())
    assert not await record.calls.keep_image(task, "too late")
    assert await uri() == "mine, late"
    segments = await record.tasks.list_segments(job.job_id)
    assert [segment.image_uri for segment in segments] == ["mine, late", None]


async def test_an_image_of_an_old_attempt_does_not_replace_the_new(
    record: Record,
) -> None:
    job, task, _ = await started(record)
    again = await handed_back(record, job, task)
    assert await record.calls.keep_image(again, "new")
    assert not await record.calls.keep_image(task, "old")
    assert (await record.tasks.get_segment(again)).image_uri == "new"
