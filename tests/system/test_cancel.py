"""Cancel in each stage of a job, over each leg, by itself."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING
from uuid import UUID

import psutil
import psycopg
import pytest

from refrain.v1 import job_pb2
from tests.eventually import eventually
from tests.system.system import SHORT_LEASE, System, assert_nothing_runs, task_started

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from refrain.local.embedded import EmbeddedNats

    Reach = Callable[[System], Awaitable[job_pb2.Job]]

HOUR = 3600.0
NEVER_BEATS = {"heartbeat": HOUR, "lease": 10 * HOUR}
NEVER_FENCED = {"fence_abort": 7 * HOUR, "fence_end": 9 * HOUR}
CLOSED = "nats://127.0.0.1:1"


async def reach_plan(system: System) -> job_pb2.Job:
    system.signal_media(system.children("generator"), signal.SIGSTOP)
    job = await system.create()
    await system.until(job.job_id, task_started(job_pb2.Task.PLAN))
    return job


async def reach_image(system: System) -> job_pb2.Job:
    job = await system.create(width=3840, height=2160)
    await eventually(lambda: _has_called(system, job, "image"))
    return job


async def reach_clip(system: System) -> job_pb2.Job:
    job = await system.create(width=1280, height=720, frame_rate=60, seconds=10)
    await eventually(lambda: _has_called(system, job, "clip"))
    return job


async def reach_second_segment(system: System) -> job_pb2.Job:
    job = await system.create(width=960, height=540, frame_rate=60, seconds=11)
    await system.until(
        job.job_id,
        lambda event: (
            event.kind == job_pb2.JobEvent.TASK_STARTED
            and event.job.segments_completed == 1
        ),
    )
    return job


async def reach_stitch(system: System) -> job_pb2.Job:
    system.signal_media(system.children("stitcher"), signal.SIGSTOP)
    job = await system.create()
    await system.until(job.job_id, task_started(job_pb2.Task.STITCH))
    return job


STAGES: list[tuple[Reach, str, int]] = [
    (reach_plan, "generator", 0),
    (reach_image, "generator", 0),
    (reach_clip, "generator", 0),
    (reach_second_segment, "generator", 1),
    (reach_stitch, "stitcher", 1),
]
"""How to get there, who is then at work, and how many clips are made by then."""


@pytest.fixture
async def system(
    tmp_path: Path, database_url: str, nats_server: EmbeddedNats
) -> AsyncIterator[System]:
    async with System(
        folder=tmp_path,
        database_url=database_url,
        nats_url=nats_server.url,
        media_slots=1,
    ) as system:
        yield system


async def test_the_push_alone_stops_a_job_in_each_stage(
    system: System, subtests: pytest.Subtests
) -> None:
    system.seconds = {**NEVER_BEATS, **NEVER_FENCED}
    await system.start()
    for reach, worker, kept in STAGES:
        with subtests.test(reach.__name__):
            job = await reach(system)
            await _cancel_and_check(system, job, worker, kept)
    after = await system.create()
    assert (await system.events(after.job_id))[-1].kind == job_pb2.JobEvent.COMPLETED


async def test_the_poll_alone_stops_a_job_in_each_stage(
    system: System, subtests: pytest.Subtests
) -> None:
    system.nats_url = CLOSED
    await system.start()
    for reach, worker, kept in STAGES:
        with subtests.test(reach.__name__):
            job = await reach(system)
            await _cancel_and_check(system, job, worker, kept)


async def test_the_rescue_alone_stops_a_job_in_each_stage_when_its_worker_was_killed(
    system: System, subtests: pytest.Subtests
) -> None:
    system.seconds = SHORT_LEASE
    await system.start()
    for reach, worker, kept in STAGES:
        with subtests.test(reach.__name__):
            job = await reach(system)
            await _kill_cancel_and_check(system, job, worker, kept)


CANCELLED = job_pb2.Job.CANCELLED
EXPIRED = job_pb2.Task.LEASE_EXPIRED


async def test_a_job_of_which_nothing_runs_is_cancelled_at_once(
    system: System,
) -> None:
    await system.start("gateway")
    job = await system.create()
    cancelled = await system.cancel(job.job_id, "a mistake")
    assert cancelled.status == CANCELLED
    assert cancelled.cancellation.reason == "a mistake"
    assert cancelled.cancellation.requested_by == "user:local"
    assert cancelled.cancellation.cause == job_pb2.Cancellation.USER
    assert cancelled.cancellation.tasks_skipped == 1
    await system.start("generator")
    other = await system.create()
    await system.until(other.job_id, task_started(job_pb2.Task.SEGMENT))
    assert [t.attempt for t in await system.tasks(job.job_id)] == [0]


async def test_a_job_between_two_segments_is_cancelled_at_once(
    system: System,
) -> None:
    await system.start("gateway", "generator")
    job = await system.create(seconds=30)
    await system.until(job.job_id, lambda event: event.job.segments_completed == 1)
    system.processes["generator"].terminate()
    system.processes.pop("generator").wait()
    before = await system.job(job.job_id)
    assert (before.status, before.tasks_running) == (job_pb2.Job.PROCESSING, 0)
    cancelled = await system.cancel(job.job_id)
    assert cancelled.status == CANCELLED
    await assert_nothing_runs(system, job.job_id)
    kept = [
        segment for segment in await system.segments(job.job_id) if segment.clip_uri
    ]
    assert len(kept) == before.segments_completed >= 1


async def test_a_cancel_between_the_stitch_and_its_publication_leaves_no_video(
    system: System,
) -> None:
    await system.start()
    media = system.children("stitcher")
    job = await reach_stitch(system)
    holder = await psycopg.AsyncConnection.connect(system.database_url)
    async with holder:
        await holder.execute(
            "SELECT FROM jobs WHERE job_id = %s FOR UPDATE", [UUID(job.job_id)]
        )
        cancel = asyncio.create_task(system.cancel(job.job_id))
        await eventually(lambda: _waiting_for_locks(system, 1))
        system.signal_media(media, signal.SIGCONT)
        await eventually(lambda: system.videos(job.job_id))
        await eventually(lambda: _waiting_for_locks(system, 2))
        await holder.rollback()
    assert (await cancel).status == job_pb2.Job.CANCELLING
    await system.until(job.job_id, lambda event: event.job.status == CANCELLED)
    await eventually(lambda: not system.videos(job.job_id))
    await assert_nothing_runs(system, job.job_id)


async def _kill_cancel_and_check(
    system: System, job: job_pb2.Job, worker: str, kept: int
) -> None:
    media = system.children(worker)
    system.kill(worker)
    system.signal_media(media, signal.SIGCONT)
    cancelling = await system.cancel(job.job_id)
    assert cancelling.status == job_pb2.Job.CANCELLING
    await system.start(worker)
    await system.until(job.job_id, lambda event: event.job.status == CANCELLED)
    await eventually(lambda: not any(map(psutil.pid_exists, media)))
    await assert_nothing_runs(system, job.job_id)
    assert len(await system.clips(job.job_id)) >= kept
    (stopped,) = [t for t in await system.tasks(job.job_id) if t.stop_mode == EXPIRED]
    assert stopped.status == job_pb2.Task.CANCELLED


async def _cancel_and_check(
    system: System, job: job_pb2.Job, worker: str, kept: int
) -> None:
    (media,) = system.children(worker)
    await system.cancel(job.job_id)
    await system.until(job.job_id, lambda event: event.job.status == CANCELLED)
    # One that was frozen before it got its call need not have been killed.
    system.signal_media({media}, signal.SIGCONT)
    await system.idle(media)
    await assert_nothing_runs(system, job.job_id)
    receipt = (await system.job(job.job_id)).cancellation
    assert receipt.tasks_aborted == 1
    made = [
        segment for segment in await system.segments(job.job_id) if segment.clip_uri
    ]
    assert len(made) >= kept


async def _has_called(system: System, job: job_pb2.Job, purpose: str) -> bool:
    rows = await system.query(
        "SELECT FROM provider_calls WHERE job_id = %s AND purpose = %s",
        UUID(job.job_id),
        purpose,
    )
    return len(rows) > 0


async def _waiting_for_locks(system: System, count: int) -> bool:
    rows = await system.query(
        "SELECT FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return len(rows) >= count
