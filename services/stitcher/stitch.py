"""Stitch: the clips of a job become its video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict

from refrain.outcome import VideoMade
from refrain.storyboard import frames_between
from refrain.v1.job_pb2 import Video

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.artifacts import ArtifactStore
    from refrain.job import SegmentRow, Task
    from refrain.media import MediaPool
    from refrain.scratch import Scratch
    from refrain.store import TaskStore
    from refrain.v1.job_service_pb2 import CreateJobRequest


class Stitch:
    """Handles STITCH tasks."""

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

    async def __call__(self, task: Task) -> VideoMade:
        """Returns the video, put and not yet named by a row."""
        request = await self._tasks.get_request(task.job_id)
        segments = await self._tasks.list_segments(task.job_id)
        with self._scratch.folder(task) as folder:
            clips = [
                await self._artifacts.get(
                    segment.clip_uri or "", folder / f"{segment.position}.mp4"
                )
                for segment in segments
            ]
            song = None
            if request.audio_uri:
                song = await self._artifacts.get(request.audio_uri, folder / "song")
            made = await self._join(request, segments, clips, song, folder)
            return VideoMade(video=await self._put(task, folder, made))

    async def _join(
        self,
        request: CreateJobRequest,
        segments: list[SegmentRow],
        clips: list[Path],
        song: Path | None,
        folder: Path,
    ) -> dict[str, Any]:
        _, frames = frames_between(
            segments[0].start_offset,
            segments[-1].end_offset,
            request.video.frame_rate,
        )
        return await self._media.call(
            "services.stitcher.timeline:join_clips",
            clips=[str(clip) for clip in clips],
            audio=song and str(song),
            captions=_captions(segments),
            width=request.video.width,
            height=request.video.height,
            frame_rate=request.video.frame_rate,
            frames=frames,
            folder=str(folder),
        )

    async def _put(
        self, task: Task, folder: Path, made: dict[str, Any]
    ) -> dict[str, Any]:
        duration = Duration()
        duration.FromNanoseconds(round(made["duration"] * 1e9))
        video = Video(
            poster_uri=await self._put_one(task, folder / "poster.jpg"),
            captions_uri=await self._put_one(task, folder / "captions.vtt"),
            uri=await self._put_one(task, folder / "video.mp4"),
            duration=duration,
            width=made["width"],
            height=made["height"],
            size_bytes=made["size_bytes"],
        )
        return MessageToDict(video)

    async def _put_one(self, task: Task, path: Path) -> str:
        return await self._artifacts.put(f"{task.folder}/{path.name}", path)


def _captions(segments: list[SegmentRow]) -> list[dict[str, Any]]:
    """Each line once, though it may sound in several segments."""
    captions: list[dict[str, Any]] = []
    for segment in segments:
        captions += [dict(line) for line in segment.lines if line not in captions[-8:]]
    return captions
