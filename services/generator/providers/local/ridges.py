"""Layered ridges under a low sun or moon, each paler the farther it stands."""

import numpy as np

from services.generator.providers.local.look import Floats, Look, mix, rgb, shade
from services.generator.providers.local.noise import field, fractal, line

_LAYERS = 5


def paint_ridges(
    look: Look, rng: np.random.Generator, width: int, height: int
) -> Floats:
    """The scene as (h, w, 3) float32, sRGB 0..1."""
    unit = min(width, height)
    horizon = height * rng.uniform(0.54, 0.62)
    from_middle = rng.uniform(0.1, 0.32)
    sun_x = width * (0.5 + from_middle if rng.random() < 0.5 else 0.5 - from_middle)
    radius = unit * rng.uniform(0.11, 0.17)
    sun_y = horizon - unit * rng.uniform(0.02, 0.2)

    picture = _sky(look, rng, width, height, horizon)
    _light_up(picture, look, sun_x, sun_y, radius)
    spread = np.abs(np.arange(width, dtype=np.float32) - sun_x) / unit
    sunlight = np.exp(-spread / 0.55)
    for layer in range(_LAYERS):
        depth = layer / (_LAYERS - 1)
        crest = _crest(rng, width, unit, horizon, height, depth)
        lay_ridge(picture, look, crest, depth=depth, sunlight=sunlight)
    return picture


def lay_ridge(
    picture: Floats, look: Look, crest: Floats, *, depth: float, sunlight: Floats
) -> None:
    """Paints one ridge over the picture, in place.

    `crest` is the height of its edge in pixels from the top, (w,); `depth` runs from
    0, far and hazy, to 1, near and dark; `sunlight` is 0..1 along the ridge, (w,).
    """
    height, width, _ = picture.shape
    unit = min(width, height)
    top = max(int(crest.min()) - 1, 0)
    if top >= height:
        return
    body = mix(rgb(look.far), rgb(look.near), depth**0.85)
    haze = mix(body, mix(rgb(look.ramp[-1]), rgb(look.far), 0.55), 0.42 * (1 - depth))
    below = np.arange(top, height, dtype=np.float32)[:, None] - crest
    fog = np.clip(below / (0.3 * unit), 0, 1)[..., None]
    warm = (sunlight * (0.3 * (1 - depth) ** 1.5))[None, :, None]
    color = body + (haze - body) * fog
    color += (rgb(look.glow) - color) * warm
    # A thin rim of light along the crest parts a ridge from the one behind it.
    rim = np.exp(-np.abs(below) / (0.006 * unit)) * sunlight
    color += (rim * (0.16 * (1 - depth)))[..., None] * rgb(look.light)
    cover = np.clip(below + 0.5, 0, 1)[..., None]
    picture[top:] += (color - picture[top:]) * cover


def _sky(
    look: Look, rng: np.random.Generator, width: int, height: int, horizon: float
) -> Floats:
    rows = np.arange(height, dtype=np.float32)[:, None] / horizon
    drift = field(rng, width, height, (2.2 * width / height, 2.2)) - 0.5
    position = np.clip(rows, 0, 1) ** 0.9 + drift * 0.2
    sky = shade(look.ramp, position)
    cells = (1.6 * width / height, 7.0)
    clouds = fractal(rng, width, height, cells=cells, octaves=5, gain=0.55)
    cover = np.clip((clouds - 0.5) * 2.4, 0, 1)
    cover *= np.clip(rows, 0, 1) * 0.34
    sky += (rgb(look.ramp[-1]) - sky) * cover[..., None]
    return sky


def _light_up(
    picture: Floats, look: Look, sun_x: float, sun_y: float, radius: float
) -> None:
    height, width, _ = picture.shape
    unit = min(width, height)
    x = np.arange(width, dtype=np.float32) - sun_x
    y = np.arange(height, dtype=np.float32)[:, None] - sun_y
    distance = np.sqrt(x * x + y * y)
    far = np.maximum(distance - radius, 0) / unit
    air = 0.62 * np.exp(-far / 0.3)
    picture += (rgb(look.glow) - picture) * air[..., None]
    halo = 0.35 * np.exp(-far / 0.07)
    picture += (rgb(look.light) - picture) * halo[..., None]
    disc = np.clip(radius - distance + 0.5, 0, 1)
    low = np.clip(y / radius, -1, 1) * 0.5 + 0.5
    face = rgb(look.light) + (rgb(look.glow) - rgb(look.light)) * (low[..., None] * 0.3)
    picture += (face - picture) * disc[..., None]


def _crest(
    rng: np.random.Generator,
    width: int,
    unit: int,
    horizon: float,
    height: int,
    depth: float,
) -> Floats:
    base = horizon + (height * 0.97 - horizon) * depth**0.9
    swing = unit * (0.1 + 0.12 * depth)
    cells = (1.5 + 1.2 * (1 - depth)) * width / unit
    hills = line(rng, width, cells=cells, octaves=7, gain=0.42)
    return (base + 0.45 * swing) - hills * swing
