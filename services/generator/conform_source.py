"""A clip from elsewhere, read strictly.

Its metadata proves nothing: it is measured by its packets, and of every frame that is
used the decoder must have had all data. H.264 has no checksum, so this finds most
damage and not all.
"""

from __future__ import annotations

from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.error import FFmpegError
from av.video.stream import VideoStream

from services.generator.conform_shape import LARGEST_SIDE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from av.container import InputContainer
    from av.video.frame import VideoFrame

_OPTIONS = {"format_whitelist": "mp4,webm", "protocol_whitelist": "file"}
"""A playlist would make the demuxer open other files; MOV and Matroska are read too."""


class ClipSource:
    """The pictures of a clip; raises ValueError for one that is of no use."""

    def __init__(self, path: str) -> None:
        self._path = path
        with _open_clip(path) as (container, stream):
            self.pixel = stream.sample_aspect_ratio or Fraction(1)
            """The width of a pixel for a height of 1."""
            times = _shown(container, stream)
        if len(times) < 2:
            raise ValueError(f"the clip has {len(times)} frames, which is no movement")
        self._start = min(times)
        self.count = len(times)
        """Frames."""
        shown_until_last = max(times) - self._start
        self.seconds = shown_until_last * self.count / (self.count - 1)
        """From the first frame to the end of the last, which lasts as the others do."""

    def frames(self) -> Iterator[tuple[Fraction, VideoFrame]]:
        """Decodes the frames one at a time, with the seconds since the first."""
        decoded = 0
        with _open_clip(self._path) as (container, stream):
            for frame in container.decode(stream):
                # Flipped bits may raise nothing and show in this flag alone.
                if frame.is_corrupt:
                    raise ValueError("the clip is broken: a frame of it lacks data")
                if frame.pts is None or frame.time_base is None:
                    raise ValueError("the clip does not say when its frames are shown")
                yield frame.pts * frame.time_base - self._start, frame
                decoded += 1
        if decoded < self.count:
            raise ValueError(
                f"the clip is broken: {decoded} of its {self.count} frames decode"
            )


@contextmanager
def _open_clip(path: str) -> Generator[tuple[InputContainer, VideoStream]]:
    """Opens a clip's picture; FFmpeg's errors inside the block get words."""
    try:
        with av.open(path, container_options=_OPTIONS) as container:
            stream = container.streams.best("video")
            if not isinstance(stream, VideoStream):
                raise ValueError("the clip has no picture")  # noqa: TRY004
            codec = stream.codec_context
            if max(codec.width, codec.height) > LARGEST_SIDE:
                raise ValueError(
                    f"the clip is {codec.width}x{codec.height} pixels; "
                    f"no side may have more than {LARGEST_SIDE}"
                )
            # Slice threads, the default, lose the errors of their slices.
            codec.thread_type = "NONE"
            codec.options = {"err_detect": "explode"}
            yield container, stream
    except FFmpegError as error:
        raise ValueError(
            f"the clip is broken, or not an MP4 or WebM: {error.strerror}"
        ) from error


def _shown(container: InputContainer, stream: VideoStream) -> set[Fraction]:
    """The times of all frames but those that an edit list hides, in seconds."""
    found = 0
    times: set[Fraction] = set()
    for packet in container.demux(stream):
        if not packet.size:  # the demuxer's mark at the end
            continue
        if packet.is_corrupt or packet.pts is None:
            raise ValueError("the clip is broken: it ends in the middle of a frame")
        found += 1
        if not packet.is_discard:
            times.add(packet.pts * packet.time_base)
    if found < stream.frames:
        raise ValueError(f"the clip is cut off: {found} of {stream.frames} frames")
    return times
