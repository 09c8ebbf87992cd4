"""The lens: any part of a plane, resampled to a frame, finer than a pixel.

Bilinear, in fixed point, one axis after the other. Both axes are gathered by rows,
the first from the transposed plane, because a row is copied at the speed of memory
and a column is not: half the time of Pillow's resize, measured.
"""

import numpy as np
import numpy.typing as npt

from services.generator.providers.local.overlay import Plane

_Indices = npt.NDArray[np.intp]
_Weights = npt.NDArray[np.uint16]

_BAND = 96
"""Rows mixed at a time."""


class Lens:
    """Looks at one plane of a still in TV range; the sides are those of the frame."""

    def __init__(self, plane: Plane, width: int, height: int) -> None:
        # Each of the two roundings is down, by half a level on average: one in all.
        self._turned = np.ascontiguousarray(plane.T) + np.uint8(1)
        columns, rows = self._turned.shape
        self._narrow = np.empty((width, rows), np.uint8)
        self._upright = np.empty((rows, width), np.uint8)
        self._across = _Mixer(rows)
        self._down = _Mixer(width)
        self._columns, self._rows = columns, rows
        self._width, self._height = width, height

    def look(self, view: tuple[float, float, float, float], out: Plane) -> None:
        """Writes (left, top, right, bottom), shares of the still, into `out`."""
        left, top, right, bottom = view
        across = _positions(left, right, self._width, self._columns)
        down = _positions(top, bottom, self._height, self._rows)
        self._across.mix(self._turned, *across, self._narrow)
        np.copyto(self._upright, self._narrow.T)
        self._down.mix(self._upright, *down, out)


class _Mixer:
    """Means of neighbouring rows, a band at a time, so that buffers stay in cache."""

    def __init__(self, columns: int) -> None:
        self._row = np.empty((_BAND, columns), np.uint8)
        self._sum = np.empty((_BAND, columns), np.uint16)
        self._next = np.empty((_BAND, columns), np.uint16)

    def mix(
        self, source: Plane, first: _Indices, weights: _Weights, out: Plane
    ) -> None:
        for top in range(0, len(first), _BAND):
            band = slice(top, top + _BAND)
            self._mix_band(source, first[band], weights[band], out[band])

    def _mix_band(
        self, source: Plane, first: _Indices, weights: _Weights, out: Plane
    ) -> None:
        count = len(first)
        row, mean, second = self._row[:count], self._sum[:count], self._next[:count]
        np.take(source, first, axis=0, out=row, mode="clip")
        np.multiply(row, 256 - weights, out=mean)
        np.take(source, first + 1, axis=0, out=row, mode="clip")
        np.multiply(row, weights, out=second)
        mean += second
        mean >>= np.uint16(8)
        np.copyto(out, mean, casting="unsafe")


def _positions(
    start: float, end: float, count: int, size: int
) -> tuple[_Indices, _Weights]:
    """Which row comes first for each output row, and the weight of the next, of 256."""
    step = (end - start) * size / count
    at = start * size - 0.5 + (np.arange(count) + 0.5) * step
    at = np.clip(at, 0, size - 1)
    first = at.astype(np.intp)
    weights = ((at - first) * 256 + 0.5).astype(np.uint16)
    return first, weights[:, None]
