"""Sprites: a word with its shadow and its glow, as it rises into place."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from services.generator.providers.local import fonts
from services.generator.providers.local.layout import Placed, is_right_to_left
from services.generator.providers.local.look import Floats
from services.generator.providers.local.overlay import Box, Overlay, Stamp

_RISE_SECONDS = 0.6
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
        share = progress
        down = self.rise * (1 - progress)
        letters = _lowered(self.letters, down) * share
        shadow = _lowered(self.shadow, down) * share
        keep = 1 - letters
        add = shadow * keep * self.ink.around
        keep *= 1 - shadow
        add += letters * self.ink.letters
        return Overlay(box=self.box, keep=keep, add=add)


def draw_sprite(word: Placed, ink: Ink, begin: float, frame: tuple[int, int]) -> Sprite:
    """`begin` is in seconds; `frame` is the width and the height of the frame."""
    image, box = _trimmed(_drawn(word, room(word)), room(word), word.size)
    glow = _glow(image, box, word.size, ink)
    # Two soft edges: a close one that parts letters from grain, and a wider one.
    shadow = _blurred(image, word.size * 0.035) * 0.55
    shadow += _blurred(image, word.size * 0.1) * 0.85
    shadow = np.clip(shadow, 0, 1) * ink.shadow
    return Sprite(
        box=box,
        letters=np.asarray(image, np.float32) / 255,
        shadow=_lowered(shadow, word.size * 0.035),
        glow=glow,
        glow_stamp=Stamp(glow, *frame),
        ink=ink,
        begin=begin,
        rise=_RISE * word.size,
    )


def room(word: Placed) -> Box:
    """What letters and shadow may cover, on their way too."""
    size = word.size
    return _even(
        word.x - _BESIDE * size,
        word.baseline - _ABOVE * size,
        word.x + word.advance + _BESIDE * size,
        word.baseline + (_BELOW + _RISE) * size,
    )


def glow_room(box: Box, size: int) -> Box:
    """What the glow of a word of that type size covers."""
    margin = _GLOW * size
    return _even(box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin)


def _even(left: float, top: float, right: float, bottom: float) -> Box:
    return (
        int(left // 2) * 2,
        int(top // 2) * 2,
        int(-(-right // 2)) * 2,
        int(-(-bottom // 2)) * 2,
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
    wide = glow_room(box, size)
    image = Image.new("L", (wide[2] - wide[0], wide[3] - wide[1]))
    image.paste(letters, (box[0] - wide[0], box[1] - wide[1]))
    # A blur this wide looks the same made from a quarter of the pixels each way.
    small = image.reduce(4).filter(ImageFilter.GaussianBlur(size * 0.09))
    soft = np.asarray(small.resize(image.size), np.float32) / 255
    cover = np.clip(soft * 2, 0, 1) * ink.glow
    return Overlay(box=wide, keep=1 - cover, add=cover * ink.around)


def _blurred(image: Image.Image, radius: float) -> Floats:
    blurred = image.filter(ImageFilter.GaussianBlur(radius))
    return np.asarray(blurred, np.float32) / 255


def _lowered(values: Floats, pixels: float) -> Floats:
    """Moved down by any fraction of a pixel; what leaves at the bottom is lost."""
    whole = int(pixels)
    part = pixels - whole
    moved = np.zeros_like(values)
    height = len(values)
    if whole < height:
        moved[whole:] = values[: height - whole] * (1 - part)
    if part and whole + 1 < height:
        moved[whole + 1 :] += values[: height - whole - 1] * part
    return moved
