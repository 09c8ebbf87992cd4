"""The local renderer as a provider: free, without a key, in killable processes."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from refrain.provider_call import FREE
from refrain.storyboard import frames_between

if TYPE_CHECKING:
    from decimal import Decimal
    from pathlib import Path

    from refrain.job import SegmentRow
    from refrain.media import MediaPool
    from refrain.v1.job_service_pb2 import VideoOptions
    from services.generator.providers.provider import ImageRequest

MODULES = [f"{__package__}.still", f"{__package__}.clip"]
"""What its processes import before their first call."""
SEAM = Fraction(1, 2)
"""Seconds at each end of a clip that can be decoded, or crossfaded, by themselves."""


class LocalRenderer:
    """Paints stills, and sets pictures in motion with the words of the song."""

    name = "local"
    model = ""

    def __init__(self, media: MediaPool) -> None:
        self._media = media

    def estimate(self, request: ImageRequest) -> Decimal:
        """Returns 0."""
        return FREE

    async def paint(self, request: ImageRequest, path: Path) -> Decimal:
        """Writes a JPEG somewhat larger than the frame. Raises TaskError."""
        await self._media.call(
            f"{__package__}.still:paint_still",
            prompt=request.prompt,
            style=request.style,
            song_seed=request.song_seed,
            seed=request.seed,
            width=request.width,
            height=request.height,
            path=str(path),
        )
        return FREE

    async def animate(
        self, segment: SegmentRow, video: VideoOptions, image: Path, path: Path
    ) -> None:
        """Writes the canonical clip of the segment. Raises TaskError."""
        start = segment.start_offset.total_seconds()
        frames = frames_of(segment, video)
        await self._media.call(
            f"{__package__}.clip:render_clip",
            still=str(image),
            lines=[
                {
                    "text": line["text"],
                    "start": line["start"] - start,
                    "end": line["end"] - start,
                }
                for line in segment.lines
            ],
            width=video.width,
            height=video.height,
            frame_rate=video.frame_rate,
            frames=frames,
            keyframes=seam_keyframes(frames, video.frame_rate),
            seed=segment.position,
            path=str(path),
        )


def frames_of(segment: SegmentRow, video: VideoOptions) -> int:
    """Returns how many frames the segment's clip has."""
    first, end = frames_between(
        segment.start_offset, segment.end_offset, video.frame_rate
    )
    return end - first


def seam_keyframes(frames: int, frame_rate: int) -> list[int]:
    """Returns where a clip of so many frames needs IDR frames beside its first."""
    seam = round(SEAM * frame_rate)
    return [seam, frames - seam] if 0 < 2 * seam < frames else []
