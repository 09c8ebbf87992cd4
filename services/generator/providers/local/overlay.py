"""Overlays: what is laid over a frame, as weights for its planes.

An overlay changes the luma of a frame to `luma * keep + add`, and takes the colour
out of it by as much as it covers. Overlays compose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.generator.providers.local.look import Floats

Plane = npt.NDArray[np.uint8]
_Weights = npt.NDArray[np.uint16]
Box = tuple[int, int, int, int]
"""(left, top, right, bottom) in pixels; all even, as chroma has half of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    box: Box
    keep: Floats
    """(h, w), 0..1."""
    add: Floats
    """(h, w), luma."""

    def put_over(self, below: "Overlay") -> None:
        """Composes this into `below`, in place; its box must hold this one's."""
        left, top, right, bottom = self.box
        x, y, _, _ = below.box
        part = (slice(top - y, bottom - y), slice(left - x, right - x))
        below.add[part] *= self.keep
        below.add[part] += self.add
        below.keep[part] *= self.keep

    def put_under(self, above: "Overlay") -> None:
        """As `put_over`, but what `above` already covers stays as it is."""
        left, top, right, bottom = self.box
        x, y, _, _ = above.box
        part = (slice(top - y, bottom - y), slice(left - x, right - x))
        above.add[part] += above.keep[part] * self.add
        above.keep[part] *= self.keep


def nothing(box: Box) -> Overlay:
    left, top, right, bottom = box
    shape = (bottom - top, right - left)
    return Overlay(
        box=box, keep=np.ones(shape, np.float32), add=np.zeros(shape, np.float32)
    )


class Stamp:
    """An overlay in fixed point, ready to be blended into any number of frames."""

    def __init__(self, overlay: Overlay, width: int, height: int) -> None:
        left, top, right, bottom = overlay.box
        x, y = max(left, 0), max(top, 0)
        inside = (
            slice(y - top, min(bottom, height) - top),
            slice(x - left, min(right, width) - left),
        )
        keep, add = overlay.keep[inside], overlay.add[inside]
        rows, columns = keep.shape
        self._luma = (slice(y, y + rows), slice(x, x + columns))
        self._chroma = (
            slice(y // 2, (y + rows) // 2),
            slice(x // 2, (x + columns) // 2),
        )
        self._keep = (keep * 256 + 0.5).astype(np.uint16)
        self._add = (add * 256 + 128).astype(np.uint16)
        keep = keep[::2, ::2] + keep[1::2, ::2] + keep[::2, 1::2] + keep[1::2, 1::2]
        self._keep_color = (keep * 64 + 0.5).astype(np.uint16)
        # What is covered turns grey, and the 128 at the end rounds the shift.
        self._add_grey = (256 - self._keep_color) * np.uint16(128) + np.uint16(128)

    def blend(self, planes: Sequence[Plane], strength: float = 1.0) -> None:
        """Into the Y, U and V planes of one frame, in place."""
        luma, *chroma = planes
        keep, add = _faded(self._keep, self._add, strength)
        _blend(luma[self._luma], keep, add)
        keep, add = _faded(self._keep_color, self._add_grey, strength)
        for plane in chroma:
            _blend(plane[self._chroma], keep, add)


def _faded(keep: _Weights, add: _Weights, strength: float) -> tuple[_Weights, _Weights]:
    if strength >= 1:
        return keep, add
    share = np.uint16(strength * 256)
    cover = (256 - keep) * share
    cover >>= np.uint16(8)
    return 256 - cover, (add >> np.uint16(8)) * share + np.uint16(128)


def _blend(part: Plane, keep: _Weights, add: _Weights) -> None:
    mixed = keep * part
    mixed += add
    mixed >>= np.uint16(8)
    np.copyto(part, mixed, casting="unsafe")
