"""Looks: which scene a song is painted as, and in which colours.

A look belongs to the song, so that all its stills are of one video; the
composition of each still comes from its own seed.
"""

import re
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
"""Always float32: what is written for a whole picture at once is bound by memory."""

_SEED_BITS = (1 << 64) - 1


class Scene(Enum):
    RIDGES = "ridges"
    AURORA = "aurora"
    SILK = "silk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Colours are sRGB hex triplets."""

    name: str
    scene: Scene
    ramp: tuple[str, ...]
    """Sky from zenith to horizon; for silk, from the deepest fold to the crest."""
    light: str
    """Sun or moon; the foot of the aurora; the sheen of silk."""
    glow: str
    """The air around the light; the top of the aurora; the sparks on silk."""
    far: str
    near: str
    """The farthest and the nearest ridge."""
    words: frozenset[str]
    """Words of a style that call for this look."""


def choose_look(style: str, song_seed: int) -> Look:
    """The first word of the style that names a look, else one by the song's seed."""
    for word in re.findall(r"\w+", style.lower()):
        for look in LOOKS:
            if word in look.words:
                return look
    return LOOKS[int(generator(song_seed).integers(len(LOOKS)))]


def generator(*seeds: int) -> np.random.Generator:
    """A random generator from any integers, negative and huge ones included."""
    return np.random.default_rng([seed & _SEED_BITS for seed in seeds])


def rgb(color: str) -> Floats:
    """`"ff8000"` -> (3,) float32 in 0..1."""
    return np.frombuffer(bytes.fromhex(color), np.uint8).astype(np.float32) / 255


def mix(first: Floats, second: Floats, share: float) -> Floats:
    return first * (1 - share) + second * share


def shade(ramp: tuple[str, ...], position: Floats) -> Floats:
    """Colours at positions 0..1 of a ramp: any shape -> shape + (3,)."""
    steps = np.linspace(0, 1, 1024)
    stops = np.stack([rgb(color) for color in ramp])
    at = np.linspace(0, 1, len(ramp))
    table = np.stack([np.interp(steps, at, stops[:, i]) for i in range(3)], axis=1)
    index = np.clip(position * 1023, 0, 1023).astype(np.intp)
    return table.astype(np.float32)[index]


def _look(
    name: str,
    scene: Scene,
    ramp: str,
    colors: str,
    words: str,
) -> Look:
    light, glow, far, near = colors.split()
    return Look(
        name=name,
        scene=scene,
        ramp=tuple(ramp.split()),
        light=light,
        glow=glow,
        far=far,
        near=near,
        words=frozenset([name, *words.split()]),
    )


LOOKS = (
    _look(
        "dusk",
        Scene.RIDGES,
        "45276b 7a3480 c9507f f17c84 fdae8c",
        "fde2a8 ff9d86 dd5c82 2b1027",
        "sunset evening warm pink romantic love ballad pop cinematic nostalgic",
    ),
    _look(
        "dawn",
        Scene.RIDGES,
        "47699f 7f9fc4 c9c3cf f6cfb8 fde3c4",
        "fff3d6 ffd3ac b39fbb 222b4c",
        "sunrise morning soft pastel hope acoustic gentle light calm",
    ),
    _look(
        "desert",
        Scene.RIDGES,
        "6f2f35 b04c34 e2823f f7b95f fddc98",
        "fff0c4 ffc06a d77f48 34130f",
        "gold golden sand country summer amber autumn blues road western",
    ),
    _look(
        "mist",
        Scene.RIDGES,
        "47717c 7c9f9f b4c9bd e3e8d2",
        "fbf8e2 e9edcf 92b0a6 0d2529",
        "forest rain folk green nature fog spring mountain indie sad",
    ),
    _look(
        "moon",
        Scene.RIDGES,
        "070c27 13214f 2a4480 5876b0 8fa5cf",
        "eef2ff 8fb0ea 4661a0 050917",
        "midnight lullaby winter snow cold lofi lonely piano",
    ),
    _look(
        "neon",
        Scene.RIDGES,
        "0f0730 3a0f66 931f88 f24a8f ff9f6e",
        "ffd75e ff5fa0 a92e86 130424",
        "city synth synthwave retro 80s electronic dance disco club house edm",
    ),
    _look(
        "night",
        Scene.AURORA,
        "0a1033 0d1a45 112a55 16405f",
        "5ff0b4 6a5acd 15264a 050a18",
        "aurora stars starry sky space north dark ambient",
    ),
    _look(
        "dream",
        Scene.AURORA,
        "120a38 20124f 33206b 4a3480",
        "8fb4ff d95fc8 2a1c58 0a0620",
        "dreamy violet purple fantasy magic mystic ethereal",
    ),
    _look(
        "ember",
        Scene.SILK,
        "1a050b 4a0912 8f1713 c7401a ee8d38 fbdc9e",
        "fff1cf ffc56b 5a0d12 1a050b",
        "fire burn burning red passion rock metal angry hot",
    ),
    _look(
        "sea",
        Scene.SILK,
        "041230 07305c 0b5f86 1a93a5 62cdbb e6f5e4",
        "f4fff4 bff3e6 0a4a70 041230",
        "ocean water blue wave waves river teal surf rb soul",
    ),
    _look(
        "rose",
        Scene.SILK,
        "1d0620 4d1140 93285e d25c7c f6a69d fde9d9",
        "fff3ea ffcbb8 6a1a48 1d0620",
        "velvet silk flower flowers jazz tender sweet kiss",
    ),
)
