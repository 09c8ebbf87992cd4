"""Words: the song's lines over the frames, each rising word by word.

A word is drawn when it is due and joins the others when it has risen, so a clip
holds little more than the line that is seen.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypedDict

import numpy as np

from services.generator.providers.local.layout import Placed, lay_out
from services.generator.providers.local.overlay import Box, Plane, Stamp, nothing
from services.generator.providers.local.sprite import (
    Ink,
    Sprite,
    draw_sprite,
    glow_room,
    room,
)

_FADE_SECONDS = 0.45
_WORD_SECONDS = 0.3
"""From one word to the next, at most; less when the line is short."""


class Line(TypedDict):
    text: str
    start: float
    end: float
    """Seconds from the start of the clip; either may lie outside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    words: Sequence[Placed]
    start: float
    end: float
    """Seconds from the start of the clip."""


class Words:
    """All lines of a clip, drawn on its frames in order of time."""

    def __init__(
        self, lines: Sequence[Line], luma: Plane, width: int, height: int
    ) -> None:
        """`luma` is the picture that they stand on, of the frame's shape, any size."""
        cues = [
            Cue(words=words, start=start, end=end)
            for text, start, end in _spans(lines)
            if end > max(start, 0) and (words := lay_out(text, width, height))
        ]
        self._size = (width, height)
        self._waiting = deque(cues)
        self._ink = _ink_for(cues, _scaled(luma, width, height)) if cues else None
        self._caption: Caption | None = None

    def draw(self, planes: Sequence[Plane], time: float) -> None:
        """Blends what is seen at that time, in seconds, into a frame, in place."""
        while self._ink and self._waiting and self._waiting[0].start <= time:
            self._caption = Caption(self._waiting.popleft(), self._ink, *self._size)
        if self._caption:
            self._caption.draw(planes, time)


class Caption:
    """One line, drawn on the frames of a clip in order of time."""

    def __init__(self, cue: Cue, ink: Ink, width: int, height: int) -> None:
        begins = _begins(cue.words, cue.start, cue.end)
        self._cue, self._ink, self._size = cue, ink, (width, height)
        self._fade_seconds = min(_FADE_SECONDS, (cue.end - cue.start) / 4)
        self._waiting = deque(zip(cue.words, begins, strict=True))
        self._rising: list[Sprite] = []
        margins = [glow_room(room(word), word.size) for word in cue.words]
        self._resting = nothing(_union(margins))
        self._stamp = Stamp(self._resting, width, height)

    def draw(self, planes: Sequence[Plane], time: float) -> None:
        """Blends what is seen of the line at that time, in seconds, into a frame."""
        if time >= self._cue.end:
            return
        while self._waiting and self._waiting[0][1] < time:
            word, begin = self._waiting.popleft()
            self._rising.append(draw_sprite(word, self._ink, begin, self._size))
        self._settle(time)
        fade = min((self._cue.end - time) / self._fade_seconds, 1.0)
        coming = [(sprite, sprite.progress(time)) for sprite in self._rising]
        for sprite, progress in coming:
            sprite.glow_stamp.blend(planes, progress * fade)
        self._stamp.blend(planes, fade)
        for sprite, progress in coming:
            Stamp(sprite.overlay(progress), *self._size).blend(planes, fade)

    def _settle(self, time: float) -> None:
        """Words at rest join the one overlay that costs one blend for them all."""
        resting = [word for word in self._rising if word.progress(time) == 1]
        if not resting:
            return
        for word in resting:
            word.glow.put_under(self._resting)
            word.overlay(1).put_over(self._resting)
        self._rising = self._rising[len(resting) :]
        self._stamp = Stamp(self._resting, *self._size)


def _spans(lines: Sequence[Line]) -> list[tuple[str, float, float]]:
    """Lines in order, none on top of another: those that start together share a
    caption, a row each, and a line ends where the next one starts.
    """
    together: dict[float, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line["start"]):
        together.setdefault(line["start"], []).append(line)
    starts = [*together, float("inf")]
    return [
        (
            "\n".join(line["text"] for line in together[start]),
            start,
            min(max(line["end"] for line in together[start]), following),
        )
        for start, following in pairwise(starts)
    ]


def _ink_for(cues: Sequence[Cue], luma: Plane) -> Ink:
    """The ink in which all words read well over a picture of the frame's size.

    One for all of them: letters that change colour in a clip look like a mistake.
    """
    boxes = [room(word) for cue in cues for word in cue.words]
    under = np.concatenate(
        [
            luma[max(top, 0) : bottom, max(left, 0) : right].ravel()
            for left, top, right, bottom in boxes
        ]
    )
    if np.mean(under) > 162:
        return Ink(letters=30, around=235, shadow=0.4, glow=0.34)
    # White letters need the more shadow the paler what they cross, such as a sun.
    pale = min(max((float(np.percentile(under, 90)) - 70) / 120, 0.0), 1.0)
    return Ink(letters=235, around=16, shadow=0.5 + 0.2 * pale, glow=0.1 + 0.3 * pale)


def _scaled(luma: Plane, width: int, height: int) -> Plane:
    rows = np.arange(height) * luma.shape[0] // height
    columns = np.arange(width) * luma.shape[1] // width
    return luma[rows[:, None], columns]


def _union(boxes: Sequence[Box]) -> Box:
    lefts, tops, rights, bottoms = zip(*boxes, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _begins(words: Sequence[Placed], start: float, end: float) -> list[float]:
    """Long words hold the next ones back longer, as they do when sung."""
    weights = [len(word.text) + 2 for word in words]
    spread = min((end - start) * 0.55, _WORD_SECONDS * (len(words) - 1))
    total = max(sum(weights[:-1]), 1)
    before = 0
    begins: list[float] = []
    for weight in weights:
        begins.append(start + spread * before / total)
        before += weight
    return begins
