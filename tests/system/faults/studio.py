"""Studio: a real worker whose stages wait for a witness, so that each can be held.

`studio.py <name> <seconds as JSON>`, as service.py; the worker, its media processes,
artifacts and scratch folders are the product's, only what they make is not.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from refrain.errors import TaskError
from refrain.job import Kind, SegmentRow, Slot, Task
from refrain.media import MediaPool
from refrain.outcome import ClipMade, Planned, VideoMade
from refrain.provider_call import NewCall, Purpose
from refrain.scratch import Scratch
from refrain.service import Connections, run
from refrain.timing import TIMING
from refrain.worker import Worker

if TYPE_CHECKING:
    import asyncio

    from refrain.artifacts import ArtifactStore
    from refrain.store import CallStore, TaskStore

WITNESS = "STUDIO_WITNESS"
"""The environment variable with the URL of the witness."""
ENCODER = "tests.system.faults.encoder"
SEGMENTS = 2
LATER = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """Handles tasks of all kinds."""

    witness: str
    http: httpx.AsyncClient
    tasks: TaskStore
    calls: CallStore
    artifacts: ArtifactStore
    media: MediaPool
    scratch: Scratch

    async def plan(self, task: Task) -> Planned:
        """Fetches the lyrics; while these are not to be had, waits an hour."""
        answer = await self.http.get(await self._url(task, "lyrics"))
        if answer.is_error:
            raise TaskError("no lyrics yet", retryable=True, retry_after=LATER)
        await self.calls.begin_provider_call(task, _call(Purpose.STORYBOARD))
        return Planned(segments=tuple(map(_segment, range(SEGMENTS))), slot=task.slot)

    async def segment(self, task: Task) -> ClipMade:
        """Pays for an image, and renders a clip."""
        with self.scratch.folder(task) as folder:
            image, clip = folder / "image.jpg", folder / "clip.mp4"
            url = await self._url(task, "calling")
            await self.calls.begin_provider_call(task, _call(Purpose.IMAGE))
            image.write_bytes((await self.http.get(url)).content)
            image_uri = await self.artifacts.put(f"{task.folder}/image.jpg", image)
            await self._encode(task, "rendering", [image], clip)
            clip_uri = await self.artifacts.put(f"{task.folder}/clip.mp4", clip)
            return ClipMade(
                image_uri=image_uri, clip_uri=clip_uri, input_digest=url.encode()
            )

    async def stitch(self, task: Task) -> VideoMade:
        """Joins the clips, puts the video, and waits before it says so."""
        segments = await self.tasks.list_segments(task.job_id)
        with self.scratch.folder(task) as folder:
            video = folder / "video.mp4"
            clips = [
                await self.artifacts.get(
                    segment.clip_uri or "", folder / f"{segment.position}.mp4"
                )
                for segment in segments
            ]
            await self._encode(task, "stitching", clips, video)
            uri = await self.artifacts.put(f"{task.folder}/video.mp4", video)
            await self.http.get(await self._url(task, "publishing"))
            return VideoMade(video={"uri": uri})

    async def _encode(
        self, task: Task, step: str, parts: list[Path], path: Path
    ) -> None:
        await self.media.call(
            f"{ENCODER}:encode",
            url=await self._url(task, step),
            parts=[str(part) for part in parts],
            path=str(path),
        )

    async def _url(self, task: Task, step: str) -> str:
        title = (await self.tasks.get_request(task.job_id)).title
        name = f"{task.kind}-{task.position}/{task.attempt}"
        return f"{self.witness}/{title}/{step}/{task.job_id}/{name}"


def _call(purpose: Purpose) -> NewCall:
    return NewCall(provider="studio", purpose=purpose)


def _segment(position: int) -> SegmentRow:
    return SegmentRow(
        position=position,
        start_offset=timedelta(seconds=3 * position),
        end_offset=timedelta(seconds=3 * position + 3),
        lines=(),
        prompt="a tree",
    )


async def serve(name: str, to: Connections, shutdown: asyncio.Event) -> None:
    """Works as a generator and a stitcher in one, until `shutdown` is set."""
    with Scratch(Path(to.settings.scratch) / name) as scratch:
        async with (
            MediaPool(to.settings.media_slots, [ENCODER]) as media,
            httpx.AsyncClient(timeout=None, trust_env=False) as http,  # noqa: S113
        ):
            studio = Studio(
                witness=os.environ[WITNESS],
                http=http,
                tasks=to.tasks,
                calls=to.calls,
                artifacts=to.artifacts,
                media=media,
                scratch=scratch,
            )
            worker = Worker(
                name,
                tasks=to.tasks,
                workers=to.workers,
                artifacts=to.artifacts,
                bus=to.bus,
                handlers={
                    Kind.PLAN: studio.plan,
                    Kind.SEGMENT: studio.segment,
                    Kind.STITCH: studio.stitch,
                },
                slots={
                    Slot.PROVIDER: to.settings.provider_slots,
                    Slot.MEDIA: to.settings.media_slots,
                },
                timing=to.timing,
            )
            await worker.run(shutdown)


def main() -> None:
    name, seconds = sys.argv[1:]
    spans = {k: timedelta(seconds=v) for k, v in json.loads(seconds).items()}
    run(name, partial(serve, name), replace(TIMING, **spans))


if __name__ == "__main__":
    main()
