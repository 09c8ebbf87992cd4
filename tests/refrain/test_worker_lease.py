"""Lost replies, lapsed leases, and processes that must end themselves."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from refrain.fence import EXIT_FENCED
from refrain.job import EventKind, Kind, Status, StopMode, TaskStatus
from tests.eventually import eventually
from tests.refrain.workshop import HOUR, NEVER_POLLS, NO_NATS, POLLS, Hand

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from refrain.job import Job
    from tests.proxy import Proxy
    from tests.refrain.record import Record
    from tests.refrain.workshop import Workshop

ROOT = Path(__file__).parents[2]
SINCE_BOOT = timedelta(0)


async def kinds_of_events(record: Record, job: Job) -> list[EventKind]:
    return [event.kind for event in await record.events(job)]


async def alive(record: Record) -> list[UUID]:
    rows = await record.read("SELECT worker_id FROM workers WHERE dead_at IS NULL")
    return [row["worker_id"] for row in rows]


async def test_a_claim_whose_reply_was_lost_is_handed_back(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    hand = Hand()
    async with workshop.worker(hand, url=proxy.before(record.url)):
        proxy.lose_reply_to(b"COMMIT", after=b"task_started")
        job = await record.create()
        await eventually(lambda: hand.started)
        assert proxy.lost
    assert await kinds_of_events(record, job) == [
        EventKind.CREATED,
        EventKind.TASK_STARTED,
        EventKind.TASK_HANDED_BACK,
        EventKind.TASK_STARTED,
        EventKind.TASK_HANDED_BACK,
    ]
    assert [task.attempt for task in hand.started] == [2]
    assert (await record.task(job, Kind.PLAN)).failures == 0
    await record.assert_sound()


async def test_a_claim_whose_reply_was_lost_ends_with_a_job_that_stops(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    hand = Hand()
    timing = replace(POLLS, heartbeat=timedelta(seconds=0.5))
    async with workshop.worker(hand, url=proxy.before(record.url), timing=timing):
        proxy.lose_reply_to(b"COMMIT", after=b"task_started")
        job = await record.create()
        await eventually(lambda: proxy.lost)
        await record.cancel(job)
        await eventually(lambda: record.stands(job, Status.CANCELLED))
    assert hand.started == []
    await record.assert_sound()


async def test_a_claim_whose_reply_was_lost_is_handed_back_before_the_end(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    job = await record.create()
    proxy.lose_reply_to(b"COMMIT", after=b"task_started")
    url = proxy.before(record.url)
    async with workshop.worker(Hand(), url=url, timing=NEVER_POLLS) as shift:
        await eventually(lambda: proxy.lost)
        await shift.end()
    task = await record.task(job, Kind.PLAN)
    assert (task.status, task.attempt) == (TaskStatus.QUEUED, 1)
    assert await record.workers.list_orphaned_jobs() == []
    await record.assert_sound()


async def test_a_settle_whose_reply_was_lost_is_repeated_and_changes_nothing(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    job, hand = await record.create(), Hand(segments=1)
    async with workshop.worker(hand, url=proxy.before(record.url)):
        await eventually(lambda: hand.started)
        proxy.lose_reply_to(b"COMMIT", after=b"task_completed")
        hand.release.set()
        await eventually(lambda: record.stands(job, Status.COMPLETED))
        assert proxy.lost
    assert len(hand.started) == 3
    await record.assert_sound()


async def test_a_settle_waits_for_the_record_to_return(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    job, hand = await record.create(), Hand(segments=1)
    async with workshop.worker(hand, url=proxy.before(record.url)):
        await eventually(lambda: hand.started)
        proxy.cut()
        hand.release.set()
        await eventually(lambda: proxy.refused > 0)
        assert (await record.task(job, Kind.PLAN)).status is TaskStatus.RUNNING
        proxy.mend()
        await eventually(lambda: record.stands(job, Status.COMPLETED))
    assert [task.attempt for task in hand.started] == [1, 1, 1]


async def test_a_worker_held_for_dead_aborts_what_it_holds_and_is_another(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    async with workshop.worker(hand):
        await eventually(lambda: hand.started)
        (old,) = await alive(record)
        await record.die(old)
        await eventually(lambda: len(hand.started) == 2)
        assert hand.aborted == hand.started[:1]
        (new,) = await alive(record)
        assert new != old
        assert [task.worker_id for task in hand.started] == [old, new]
    assert (await record.task(job, Kind.PLAN)).failures == 0
    await record.assert_sound()


async def test_a_worker_whose_task_was_rescued_aborts_it_and_writes_nothing(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    job, hand = await record.create(), Hand()
    unfenced = replace(POLLS, fence_abort=HOUR, fence_end=HOUR)
    url = proxy.before(record.url)
    async with workshop.worker(hand, timing=unfenced, lease_url=url):
        await eventually(lambda: hand.started)
        (old,) = await alive(record)
        proxy.cut()
        await record.die(old)
        ((rescued, _),) = await record.tasks.rescue_tasks(job.job_id, "sweep")
        assert rescued == hand.started[0]
        rival = await record.claim(await record.register())
        proxy.mend()
        await eventually(lambda: hand.aborted)
        await eventually(lambda: other_than(record, old, rival.worker_id))
        assert await record.task(job, Kind.PLAN) == rival
    assert await kinds_of_events(record, job) == [
        EventKind.CREATED,
        EventKind.TASK_STARTED,
        EventKind.TASK_RESCUED,
        EventKind.TASK_STARTED,
    ]
    await record.assert_sound()


async def other_than(record: Record, *known: UUID | None) -> bool:
    """Whether a worker has registered that is none of these."""
    return bool(set(await alive(record)) - set(known))


async def test_a_worker_without_the_record_aborts_all_and_claims_nothing(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    job, hand = await record.create(), Hand()
    fenced = replace(POLLS, fence_abort=timedelta(seconds=0.7), fence_end=HOUR)
    async with workshop.worker(hand, timing=fenced, url=proxy.before(record.url)):
        await eventually(lambda: hand.started)
        proxy.cut()
        await eventually(lambda: hand.aborted)
        assert (await record.task(job, Kind.PLAN)).status is TaskStatus.RUNNING
        other = await record.create()
        proxy.mend()
        await eventually(lambda: len(hand.started) == 3)
    assert (await record.task(job, Kind.PLAN)).failures == 0
    assert (await record.task(other, Kind.PLAN)).failures == 0
    await record.assert_sound()


async def test_a_worker_that_cannot_renew_its_lease_claims_nothing(
    record: Record, workshop: Workshop, proxy: Proxy
) -> None:
    job, hand = await record.create(), Hand()
    fenced = replace(POLLS, fence_abort=timedelta(seconds=0.7), fence_end=HOUR)
    url = proxy.before(record.url)
    async with workshop.worker(hand, timing=fenced, lease_url=url):
        await eventually(lambda: hand.started)
        proxy.cut()
        await eventually(lambda: queued(record, job))
        refused = proxy.refused
        await eventually(lambda: proxy.refused > refused)
        assert await queued(record, job)
        proxy.mend()
        await eventually(lambda: len(hand.started) == 2)
    assert [task.attempt for task in hand.started] == [1, 2]


async def queued(record: Record, job: Job) -> bool:
    return (await record.task(job, Kind.PLAN)).status is TaskStatus.QUEUED


@asynccontextmanager
async def process(
    url: str, folder: Path, conduct: str
) -> AsyncGenerator[asyncio.subprocess.Process]:
    """A worker in a process of its own that runs a task of this conduct."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.refrain.worker_process",
        url,
        NO_NATS,
        folder.as_uri(),
        conduct,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await said(child, "running")
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def said(child: asyncio.subprocess.Process, word: str) -> None:
    assert child.stdout is not None
    async with asyncio.timeout(20):
        assert await child.stdout.readline() == f"{word}\n".encode()


async def ends_fenced(child: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(20):
        assert await child.wait() == EXIT_FENCED


async def test_a_task_that_ignores_its_cancellation_ends_the_process(
    record: Record, tmp_path: Path
) -> None:
    job = await record.create()
    async with process(record.url, tmp_path, "ignore") as child:
        assert (await record.cancel(job)).status is Status.CANCELLING
        await said(child, "aborted")
        await ends_fenced(child)
    (worker_id,) = await alive(record)
    await record.die(worker_id)
    await record.tasks.rescue_tasks(job.job_id, "sweep")
    task = await record.task(job, Kind.PLAN)
    assert task.stop_mode is StopMode.KILLED_AFTER_GRACE
    assert (await record.job(job.job_id)).tasks_killed == 1
    assert await record.stands(job, Status.CANCELLED)
    await record.assert_sound()


async def test_a_process_that_ends_itself_hands_back_what_else_it_runs(
    record: Record, tmp_path: Path
) -> None:
    ignoring = await record.create()
    async with process(record.url, tmp_path, "ignore_once") as child:
        healthy = await record.create()
        await said(child, "running")
        await record.cancel(ignoring)
        await ends_fenced(child)
    task = await record.task(healthy, Kind.PLAN)
    assert (task.status, task.attempt, task.failures) == (TaskStatus.QUEUED, 1, 0)
    await record.assert_sound()


async def test_a_task_that_ended_with_its_process_did_not_ignore_anything(
    record: Record,
) -> None:
    worker_id = await record.register()
    ignoring, innocent = await record.create(), await record.create()
    for _ in range(2):
        await record.claim(worker_id)
    await record.workers.kill_worker(worker_id, [ignoring.job_id])
    await record.die(worker_id)
    for job in (ignoring, innocent):
        await record.cancel(job)
        await record.tasks.rescue_tasks(job.job_id, "sweep")
    receipts = [await record.job(job.job_id) for job in (ignoring, innocent)]
    assert [job.tasks_killed for job in receipts] == [1, 0]
    assert [job.tasks_expired for job in receipts] == [0, 1]
    await record.assert_sound()


async def test_a_process_that_lost_the_record_aborts_and_then_ends(
    record: Record, proxy: Proxy, tmp_path: Path
) -> None:
    await record.create()
    async with process(proxy.before(record.url), tmp_path, "wait") as child:
        proxy.cut()
        await said(child, "aborted")
        await ends_fenced(child)


async def test_a_process_whose_event_loop_is_blocked_ends(
    record: Record, tmp_path: Path
) -> None:
    await record.create()
    async with process(record.url, tmp_path, "block") as child:
        await ends_fenced(child)


async def test_a_process_that_was_frozen_past_its_lease_ends_when_it_wakes(
    record: Record, tmp_path: Path
) -> None:
    job = await record.create()
    async with process(record.url, tmp_path, "wait") as child:
        child.send_signal(signal.SIGSTOP)
        await eventually(lambda: record.workers.mark_dead_workers(SINCE_BOOT))
        await record.tasks.rescue_tasks(job.job_id, "sweep")
        rival = await record.claim(await record.register())
        child.send_signal(signal.SIGCONT)
        await ends_fenced(child)
    assert await record.task(job, Kind.PLAN) == rival
    await record.assert_sound()
