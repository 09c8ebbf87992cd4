"""Cut: from a request to the segments of its song, each with what it will cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from refrain.estimates import estimate_segment
from refrain.job import SegmentRow
from refrain.lyrics import parse_lyrics, timed_lines
from refrain.storyboard import cut_segments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from refrain.lyrics import Line
    from refrain.media import MediaPool
    from refrain.providers import ProviderSettings
    from refrain.storyboard import Segment
    from refrain.v1.job_service_pb2 import CreateJobRequest


def lacks_lyrics(request: CreateJobRequest) -> bool:
    """Returns whether the lyrics are to be looked up when the job runs."""
    return not request.instrumental and not request.lyrics.strip()


async def cut_request(
    media: MediaPool, request: CreateJobRequest, settings: ProviderSettings
) -> tuple[SegmentRow, ...]:
    """Returns the segments, their prompts empty.

    The request has its defaults filled in, and its song_duration. Cuts in a media
    process, which is killed if the caller is cancelled.
    """
    cut = await media.call(
        f"{__name__}:cut_song",
        lyrics="" if request.instrumental else request.lyrics,
        seconds=request.song_duration.ToTimedelta().total_seconds(),
    )
    segments: list[SegmentRow] = []
    for position, segment in enumerate(cut["segments"]):
        start = timedelta(seconds=segment["start"])
        end = timedelta(seconds=segment["end"])
        segments.append(
            SegmentRow(
                position=position,
                start_offset=start,
                end_offset=end,
                lines=tuple(segment["lines"]),
                prompt="",
                estimate_usd=estimate_segment(settings, request, end - start),
            )
        )
    return tuple(segments)


def locally_prompted(
    segments: Sequence[SegmentRow], style: str
) -> tuple[SegmentRow, ...]:
    """Returns the segments with the prompts of a storyboard that no provider writes."""
    return tuple(
        replace(segment, prompt=_prompt(style, segment)) for segment in segments
    )


def cut_song(*, lyrics: str, seconds: float) -> dict[str, Any]:
    """Cuts a song into segments; runs in a media process, so that it can be killed.

    Returns `{"segments": [{"start", "end", "lines": [{"text", "start", "end"}]}]}`,
    all times in seconds from the start of the song.
    """
    duration = timedelta(seconds=seconds)
    lines = timed_lines(parse_lyrics(lyrics), duration) if lyrics.strip() else ()
    return {"segments": [_json(segment) for segment in cut_segments(lines, duration)]}


def _prompt(style: str, segment: SegmentRow) -> str:
    words = " / ".join(line["text"] for line in segment.lines) or "instrumental"
    return f"{style}: {words}" if style else words


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
