"""Who may claim what, and how much of it, under many workers at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from refrain.job import Kind, Slot, Status
from refrain.outcome import Aborted
from refrain.store import Database, TaskStore
from tests.refrain.record import plan_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

    from refrain.job import Task
    from tests.refrain.record import Record

WORKERS = 50


@pytest.fixture
async def wide(database_url: str) -> AsyncIterator[Database]:
    """A connection for each of the workers."""
    async with Database(database_url, pool_size=WORKERS, timeout=30) as database:
        yield database


async def claim_at_once(store: TaskStore, workers: Sequence[UUID]) -> list[Task]:
    claims = (store.claim_task(each, tuple(Kind), tuple(Slot)) for each in workers)
    return [claimed[1] for claimed in await asyncio.gather(*claims) if claimed]


async def test_fifty_workers_at_once_never_run_more_than_a_job_allows(
    record: Record, wide: Database
) -> None:
    workers = [await record.register() for _ in range(WORKERS)]
    job = await record.at_segments(workers[0], segments=40, max_in_flight=7)
    store = TaskStore(wide)
    running: list[Task] = []
    while len(running) < 7:
        running += await claim_at_once(store, workers)
        await record.assert_sound()
    for _ in range(3):
        assert len(running) == 7
        assert (await record.job(job.job_id)).tasks_running == 7
        assert await claim_at_once(store, workers) == []
        await record.settle(running.pop())
        while len(running) < 7:
            running += await claim_at_once(store, workers)


async def test_ten_thousand_jobs_keep_another_owners_job_waiting_for_one_task_at_most(
    record: Record,
) -> None:
    worker_id = await record.register()
    job_ids = await record.clone(await record.create(owner="crowd"), 10_000)
    running = [await record.claim(worker_id) for _ in range(4)]
    single = await record.create(owner="eve", priority=-10)
    await record.settle(running[0], Aborted())
    next_task = await record.claim(worker_id)
    assert next_task.job_id == single.job_id
    await record.settle(next_task, plan_of(2))
    for position in range(2):
        segment = await record.claim(worker_id)
        assert (segment.job_id, segment.position) == (single.job_id, position)
    assert (await record.claim(worker_id)).job_id in {*job_ids, running[0].job_id}


async def test_no_more_jobs_of_an_owner_are_under_way_than_the_cap(
    record: Record, wide: Database
) -> None:
    workers = [await record.register() for _ in range(WORKERS)]
    await record.clone(await record.create(owner="ada"), 19)
    others = await record.create(owner="eve")
    capped = TaskStore(wide, jobs_per_owner=3)
    started: list[Task] = []
    while len(started) < 4:
        started += await claim_at_once(capped, workers)
    assert await claim_at_once(capped, workers) == []
    assert others.job_id in {task.job_id for task in started}
    (row,) = await record.read(
        "SELECT count(*) FROM jobs WHERE owner = 'ada' AND status = 'processing'"
    )
    assert row["count"] == 3
    await record.assert_sound()


async def test_a_job_that_ends_or_pauses_makes_room_for_the_owners_next(
    record: Record, wide: Database
) -> None:
    worker_id = await record.register()
    capped = TaskStore(wide, jobs_per_owner=1)
    jobs = [await record.create() for _ in range(3)]
    for pause in (True, False):
        (task,) = await claim_at_once(capped, [worker_id])
        assert await claim_at_once(capped, [worker_id]) == []
        job = await record.job(task.job_id)
        await (record.pause(job) if pause else record.cancel(job))
        assert await claim_at_once(capped, [worker_id]) == []
        await record.settle(task, Aborted())
    (last,) = await claim_at_once(capped, [worker_id])
    assert last.job_id == jobs[2].job_id


async def test_the_cap_holds_no_task_back_of_a_job_that_is_under_way(
    record: Record, wide: Database
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=3)
    capped = TaskStore(wide, jobs_per_owner=1)
    assert len(await claim_at_once(capped, [worker_id])) == 1
    assert len(await claim_at_once(capped, [worker_id])) == 1
    assert await record.stands(job, Status.PROCESSING)
