"""Curtains of aurora over dark ridges and a field of stars."""

import numpy as np
from PIL import Image, ImageFilter

from services.generator.providers.local.look import Floats, Look, rgb, shade
from services.generator.providers.local.noise import line
from services.generator.providers.local.ridges import lay_ridge

_CURTAINS = 3
_RIDGES = 3
_SHINE = 0.35
"""How much of the aurora's light the ridges catch, 0..1."""


def paint_aurora(
    look: Look, rng: np.random.Generator, width: int, height: int
) -> Floats:
    """The scene as (h, w, 3) float32, sRGB 0..1."""
    unit = min(width, height)
    rows = np.arange(height, dtype=np.float32)[:, None]
    picture = shade(look.ramp, np.repeat(rows / height, width, axis=1))
    light = np.zeros((height, width), np.float32)
    for curtain in range(_CURTAINS):
        light += _curtain(picture, look, rng, curtain)
    stars = _stars(rng, width, height)
    picture += (stars * np.clip(1 - light * 0.8, 0.15, 1))[..., None]
    picture /= np.maximum(picture.max(axis=2, keepdims=True), 1)
    shine = np.full(width, _SHINE, np.float32)
    for ridge in range(_RIDGES):
        depth = 0.35 + 0.65 * ridge / (_RIDGES - 1)
        base = height * (0.76 + 0.1 * ridge)
        cells = (2.4 - 0.5 * ridge) * width / unit
        hills = line(rng, width, cells=cells, octaves=7, gain=0.42)
        crest = base - (hills - 0.5) * (0.16 * unit)
        lay_ridge(picture, look, crest, depth=depth, sunlight=shine)
    return picture


def _curtain(
    picture: Floats, look: Look, rng: np.random.Generator, curtain: int
) -> Floats:
    """Adds one curtain of light to the picture; returns its strength, (h, w)."""
    height, width, _ = picture.shape
    unit = min(width, height)
    wide = width / unit
    edge = line(rng, width, cells=(1.4 + 0.7 * curtain) * wide, octaves=3, gain=0.32)
    foot = height * (0.3 + 0.15 * curtain) + (edge - 0.5) * (0.36 * unit)
    rays = line(rng, width, cells=14 * wide, octaves=4, gain=0.75)
    veil = line(rng, width, cells=2.2 * wide, octaves=2)
    reach = unit * (0.14 + 0.34 * rays * veil)
    above = foot - np.arange(height, dtype=np.float32)[:, None]
    fade = np.exp(-np.maximum(above, 0) / reach)
    cut = 1 / (1 + np.exp(-np.clip(above / (0.012 * unit), -30, 30)))
    bright = 0.35 + 0.65 * rays
    strength = fade * cut * bright * (0.35 + 0.65 * veil)
    rise = np.clip(above / (0.5 * unit), 0, 1)[..., None]
    color = rgb(look.light) + (rgb(look.glow) - rgb(look.light)) * rise
    # A screen, not a sum: where curtains cross, the light saturates gently.
    picture += (1 - picture) * color * np.minimum(1.2 * strength, 1)[..., None]
    return strength


def _stars(rng: np.random.Generator, width: int, height: int) -> Floats:
    unit = min(width, height)
    count = int(320 * width * height / unit**2)
    sky = np.zeros((height, width), np.float32)
    rows = rng.integers(0, height, count)
    columns = rng.integers(0, width, count)
    sky[rows, columns] = 255 * rng.random(count, dtype=np.float32) ** 2.5
    points = Image.fromarray(sky.astype(np.uint8))
    radius = unit / 1000
    soft = np.asarray(points.filter(ImageFilter.GaussianBlur(radius)), np.float32)
    # A blur spreads a point thin: its peak falls with the square of the radius.
    peak = 255 / max(1.0, 6.3 * radius**2)
    return np.clip(soft / peak, 0, 0.9)
