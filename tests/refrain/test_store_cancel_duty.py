"""The duty to stop what was started: who has it, how long, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from refrain.errors import JobNotFound
from refrain.job import EventKind, Job, Kind, Status, Task
from refrain.outcome import Aborted
from refrain.provider_call import FREE, CallStatus, CancelState, ProviderCall
from tests.refrain.ledger import costs
from tests.refrain.record import (
    CLIP_USD,
    IMAGE_USD,
    Record,
    clip_call,
    image_call,
)

HOUR = timedelta(hours=1)
NOW = timedelta()
PART = Decimal("0.1000")
RESOLUTIONS: list[tuple[CancelState, Decimal | None, dict[str, Decimal]]] = [
    (CancelState.CONFIRMED, FREE, {"avoided_probably_usd": CLIP_USD}),
    (
        CancelState.CONFIRMED,
        PART,
        {"avoided_probably_usd": CLIP_USD - PART, "spent_usd": PART},
    ),
    (CancelState.CONFIRMED, 2 * CLIP_USD, {"spent_usd": 2 * CLIP_USD}),
    (CancelState.REFUSED, None, {"spent_usd": CLIP_USD}),
    (CancelState.REFUSED, PART, {"spent_usd": PART}),
    (CancelState.UNSUPPORTED, None, {"spent_usd": CLIP_USD}),
    (CancelState.UNKNOWN, None, {"unknown_usd": CLIP_USD}),
    (CancelState.NOT_NEEDED, FREE, {}),
]
"""How a duty ends, at what price, and what its job then says of it."""


async def claim(
    record: Record, *providers: str, lease: timedelta = HOUR, limit: int = 9
) -> list[ProviderCall]:
    return await record.calls.claim_cancels(providers or ("omni",), lease, limit)


async def running(record: Record, segments: int = 1) -> tuple[Job, Task]:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments)
    return job, await record.claim(worker_id)


async def stop(record: Record, job: Job, task: Task) -> Job:
    await record.cancel(job)
    await record.settle(task, Aborted())
    return await record.job(job.job_id)


async def stopped(record: Record) -> tuple[Job, ProviderCall]:
    """A cancelled job whose clip is to be stopped."""
    job, task = await running(record)
    call = await record.start_clip(task)
    return await stop(record, job, task), call


async def test_a_duty_is_due_at_once_and_only_to_who_can_do_it(
    record: Record,
) -> None:
    job, task = await running(record)
    call = await record.start_clip(task)
    await record.begin(task, image_call())
    await record.start_clip(task, provider="veo", on_stop=CancelState.UNSUPPORTED)
    everywhere = ("omni", "gemini", "veo")
    assert await claim(record, *everywhere) == []
    await stop(record, job, task)
    assert await claim(record, "odyssey", "gemini", "veo") == []
    (claimed,) = await claim(record, *everywhere)
    assert (claimed.call_id, claimed.operation_id) == (call.call_id, call.operation_id)
    assert (claimed.status, claimed.cancel_attempts) == (CallStatus.DROPPED, 1)


async def test_a_claimed_duty_is_due_again_after_its_lease(record: Record) -> None:
    _, call = await stopped(record)
    await claim(record, lease=NOW)
    (claimed,) = await claim(record, lease=HOUR)
    assert (claimed.call_id, claimed.cancel_attempts) == (call.call_id, 2)
    assert await claim(record) == []


async def test_no_two_processes_get_the_same_duty(record: Record) -> None:
    job, task = await running(record)
    calls = [await record.start_clip(task) for _ in range(20)]
    await stop(record, job, task)
    claims = await asyncio.gather(*(claim(record, limit=3) for _ in range(10)))
    assert all(len(claimed) <= 3 for claimed in claims)
    claimed_ids = [call.call_id for claimed in claims for call in claimed]
    assert sorted(claimed_ids) == sorted(call.call_id for call in calls)


async def test_a_duty_that_another_is_claiming_is_not_waited_for(
    record: Record,
) -> None:
    job, task = await running(record)
    held, free = [await record.start_clip(task) for _ in range(2)]
    await stop(record, job, task)
    row = "SELECT FROM provider_calls WHERE call_id = %s FOR UPDATE"
    async with record.holding(row, held.call_id):
        assert [call.call_id for call in await claim(record)] == [free.call_id]
    assert [call.call_id for call in await claim(record)] == [held.call_id]


async def test_the_oldest_duty_comes_first(record: Record) -> None:
    job, task = await running(record)
    calls = [await record.start_clip(task) for _ in range(3)]
    for call in reversed(calls):
        await record.calls.abandon_call(call)
    await stop(record, job, task)
    order = [(await claim(record, limit=1))[0].call_id for _ in calls]
    assert order == [call.call_id for call in reversed(calls)]


async def test_a_postponed_duty_keeps_what_the_provider_answered(
    record: Record,
) -> None:
    await stopped(record)
    (claimed,) = await claim(record)
    await record.calls.postpone_cancel(claimed, NOW, "accepted")
    (again,) = await claim(record)
    assert again.cancel_answer == "accepted"
    await record.calls.postpone_cancel(again, NOW)
    (again,) = await claim(record)
    assert (again.cancel_answer, again.cancel_attempts) == ("accepted", 3)
    await record.calls.postpone_cancel(again, HOUR)
    assert await claim(record) == []


async def test_a_duty_is_due_when_its_operation_becomes_known(record: Record) -> None:
    job, task = await running(record)
    call = await record.begin(task, clip_call())
    await stop(record, job, task)
    (unknown,) = await claim(record)
    assert unknown.operation_id is None
    await record.calls.record_operation(call.call_id, "late")
    # Whoever looked before it was known does not put it off.
    await record.calls.postpone_cancel(unknown, HOUR)
    (known,) = await claim(record)
    assert known.operation_id == "late"


async def test_an_operation_known_before_the_stop_makes_no_duty(
    record: Record,
) -> None:
    _, task = await running(record)
    call = await record.start_clip(task)
    assert (call.cancel_state, call.cancel_due_at) == (CancelState.NOT_NEEDED, None)
    assert await claim(record) == []


async def test_a_duty_ends_once_and_says_what_it_cost(record: Record) -> None:
    for state, price_usd, expected in RESOLUTIONS:
        before, call = await stopped(record)
        assert (before.unknown_usd, before.avoided_usd) == (CLIP_USD, IMAGE_USD)
        change = await record.calls.resolve_cancel(call, state, price_usd)
        assert change is not None
        counts = {} if state is CancelState.NOT_NEEDED else {f"cancels_{state}": 1}
        assert costs(change.job) == {**expected, **counts, "avoided_usd": IMAGE_USD}
        other = CancelState.REFUSED if price_usd else CancelState.CONFIRMED
        assert await record.calls.resolve_cancel(call, other, FREE) is None
        await record.calls.postpone_cancel(call, NOW)
        assert await claim(record) == []
        assert await record.job(before.job_id) == change.job
        resolved = await record.calls.get_call(call.call_id)
        assert (resolved.cancel_state, resolved.price_usd) == (state, price_usd)


async def test_the_end_of_a_duty_is_told_after_the_end_of_its_job(
    record: Record,
) -> None:
    before, call = await stopped(record)
    assert before.status is Status.CANCELLED
    change = await record.calls.resolve_cancel(call, CancelState.CONFIRMED, FREE)
    assert change is not None
    assert not change.stops
    events = await record.events(before)
    assert [event.sequence for event in events] == [*range(1, len(events) + 1)]
    ended, told = events[-2:]
    assert (ended.kind, ended.job) == (EventKind.CANCELLED, before)
    assert (told.kind, told.actor) == (EventKind.PROVIDER_CANCEL, "generator")
    assert (told.task_kind, told.position) == (Kind.SEGMENT, 0)
    assert told.detail == "omni: confirmed"
    assert told.job == change.job == await record.job(before.job_id)
    assert told.job == replace(
        before,
        unknown_usd=FREE,
        avoided_probably_usd=CLIP_USD,
        cancels_pending=0,
        cancels_confirmed=1,
        event_sequence=before.event_sequence + 1,
        updated_at=told.job.updated_at,
    )


async def test_a_duty_of_a_job_that_goes_on_is_told_too(record: Record) -> None:
    job, task = await running(record)
    call = await record.start_clip(task)
    await record.calls.abandon_call(call)
    change = await record.calls.resolve_cancel(call, CancelState.REFUSED, None)
    assert change is not None
    assert (change.job.status, change.job.spent_usd) == (Status.PROCESSING, CLIP_USD)
    assert (await record.events(job))[-1].kind is EventKind.PROVIDER_CANCEL


async def test_two_duties_of_a_job_end_at_once_without_a_gap(record: Record) -> None:
    job, task = await running(record)
    calls = [await record.start_clip(task) for _ in range(6)]
    await stop(record, job, task)
    await asyncio.gather(
        *(
            record.calls.resolve_cancel(call, CancelState.CONFIRMED, FREE)
            for call in calls + calls
        )
    )
    events = await record.events(job)
    assert [event.sequence for event in events] == [*range(1, len(events) + 1)]
    told = [event for event in events if event.kind is EventKind.PROVIDER_CANCEL]
    assert [event.job.cancels_confirmed for event in told] == [1, 2, 3, 4, 5, 6]
    assert (await record.job(job.job_id)).avoided_probably_usd == 6 * CLIP_USD


async def test_a_deleted_job_leaves_its_calls_and_its_duty(record: Record) -> None:
    job, call = await stopped(record)
    await record.jobs.delete_job(job.job_id, "ada")
    with pytest.raises(JobNotFound):
        await record.jobs.get_job(job.job_id, "ada")
    (claimed,) = await claim(record)
    assert claimed.call_id == call.call_id
    await record.calls.postpone_cancel(claimed, NOW, "accepted")
    assert await record.calls.resolve_cancel(call, CancelState.CONFIRMED, FREE) is None
    resolved = await record.calls.get_call(call.call_id)
    assert (resolved.cancel_state, resolved.price_usd) == (CancelState.CONFIRMED, FREE)
    assert await claim(record) == []


async def test_a_late_answer_for_a_deleted_job_is_kept(record: Record) -> None:
    job, task = await running(record)
    call = await record.begin(task, image_call())
    await stop(record, job, task)
    await record.jobs.delete_job(job.job_id, "ada")
    await record.calls.finish_call(call, CallStatus.ANSWERED, IMAGE_USD)
    assert (await record.calls.get_call(call.call_id)).price_usd == IMAGE_USD


# What was started, and its id never came


async def test_what_is_known_of_a_providers_operations_is_ours(record: Record) -> None:
    _, task = await running(record)
    ours = await record.start_clip(task)
    theirs = await record.start_clip(task, provider="odyssey")
    assert ours.operation_id is not None
    assert theirs.operation_id is not None
    asked = [ours.operation_id, theirs.operation_id, "nobody's"]
    known = await record.calls.list_operation_ids("omni", asked)
    assert known == {ours.operation_id}
    assert await record.calls.list_operation_ids("omni", []) == set()


async def test_lost_starts_are_counted_while_their_id_may_matter(
    record: Record,
) -> None:
    job, task = await running(record)
    lost = await record.begin(task, clip_call())
    await record.begin(task, clip_call(provider="odyssey"))
    await record.start_clip(task)
    await record.begin(task, clip_call())
    assert await record.calls.count_lost_starts(lost) == (0, 2)
    await record.calls.abandon_call(lost)
    assert await record.calls.count_lost_starts(lost) == (1, 1)
    await stop(record, job, task)
    assert await record.calls.count_lost_starts(lost) == (2, 0)
    await record.calls.resolve_cancel(lost, CancelState.UNKNOWN, None)
    assert await record.calls.count_lost_starts(lost) == (1, 0)
    later = replace(lost, created_at=lost.created_at + 2 * HOUR)
    assert await record.calls.count_lost_starts(later) == (0, 0)
