"""Races for one job: each forced both ways, and left to chance a thousand times.

To force one, a third connection holds the job's row until both contenders wait for
it; Postgres then serves them in the order in which they came.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from refrain.errors import CallRefused
from refrain.job import Aborted, Kind, Slot, Status, TaskStatus
from tests.refrain.races import (
    RACES,
    TRIALS,
    Race,
    at_once,
    came_to,
    cancel,
    chunks,
    last_orphaned,
    last_running,
    running_tasks,
)

if TYPE_CHECKING:
    from refrain.job import Task
    from tests.refrain.record import Record


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


@pytest.mark.parametrize("race", RACES.values(), ids=RACES)
async def test_chance_finds_no_third_outcome(record: Record, race: Race) -> None:
    template = await record.job((await race.prepare(record)).job_id)
    running = await running_tasks(record, template)
    job_ids = await record.clone(template, race.trials)
    for chunk in chunks(job_ids):
        contenders = [
            contender(record, job_id, [replace(t, job_id=job_id) for t in running])
            for job_id in chunk
            for contender in race.contenders
        ]
        await at_once(contenders)
    came = Counter(await came_to(record, job_ids, template.event_sequence))
    assert set(came) == set(zip(race.firsts, race.ends, strict=True))
    assert came.total() == race.trials
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


async def test_chance_finds_no_third_outcome_of_cancel_against_claim(
    record: Record,
) -> None:
    template, worker_id = await record.create(), await record.register()
    await record.read("UPDATE tasks SET available_at = now() + interval '1 day'")
    job_ids = await record.clone(template, TRIALS)
    due = "UPDATE tasks SET available_at = now() WHERE job_id = ANY(%s)"
    for chunk in chunks(job_ids):
        await record.read(due, list(chunk))
        claims = [record.claims(worker_id) for _ in chunk]
        await at_once([*claims, *(cancel(record, job_id, []) for job_id in chunk)])
    came = Counter(await came_to(record, job_ids, template.event_sequence))
    assert set(came) == {CLAIM_FIRST, CANCEL_FIRST}
    assert came.total() == TRIALS
    await record.assert_sound(job_ids)


@pytest.mark.parametrize("call_first", [True, False])
async def test_no_call_is_begun_after_the_mark(
    record: Record, call_first: bool
) -> None:
    job = await last_running(record)
    (task,) = await running_tasks(record, job)

    async def call() -> object:
        return await record.tasks.begin_provider_call(
            task, provider="local", purpose="clip"
        )

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
