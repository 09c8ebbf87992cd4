"""Shapes: which pictures and clips each provider makes, of what is wanted.

What is asked of a provider follows from them, and what that costs.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

OMNI_HEIGHTS = (360, 720, 1080, 2160)
VEO_HEIGHTS = (720, 1080)

_BEYOND_1K = 1400
"""Pixels of the longer side; 1K is 1376 x 768 at 16:9."""
_ONLY_1K = ("gemini-2.5-flash-image", "gemini-3.1-flash-lite-image")

_SHORTEST_OMNI = 3
_LONGEST_OMNI = {"gemini-omni-1.2-flash": 15}
_LONGEST_OF_OTHERS = 10
"""Seconds of a clip of Omni's models, those that are not named too."""
_VEO_LENGTHS = (4, 6, 8)
_MILLISECOND = timedelta(milliseconds=1)


def covering_height(width: int, height: int, heights: Sequence[int]) -> int:
    """Returns the p, as in 720p, of the smallest 16:9 or 9:16 video over the frame.

    `heights` ascend; where none is large enough, it is the last one.
    """
    long, short = max(width, height), min(width, height)
    covering = (p for p in heights if p >= short and p * 16 >= long * 9)
    return next(covering, heights[-1])


def covering_size(width: int, height: int, heights: Sequence[int]) -> tuple[int, int]:
    """Returns width and height of that video, which lies as the frame does."""
    short = covering_height(width, height, heights)
    long = short * 16 // 9
    return (long, short) if width >= height else (short, long)


def gemini_size(model: str, width: int, height: int) -> str:
    """Returns the size of Gemini's picture for a frame: 1K or 2K."""
    large = max(width, height) > _BEYOND_1K
    return "2K" if large and model not in _ONLY_1K else "1K"


def omni_seconds(model: str, duration: timedelta) -> int:
    """Returns the length of Omni's clip; no longer than its model can make it."""
    wanted = math.ceil(duration.total_seconds())
    longest = _LONGEST_OMNI.get(model, _LONGEST_OF_OTHERS)
    return min(max(wanted, _SHORTEST_OMNI), longest)


def veo_seconds(duration: timedelta) -> int:
    """Returns the length of Veo's clip; 8 s for all that is longer."""
    wanted = duration.total_seconds()
    return next((s for s in _VEO_LENGTHS if s >= wanted), _VEO_LENGTHS[-1])


def odyssey_milliseconds(duration: timedelta) -> int:
    """Returns the length of Odyssey's clip, which fills what it must."""
    return -(-duration // _MILLISECOND)
