"""The local renderer against the encoder that it cannot do without.

The floor is x264 alone, on the very frames that the renderer draws and with its
settings, in the same run. CPU time, since both use one thread.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.figure import Figure
from services.generator.providers.local.clip import draw_frames, render_clip
from services.generator.providers.local.encoder import encode
from services.generator.providers.local.still import paint_still
from services.generator.providers.local.words import Line

_SIZE = (1280, 720)
_FRAME_RATE, _FRAMES, _SEED, _ROUNDS = 24, 96, 1, 3
_LINES: list[Line] = [
    {"text": "We were running through the golden light", "start": 0.2, "end": 2.1},
    {"text": "तुम हो तो हर रात दिवाली है", "start": 2.1, "end": 3.9},
]


async def measure() -> list[Figure]:
    """CPU milliseconds a frame at 1280x720, words and encoding included."""
    with tempfile.TemporaryDirectory() as folder:
        still, path = str(Path(folder, "still.jpg")), str(Path(folder, "clip.mp4"))
        width, height = _SIZE
        paint_still(
            prompt="",
            style="dusk",
            song_seed=_SEED,
            seed=_SEED,
            width=width,
            height=height,
            path=still,
        )
        frames = list(draw_frames(still, _LINES, _SIZE, _FRAME_RATE, _FRAMES, _SEED))

        def render() -> None:
            render_clip(
                still=still,
                lines=_LINES,
                width=width,
                height=height,
                frame_rate=_FRAME_RATE,
                frames=_FRAMES,
                seed=_SEED,
                path=path,
            )

        def encode_alone() -> None:
            encode(frames, path, width=width, height=height, frame_rate=_FRAME_RATE)

        rounds = [(_cost(render), _cost(encode_alone)) for _ in range(_ROUNDS)]
    return [
        Figure(
            name="renderer_cpu_per_frame",
            value=statistics.median(cost for cost, _ in rounds),
            unit="ms",
            floor=statistics.median(cost for _, cost in rounds),
            at_most=2,
        )
    ]


def _cost(work: Callable[[], None]) -> float:
    """CPU milliseconds a frame."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1000 / _FRAMES
