"""Clips of providers, made into what the stitcher can copy."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image

from services.generator.conform import conform_clip
from services.generator.conform_source import ClipSource
from services.generator.providers.local.clip import render_clip
from services.generator.providers.local.still import paint_still
from services.stitcher.clips import Picture
from services.stitcher.timeline import join_clips
from services.stitcher.verify import verify_fully
from tests.generator.material import (
    BT601,
    BT709,
    FRAME_RATE,
    HEIGHT,
    RED,
    RGB,
    SIZE,
    UNSAID,
    WIDTH,
    add_sound,
    at_rate,
    copy,
    cut_off,
    disc,
    gray,
    make_clip,
    noise,
    nothing,
    picture_in,
    shape_of_disc,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from av.video.frame import VideoFrame

conform_to_size = partial(
    conform_clip, width=WIDTH, height=HEIGHT, frame_rate=FRAME_RATE
)


def decoded(path: str | Path) -> list[VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def pixels(frame: VideoFrame) -> npt.NDArray[Any]:
    return frame.to_ndarray(format="rgb24").astype(int)


def numbers(path: str | Path) -> list[int]:
    """Which of the gray pictures each frame shows."""
    return [round((pixels(frame).mean() - 10) / 4) for frame in decoded(path)]


def extradata(path: str | Path) -> bytes | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.extradata


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source.mp4"


@pytest.fixture
def clip(tmp_path: Path) -> str:
    return str(tmp_path / "clip.mp4")


def test_a_clip_is_cut_to_its_slot_and_shows_the_frames_nearest_in_time(
    source: Path, clip: str
) -> None:
    make_clip(source, at_rate(30, 60), sound=True)
    report = conform_to_size(source=str(source), path=clip, frames=36)
    assert report == {"frames": 36, "source_frames": 60, "source_seconds": 2.0}
    nearest = [int(number * 30 / 24 + 0.5) for number in range(36)]
    assert numbers(clip) == nearest
    with av.open(clip) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert not Path(f"{clip}.part").exists()


def test_frames_that_come_unevenly_are_shown_when_they_are_due(
    source: Path, clip: str
) -> None:
    times = [Fraction(tick, 24) for tick in (0, 1, 2, 10, 11, 19, 20, 21, 22, 23)]
    make_clip(source, times)
    conform_to_size(source=str(source), path=clip, frames=24)
    assert numbers(clip) == [
        *(0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 4),
        *(4, 4, 4, 5, 5, 5, 5, 5, 6, 7, 8, 9),
    ]


def test_what_an_edit_list_hides_is_not_shown(
    source: Path, clip: str, tmp_path: Path
) -> None:
    make_clip(tmp_path / "whole.mp4", at_rate(24, 48))
    copy(tmp_path / "whole.mp4", source, shift=Fraction(-10, 24))
    assert conform_to_size(source=str(source), path=clip, frames=30) == {
        "frames": 30,
        "source_frames": 38,
        "source_seconds": pytest.approx(38 / 24),
    }
    assert numbers(clip) == list(range(10, 40))


def test_a_clip_that_is_a_little_short_holds_its_last_frame(
    source: Path, clip: str
) -> None:
    make_clip(source, at_rate(24, 36))
    conform_to_size(source=str(source), path=clip, frames=48)
    assert numbers(clip) == [*range(36), *[35] * 12]


def test_a_clip_that_is_shorter_is_slowed_down_to_its_end(
    source: Path, clip: str
) -> None:
    make_clip(source, at_rate(24, 30))
    conform_to_size(source=str(source), path=clip, frames=60)
    assert numbers(clip) == [(number + 1) // 2 for number in range(59)] + [29]


@pytest.mark.parametrize(
    ("frames", "complaint"),
    [
        (1, "has 1 frames, which is no movement"),
        (23, r"lasts 0\.96 s, .* half of the 2\.00 s"),
    ],
)
def test_a_clip_that_is_much_too_short_is_refused(
    source: Path, clip: str, frames: int, complaint: str
) -> None:
    make_clip(source, at_rate(24, frames))
    with pytest.raises(ValueError, match=complaint):
        conform_to_size(source=str(source), path=clip, frames=48)
    assert not Path(clip).exists()


@pytest.mark.parametrize(
    ("size", "enlarged"),
    [
        (SIZE, Fraction(1)),
        ((320, 176), Fraction(180, 176)),
        ((640, 360), Fraction(1, 2)),
        ((240, 180), Fraction(4, 3)),
        ((360, 640), Fraction(320, 360)),
    ],
    ids=str,
)
def test_a_clip_of_another_shape_is_cut_around_its_centre_and_not_stretched(
    source: Path, clip: str, size: tuple[int, int], enlarged: Fraction
) -> None:
    make_clip(source, at_rate(24, 12), picture=lambda _: disc(size, 50))
    conform_to_size(source=str(source), path=clip, frames=12)
    picture = pixels(decoded(clip)[-1])
    assert picture.shape == (HEIGHT, WIDTH, 3)
    diameter = float(101 * enlarged)
    assert shape_of_disc(picture) == pytest.approx(
        (WIDTH / 2, HEIGHT / 2, diameter, diameter), abs=1.6
    )


@pytest.mark.parametrize(
    ("degrees", "edge"),
    [
        (90, np.s_[-8:, :]),
        (-90, np.s_[:8, :]),
        (180, np.s_[:, -8:]),
    ],
)
def test_a_clip_is_turned_as_it_says(
    source: Path, clip: str, degrees: int, edge: tuple[slice, slice]
) -> None:
    size = SIZE if degrees == 180 else (HEIGHT, WIDTH)
    make_clip(
        source, at_rate(24, 12), picture=lambda _: disc(size, 50), rotation=degrees
    )
    conform_to_size(source=str(source), path=clip, frames=12)
    red = pixels(decoded(clip)[-1])[edge].mean(axis=(0, 1))
    assert red == pytest.approx((255, 0, 0), abs=12)


def test_a_clip_of_wide_pixels_is_shown_as_wide_as_it_is_meant(
    source: Path, clip: str
) -> None:
    narrow = disc(SIZE, 50).resize((240, HEIGHT))
    make_clip(
        source, at_rate(24, 12), picture=lambda _: narrow, pixel=Fraction(WIDTH, 240)
    )
    conform_to_size(source=str(source), path=clip, frames=12)
    assert shape_of_disc(pixels(decoded(clip)[-1])) == pytest.approx(
        (WIDTH / 2, HEIGHT / 2, 101, 101), abs=1.6
    )


def test_a_strip_of_a_picture_is_refused(source: Path, clip: str) -> None:
    make_clip(source, at_rate(24, 12), picture=lambda _: gray(90, (64, 640)))
    with pytest.raises(ValueError, match="64x640 pixels, a shape of which most"):
        conform_to_size(source=str(source), path=clip, frames=12)


@pytest.mark.parametrize(
    "made",
    [
        {"matrix": BT709},
        {"matrix": BT601},
        {"matrix": UNSAID},
        {"full_range": True},
        {"full_range": True, "pixels": "yuvj420p"},
        {"pixels": "yuv420p10le"},
        {"full_range": True, "pixels": "yuv420p10le"},
        {"pixels": "yuv444p"},
        {"matrix": RGB, "full_range": True, "codec": "libx264rgb", "pixels": "rgb24"},
    ],
    ids=str,
)
def test_colours_stay_what_they_are(
    source: Path, clip: str, made: dict[str, Any]
) -> None:
    red = Image.new("RGB", SIZE, RED)
    make_clip(source, at_rate(24, 12), picture=lambda _: red, **made)
    conform_to_size(source=str(source), path=clip, frames=12)
    frame = decoded(clip)[-1]
    assert frame.format.name == "yuv420p"
    seen = frame.reformat(
        format="rgb24",
        src_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.MPEG,
    )
    assert seen.to_ndarray().mean(axis=(0, 1)) == pytest.approx(RED, abs=3)


@pytest.fixture
def local_clip(tmp_path: Path) -> str:
    """A clip of the local renderer, 30 frames long."""
    still, path = str(tmp_path / "still.jpg"), str(tmp_path / "local.mp4")
    look = {"prompt": "a quiet valley", "style": "dusk", "song_seed": 7, "seed": 1}
    paint_still(**look, width=WIDTH, height=HEIGHT, path=still)  # pyright: ignore[reportArgumentType]
    render_clip(
        still=still,
        lines=[],
        width=WIDTH,
        height=HEIGHT,
        frame_rate=FRAME_RATE,
        frames=30,
        seed=1,
        path=path,
    )
    return path


def test_a_conformed_clip_joins_with_one_of_the_local_renderer(
    source: Path, clip: str, local_clip: str, tmp_path: Path
) -> None:
    make_clip(source, at_rate(30, 60), picture=lambda n: gray(n, (640, 352)))
    conform_to_size(source=str(source), path=clip, frames=36, keyframes=[12, 24])
    assert extradata(clip) == extradata(local_clip)
    clips = [clip, local_clip, clip]
    join_clips(
        clips=clips,
        audio=None,
        captions=[],
        width=WIDTH,
        height=HEIGHT,
        frame_rate=FRAME_RATE,
        frames=102,
        folder=str(tmp_path),
    )
    picture = Picture(width=WIDTH, height=HEIGHT, frame_rate=FRAME_RATE)
    verify_fully(tmp_path / "video.mp4", picture, frames=102, starts=[0, 36, 66])


@pytest.mark.parametrize(
    "wrong", [{"width": 321}, {"height": 0}, {"frames": 0}], ids=str
)
def test_a_clip_of_no_frames_or_odd_sides_is_not_made(
    source: Path, clip: str, wrong: dict[str, Any]
) -> None:
    make_clip(source, at_rate(24, 12))
    arguments: dict[str, Any] = {"frames": 12, **wrong}
    with pytest.raises(ValueError, match=r"needs (even sides|at least one frame)"):
        conform_to_size(source=str(source), path=clip, **arguments)


def test_keyframes_stand_where_they_are_wanted(source: Path, clip: str) -> None:
    make_clip(source, at_rate(24, 72))
    conform_to_size(source=str(source), path=clip, frames=72, keyframes=[12, 60])
    keyframes = [n for n, frame in enumerate(decoded(clip)) if frame.key_frame]
    assert keyframes == [0, 12, 60]


def cut_off_between_frames(path: Path) -> None:
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    path.write_bytes(path.read_bytes()[: packets[20].pos])


def flip_bits(path: Path) -> None:
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                data[(packet.pos or 0) + packet.size // 2] ^= 0x5A
    path.write_bytes(data)


def lose_first_frame(path: Path) -> None:
    whole = path.rename(path.with_name("whole.mp4"))
    copy(whole, path, skip=1)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (cut_off, "it ends in the middle of a frame"),
        (cut_off_between_frames, "20 of 24 frames"),
        (flip_bits, "the clip is broken"),
        (lose_first_frame, r"the clip is broken: \d+ of its 23 frames decode"),
    ],
)
def test_a_damaged_clip_is_refused(
    source: Path, clip: str, damage: Callable[[Path], None], complaint: str
) -> None:
    make_clip(source, at_rate(24, 24), picture=noise, crf="35")
    damage(source)
    with pytest.raises(ValueError, match=complaint):
        conform_to_size(source=str(source), path=clip, frames=24)
    assert not Path(clip).exists()


def test_a_frame_is_refused_that_the_decoder_patched_without_a_word(
    source: Path,
) -> None:
    small = (64, 36)
    make_clip(source, at_rate(24, 12), picture=lambda n: noise(n).resize(small))
    data = source.read_bytes()
    complaints = ""
    for place in range(len(data) * 2 // 3, len(data), len(data) // 150):
        source.write_bytes(data[:place] + bytes([data[place] ^ 8]) + data[place + 1 :])
        try:
            list(ClipSource(str(source)).frames())
        except ValueError as error:
            complaints += str(error)
    assert "a frame of it lacks data" in complaints


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w") as output:
        add_sound(output)


def playlist(path: Path) -> None:
    """Of a clip that is there."""
    other = path.with_name("other.mp4")
    make_clip(other, at_rate(24, 24))
    path.write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n"
    )


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (nothing, "is broken, or not an MP4 or WebM"),
        (words, "is broken, or not an MP4 or WebM"),
        (picture_in("PNG"), "is broken, or not an MP4 or WebM"),
        (playlist, "is broken, or not an MP4 or WebM"),
        (sound_alone, "has no picture"),
    ],
    ids=["empty", "words", "image", "playlist", "sound"],
)
def test_what_is_not_a_clip_is_refused(
    source: Path, clip: str, write: Callable[[Path], object], complaint: str
) -> None:
    write(source)
    with pytest.raises(ValueError, match=f"the clip {complaint}"):
        conform_to_size(source=str(source), path=clip, frames=24)
