"""The encoder: frames to a canonical clip, whose packets a stitcher may copy.

Canonical means H.264 in MP4, yuv420p, BT.709 in TV range, a constant frame rate,
closed groups that open with an IDR frame, no audio, and parameter sets that are
byte-identical in all clips of one size and rate.
"""

from collections.abc import Collection, Iterable
from fractions import Fraction

import av
from av.container import OutputContainer
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

_BT709 = 1
_TV_RANGE = 1
"""The codes of H.264 for the colour space and the range of its samples."""
_GOP_SECONDS = 2
_X264 = (
    "stitchable=1:scenecut=0:open-gop=0:deblock=-1,-1"
    # Dark skies band first, so what is dark gets more of the bits.
    ":aq-mode=3"
    # A slow drift changes little from frame to frame; these keep that little.
    ":no-fast-pskip=1:no-dct-decimate=1"
)
_SMALL = 640 * 360
"""Pixels of a frame; below it the drift needs finer steps still, and bits are few."""
_OPTIONS = {
    "preset": "superfast",
    "crf": "21",
    "profile": "high",
    "forced-idr": "1",
}


def encode(
    pictures: Iterable[VideoFrame],
    path: str,
    *,
    width: int,
    height: int,
    frame_rate: int,
    keyframes: Collection[int] = (),
) -> None:
    """Writes yuv420p frames to an MP4 at that rate, in the order they come.

    IDR frames stand at 0, at the numbers in `keyframes`, and never more than two
    seconds apart.
    """
    container = av.open(path, "w", format="mp4", options={"movflags": "faststart"})
    with container:
        x264 = f"{_X264}:keyint={_GOP_SECONDS * frame_rate}"
        if width * height <= _SMALL:
            x264 += ":deadzone-inter=4"
        stream = container.add_stream(  # pyright: ignore[reportUnknownMemberType]
            "libx264", rate=frame_rate, options={**_OPTIONS, "x264-params": x264}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.thread_count = 1
        context.time_base = Fraction(1, frame_rate)
        context.color_primaries = context.color_trc = context.colorspace = _BT709
        context.color_range = _TV_RANGE
        for number, picture in enumerate(pictures):
            picture.pts = number
            picture.time_base = Fraction(1, frame_rate)
            forced = number in keyframes
            picture.pict_type = PictureType.I if forced else PictureType.NONE
            _write(container, stream, picture)
        _write(container, stream, None)


def _write(
    container: OutputContainer, stream: VideoStream, picture: VideoFrame | None
) -> None:
    """None asks for what the encoder still holds."""
    packets = stream.encode(picture)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    container.mux(packets)  # pyright: ignore[reportUnknownMemberType]
