"""Words: a line of the song that rises word by word and vanishes as one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from services.generator.providers.local import fonts
from services.generator.providers.local.layout import Placed, is_right_to_left
from services.generator.providers.local.look import Floats
from services.generator.providers.local.overlay import (
    Box,
    Overlay,
    Plane,
    Stamp,
    nothing,
)

_RISE_SECONDS = 0.6
_FADE_SECONDS = 0.45
_WORD_SECONDS = 0.3
"""From one word to the next, at most; less when the line is short."""
_RISE = 0.4
"""How far below its place a word begins, in type sizes."""
_ABOVE, _BELOW, _BESIDE = 1.3, 0.6, 0.3
"""Room for letters and shadow around the baseline, in type sizes."""
_GLOW = 0.5
"""Further room for the glow, in type sizes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ink:
    letters: int
    around: int
    """Luma of the letters and of the soft edge around them, 16..235."""
    shadow: float
    glow: float
    """How much of the picture the close and the wide edge hide, 0..1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sprite:
    """A word as it rises."""

    box: Box
    """Where it rests, with the room below it from which it rises."""
    letters: Floats
    shadow: Floats
    """(h, w), what each hides of the picture, 0..1."""
    glow: Overlay
    """Wide and still, under all letters, so that no word dims its neighbour."""
    glow_stamp: Stamp
    ink: Ink
    begin: float
    """Seconds."""
    rise: float
    """Pixels."""

    def progress(self, time: float) -> float:
        """From 0, unseen, to 1, at rest; eased out."""
        return 1 - (1 - min(max((time - self.begin) / _RISE_SECONDS, 0), 1)) ** 3

    def overlay(self, progress: float) -> Overlay:
        share = np.float32(progress)
        down = self.rise * (1 - progress)
        letters = _lowered(self.letters, down) * share
        shadow = _lowered(self.shadow, down) * share
        keep = 1 - letters
        add = shadow * keep * np.float32(self.ink.around)
        keep *= 1 - shadow
        add += letters * np.float32(self.ink.letters)
        return Overlay(box=self.box, keep=keep, add=add)


class Caption:
    """One line, drawn on the frames of a clip in order of time."""

    def __init__(
        self,
        words: Sequence[Placed],
        ink: Ink,
        *,
        start: float,
        end: float,
        size: tuple[int, int],
    ) -> None:
        """`size` is the frame's width and height."""
        begins = _begins(words, start, end)
        self._rising = [
            _sprite(word, ink, at, size)
            for word, at in zip(words, begins, strict=True)
        ]
        self._start, self._end, self._size = start, end, size
        self._fade_seconds = min(_FADE_SECONDS, (end - start) / 4)
        self._resting = nothing(_union([sprite.glow.box for sprite in self._rising]))
        self._stamp = Stamp(self._resting, *size)

    def draw(self, planes: Sequence[Plane], time: float) -> None:
        """Blends what is seen of the line at that time, in seconds, into a frame."""
        if not self._start <= time < self._end:
            return
        self._settle(time)
        fade = min((self._end - time) / self._fade_seconds, 1.0)
        coming = [
            (sprite, sprite.progress(time))
            for sprite in self._rising
            if sprite.begin < time
        ]
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


def ink_for(words: Sequence[Placed], luma: Plane) -> Ink:
    """The ink in which the words read well over a picture of the frame's size."""
    boxes = [_box(word) for word in words]
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


def _box(word: Placed) -> Box:
    size = word.size
    return _even(
        word.x - _BESIDE * size,
        word.baseline - _ABOVE * size,
        word.x + word.advance + _BESIDE * size,
        word.baseline + (_BELOW + _RISE) * size,
    )


def _even(left: float, top: float, right: float, bottom: float) -> Box:
    return (
        int(left // 2) * 2,
        int(top // 2) * 2,
        int(-(-right // 2)) * 2,
        int(-(-bottom // 2)) * 2,
    )


def _sprite(word: Placed, ink: Ink, begin: float, size: tuple[int, int]) -> Sprite:
    image, box = _trimmed(_drawn(word, _box(word)), _box(word), word.size)
    glow = _glow(image, box, word.size, ink)
    # Two soft edges: a close one that parts letters from grain, and a wider one.
    shadow = _blurred(image, word.size * 0.035) * np.float32(0.55)
    shadow += _blurred(image, word.size * 0.1) * np.float32(0.85)
    shadow = np.clip(shadow, 0, 1) * np.float32(ink.shadow)
    return Sprite(
        box=box,
        letters=np.asarray(image, np.float32) / 255,
        shadow=_lowered(shadow, word.size * 0.035),
        glow=glow,
        glow_stamp=Stamp(glow, *size),
        ink=ink,
        begin=begin,
        rise=_RISE * word.size,
    )


def _drawn(word: Placed, box: Box) -> Image.Image:
    left, top, right, bottom = box
    image = Image.new("L", (right - left, bottom - top))
    draw = ImageDraw.Draw(image)
    runs = fonts.runs(word.text)
    if is_right_to_left(word.text):
        runs.reverse()
    x = float(word.x - left)
    for run in runs:
        face = fonts.font(run.typeface, word.size)
        draw.text((x, word.baseline - top), run.text, 255, face, anchor="ls")
        x += face.getlength(run.text) if len(runs) > 1 else 0
    return image


def _trimmed(image: Image.Image, box: Box, size: int) -> tuple[Image.Image, Box]:
    """Without the rows that neither letters nor shadow reach: most words are low."""
    ink = image.getbbox() or (0, 0, 1, 1)
    above = max(int(ink[1] - _BESIDE * size), 0) // 2 * 2
    below = int(ink[3] + (_BESIDE + _RISE) * size)
    below = min(below + below % 2, image.height)
    left, top, right, _ = box
    cut = image.crop((0, above, image.width, below))
    return cut, (left, top + above, right, top + below)


def _glow(letters: Image.Image, box: Box, size: int, ink: Ink) -> Overlay:
    margin = round(_GLOW * size / 2) * 2
    left, top, right, bottom = box
    wide = (left - margin, top - margin, right + margin, bottom + margin)
    image = Image.new("L", (wide[2] - wide[0], wide[3] - wide[1]))
    image.paste(letters, (margin, margin))
    # A blur this wide looks the same made from a quarter of the pixels each way.
    small = image.reduce(4).filter(ImageFilter.GaussianBlur(size * 0.09))
    soft = np.asarray(small.resize(image.size), np.float32) / 255
    cover = np.clip(soft * np.float32(2), 0, 1) * np.float32(ink.glow)
    return Overlay(box=wide, keep=1 - cover, add=cover * np.float32(ink.around))


def _blurred(image: Image.Image, radius: float) -> Floats:
    blurred = image.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(blurred, np.float32) / 255


def _lowered(values: Floats, pixels: float) -> Floats:
    """Moved down by any fraction of a pixel; what leaves at the bottom is lost."""
    whole = int(pixels)
    part = np.float32(pixels - whole)
    moved = np.zeros_like(values)
    height = len(values)
    if whole < height:
        moved[whole:] = values[: height - whole] * (1 - part)
    if part and whole + 1 < height:
        moved[whole + 1 :] += values[: height - whole - 1] * part
    return moved
