"""Plan: from the lyrics to the storyboard, one prompt per segment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from refrain.cut import cut_request, lacks_lyrics, locally_prompted
from refrain.errors import TaskError
from refrain.job import Slot
from refrain.outcome import Planned
from refrain.provider_call import CancelState, NewCall, Purpose
from services.generator.providers.provider import Draft, ProviderError, Song
from services.generator.segment import task_error

if TYPE_CHECKING:
    from refrain.job import SegmentRow, Task
    from refrain.media import MediaPool
    from refrain.store import TaskStore
    from refrain.v1.job_service_pb2 import CreateJobRequest
    from services.generator.calls import Calls
    from services.generator.deployment import Providers
    from services.generator.lyrics.lookup import LyricsLookup
    from services.generator.providers.provider import StoryboardProvider


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Handles PLAN tasks."""

    tasks: TaskStore
    media: MediaPool
    calls: Calls
    lookup: LyricsLookup
    providers: Providers

    async def __call__(self, task: Task) -> Planned:
        """Returns the storyboard of the whole song."""
        request = await self.tasks.get_request(task.job_id)
        try:
            return await self._plan(task, request)
        except ProviderError as err:
            raise task_error(err) from err

    async def _plan(self, task: Task, request: CreateJobRequest) -> Planned:
        self.providers.check(request)
        found = None
        if lacks_lyrics(request):
            found = await self.lookup.complete(task, request)
        cut = await cut_request(self.media, request, self.providers.settings)
        waits = self.providers.waits_for_others(request)
        return Planned(
            segments=await self._write_prompts(task, request, cut),
            slot=Slot.PROVIDER if waits else Slot.MEDIA,
            found=found,
        )

    async def _write_prompts(
        self, task: Task, request: CreateJobRequest, cut: tuple[SegmentRow, ...]
    ) -> tuple[SegmentRow, ...]:
        provider = self.providers.storyboard(request.storyboard_provider)
        if provider is None:
            new = NewCall(
                provider=self.providers.local.name, purpose=Purpose.STORYBOARD
            )
            await self.calls.begin(task, new)
            return locally_prompted(cut, request.style)
        song = Song(
            title=request.title,
            artist=request.artist,
            style=request.style,
            segments=[[line["text"] for line in segment.lines] for segment in cut],
        )
        draft = await self._ask(task, provider, song)
        if draft.problems:
            draft = await self._ask(task, provider, song, draft)
        if draft.problems:
            draft = await self._ask(task, provider, song)
        if draft.problems:
            raise TaskError(
                f"{provider.name} wrote no storyboard that can be used: "
                + "; ".join(draft.problems)[:500],
                reason="STORYBOARD_UNUSABLE",
            )
        return tuple(
            replace(segment, prompt=draft.prompts[segment.position]) for segment in cut
        )

    async def _ask(
        self,
        task: Task,
        provider: StoryboardProvider,
        song: Song,
        wrong: Draft | None = None,
    ) -> Draft:
        new = NewCall(
            provider=provider.name,
            purpose=Purpose.STORYBOARD,
            model=provider.model,
            estimate_usd=provider.estimate(song),
            on_stop=CancelState.UNKNOWN,
        )
        return await self.calls.ask(
            task,
            new,
            lambda: provider.write(song, wrong),
            lambda draft: draft.price_usd,
        )
