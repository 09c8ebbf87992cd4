"""What arrives from a provider, checked and made as the local renderer makes it.

Both functions run in a media process: they take and return what JSON can hold, and
raise ValueError with words for people about an image or a clip that is of no use.
"""

from __future__ import annotations

import os
import warnings
from fractions import Fraction
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from services.generator.conform_shape import LARGEST_SIDE, Shaper
from services.generator.conform_source import ClipSource
from services.generator.providers.local.encoder import encode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from av.video.frame import VideoFrame

_IMAGE_FORMATS = ("JPEG", "PNG", "WEBP")
_JPEG_QUALITY = 92
_LONGEST_HOLD = Fraction(1, 2)
"""Seconds for which a still last frame looks like an end and not like a fault."""
_SLOWEST = Fraction(1, 2)
"""Of the clip's own speed; what is slower still looks like a row of stills."""


def conform_image(
    *, source: str, path: str, width: int, height: int
) -> dict[str, object]:
    """Writes the picture `source` as a JPEG of exactly that size in pixels.

    JPEG, PNG and WebP are read, turned upright by their EXIF orientation, laid on
    black where they are transparent, and cut to the shape of the frame around their
    centre. Returns `source_width` and `source_height`, of the upright picture.
    """
    _check_size(width, height)
    image = _read_image(source)
    fitted = ImageOps.fit(image, (width, height), Image.Resampling.LANCZOS)
    part = f"{path}.part"
    fitted.save(part, "JPEG", quality=_JPEG_QUALITY)
    os.replace(part, path)
    return {"source_width": image.width, "source_height": image.height}


def conform_clip(
    *,
    source: str,
    path: str,
    width: int,
    height: int,
    frame_rate: int,
    frames: int,
    keyframes: Collection[int] = (),
) -> dict[str, object]:
    """Writes the clip `source` as a canonical MP4 of exactly that many frames.

    Every frame is the one of the source that is nearest in time, cut to the shape of
    the frame around its centre. A clip that is too long is cut at its end; one that
    is up to half a second short holds its last frame; one that is shorter is slowed
    down, but not to less than half its speed. IDR frames stand at 0, at the numbers
    in `keyframes`, and never more than two seconds apart. Returns `frames`, and
    `source_frames` and `source_seconds` of the whole source.
    """
    _check_size(width, height)
    if frames < 1:
        raise ValueError("A clip needs at least one frame")
    clip = ClipSource(source)
    speed = _speed(clip.seconds, Fraction(frames, frame_rate))
    moments = (number * speed / frame_rate for number in range(frames))
    part = f"{path}.part"
    encode(
        _resampled(clip.frames(), moments, Shaper(width, height, clip.pixel)),
        part,
        width=width,
        height=height,
        frame_rate=frame_rate,
        keyframes=keyframes,
    )
    os.replace(part, path)
    return {
        "frames": frames,
        "source_frames": clip.count,
        "source_seconds": float(clip.seconds),
    }


def _check_size(width: int, height: int) -> None:
    if width % 2 or height % 2 or min(width, height) < 2:
        raise ValueError(f"A frame needs even sides, not {width}x{height}")


def _read_image(source: str) -> Image.Image:
    """Decodes all of a picture: upright, in RGB."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(source, formats=_IMAGE_FORMATS) as opened:
                _check_sides(opened)
                opened.verify()
            # Verifying uses a picture up; it reads the checksums of PNG.
            with Image.open(source, formats=_IMAGE_FORMATS) as opened:
                return _flattened(ImageOps.exif_transpose(opened))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"the image is too large: {error}") from error
    except (OSError, SyntaxError) as error:
        raise ValueError(
            f"the image is broken, or not a JPEG, PNG or WebP: {error}"
        ) from error


def _check_sides(image: Image.Image) -> None:
    if max(image.size) > LARGEST_SIDE:
        raise ValueError(
            f"the image is {image.width}x{image.height} pixels; "
            f"no side may have more than {LARGEST_SIDE}"
        )


def _flattened(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        raise ValueError("the image has 16 bits of gray, of which 8 would be lost")
    if not image.has_transparency_data:
        return image.convert("RGB")
    black = Image.new("RGBA", image.size, "black")
    return Image.alpha_composite(black, image.convert("RGBA")).convert("RGB")


def _speed(seconds: Fraction, wanted: Fraction) -> Fraction:
    """Returns how fast a clip of so many seconds is played to fill what is wanted."""
    if seconds < wanted * _SLOWEST:
        raise ValueError(
            f"the clip lasts {float(seconds):.2f} s, "
            f"which is less than half of the {float(wanted):.2f} s to be filled"
        )
    return Fraction(1) if seconds >= wanted - _LONGEST_HOLD else seconds / wanted


def _resampled(
    frames: Iterator[tuple[Fraction, VideoFrame]],
    moments: Iterable[Fraction],
    shaper: Shaper,
) -> Iterator[VideoFrame]:
    """Yields for each of the rising moments the frame whose time is nearest, shaped."""
    time, frame = next(frames)
    following = next(frames, None)
    shaped: VideoFrame | None = None
    for moment in moments:
        while following and following[0] - moment <= moment - time:
            (time, frame), following = following, next(frames, None)
            shaped = None
        shaped = shaped or shaper.shape(frame)
        yield shaped
