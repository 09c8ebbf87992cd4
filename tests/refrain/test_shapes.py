"""The pictures and clips that each provider makes."""

import pytest

from refrain.shapes import covering_height


@pytest.mark.parametrize(
    ("width", "height", "p"),
    [
        (640, 360, 360),
        (642, 360, 720),
        (1280, 720, 720),
        (720, 1280, 720),
        (1000, 1000, 1080),
        (2560, 1080, 2160),
        (9000, 9000, 2160),
    ],
)
def test_a_clip_covers_its_frame(width: int, height: int, p: int) -> None:
    assert covering_height(width, height, (360, 720, 1080, 2160)) == p
