"""Leases, rescue, and what the sweep finds by level."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from refrain.job import (
    MAX_FAILURES,
    AbortReason,
    EventKind,
    Job,
    Kind,
    Status,
    StopMode,
    Task,
    TaskStatus,
)
from tests.refrain.record import FAILED, LEASE, Record

if TYPE_CHECKING:
    from refrain.store.workers import Attempt

LAPSED = timedelta(seconds=-1)
SINCE_BOOT = timedelta(0)
"""A lease so short that Postgres has always been up for longer."""


def attempt(task: Task) -> Attempt:
    return task.job_id, task.kind, task.position, task.attempt


async def orphan(record: Record, segments: int = 1) -> tuple[Job, Task]:
    """A job of which one segment runs on a worker that is dead."""
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=segments)
    task = await record.claim(worker_id)
    await record.die(worker_id)
    return job, task


async def test_a_worker_whose_lease_has_lapsed_is_marked_dead_once(
    record: Record,
) -> None:
    worker_id = await record.register(lease=LAPSED)
    await record.register()
    (dead,) = await record.workers.mark_dead_workers(SINCE_BOOT)
    assert dead["worker_id"] == worker_id
    assert (dead["service"], dead["host"], dead["pid"]) == ("generator", "host", 1)
    assert await record.workers.mark_dead_workers(SINCE_BOOT) == []


async def test_no_worker_is_marked_before_postgres_has_been_up_for_a_lease(
    record: Record,
) -> None:
    await record.register(lease=LAPSED)
    assert await record.workers.mark_dead_workers(timedelta(days=1)) == []


async def test_a_dead_worker_is_never_revived(record: Record) -> None:
    worker_id = await record.register()
    assert await record.workers.renew_worker(worker_id, LEASE)
    await record.die(worker_id)
    assert not await record.workers.renew_worker(worker_id, LEASE)
    assert not await record.claims(worker_id)


async def test_a_worker_that_renews_late_is_alive_until_it_is_marked(
    record: Record,
) -> None:
    worker_id = await record.register(lease=LAPSED)
    assert await record.workers.renew_worker(worker_id, LEASE)
    assert await record.workers.mark_dead_workers(SINCE_BOOT) == []


async def test_a_rescued_task_is_queued_again_and_counts_as_a_failure(
    record: Record,
) -> None:
    job, task = await orphan(record)
    assert await record.workers.list_orphaned_jobs() == [job.job_id]
    ((rescued, change),) = await record.tasks.rescue_tasks(job.job_id, "sweep")
    assert rescued == task
    assert change.queued == (Kind.SEGMENT,)
    queued = await record.task(job, Kind.SEGMENT)
    assert (queued.status, queued.failures) == (TaskStatus.QUEUED, 1)
    event = (await record.events(job))[-1]
    assert (event.kind, event.actor) == (EventKind.TASK_RESCUED, "sweep")
    assert str(task.worker_id) in event.detail
    assert await record.workers.list_orphaned_jobs() == []
    await record.assert_sound()


async def test_a_task_rescued_for_the_fourth_time_fails_its_job(record: Record) -> None:
    job = await record.create()
    for _ in range(MAX_FAILURES):
        worker_id = await record.register()
        await record.claim(worker_id)
        await record.die(worker_id)
        await record.tasks.rescue_tasks(job.job_id, "sweep")
    failed = await record.job(job.job_id)
    assert failed.status is Status.FAILED
    assert failed.error is not None
    assert "died" in failed.message
    await record.assert_sound()


async def test_the_rescue_of_a_cancelling_job_ends_it(record: Record) -> None:
    job, task = await orphan(record, segments=2)
    await record.cancel(job)
    await record.tasks.rescue_tasks(job.job_id, "sweep")
    assert (await record.job(job.job_id)).status is Status.CANCELLED
    ended = await record.task(job, Kind.SEGMENT, task.position)
    assert (ended.status, ended.stop_mode) == (
        TaskStatus.CANCELLED,
        StopMode.LEASE_EXPIRED,
    )
    assert ended.failures == 0
    await record.assert_sound()


async def test_the_rescue_of_a_failing_job_ends_it(record: Record) -> None:
    alive, dead = await record.register(), await record.register()
    job = await record.at_segments(alive)
    task = await record.claim(alive)
    await record.claim(dead)
    await record.die(dead)
    await record.settle(task, FAILED)
    await record.tasks.rescue_tasks(job.job_id, "sweep")
    assert (await record.job(job.job_id)).status is Status.FAILED
    await record.assert_sound()


async def test_a_rescue_leaves_the_tasks_of_living_workers_alone(
    record: Record,
) -> None:
    alive, dead = await record.register(), await record.register()
    job = await record.at_segments(alive, segments=3)
    first, _ = await record.claim(alive), await record.claim(dead)
    await record.claim(dead)
    await record.die(dead)
    assert len(await record.tasks.rescue_tasks(job.job_id, "sweep")) == 2
    assert await record.task(job, Kind.SEGMENT) == first
    await record.assert_sound()


async def test_a_task_of_a_worker_without_a_row_is_rescued(record: Record) -> None:
    job, task = await orphan(record)
    await record.read("DELETE FROM workers WHERE worker_id = %s", task.worker_id)
    assert await record.workers.list_orphaned_jobs() == [job.job_id]
    assert len(await record.tasks.rescue_tasks(job.job_id, "sweep")) == 1


async def test_a_stopping_job_of_which_nothing_runs_is_found_and_ended(
    record: Record,
) -> None:
    worker_id = await record.register()
    lost = "UPDATE tasks SET status = 'cancelled', ended_at = now() WHERE status = %s"
    jobs = [await record.at_segments(worker_id, 1, title=how) for how in "cpf"]
    for job in jobs:
        await record.claim(worker_id)
        if job.title == "c":
            await record.cancel(job)
        if job.title == "p":
            await record.pause(job)
    await record.read("UPDATE jobs SET error = '{}' WHERE title = 'f'")
    assert await record.workers.list_idle_stopping_jobs() == []
    await record.read(lost, "running")
    idle = await record.workers.list_idle_stopping_jobs()
    assert idle == [job.job_id for job in jobs]
    for job_id in idle:
        change = await record.tasks.end_idle_job(job_id, "sweep")
        assert change is not None
    ended = [(await record.job(job.job_id)).status for job in jobs]
    assert ended == [Status.CANCELLED, Status.PAUSED, Status.FAILED]
    assert await record.workers.list_idle_stopping_jobs() == []


async def test_a_job_at_work_is_not_ended_by_the_sweep(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    await record.claim(worker_id)
    before = await record.cancel(job)
    assert await record.tasks.end_idle_job(job.job_id, "sweep") is None
    assert await record.tasks.end_idle_job(uuid4(), "sweep") is None
    assert await record.job(job.job_id) == before


async def test_a_heartbeat_hears_what_of_its_tasks_must_stop(record: Record) -> None:
    worker_id = await record.register()
    cancelled = await record.at_segments(worker_id, 2)
    one, other = await record.claim(worker_id), await record.claim(worker_id)
    await record.cancel(cancelled)
    failing = await record.at_segments(worker_id, 3)
    failed, rest = await record.claim(worker_id), await record.claim(worker_id)
    await record.settle(failed, FAILED)
    assert (await record.job(failing.job_id)).stopping
    going = await record.at_segments(worker_id, 1)
    running = await record.claim(worker_id)
    assert running.job_id == going.job_id
    held = list(map(attempt, (one, other, failed, rest, running)))
    assert await record.workers.list_stops(worker_id, held) == {
        attempt(one): AbortReason.CANCELLED,
        attempt(other): AbortReason.CANCELLED,
        attempt(failed): AbortReason.LEASE_LOST,
        attempt(rest): AbortReason.FAILED,
    }
    assert await record.workers.list_stops(worker_id, []) == {}


async def test_a_heartbeat_hears_that_a_task_has_gone_to_another(
    record: Record,
) -> None:
    job, task = await orphan(record)
    await record.tasks.rescue_tasks(job.job_id, "sweep")
    await record.claim(await record.register())
    assert task.worker_id is not None
    stops = await record.workers.list_stops(task.worker_id, [attempt(task)])
    assert stops == {attempt(task): AbortReason.LEASE_LOST}


async def test_a_heartbeat_finds_tasks_whose_claim_was_never_heard_of(
    record: Record,
) -> None:
    worker_id = await record.register()
    await record.at_segments(worker_id, 3)
    heard, unheard = await record.claim(worker_id), await record.claim(worker_id)
    await record.claim(await record.register())
    held = [attempt(heard)]
    assert await record.workers.list_unheld_tasks(worker_id, held) == [unheard]
    assert await record.workers.list_unheld_tasks(worker_id, []) == [heard, unheard]
