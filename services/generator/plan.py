"""Plan: from the lyrics to the storyboard, one prompt per segment."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from refrain.job import Planned, SegmentRow, Slot, Task
from refrain.lyrics import Line, parse_lyrics, timed_lines
from refrain.storyboard import Segment, cut_segments

if TYPE_CHECKING:
    from refrain.media import MediaPool
    from refrain.store import TaskStore


class Plan:
    """Handles PLAN tasks."""

    def __init__(self, tasks: TaskStore, media: MediaPool) -> None:
        self._tasks = tasks
        self._media = media

    async def __call__(self, task: Task) -> Planned:
        """Returns the storyboard of the whole song."""
        request = await self._tasks.get_request(task.job_id)
        cut = await self._media.call(
            f"{__name__}:cut_song",
            lyrics="" if request.instrumental else request.lyrics,
            seconds=request.song_duration.ToTimedelta().total_seconds(),
        )
        await self._tasks.begin_provider_call(
            task, provider="local", purpose="storyboard"
        )
        segments = tuple(
            SegmentRow(
                position=position,
                start_offset=timedelta(seconds=segment["start"]),
                end_offset=timedelta(seconds=segment["end"]),
                lines=tuple(segment["lines"]),
                prompt=_prompt(request.style, segment["lines"]),
            )
            for position, segment in enumerate(cut["segments"])
        )
        return Planned(segments=segments, slot=Slot.MEDIA)


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
