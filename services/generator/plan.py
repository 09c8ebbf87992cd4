"""Plan: from the lyrics to the storyboard, one prompt per segment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from refrain.errors import TaskError
from refrain.job import SegmentRow, Slot, Task
from refrain.lyrics import Line, parse_lyrics, timed_lines
from refrain.outcome import Planned
from refrain.provider_call import CancelState, NewCall, Purpose
from refrain.storyboard import Segment, cut_segments
from services.generator.providers.provider import Draft, ProviderError, Song
from services.generator.segment import task_error

if TYPE_CHECKING:
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
        found = None
        if not request.instrumental and not request.lyrics.strip():
            found = await self.lookup.complete(task, request)
        cut = await self.media.call(
            f"{__name__}:cut_song",
            lyrics="" if request.instrumental else request.lyrics,
            seconds=request.song_duration.ToTimedelta().total_seconds(),
        )
        prompts = await self._write_prompts(task, request, cut["segments"])
        segments = tuple(
            SegmentRow(
                position=position,
                start_offset=timedelta(seconds=segment["start"]),
                end_offset=timedelta(seconds=segment["end"]),
                lines=tuple(segment["lines"]),
                prompt=prompts[position],
                estimate_usd=self.providers.estimate_segment(
                    request, timedelta(seconds=segment["end"] - segment["start"])
                ),
            )
            for position, segment in enumerate(cut["segments"])
        )
        waits = self.providers.waits_for_others(request)
        return Planned(
            segments=segments, slot=Slot.PROVIDER if waits else Slot.MEDIA, found=found
        )

    async def _write_prompts(
        self, task: Task, request: CreateJobRequest, segments: list[dict[str, Any]]
    ) -> list[str]:
        provider = self.providers.storyboard(request.storyboard_provider)
        if provider is None:
            new = NewCall(
                provider=self.providers.local.name, purpose=Purpose.STORYBOARD
            )
            await self.calls.begin(task, new)
            return [_prompt(request.style, segment["lines"]) for segment in segments]
        song = Song(
            title=request.title,
            artist=request.artist,
            style=request.style,
            segments=[[line["text"] for line in each["lines"]] for each in segments],
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
        return [draft.prompts[position] for position in range(len(segments))]

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


def cut_song(*, lyrics: str, seconds: float) -> dict[str, Any]:
    """Cuts a song into segments; runs in a media process, so that it can be killed.

    Returns `{"segments": [{"start", "end", "lines": [{"text", "start", "end"}]}]}`,
    all times in seconds from the start of the song.
    """
    duration = timedelta(seconds=seconds)
    lines = timed_lines(parse_lyrics(lyrics), duration) if lyrics else ()
    return {"segments": [_json(segment) for segment in cut_segments(lines, duration)]}


def _json(segment: Segment) -> dict[str, Any]:
    return {
        "start": segment.start_offset.total_seconds(),
        "end": segment.end_offset.total_seconds(),
        "lines": [_line(line) for line in segment.lines],
    }


def _line(line: Line) -> dict[str, Any]:
    end = line.start if line.end is None else line.end
    return {
        "text": line.text,
        "start": line.start.total_seconds(),
        "end": end.total_seconds(),
    }


def _prompt(style: str, lines: list[dict[str, Any]]) -> str:
    words = " / ".join(line["text"] for line in lines) or "instrumental"
    return f"{style}: {words}" if style else words
