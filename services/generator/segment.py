"""Segment: one image and one clip."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING
from zlib import crc32

from refrain.job import ClipMade, SegmentRow, Task
from refrain.reuse import input_digest
from refrain.storyboard import frames_between

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.artifacts import ArtifactStore
    from refrain.media import MediaPool
    from refrain.scratch import Scratch
    from refrain.store import TaskStore
    from refrain.v1.job_service_pb2 import CreateJobRequest

LOCAL = "services.generator.providers.local"
SEAM = Fraction(1, 2)
"""Seconds at each end of a clip that can be decoded, or crossfaded, by themselves."""


class MakeSegment:
    """Handles SEGMENT tasks with the local renderer."""

    def __init__(
        self,
        tasks: TaskStore,
        artifacts: ArtifactStore,
        media: MediaPool,
        scratch: Scratch,
    ) -> None:
        self._tasks = tasks
        self._artifacts = artifacts
        self._media = media
        self._scratch = scratch

    async def __call__(self, task: Task) -> ClipMade:
        """Returns the URIs of what was made, put and not yet named by a row."""
        request = await self._tasks.get_request(task.job_id)
        segment = await self._tasks.get_segment(task)
        with self._scratch.folder(task) as folder:
            image, clip = folder / "image.jpg", folder / "clip.mp4"
            await self._paint(task, request, segment, image)
            await self._render(task, request, segment, image, clip)
            return ClipMade(
                image_uri=await self._artifacts.put(f"{task.folder}/image.jpg", image),
                clip_uri=await self._artifacts.put(f"{task.folder}/clip.mp4", clip),
                input_digest=input_digest(request, segment),
            )

    async def _paint(
        self, task: Task, request: CreateJobRequest, segment: SegmentRow, image: Path
    ) -> None:
        await self._tasks.begin_provider_call(task, provider="local", purpose="image")
        await self._media.call(
            f"{LOCAL}.still:paint_still",
            prompt=segment.prompt,
            style=request.style,
            song_seed=crc32(request.title.encode()),
            seed=segment.position,
            width=request.video.width,
            height=request.video.height,
            path=str(image),
        )

    async def _render(
        self,
        task: Task,
        request: CreateJobRequest,
        segment: SegmentRow,
        image: Path,
        clip: Path,
    ) -> None:
        await self._tasks.begin_provider_call(task, provider="local", purpose="clip")
        first, end = frames_between(
            segment.start_offset, segment.end_offset, request.video.frame_rate
        )
        start = segment.start_offset.total_seconds()
        await self._media.call(
            f"{LOCAL}.clip:render_clip",
            still=str(image),
            lines=[
                {
                    "text": line["text"],
                    "start": line["start"] - start,
                    "end": line["end"] - start,
                }
                for line in segment.lines
            ],
            width=request.video.width,
            height=request.video.height,
            frame_rate=request.video.frame_rate,
            frames=end - first,
            keyframes=_seam_keyframes(end - first, request.video.frame_rate),
            seed=segment.position,
            path=str(clip),
        )


def _seam_keyframes(frames: int, frame_rate: int) -> list[int]:
    seam = round(SEAM * frame_rate)
    return [seam, frames - seam] if 0 < 2 * seam < frames else []
