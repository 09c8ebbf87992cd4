"""The clip of a segment: a still in motion, with the words of the song over it."""

import os
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import TypedDict

import numpy as np
from av.video.frame import VideoFrame
from PIL import Image, ImageOps

from services.generator.providers.local.camera import set_camera
from services.generator.providers.local.encoder import encode
from services.generator.providers.local.layout import lay_out
from services.generator.providers.local.lens import Lens
from services.generator.providers.local.overlay import Plane
from services.generator.providers.local.still import OVERSCAN
from services.generator.providers.local.words import Caption, ink_for


class Line(TypedDict):
    text: str
    start: float
    end: float
    """Seconds from the start of the clip; either may lie outside it."""


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
    frames stand at 0, every two seconds and at the numbers in `keyframes`. Returns
    `frames`. Raises ValueError for odd sides or no frames.
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
    return {"frames": frames}


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
    camera = set_camera(seed, frame_rate, frames)
    captions = _captions(lines, source, width, height)
    lenses = [Lens(source[0], width, height)]
    lenses += [Lens(plane, width // 2, height // 2) for plane in source[1:]]
    for number in range(frames):
        frame = VideoFrame(width, height, "yuv420p")
        planes = planes_of(frame)
        view = camera.view(number)
        for lens, plane in zip(lenses, planes, strict=True):
            lens.look(view, plane)
        for caption in captions:
            caption.draw(planes, number / frame_rate)
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
        np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)[
            :, : plane.width
        ]
        for plane in frame.planes
    ]


def _captions(
    lines: Sequence[Line], source: list[Plane], width: int, height: int
) -> list[Caption]:
    laid_out = [
        (words, start, end)
        for text, start, end in _spans(lines)
        if end > start and (words := lay_out(text, width, height))
    ]
    if not laid_out:
        return []
    # One ink for the whole clip: letters that change colour look like a mistake.
    shown = np.asarray(
        Image.fromarray(source[0]).resize((width, height), Image.Resampling.NEAREST)
    )
    ink = ink_for([word for words, _, _ in laid_out for word in words], shown)
    return [
        Caption(words, ink, start=start, end=end, size=(width, height))
        for words, start, end in laid_out
    ]


def _spans(lines: Sequence[Line]) -> list[tuple[str, float, float]]:
    """Lines in order, none on top of another: those that start together share a
    caption, a row each, and a line ends where the next one starts.
    """
    together: dict[float, list[Line]] = {}
    for line in sorted(lines, key=lambda line: line["start"]):
        together.setdefault(line["start"], []).append(line)
    starts = [*together, float("inf")]
    return [
        (
            "\n".join(line["text"] for line in together[start]),
            start,
            min(max(line["end"] for line in together[start]), following),
        )
        for start, following in pairwise(starts)
    ]
