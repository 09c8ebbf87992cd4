"""Folds of silk: noise bent by noise, lit from one side.

The domain warping is Inigo Quilez's, https://iquilezles.org/articles/warp/:
f(p + g(p + h(p))).
"""

import math

import numpy as np

from services.generator.providers.local.look import Floats, Look, rgb, shade
from services.generator.providers.local.noise import sample, stretch, tile

_TEXTURE = 512
"""Side of the noise that is bent, in pixels; it is sampled bilinearly."""
_MIDDLE = 0.37
"""Where on the ramp the median of the cloth lies."""


def paint_silk(look: Look, rng: np.random.Generator, width: int, height: int) -> Floats:
    """The scene as (h, w, 3) float32, sRGB 0..1."""
    unit = min(width, height)
    x = np.broadcast_to(np.arange(width, dtype=np.float32) / unit, (height, width))
    y = np.broadcast_to(
        np.arange(height, dtype=np.float32)[:, None] / unit, (height, width)
    )
    first, second = (tile(rng, _TEXTURE, cells=4, octaves=3) for _ in range(2))
    fine = tile(rng, _TEXTURE, cells=4, octaves=5)
    scale = _TEXTURE * rng.uniform(0.3, 0.4)
    bend = _TEXTURE * 0.3
    slow_x = sample(first, x * scale, y * scale)
    slow_y = sample(second, x * scale + 91, y * scale + 37)
    fold_x = sample(second, x * scale + slow_x * bend, y * scale + slow_y * bend)
    fold_y = sample(first, x * scale + slow_y * bend, y * scale + slow_x * bend + 53)
    twist = bend * 1.5
    cloth = sample(fine, x * scale + fold_x * twist, y * scale + fold_y * twist)
    crest = np.exp(-(((fold_x - 0.5) / 0.1) ** 2)) * fold_y
    tone = stretch(0.8 * cloth + 0.45 * crest + 0.3 * slow_x)
    # Every seed is exposed alike, and dark enough for white words.
    exposure = math.log(_MIDDLE) / math.log(float(np.median(tone)))
    picture = shade(look.ramp, tone**exposure)
    return _lit(picture, look, cloth + crest * 0.35, unit)


def _lit(picture: Floats, look: Look, cloth: Floats, unit: int) -> Floats:
    down, across = np.gradient(cloth)
    slope = (across * (-0.6) + down * (-0.8)) * unit
    light = np.tanh(slope * 0.11)
    picture *= (1 + light * 0.24)[..., None]
    sheen = np.clip(light - 0.3, 0, 1) * np.clip(cloth - 0.35, 0, 1)
    picture += (rgb(look.light) - picture) * (sheen * 0.5)[..., None]
    return picture
