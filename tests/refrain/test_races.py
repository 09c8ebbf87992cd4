"""Races for one job: each forced both ways, and left to chance a thousand times.

To force one, a third connection holds the job's row until both contenders wait for
it; Postgres then serves them in the order in which they came.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from refrain.errors import CallRefused, JobNotFound
from refrain.job import Kind, Slot, Status, TaskStatus
from refrain.outcome import Aborted
from tests.refrain.contenders import (
    cancel,
    last_orphaned,
    last_running,
    running_tasks,
)
from tests.refrain.races import (
    FEWER_TRIALS,
    RACES,
    TRIALS,
    Race,
    at_once,
    came_to,
    chunks,
)
from tests.refrain.record import local_call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any
    from uuid import UUID

    from refrain.job import Job, Task
    from tests.refrain.record import Record


TRIED = pytest.mark.parametrize(
    "trials", [FEWER_TRIALS, pytest.param(TRIALS, marks=pytest.mark.long)]
)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
async def test_whoever_comes_first_decides(
    record: Record, race: Race, first: int
) -> None:
    await race.prepare(record)
    (row,) = await record.read("SELECT job_id FROM jobs")
    job = await record.job(row["job_id"])
    running = await running_tasks(record, job)
    contenders = race.contenders if first == 0 else race.contenders[::-1]
    answers = await record.in_order(
        job,
        lambda: contenders[0](record, job.job_id, running),
        lambda: contenders[1](record, job.job_id, running),
    )
    assert answers == race.answers[first]
    (came,) = await came_to(record, [job.job_id], job.event_sequence)
    assert came == (race.firsts[first], race.ends[first])
    await record.assert_sound()


@TRIED
@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
async def test_chance_finds_no_third_outcome(
    record: Record, race: Race, trials: int
) -> None:
    template = await record.job((await race.prepare(record)).job_id)
    running = await running_tasks(record, template)
    job_ids = await record.clone(template, trials)
    for chunk in chunks(job_ids):
        contenders = [
            contender(record, job_id, [replace(t, job_id=job_id) for t in running])
            for job_id in chunk
            for contender in race.contenders
        ]
        await at_once(contenders)
    came = Counter(await came_to(record, job_ids, template.event_sequence))
    assert set(came) == set(zip(race.firsts, race.ends, strict=True))
    assert came.total() == trials
    await record.assert_sound(job_ids)


CLAIM_FIRST = ("task_started", "cancelling: plan running")
CANCEL_FIRST = ("cancel_requested", "cancelled: plan skipped never_started")


async def test_a_claim_that_came_first_makes_a_cancel_wait_for_its_task(
    record: Record,
) -> None:
    job, worker_id = await record.create(), await record.register()
    # Held is the task: the claim has locked the job's row and waits for this one.
    async with record.holding("SELECT FROM tasks FOR UPDATE"):
        claim = asyncio.ensure_future(record.claim(worker_id))
        await record.waiting(1)
        cancelled = asyncio.ensure_future(record.cancel(job))
        await record.waiting(2)
    task = await claim
    assert (await cancelled).status is Status.CANCELLING
    assert await came_to(record, [job.job_id], 1) == [CLAIM_FIRST]
    await record.settle(task, Aborted())
    assert (await record.job(job.job_id)).status is Status.CANCELLED
    await record.assert_sound()


async def test_a_cancel_that_came_first_leaves_nothing_to_claim(record: Record) -> None:
    job, worker_id = await record.create(), await record.register()
    async with record.holding("SELECT FROM jobs FOR UPDATE"):
        cancelled = asyncio.ensure_future(record.cancel(job))
        await record.waiting(1)
        assert not await record.claims(worker_id), "a claim waits for no one"
    assert (await cancelled).status is Status.CANCELLED
    assert not await record.claims(worker_id)
    assert await came_to(record, [job.job_id], 1) == [CANCEL_FIRST]
    await record.assert_sound()


@TRIED
async def test_chance_finds_no_third_outcome_of_cancel_against_claim(
    record: Record, trials: int
) -> None:
    template, worker_id = await record.create(), await record.register()
    await record.read("UPDATE tasks SET available_at = now() + interval '1 day'")
    job_ids = await record.clone(template, trials)
    due = "UPDATE tasks SET available_at = now() WHERE job_id = ANY(%s)"
    for chunk in chunks(job_ids):
        await record.read(due, list(chunk))
        claims = [record.claims(worker_id) for _ in chunk]
        await at_once([*claims, *(cancel(record, job_id, []) for job_id in chunk)])
    came = Counter(await came_to(record, job_ids, template.event_sequence))
    assert set(came) == {CLAIM_FIRST, CANCEL_FIRST}
    assert came.total() == trials
    await record.assert_sound(job_ids)


async def test_a_claim_that_came_first_makes_a_pause_wait_for_its_task(
    record: Record,
) -> None:
    job, worker_id = await record.create(), await record.register()
    async with record.holding("SELECT FROM tasks FOR UPDATE"):
        claim = asyncio.ensure_future(record.claim(worker_id))
        await record.waiting(1)
        paused = asyncio.ensure_future(record.pause(job))
        await record.waiting(2)
    task = await claim
    assert (await paused).status is Status.PAUSING
    await record.settle(task, Aborted())
    assert await record.stands(job, Status.PAUSED)
    await record.assert_sound()


async def test_a_pause_that_came_first_leaves_nothing_to_claim(record: Record) -> None:
    job, worker_id = await record.create(), await record.register()
    async with record.holding("SELECT FROM jobs FOR UPDATE"):
        paused = asyncio.ensure_future(record.pause(job))
        await record.waiting(1)
        assert not await record.claims(worker_id), "a claim waits for no one"
    assert (await paused).status is Status.PAUSED
    assert not await record.claims(worker_id)
    await record.assert_sound()


@pytest.mark.parametrize("call_first", [True, False])
async def test_no_call_is_begun_after_the_mark(
    record: Record, call_first: bool
) -> None:
    job = await last_running(record)
    (task,) = await running_tasks(record, job)

    async def call() -> object:
        return await record.calls.begin_provider_call(task, local_call("clip"))

    async def mark() -> object:
        return await record.cancel(job)

    order = (call, mark) if call_first else (mark, call)
    answers = await record.in_order(job, *order)
    calls = await record.read("SELECT call_id FROM provider_calls")
    if call_first:
        assert len(calls) == 1
    else:
        assert isinstance(answers[1], CallRefused)
        assert calls == []


async def test_many_workers_never_run_more_than_the_job_allows(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=12, max_in_flight=3)

    async def claim() -> list[Task]:
        """One that waits for no one, and so may find nothing though there is some."""
        kinds, slots = [Kind.SEGMENT], list(Slot)
        claimed = await record.tasks.claim_task(worker_id, kinds, slots)
        return [claimed[1]] if claimed else []

    for _ in range(4):
        tasks: list[Task] = []
        while len(tasks) < 3:
            for claimed in await asyncio.gather(*(claim() for _ in range(8))):
                tasks += claimed
            assert len(tasks) <= 3
        assert not await record.claims(worker_id)
        await record.assert_sound()
        await asyncio.gather(*map(record.settle, tasks))
    assert (await record.task(job, Kind.STITCH)).status is TaskStatus.QUEUED


async def test_the_sweep_ends_a_job_only_if_its_last_settle_did_not(
    record: Record,
) -> None:
    job = await last_running(record)
    (task,) = await running_tasks(record, job)
    await record.cancel(job)
    answers = await record.in_order(
        job,
        lambda: record.settle(task, Aborted()),
        lambda: record.tasks.end_idle_job(job.job_id, "sweep"),
    )
    assert answers[0].job.status is Status.CANCELLED
    assert answers[1] is None
    await record.assert_sound()


async def test_two_sweeps_at_once_rescue_a_task_once(record: Record) -> None:
    job = await last_orphaned(record)

    async def sweep() -> int:
        return len(await record.tasks.rescue_tasks(job.job_id, "sweep"))

    assert await record.in_order(job, sweep, sweep) == (1, 0)
    assert (await record.task(job, Kind.SEGMENT)).failures == 1
    await record.assert_sound()


async def test_a_request_sent_twice_at_once_makes_one_job(record: Record) -> None:
    jobs = await asyncio.gather(*(record.create(request_id="r1") for _ in range(8)))
    assert len({job.job_id for job in jobs}) == 1
    await record.assert_sound()


async def one_clip_and_cancelled(record: Record) -> Job:
    """One of two segments is made, and then the job was cancelled."""
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=2)
    await record.settle(await record.claim(worker_id))
    return await record.cancel(job)


async def retry(record: Record, job_id: UUID, request_id: str | None = None) -> Any:
    try:
        change = await record.jobs.retry_job(job_id, "ada", request_id=request_id)
    except JobNotFound:
        return None
    return change.job.job_id


@pytest.mark.parametrize("retry_first", [True, False])
async def test_a_delete_that_came_first_leaves_nothing_to_retry(
    record: Record, retry_first: bool
) -> None:
    old = await one_clip_and_cancelled(record)
    clip, _ = await record.tasks.list_segments(old.job_id)
    assert clip.clip_uri is not None

    async def retried() -> Any:
        return await retry(record, old.job_id)

    async def deleted() -> None:
        await record.jobs.delete_job(old.job_id, "ada")

    order = (retried, deleted) if retry_first else (deleted, retried)
    answers = await record.in_order(old, *order)
    job_id = answers[0] if retry_first else answers[1]
    assert (job_id is not None) == retry_first
    assert await record.jobs.names_artifact(clip.clip_uri) == retry_first
    rows = await record.read("SELECT job_id, retried_from FROM jobs")
    assert rows == [{"job_id": job_id, "retried_from": old.job_id}] * retry_first
    await record.assert_sound()


async def test_chance_finds_no_third_outcome_of_retry_against_delete(
    record: Record,
) -> None:
    template = await one_clip_and_cancelled(record)
    job_ids = await record.clone(template, FEWER_TRIALS)
    for chunk in chunks(job_ids):
        deletes = [record.jobs.delete_job(job_id, "ada") for job_id in chunk]
        await at_once([*deletes, *(retry(record, job_id) for job_id in chunk)])
    rows = await record.read(
        "SELECT retried_from, segments_completed FROM jobs WHERE job_id <> %s",
        template.job_id,
    )
    assert 0 < len(rows) < FEWER_TRIALS
    assert {row["retried_from"] for row in rows} <= set(job_ids)
    assert {row["segments_completed"] for row in rows} == {1}
    await record.assert_sound()


async def test_a_retry_sent_twice_at_once_makes_one_job(record: Record) -> None:
    old = await one_clip_and_cancelled(record)
    retries = [retry(record, old.job_id, "again") for _ in range(8)]
    assert len(set(await asyncio.gather(*retries))) == 1
    await record.assert_sound()


async def cancel_each(record: Record, job_ids: Sequence[UUID]) -> None:
    """Those that are free at once, and then the others."""
    answers = await record.jobs.cancel_jobs(
        job_ids, "ada", requested_by="user:ada", reason="enough"
    )
    for job_id, answer in zip(job_ids, answers, strict=True):
        if answer is None:
            await record.cancel(job_id)


async def test_cancels_of_many_in_any_order_neither_lock_each_other_out_nor_settles(
    record: Record,
) -> None:
    template = await last_running(record)
    (task,) = await running_tasks(record, template)
    for _ in range(FEWER_TRIALS // 20):
        job_ids = await record.clone(template, 10)
        named = (job_ids, job_ids[::-1], random.sample(job_ids, 10))
        settles = [record.settle(replace(task, job_id=job_id)) for job_id in job_ids]
        await at_once([*settles, *(cancel_each(record, ids) for ids in named)])
        came = await came_to(record, job_ids, template.event_sequence)
        assert {end.partition(":")[0] for _, end in came} == {"cancelled"}
        await record.assert_sound(job_ids)
