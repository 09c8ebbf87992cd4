"""The still of a segment: a generative picture in the song's look."""

import os
import zlib

import numpy as np
from PIL import Image

from services.generator.providers.local.aurora import paint_aurora
from services.generator.providers.local.look import (
    Floats,
    Scene,
    choose_look,
    generator,
)
from services.generator.providers.local.ridges import paint_ridges
from services.generator.providers.local.silk import paint_silk

OVERSCAN = 1.16
"""How much larger than the frame a still is painted, for the pan and the zoom."""
_LARGEST_SIDE = 2600
"""Pixels; larger stills are painted at this size, then enlarged."""
_JPEG_QUALITY = 92
_GRAIN = 0.009
"""Standard deviation of the film grain; it keeps soft gradients from banding."""


def paint_still(
    *,
    prompt: str,
    style: str,
    song_seed: int,
    seed: int,
    width: int,
    height: int,
    path: str,
) -> dict[str, object]:
    """Paints a JPEG for clips of that frame size, the same for the same arguments.

    Look and colours follow the style and the song's seed; the composition follows
    the prompt and the segment's seed. Returns `width` and `height` of the picture,
    which is larger than the frame, and the name of its `look`.
    """
    look = choose_look(style, song_seed)
    wide, high = (round(side * OVERSCAN / 2) * 2 for side in (width, height))
    shrink = min(1.0, _LARGEST_SIDE / max(wide, high))
    size = (round(wide * shrink), round(high * shrink))
    rng = generator(song_seed, seed, zlib.crc32(prompt.encode()))
    match look.scene:
        case Scene.RIDGES:
            picture = paint_ridges(look, rng, *size)
        case Scene.AURORA:
            picture = paint_aurora(look, rng, *size)
        case Scene.SILK:
            picture = paint_silk(look, rng, *size)
    image = Image.fromarray(_developed(picture, rng))
    if image.size != (wide, high):
        image = image.resize((wide, high), Image.Resampling.LANCZOS)
    part = f"{path}.part"
    image.save(part, "JPEG", quality=_JPEG_QUALITY)
    os.replace(part, path)
    return {"width": wide, "height": high, "look": look.name}


def _developed(
    picture: Floats, rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Vignette and grain, then 8 bits."""
    height, width, _ = picture.shape
    x = np.linspace(-1, 1, width, dtype=np.float32)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    picture *= (1 - 0.13 * (x * x + y * y) ** 2 / 2)[..., None]
    grain = rng.standard_normal((height + 1, width + 1), dtype=np.float32)
    # Averaged over 2 x 2, so that sampling between pixels cannot make it flicker.
    grain = grain[1:, 1:] + grain[:-1, 1:] + grain[1:, :-1] + grain[:-1, :-1]
    picture += (grain * (_GRAIN / 2))[..., None]
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)
