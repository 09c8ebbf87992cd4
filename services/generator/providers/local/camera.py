"""The camera: a slow, even drift and zoom over a still, finer than a pixel."""

import math
from dataclasses import dataclass

from services.generator.providers.local.look import generator

_WIDE, _TIGHT = 0.955, 0.885
"""How much of the still's width and height the view spans at each end of the zoom."""
_REACH = (1 - _WIDE) / 2
"""From the middle: the slack of the widest view, so that the zoom changes no pace."""
_ROUND = 22.0
"""Seconds for one round of the drift."""
_SLOWEST = 0.07
"""Pixels a frame: less, and small clips at high rates would hold equal frames."""
_LONGEST_ZOOM = 12.0
"""Seconds; a longer clip zooms in and out again."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """The centre of the view goes round an ellipse, so that it never stands still."""

    frame_rate: int
    start_angle: float
    turn: float
    """Radians a second."""
    zoom_seconds: float
    zooms_in: bool

    def view(self, frame: int) -> Box:
        """What the frame shows, as (left, top, right, bottom) shares of the still."""
        time = frame / self.frame_rate
        swing = math.cos(math.pi * time / self.zoom_seconds) / 2
        share = 0.5 + swing if self.zooms_in else 0.5 - swing
        span = _TIGHT + (_WIDE - _TIGHT) * share
        angle = self.start_angle + self.turn * time
        x = 0.5 + _REACH * math.cos(angle)
        y = 0.5 + _REACH * math.sin(angle)
        return (x - span / 2, y - span / 2, x + span / 2, y + span / 2)


def set_camera(seed: int, frame_rate: int, frames: int, side: float) -> Camera:
    """`side` is the shorter one of the still, in pixels."""
    rng = generator(seed)
    slowest = _SLOWEST * frame_rate / (_REACH * side)
    return Camera(
        frame_rate=frame_rate,
        start_angle=float(rng.uniform(0, 2 * math.pi)),
        turn=max(2 * math.pi / _ROUND, slowest) * (1 if rng.random() < 0.5 else -1),
        zoom_seconds=min(max(frames / frame_rate, 2.0), _LONGEST_ZOOM),
        zooms_in=bool(rng.random() < 0.6),
    )
