"""The clip of a segment: a still in motion, with the words of the song over it."""

import os
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image, ImageOps

from services.generator.providers.local import fonts
from services.generator.providers.local.camera import set_camera
from services.generator.providers.local.encoder import encode
from services.generator.providers.local.lens import Lens
from services.generator.providers.local.overlay import Plane
from services.generator.providers.local.still import OVERSCAN
from services.generator.providers.local.words import Line, Words


def render_clip(
    *,
    still: str,
    lines: Sequence[Line],
    width: int,
    height: int,
    frame_rate: int,
    frames: int,
    seed: int,
    path: str,
    keyframes: Collection[int] = (),
) -> dict[str, object]:
    """Writes an MP4 of exactly that many frames: canonical, ready to be copied.

    The camera drifts over the image file `still`, cut to the shape of the frame. IDR
    frames stand at 0, at the numbers in `keyframes`, and never more than two seconds
    apart. Returns `frames`, and in `missing_letters` those that no installed font
    has, which are left out. Raises ValueError for odd sides or no frames.
    """
    if width % 2 or height % 2 or frames < 1:
        raise ValueError(
            f"A clip needs even sides and at least one frame, "
            f"not {width}x{height} and {frames} frames"
        )
    part = f"{path}.part"
    encode(
        draw_frames(still, lines, (width, height), frame_rate, frames, seed),
        part,
        width=width,
        height=height,
        frame_rate=frame_rate,
        keyframes=keyframes,
    )
    os.replace(part, path)
    return {
        "frames": frames,
        "missing_letters": fonts.missing(line["text"] for line in lines),
    }


def draw_frames(
    still: str,
    lines: Sequence[Line],
    size: tuple[int, int],
    frame_rate: int,
    frames: int,
    seed: int,
) -> Iterator[VideoFrame]:
    """The frames of a clip before they are encoded: yuv420p, BT.709, TV range."""
    width, height = size
    source = _load(still, width, height)
    camera = set_camera(seed, frame_rate, frames, min(source[0].shape))
    lenses = [Lens(source[0], width, height)]
    lenses += [Lens(plane, width // 2, height // 2) for plane in source[1:]]
    words = Words(lines, source[0], width, height)
    for number in range(frames):
        frame = VideoFrame(width, height, "yuv420p")
        planes = planes_of(frame)
        view = camera.view(number)
        for lens, plane in zip(lenses, planes, strict=True):
            lens.look(view, plane)
        words.draw(planes, number / frame_rate)
        yield frame


def _load(still: str, width: int, height: int) -> list[Plane]:
    """The Y, U and V planes of the picture, a little larger than the frame."""
    size = (round(width * OVERSCAN / 2) * 2, round(height * OVERSCAN / 2) * 2)
    with Image.open(still) as opened:
        image = opened.convert("RGB")
    if image.size != size:
        image = ImageOps.fit(image, size, Image.Resampling.LANCZOS)
    frame = VideoFrame.from_ndarray(np.asarray(image), "rgb24").reformat(
        format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG"
    )
    return planes_of(frame)


def planes_of(frame: VideoFrame) -> list[Plane]:
    """Views of the Y, U and V planes of a yuv420p frame; writing to them is allowed."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(
            plane.height, plane.line_size
        )[:, : plane.width]
        for plane in frame.planes
    ]
