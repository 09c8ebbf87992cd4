"""The encoder: frames to a canonical clip, whose packets a stitcher may copy.

Canonical means H.264 in MP4, yuv420p, BT.709 in TV range, a constant frame rate,
closed groups that open with an IDR frame, no audio, and parameter sets that are
byte-identical in all clips of one size and rate.
"""

from collections.abc import Collection, Iterable
from fractions import Fraction

import av
from av.video.frame import PictureType, VideoFrame

_BT709 = 1
_TV_RANGE = 1
"""The codes of H.264 for the colour space and the range of its samples."""
_GOP_SECONDS = 2
_OPTIONS = {
    "preset": "superfast",
    "crf": "21",
    "profile": "high",
    "forced-idr": "1",
    # Dark skies band first, so adaptive quantisation favours what is dark.
    "x264-params": "stitchable=1:scenecut=0:open-gop=0:aq-mode=3:deblock=-1,-1",
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

    IDR frames stand at 0, every two seconds and at the numbers in `keyframes`.
    """
    container = av.open(path, "w", format="mp4", options={"movflags": "faststart"})
    with container:
        gop = str(_GOP_SECONDS * frame_rate)
        stream = container.add_stream(
            "libx264", rate=frame_rate, options={**_OPTIONS, "g": gop}
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
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
