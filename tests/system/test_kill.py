"""Every process may be killed at any time, and the job still completes, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest

from refrain.local.embedded import EmbeddedNats
from refrain.v1 import job_pb2
from tests.eventually import eventually
from tests.system.system import SHORT_LEASE, System, task_started

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.local.guardian import Guardian

SONG = {"width": 480, "height": 270, "frame_rate": 24, "seconds": 20}


async def test_a_job_outlives_its_generator(system: System) -> None:
    system.seconds = SHORT_LEASE
    await system.start()
    job = await system.create(**SONG)
    await system.until(job.job_id, task_started(job_pb2.Task.SEGMENT))
    media = system.children("generator")
    system.kill("generator")
    await system.start("generator")
    await _completes_once(system, job, rescued=True)
    await eventually(lambda: not any(map(psutil.pid_exists, media)))


@pytest.mark.long
async def test_a_job_outlives_its_stitcher_killed_while_its_child_encodes(
    system: System,
) -> None:
    await system.start()
    media = system.children("stitcher")
    job = await system.create(width=128, height=128, frame_rate=2, seconds=120)
    await eventually(lambda: system.parts(), within=60)
    system.kill("stitcher")
    await system.start("stitcher")
    await _completes_once(system, job, rescued=True)
    await eventually(lambda: not any(map(psutil.pid_exists, media)))
    assert not system.files_in_the_making()


async def test_a_job_outlives_its_gateway(system: System) -> None:
    await system.start()
    job = await system.create(**SONG)
    await system.until(job.job_id, task_started(job_pb2.Task.SEGMENT))
    system.kill("gateway")
    await system.start("gateway")
    await _completes_once(system, job, rescued=False)


@pytest.mark.long
async def test_a_job_outlives_nats(
    system: System, guardian: Guardian, tmp_path: Path
) -> None:
    with EmbeddedNats(tmp_path / "nats", guardian) as nats:
        system.nats_url = nats.url
        await system.start()
        job = await system.create(**SONG)
        await system.until(job.job_id, task_started(job_pb2.Task.SEGMENT))
        nats.kill()
        await _completes_once(system, job, rescued=False)


async def _completes_once(system: System, job: job_pb2.Job, *, rescued: bool) -> None:
    events = await system.events(job.job_id)
    done = events[-1]
    assert done.kind == job_pb2.JobEvent.COMPLETED
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    tasks = await system.tasks(job.job_id)
    assert {task.status for task in tasks} == {job_pb2.Task.COMPLETED}
    made = [
        e.position
        for e in events
        if e.kind == job_pb2.JobEvent.TASK_COMPLETED
        and e.task_kind == job_pb2.Task.SEGMENT
    ]
    assert sorted(made) == list(range(done.job.segments_total))
    assert len(system.videos(job.job_id)) == 1
    clips = list((system.artifacts / "jobs" / job.job_id).rglob("clip.mp4"))
    assert len(clips) == done.job.segments_total
    rescues = [e for e in events if e.kind == job_pb2.JobEvent.TASK_RESCUED]
    assert bool(rescues) == rescued
    dead = await system.query("SELECT worker_id FROM workers WHERE dead_at IS NOT NULL")
    names = {str(row["worker_id"]) for row in dead}
    assert all(any(name in event.detail for name in names) for event in rescues)
