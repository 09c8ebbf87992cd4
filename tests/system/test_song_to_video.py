"""A song becomes a video, over real processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.v1 import job_pb2

if TYPE_CHECKING:
    from tests.system.system import System


async def test_a_song_becomes_a_video(system: System) -> None:
    await system.start()
    job = await system.create(lyrics="One line\nAnd another\nAnd a third", seconds=9)
    events = await system.events(job.job_id)
    assert events[-1].kind == job_pb2.JobEvent.COMPLETED
    done = events[-1].job
    assert done.status == job_pb2.Job.COMPLETED
    assert done.segments_completed == done.segments_total == 2
    assert done.video.duration.ToTimedelta().total_seconds() == 9
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
