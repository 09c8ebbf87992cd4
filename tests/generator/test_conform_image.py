"""Images of providers, made into the first frames of clips."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from services.generator.conform import conform_image
from tests.generator.material import (
    HEIGHT,
    RED,
    SIZE,
    WIDTH,
    cut_off,
    disc,
    noise,
    nothing,
    picture_in,
    shape_of_disc,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

fit_to_size = partial(conform_image, width=WIDTH, height=HEIGHT)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def make_image(path: Path, image: Image.Image, kind: str, **options: Any) -> str:
    image.save(path, kind, **options)
    return str(path)


@pytest.fixture
def still(tmp_path: Path) -> str:
    return str(tmp_path / "still.jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("size", [SIZE, (1376, 768), (400, 900), (90, 60)], ids=str)
def test_an_image_becomes_a_jpeg_of_the_frame_cut_around_its_centre(
    source: Path, still: str, kind: str, size: tuple[int, int]
) -> None:
    radius = min(size) / 4
    made = make_image(source, disc(size, round(radius)), kind)
    assert fit_to_size(source=made, path=still) == {
        "source_width": size[0],
        "source_height": size[1],
    }
    with Image.open(still) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", SIZE, "RGB")
        picture = np.asarray(image)
    enlarged = max(WIDTH / size[0], HEIGHT / size[1])
    diameter = (2 * round(radius) + 1) * enlarged
    assert shape_of_disc(picture) == pytest.approx(
        (WIDTH / 2, HEIGHT / 2, diameter, diameter), abs=max(2, enlarged)
    )


def test_an_image_is_turned_upright(source: Path, still: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise to see it upright
    image = disc((HEIGHT, WIDTH), 30)
    report = fit_to_size(
        source=make_image(source, image, "JPEG", exif=exif), path=still
    )
    assert report == {"source_width": WIDTH, "source_height": HEIGHT}
    with Image.open(still) as upright:
        top = np.asarray(upright)[:8].mean(axis=(0, 1))
    assert top == pytest.approx((254, 0, 0), abs=6)


@pytest.mark.parametrize(
    ("image", "seen"),
    [
        (Image.new("RGBA", SIZE, (200, 100, 50, 128)), (100, 50, 25)),
        (Image.new("LA", SIZE, (200, 128)), (100, 100, 100)),
        (Image.new("L", SIZE, 200), (200, 200, 200)),
        (Image.new("RGB", SIZE, RED).quantize(4), RED),
    ],
    ids=lambda value: getattr(value, "mode", ""),
)
def test_an_image_of_any_kind_becomes_what_is_seen_on_black(
    source: Path, still: str, image: Image.Image, seen: tuple[int, ...]
) -> None:
    fit_to_size(source=make_image(source, image, "PNG"), path=still)
    with Image.open(still) as flat:
        assert np.asarray(flat).mean(axis=(0, 1)) == pytest.approx(seen, abs=2)


def bomb(path: Path) -> None:
    """A picture of 200 megapixels in a file of 25 kB."""
    Image.new("1", (200_000, 950)).save(path, "PNG")


def deep(path: Path) -> None:
    Image.new("I;16", SIZE, 51_400).save(path, "PNG")


def damaged_png(path: Path) -> None:
    """Only its checksum tells."""
    noise(0).save(path, "PNG")
    data = bytearray(path.read_bytes())
    data[-14] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_an_image_that_is_cut_off_is_refused(
    source: Path, still: str, kind: str
) -> None:
    make_image(source, noise(0), kind)
    cut_off(source)
    with pytest.raises(ValueError, match="the image is broken"):
        fit_to_size(source=str(source), path=still)
    assert not Path(still).exists()


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (nothing, "the image is broken, or not a JPEG, PNG or WebP"),
        (words, "not a JPEG, PNG or WebP"),
        (picture_in("GIF"), "not a JPEG, PNG or WebP"),
        (damaged_png, "the image is broken"),
        (picture_in("PNG", (8193, 1)), "8193x1 pixels; no side"),
        (bomb, "the image is too large"),
        (deep, "16 bits"),
    ],
    ids=["empty", "words", "gif", "damaged", "side", "bomb", "deep"],
)
def test_what_is_not_a_whole_image_is_refused(
    source: Path, still: str, write: Callable[[Path], object], complaint: str
) -> None:
    write(source)
    with pytest.raises(ValueError, match=complaint):
        fit_to_size(source=str(source), path=still)
