"""Clips and images such as providers send, whole and damaged."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt

SIZE = WIDTH, HEIGHT = 320, 180
FRAME_RATE = 24
RED = (200, 30, 40)
RGB, BT709, UNSAID, BT601 = 0, 1, 2, 5
"""Codes of the matrix of colours, ITU-T H.273, table 4."""
SETTINGS = {"crf": "8", "preset": "veryfast", "b_strategy": "0"}
"""Of x264; the last makes it use B-frames whatever it sees."""


def gray(level: int, size: tuple[int, int] = SIZE) -> Image.Image:
    return Image.new("RGB", size, (level,) * 3)


def noise(number: int) -> Image.Image:
    rng = np.random.default_rng(number)
    return Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8))


def disc(size: tuple[int, int], radius: int) -> Image.Image:
    """A white disc in the centre, and a red edge on the left."""
    image = Image.new("RGB", size, "black")
    draw = ImageDraw.Draw(image)
    draw.circle((size[0] / 2, size[1] / 2), radius, "white")
    draw.rectangle((0, 0, size[0] // 5, size[1]), "red")
    return image


def shape_of_disc(picture: npt.NDArray[Any]) -> tuple[float, ...]:
    """Its centre and its extent, across and down."""
    rows, columns = np.nonzero(picture.min(axis=2) > 128)
    across = (columns.min() + columns.max()) / 2, np.ptp(columns) + 1
    down = (rows.min() + rows.max()) / 2, np.ptp(rows) + 1
    return tuple(map(float, (across[0], down[0], across[1], down[1])))


def at_rate(rate: int, frames: int) -> list[Fraction]:
    return [Fraction(number, rate) for number in range(frames)]


def make_clip(
    path: Path,
    times: Sequence[Fraction],
    *,
    picture: Callable[[int], Image.Image] = lambda number: gray(10 + 4 * number),
    codec: str = "libx264",
    pixels: str = "yuv420p",
    matrix: int = BT709,
    full_range: bool = False,
    rotation: int = 0,
    pixel: Fraction = Fraction(1),
    sound: bool = False,
    **options: str,
) -> str:
    """Encodes pictures, shown at those times in seconds, with B-frames."""
    ticks = 90_000
    container: Any = av.open(str(path), "w", options={"movflags": "faststart"})
    with container as output:
        stream = output.add_stream(codec, 24, {**SETTINGS, **options})
        stream.width, stream.height = picture(0).size
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, ticks)
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full_range else 1
        stream.codec_context.sample_aspect_ratio = pixel
        if rotation:
            stream.set_display_rotation(rotation)
        if sound:
            add_sound(output)
        for number, time in enumerate(times):
            frame = VideoFrame.from_ndarray(np.asarray(picture(number)), "rgb24")
            frame = frame.reformat(
                format=pixels,
                dst_colorspace=matrix,
                dst_color_range=ColorRange.JPEG if full_range else ColorRange.MPEG,
            )
            frame.pts, frame.time_base = int(time * ticks), Fraction(1, ticks)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return str(path)


def add_sound(output: Any) -> None:
    """Adds a silent track of one second."""
    stream = output.add_stream("aac", 44_100)
    samples = np.zeros((1, 2 * 44_100), np.int16)
    frame = AudioFrame.from_ndarray(samples, "s16", "stereo")
    frame.sample_rate = 44_100
    for block in (frame, None):
        output.mux(stream.encode(block))


def copy(
    source: Path, target: Path, *, shift: Fraction = Fraction(0), skip: int = 0
) -> None:
    """Copies a clip's packets but the first `skip`, so many seconds later."""
    options = {"avoid_negative_ts": "disabled"}
    with (
        av.open(str(source)) as opened,
        av.open(str(target), "w", options=options) as o,
    ):
        stream = o.add_stream_from_template(opened.streams.video[0])  # pyright: ignore[reportUnknownMemberType]
        for packet in [p for p in opened.demux(video=0) if p.size][skip:]:
            if packet.pts is None or packet.dts is None:
                continue
            ticks = int(shift / packet.time_base)
            packet.pts, packet.dts = packet.pts + ticks, packet.dts + ticks
            packet.stream = stream
            o.mux(packet)  # pyright: ignore[reportUnknownMemberType]


def cut_off(path: Path) -> None:
    """In the middle of the last frame of a clip, or of the lines of an image."""
    path.write_bytes(path.read_bytes()[:-100])


def nothing(path: Path) -> None:
    path.touch()


def words(path: Path) -> None:
    path.write_text('{"error": "no such file"}')


def picture_in(kind: str, size: tuple[int, int] = SIZE) -> Callable[[Path], None]:
    return lambda path: gray(90, size).save(path, kind)
