"""Claims: which task is next, and who may take it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from refrain.errors import CallRefused
from refrain.job import EventKind, Kind, Slot, Stage, Status
from refrain.outcome import Aborted
from tests.eventually import eventually
from tests.refrain.record import FAILED, RETRY, Record, clip_of, local_call


async def test_a_claim_starts_the_job_and_says_at_which_sequence(
    record: Record,
) -> None:
    job, worker_id = await record.create(), await record.register()
    claimed = await record.tasks.claim_task(worker_id, [Kind.PLAN], [Slot.PROVIDER])
    assert claimed is not None
    change, task = claimed
    assert change.job.event_sequence == 2
    assert (change.job.status, change.job.stage) == (Status.PROCESSING, Stage.LYRICS)
    assert change.job.tasks_running == 1
    assert change.job.started_at is not None
    assert (task.job_id, task.attempt, task.worker_id) == (job.job_id, 1, worker_id)
    event = (await record.events(job))[-1]
    assert (event.kind, event.actor) == (EventKind.TASK_STARTED, f"worker:{worker_id}")
    await record.assert_sound()


async def test_the_owner_with_fewest_running_comes_first(record: Record) -> None:
    worker_id = await record.register()
    await record.at_segments(worker_id, segments=3, owner="ada", priority=10)
    await record.at_segments(worker_id, segments=3, owner="bob", priority=-10)
    owners = [
        (await record.job((await record.claim(worker_id)).job_id)).owner
        for _ in range(6)
    ]
    assert {*owners[0:2]} == {*owners[2:4]} == {*owners[4:6]} == {"ada", "bob"}


async def test_of_one_owner_the_higher_priority_comes_first(record: Record) -> None:
    worker_id = await record.register()
    await record.create(priority=0)
    urgent = await record.create(priority=1)
    assert (await record.claim(worker_id)).job_id == urgent.job_id


async def test_of_one_priority_the_job_with_fewest_running_comes_first(
    record: Record,
) -> None:
    worker_id = await record.register()
    older = await record.at_segments(worker_id)
    assert (await record.claim(worker_id)).job_id == older.job_id
    younger = await record.create()
    assert (await record.claim(worker_id)).job_id == younger.job_id


async def test_of_jobs_alike_the_older_comes_first(record: Record) -> None:
    worker_id = await record.register()
    jobs = [await record.create() for _ in range(3)]
    claimed = [(await record.claim(worker_id)).job_id for _ in jobs]
    assert claimed == [job.job_id for job in jobs]


async def test_segments_are_claimed_in_the_order_of_the_song(record: Record) -> None:
    worker_id = await record.register()
    await record.at_segments(worker_id, segments=3)
    claimed = [(await record.claim(worker_id)).position for _ in range(3)]
    assert claimed == [0, 1, 2]


async def test_a_job_never_runs_more_than_its_max_in_flight(record: Record) -> None:
    worker_id = await record.register()
    await record.at_segments(worker_id, segments=3, max_in_flight=2)
    task = await record.claim(worker_id)
    await record.claim(worker_id)
    assert not await record.claims(worker_id)
    await record.settle(task, clip_of(task))
    assert await record.claims(worker_id)


async def test_a_claim_takes_only_kinds_and_slots_that_are_free(record: Record) -> None:
    worker_id = await record.register()
    await record.at_segments(worker_id)
    assert not await record.tasks.claim_task(worker_id, [Kind.STITCH], list(Slot))
    assert not await record.tasks.claim_task(worker_id, [Kind.SEGMENT], [Slot.PROVIDER])
    assert await record.tasks.claim_task(worker_id, [Kind.SEGMENT], [Slot.MEDIA])


async def test_a_dead_worker_claims_nothing(record: Record) -> None:
    await record.create()
    worker_id = await record.register()
    await record.die(worker_id)
    assert not await record.claims(worker_id)
    await record.assert_sound()


async def test_a_worker_whose_lease_has_lapsed_claims_nothing(record: Record) -> None:
    await record.create()
    worker_id = await record.register(lease=timedelta(seconds=-1))
    assert not await record.claims(worker_id)
    assert await record.workers.renew_worker(worker_id, timedelta(seconds=10))
    assert await record.claims(worker_id)


async def test_an_unknown_worker_claims_nothing(record: Record) -> None:
    job = await record.create()
    assert not await record.claims(job.job_id)


async def test_a_task_in_backoff_is_claimed_when_it_is_due(record: Record) -> None:
    await record.create()
    worker_id = await record.register()
    task = await record.claim(worker_id)
    await record.settle(task, replace(RETRY, delay=timedelta(milliseconds=300)))
    assert not await record.claims(worker_id)
    assert await eventually(lambda: record.claims(worker_id))


@pytest.mark.parametrize("status", [Status.PAUSING, Status.PAUSED])
async def test_a_pausing_or_paused_job_gives_no_claims(
    record: Record, status: Status
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=3)
    if status is Status.PAUSING:
        await record.claim(worker_id)
    assert (await record.pause(job)).status is status
    assert not await record.claims(worker_id)


async def test_a_stopping_job_gives_no_claims(record: Record) -> None:
    worker_id = await record.register()
    cancelled = await record.at_segments(worker_id, segments=2)
    await record.claim(worker_id)
    await record.cancel(cancelled)
    failed = await record.at_segments(worker_id, segments=3)
    task = await record.claim(worker_id)
    await record.claim(worker_id)
    await record.settle(task, FAILED)
    assert (await record.job(failed.job_id)).stopping
    assert not await record.claims(worker_id)
    await record.assert_sound()


async def test_an_attempt_is_never_numbered_twice(record: Record) -> None:
    await record.create()
    worker_id = await record.register()
    attempts: list[int] = []
    for outcome in (Aborted(), RETRY, Aborted()):
        task = await record.claim(worker_id)
        attempts.append(task.attempt)
        await record.settle(task, outcome)
    assert attempts == [1, 2, 3]
    assert len({replace(task, attempt=number).folder for number in attempts}) == 3


async def test_a_call_is_recorded_before_it_is_sent(record: Record) -> None:
    await record.create()
    task = await record.claim(await record.register())
    await record.calls.begin_provider_call(task, local_call("storyboard"))
    (call,) = await record.read("SELECT * FROM provider_calls")
    assert (call["job_id"], call["task_kind"], call["attempt"], call["purpose"]) == (
        task.job_id,
        "plan",
        1,
        "storyboard",
    )
    assert (await record.job(task.job_id)).stage is Stage.STORYBOARD


@pytest.mark.parametrize("why", ["cancelled", "failed", "old", "other", "unknown"])
async def test_no_call_leaves_for_an_attempt_that_is_not_to_go_on(
    record: Record, why: str
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    match why:
        case "cancelled":
            await record.cancel(job)
        case "failed":
            await record.settle(other, FAILED)
        case "old":
            await record.settle(task, Aborted())
            assert (await record.claim(worker_id)).position == task.position
        case "other":
            task = replace(task, worker_id=await record.register())
        case _:
            task = replace(task, job_id=worker_id)
    with pytest.raises(CallRefused):
        await record.calls.begin_provider_call(task, local_call("clip"))
    assert await record.read("SELECT call_id FROM provider_calls") == []


async def test_no_call_leaves_once_the_lease_has_lapsed(record: Record) -> None:
    await record.create()
    worker_id = await record.register()
    task = await record.claim(worker_id)
    await record.workers.renew_worker(worker_id, timedelta(seconds=-1))
    with pytest.raises(CallRefused):
        await record.calls.begin_provider_call(task, local_call("clip"))
