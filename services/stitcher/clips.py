"""The clips of a video as one run of packets, none of them encoded again.

A clip can be copied when it is canonical: H.264 in yuv420p at a constant rate,
an IDR frame first, nothing hidden by an edit list, and the parameter sets of
every other clip, byte for byte. Anything else is refused by name.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from av.container import InputContainer
    from av.packet import Packet

_IDR = 5
_PARAMETER_SETS = {7, 8}
"""Types of NAL units, H.264 table 7-1: SPS and PPS."""


class ClipError(ValueError):
    """A clip cannot be joined to the others as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What all clips of a video have in common, and the video with them."""

    width: int
    height: int
    frame_rate: int
    """Frames a second."""


class ClipSequence:
    """Clips in order, of which one at a time is open."""

    def __init__(self, paths: Sequence[str], picture: Picture) -> None:
        self._paths = paths
        self.picture = picture
        self.starts: list[int] = []
        """First frame of each clip that `packets` has begun."""
        self.frames = 0
        """Frames of which `packets` has given the packet."""

    @contextmanager
    def template(self) -> Generator[VideoStream]:
        """Opens the first clip, whose parameters the video takes over."""
        with _open_clip(0, self._paths[0], self.picture) as (_, stream):
            yield stream

    def packets(self, output: VideoStream) -> Iterator[Packet[VideoStream]]:
        """Yields the packets of all clips, timed in frames, for `output` to mux.

        The dts counts packets from minus the reorder depth, so it rises by one
        over every cut. No pts lies before its dts: at most that many frames are
        sent ahead of one that is shown before them (`max_num_reorder_frames`,
        H.264 annex E.2.1). Raises `ClipError` for the first clip that is not
        canonical.
        """
        parameters = output.codec_context.extradata
        delay = output.codec_context.reorder_depth
        rate = self.picture.frame_rate
        for position, path in enumerate(self._paths):
            start = self.frames
            self.starts.append(start)
            with _open_clip(position, path, self.picture) as (container, stream):
                if stream.codec_context.extradata != parameters:
                    raise ClipError(
                        "has other parameter sets than the first: "
                        "encode both with the same settings and stitchable=1"
                    )
                for shown_at, packet in _canonical(container, stream, rate):
                    packet.stream = output
                    packet.time_base = Fraction(1, rate)
                    packet.pts = start + shown_at
                    packet.dts = self.frames - delay
                    packet.duration = 1
                    self.frames += 1
                    yield packet


@contextmanager
def _open_clip(
    position: int, path: str, picture: Picture
) -> Generator[tuple[InputContainer, VideoStream]]:
    """Opens a clip of the right kind; errors inside the block get its name."""
    try:
        with av.open(path) as container:
            yield container, _video_stream(container, picture)
    except (ClipError, FFmpegError) as error:
        reason = error if isinstance(error, ClipError) else f"is broken: {error}"
        name = f"clip {position} ({Path(path).name})"
        raise ClipError(f"{name} {reason}") from error


def _video_stream(container: InputContainer, picture: Picture) -> VideoStream:
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream):
        raise ClipError("has no picture")
    codec = stream.codec_context
    if (codec.name, codec.pix_fmt) != ("h264", "yuv420p"):
        raise ClipError(f"is {codec.name} in {codec.pix_fmt}, not h264 in yuv420p")
    if (codec.width, codec.height) != (picture.width, picture.height):
        raise ClipError(
            f"is {codec.width}x{codec.height}, "
            f"not {picture.width}x{picture.height} as the video"
        )
    return stream


def _canonical(
    container: InputContainer, stream: VideoStream, frame_rate: int
) -> Iterator[tuple[int, Packet[VideoStream]]]:
    """Yields each packet with the number of the frame that it shows.

    Raises `ClipError` where a packet is not whole, and at the end when the
    frames were not each shown once, in a row from the start of the clip.
    """
    shown: set[int] = set()
    for packet in container.demux(stream):
        if not packet.size:  # the demuxer's mark at the end
            continue
        units = _nal_types(packet)
        if _IDR not in units and not shown:
            raise ClipError("does not start with an IDR frame")
        if _PARAMETER_SETS & units:
            raise ClipError("changes its parameter sets on the way")
        time = Fraction(packet.pts or 0) * packet.time_base * frame_rate
        if time.denominator != 1 or packet.is_discard:
            raise ClipError(
                f"hides frames by an edit list, or has no frame every 1/{frame_rate} s"
            )
        shown.add(time.numerator)
        yield time.numerator, packet
    if not len(shown) == stream.frames == max(shown, default=-1) + 1:
        raise ClipError(f"lacks frames, or has not {frame_rate} of them a second")


def _nal_types(packet: Packet[VideoStream]) -> set[int]:
    """Reads the types of length-prefixed NAL units, ISO/IEC 14496-15, 4.3.3."""
    data = memoryview(packet)
    types: set[int] = set()
    offset = 0
    while offset + 4 < len(data):
        types.add(data[offset + 4] & 31)
        offset += 4 + int.from_bytes(data[offset : offset + 4])
    if offset != len(data):
        raise ClipError("is broken: a packet of it is cut short")
    return types
