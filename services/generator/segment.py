"""Segment: one image and one clip."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from refrain.errors import MediaError, TaskError
from refrain.outcome import ClipMade
from refrain.provider_call import FREE, CancelState, NewCall, Purpose
from refrain.reuse import input_digest
from refrain.v1.job_service_pb2 import CreateJobRequest
from services.generator.providers.local.renderer import frames_of, seam_keyframes
from services.generator.providers.provider import (
    ClipRequest,
    ImageRequest,
    ProviderError,
)

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.artifacts import ArtifactStore
    from refrain.job import SegmentRow, Task
    from refrain.media import MediaPool
    from refrain.scratch import Scratch
    from refrain.store import CallStore, TaskStore
    from services.generator.calls import Calls
    from services.generator.clips import ProviderClips
    from services.generator.deployment import Providers
    from services.generator.providers.provider import ClipProvider, ImageProvider

log = logging.getLogger(__name__)

CONFORM = "services.generator.conform"


@dataclass(frozen=True, slots=True)
class Work:
    """A segment in the making."""

    task: Task
    request: CreateJobRequest
    segment: SegmentRow
    folder: Path

    @property
    def image(self) -> Path:
        return self.folder / "image.jpg"

    @property
    def clip(self) -> Path:
        return self.folder / "clip.mp4"


@dataclass(frozen=True, slots=True, kw_only=True)
class MakeSegment:
    """Handles SEGMENT tasks."""

    tasks: TaskStore
    store: CallStore
    artifacts: ArtifactStore
    media: MediaPool
    scratch: Scratch
    calls: Calls
    clips: ProviderClips
    providers: Providers

    async def __call__(self, task: Task) -> ClipMade:
        """Returns the URIs of what was made, put and not yet named by a row."""
        request = await self.tasks.get_request(task.job_id)
        segment = await self.tasks.get_segment(task)
        with self.scratch.folder(task) as folder:
            work = Work(task, request, segment, folder)
            try:
                image_uri = await self._make_image(work)
                await self._make_clip(work)
            except ProviderError as err:
                raise task_error(err) from err
            return ClipMade(
                image_uri=image_uri,
                clip_uri=await self.artifacts.put(f"{task.folder}/clip.mp4", work.clip),
                input_digest=input_digest(request, segment),
            )

    async def _make_image(self, work: Work) -> str:
        """Returns the URI of the image, which an earlier attempt may have made."""
        if (made := work.segment.image_uri) is not None:
            await self.artifacts.get(made, work.image)
            return made
        try:
            await self._paint(work, self.providers.image(work.request.image_provider))
        except ProviderError as err:
            self._stand_in_or_raise(work, err)
            await self._paint(work, self.providers.local)
        uri = await self.artifacts.put(f"{work.task.folder}/image.jpg", work.image)
        # Recorded at once: what was paid for is not paid for again.
        await self.store.keep_image(work.task, uri)
        return uri

    async def _paint(self, work: Work, provider: ImageProvider) -> None:
        request = _image_request(work)
        local = provider is self.providers.local
        raw = work.image if local else work.folder / "image.raw"
        estimate = provider.estimate(request)
        await self.calls.ask(
            work.task,
            NewCall(
                provider=provider.name,
                purpose=Purpose.IMAGE,
                model=provider.model,
                estimate_usd=estimate,
                on_stop=CancelState.NOT_NEEDED if local else CancelState.UNKNOWN,
            ),
            lambda: provider.paint(request, raw),
            lambda price: price,
        )
        if local:
            return
        try:
            await self._conform_image(work, raw, work.image)
        except MediaError as err:
            raise _unusable(provider, err) from err

    async def _make_clip(self, work: Work) -> None:
        provider = self.providers.clip(work.request.clip_provider)
        if provider is None:
            await self._animate(work)
            return
        try:
            await self._buy_clip(work, provider)
        except ProviderError as err:
            self._stand_in_or_raise(work, err)
            await self._animate(work)

    async def _animate(self, work: Work) -> None:
        video, local = work.request.video, self.providers.local
        await self.calls.ask(
            work.task,
            NewCall(provider=local.name, purpose=Purpose.CLIP),
            lambda: local.animate(work.segment, video, work.image, work.clip),
            lambda _: FREE,
        )

    async def _buy_clip(self, work: Work, provider: ClipProvider) -> None:
        segment, video = work.segment, work.request.video
        width, height = provider.picture_size(video.width, video.height)
        first, raw = work.folder / "first.jpg", work.folder / "clip.raw"
        await self._conform_image(work, work.image, first, (width, height))
        call = await self.clips.make(
            work.task,
            provider,
            ClipRequest(
                prompt=segment.prompt,
                image=first,
                width=width,
                height=height,
                duration=segment.end_offset - segment.start_offset,
            ),
            raw,
        )
        frames = frames_of(segment, video)
        try:
            await self.media.call(
                f"{CONFORM}:conform_clip",
                source=str(raw),
                path=str(work.clip),
                width=video.width,
                height=video.height,
                frame_rate=video.frame_rate,
                frames=frames,
                keyframes=seam_keyframes(frames, video.frame_rate),
            )
        except MediaError as err:
            await self.clips.discard(call)
            raise _unusable(provider, err) from err

    async def _conform_image(
        self, work: Work, source: Path, path: Path, size: tuple[int, int] | None = None
    ) -> None:
        width, height = size or (work.request.video.width, work.request.video.height)
        await self.media.call(
            f"{CONFORM}:conform_image",
            source=str(source),
            path=str(path),
            width=width,
            height=height,
        )

    @staticmethod
    def _stand_in_or_raise(work: Work, err: ProviderError) -> None:
        if not err.refused or work.request.on_refusal != CreateJobRequest.STAND_IN:
            raise err
        fields = {"job_id": work.task.job_id, "task": work.task.name}
        log.warning("the local renderer stands in: %s", err, extra=fields)


def _unusable(provider: ImageProvider | ClipProvider, err: MediaError) -> ProviderError:
    """Another one may be good, and four that are not end the job."""
    return ProviderError(f"{provider.name} sent a bad file: {err}", retryable=True)


def task_error(err: ProviderError) -> TaskError:
    """Returns what the record says of a task whose provider failed."""
    return TaskError(
        str(err),
        reason="CONTENT_REFUSED" if err.refused else "PROVIDER_FAILED",
        retryable=err.retryable,
        retry_after=err.retry_after,
    )


def _image_request(work: Work) -> ImageRequest:
    request, segment = work.request, work.segment
    return ImageRequest(
        prompt=segment.prompt,
        style=request.style,
        song_seed=crc32(request.title.encode()),
        seed=segment.position,
        width=request.video.width,
        height=request.video.height,
    )
