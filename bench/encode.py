"""Encode: a generator's 1080p encoder is killed, and its job is CANCELLED.

Two encoders run at once, each with frames for many seconds. The next job to be
cancelled is one whose encoder has just put its first packet out.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from bench.figure import Figure, percentile
from bench.floor import Floors
from bench.system import TIMEOUT, System
from bench.watch import cancel_and_watch
from refrain.v1.job_service_pb2 import CreateJobRequest, GetJobRequest, VideoOptions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRIALS = 500
QUEUED = 6
"""Jobs that are there at any time, of which two are being encoded."""
LOOK = 0.01
"""Seconds between two looks for such a clip."""

SONG = CreateJobRequest(
    title="Benchmark",
    instrumental=True,
    style="dawn",
    max_in_flight=1,
    video=VideoOptions(width=1920, height=1080, frame_rate=60),
)
SONG.song_duration.FromSeconds(10)


async def measure() -> list[Figure]:
    """Returns the time from the call of CancelJob to CANCELLED, as a watch tells it."""
    samples: list[float] = []
    async with System() as system, Floors(system) as floors:
        await system.spawn("services.generator", REFRAIN_MEDIA_SLOTS="2")
        for _ in range(QUEUED):
            await system.jobs.CreateJob(SONG)
        for _ in range(TRIALS):
            clip = await _clip_in_the_making(system.scratch)
            await floors.sample()
            job_id = _job_id(clip)
            seconds = await cancel_and_watch(system.jobs, job_id)
            job = await system.jobs.GetJob(GetJobRequest(job_id=job_id))
            stopped = job.cancellation.tasks_aborted == 1 and not clip.exists()
            samples.append(seconds * 1e3 if stopped else math.inf)
            await system.jobs.CreateJob(SONG)
    lost = samples.count(math.inf)
    return [
        *(
            Figure(
                name=f"encode_to_cancelled_{name}",
                value=value,
                unit="ms",
                floor=floors.total,
            )
            for name, value in (
                ("p50", percentile(samples, 50)),
                ("p99", percentile(samples, 99)),
                ("longest", max(samples)),
            )
        ),
        Figure(
            name=f"encode_lost_of_{TRIALS}",
            value=lost,
            unit="cancels",
            floor=TRIALS,
            at_most=0,
        ),
    ]


async def _clip_in_the_making(scratch: Path) -> Path:
    """Returns a clip of which a packet is written, as soon as there is one."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        for clip in _clips_with_frames(scratch):
            return clip
        await asyncio.sleep(LOOK)
    raise TimeoutError("no clip is being made")


def _clips_with_frames(scratch: Path) -> Iterator[Path]:
    for clip in scratch.glob("generator/*/*/clip.mp4.part"):
        with suppress(FileNotFoundError):
            if clip.stat().st_size:
                yield clip


def _job_id(clip: Path) -> str:
    """Reads the name of a folder: jobs-<job_id>-segments-<position>-<attempt>."""
    return clip.parent.name.removeprefix("jobs-").partition("-segments-")[0]
