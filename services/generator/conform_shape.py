"""Frames of any shape as frames of one size: yuv420p, BT.709, TV range."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import (
    ColorRange,
    Colorspace,
    Interpolation,
    VideoReformatter,
)

from services.generator.providers.local.clip import planes_of

LARGEST_SIDE = 8192
"""Pixels; a frame with two such sides takes 100 MB."""
_LEAST = Fraction(1, 4)
"""Of the picture that must be left; less is not what was asked for."""
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
"""By the codes of ITU-T H.273, table 4."""


class Shaper:
    """Makes frames of one size of the frames of one clip.

    The matrix and the range of their colours are converted; the curve of high dynamic
    range is not.
    """

    def __init__(self, width: int, height: int, pixel: Fraction = Fraction(1)) -> None:
        """`pixel` is the width of the clip's pixels for a height of 1."""
        self._width = width
        self._height = height
        self._pixel = pixel
        self._reformatter = VideoReformatter()

    def shape(self, frame: VideoFrame) -> VideoFrame:
        """Returns a new frame, upright, cut around the centre, with nothing else kept.

        Raises ValueError if most of the picture would be cut off.
        """
        quarters = round(frame.rotation / 90) % 4
        wide, high = self._scaled_size(frame, quarters)
        scaled = self._reformatter.reformat(
            frame,
            width=wide,
            height=high,
            format="yuv420p",
            src_colorspace=_matrix(frame),
            dst_colorspace=Colorspace.ITU709,
            src_color_range=frame.color_range or ColorRange.MPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
            threads=1,
        )
        shaped = VideoFrame(self._width, self._height, "yuv420p")
        for source, target in zip(planes_of(scaled), planes_of(shaped), strict=True):
            upright = np.rot90(source, quarters)
            high, wide = target.shape
            top, left = (upright.shape[0] - high) // 2, (upright.shape[1] - wide) // 2
            target[:] = upright[top : top + high, left : left + wide]
        return shaped

    def _scaled_size(self, frame: VideoFrame, quarters: int) -> tuple[int, int]:
        """The even size, as the frame lies, that just covers the size wanted."""
        wanted = (self._width, self._height)
        if quarters % 2:
            wanted = (self._height, self._width)
        wide, high = frame.width * self._pixel, Fraction(frame.height)
        scale = max(wanted[0] / wide, wanted[1] / high)
        if wanted[0] * wanted[1] < _LEAST * (wide * high * scale * scale):
            raise ValueError(
                f"the clip is {frame.width}x{frame.height} pixels, a shape of which "
                f"most would be lost in {self._width}x{self._height}"
            )
        return (
            max(wanted[0], round(wide * scale / 2) * 2),
            max(wanted[1], round(high * scale / 2) * 2),
        )


def _matrix(frame: VideoFrame) -> Colorspace:
    """What it says, or else what players take it for by its size."""
    large = frame.width >= 1280 or frame.height > 576
    unsaid = Colorspace.ITU709 if large else Colorspace.ITU601
    return _MATRICES.get(frame.colorspace, unsaid)
