"""Captions of the song, as WebVTT text and as 3GPP timed text samples.

Pure, so that any process may import it; the muxing is in `timeline`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE_LIMIT = 0xFFFF
"""Bytes of text a timed text sample can hold: its length is 16 bits."""

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\0": None})


class Caption(TypedDict):
    """A lyric line as it is sent to the stitcher."""

    text: str
    start: float
    """Seconds in the song."""
    end: float
    """Seconds in the song."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What the screen shows from `start` up to, not including, `end`."""

    text: str
    """One or more lines, none of them empty."""
    start: int
    """Milliseconds in the video."""
    end: int
    """Milliseconds in the video, after `start`."""


def arrange_cues(captions: Sequence[Caption], duration: int) -> list[Cue]:
    """Puts captions in order so that one at most is on the screen at any time.

    Lines that start together are shown together, and a line ends when the next
    one starts. What has no text, or no time on the screen before `duration`
    (milliseconds), is left out.
    """
    texts: defaultdict[int, list[str]] = defaultdict(list)
    ends: dict[int, int] = {}
    for caption in captions:
        if text := _visible_lines(caption["text"]):
            start = max(0, round(caption["start"] * 1000))
            texts[start].append(text)
            ends[start] = max(ends.get(start, 0), round(caption["end"] * 1000))
    starts = sorted(texts)
    cues: list[Cue] = []
    for start, next_start in pairwise([*starts, duration]):
        end = min(ends[start], next_start, duration)
        if start < end:
            cues.append(Cue(text="\n".join(texts[start]), start=start, end=end))
    return cues


def web_vtt(cues: Sequence[Cue]) -> str:
    """Writes cues as a WebVTT file (https://www.w3.org/TR/webvtt1/)."""
    blocks = (
        f"{_timestamp(cue.start)} --> {_timestamp(cue.end)}\n"
        f"{cue.text.translate(_ESCAPES)}\n"
        for cue in cues
    )
    return "\n".join(("WEBVTT\n", *blocks))


def timed_text(text: str) -> bytes:
    """Packs text as a timed text sample: 16-bit length, then UTF-8.

    The format is 3GPP TS 26.245, which FFmpeg calls `mov_text`. Text past
    `SAMPLE_LIMIT` is cut at a whole character.
    """
    payload = text.encode()[:SAMPLE_LIMIT].decode(errors="ignore").encode()
    return len(payload).to_bytes(2, "big") + payload


def _visible_lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def _timestamp(milliseconds: int) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}"
