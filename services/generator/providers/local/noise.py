"""Smooth random fields, the raw material of every scene."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from services.generator.providers.local.look import Floats


def field(
    rng: np.random.Generator, width: int, height: int, cells: tuple[float, float]
) -> Floats:
    """One octave: a random lattice of that many cells across and down, as (h, w)."""
    across, down = cells
    lattice = rng.random((int(down) + 5, int(across) + 5), dtype=np.float32)
    # Two cells of slack on each side keep the bicubic kernel off the edges.
    box = (2.0, 2.0, 2.0 + across, 2.0 + down)
    image = Image.fromarray(lattice)
    return np.asarray(
        image.resize((width, height), Image.Resampling.BICUBIC, box=box), np.float32
    )


def fractal(
    rng: np.random.Generator,
    width: int,
    height: int,
    *,
    cells: tuple[float, float],
    octaves: int,
    gain: float = 0.5,
) -> Floats:
    """Octaves of `field`, each twice as fine; (h, w), scaled to exactly 0..1."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        finer = (cells[0] * 2**octave, cells[1] * 2**octave)
        total += field(rng, width, height, finer) * (gain**octave)
    return stretch(total)


def tile(rng: np.random.Generator, side: int, *, cells: int, octaves: int) -> Floats:
    """A square of noise that repeats without a seam, scaled to exactly 0..1."""
    total = np.zeros((side, side), np.float32)
    for octave in range(octaves):
        count = cells * 2**octave
        lattice = rng.random((count, count), dtype=np.float32)
        image = Image.fromarray(np.pad(lattice, 2, mode="wrap"))
        box = (2.0, 2.0, 2.0 + count, 2.0 + count)
        finer = image.resize((side, side), Image.Resampling.BICUBIC, box=box)
        total += np.asarray(finer, np.float32) * (0.5**octave)
    return stretch(total)


def line(
    rng: np.random.Generator,
    width: int,
    *,
    cells: float,
    octaves: int,
    gain: float = 0.5,
) -> Floats:
    """A smooth random curve: (w,), scaled to exactly 0..1."""
    total = np.zeros(width, np.float32)
    for octave in range(octaves):
        count = cells * 2**octave
        knots = rng.random(int(count) + 3, dtype=np.float32)
        at = np.arange(width, dtype=np.float32) * (count / width)
        index = at.astype(np.intp)
        ease = (at - index) ** 2 * (3 - 2 * (at - index))
        curve = knots[index] * (1 - ease) + knots[index + 1] * ease
        total += curve * gain**octave
    return stretch(total)


def stretch(values: Floats) -> Floats:
    low, high = values.min(), values.max()
    return (values - low) / max(high - low, (1e-6))


def sample(texture: Floats, x: Floats, y: Floats) -> Floats:
    """The texture, repeated without end, at pixel coordinates, bilinear."""
    height, width = texture.shape
    left, top = np.floor(x), np.floor(y)
    across, down = x - left, y - top
    column = _wrap(left, width)
    row = _wrap(top, height)
    right = np.where(column + 1 == width, 0, column + 1)
    below = np.where(row + 1 == height, 0, row + 1) * width
    row = row * width
    flat = texture.ravel()
    upper = flat[row + column] * (1 - across) + flat[row + right] * across
    lower = flat[below + column] * (1 - across) + flat[below + right] * across
    return upper * (1 - down) + lower * down


def _wrap(values: Floats, size: int) -> npt.NDArray[np.int32]:
    return values.astype(np.int32) % np.int32(size)
