"""The local renderer: stills, words and canonical clips."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.frame import VideoFrame
from PIL import Image, features

from services.generator.providers.local.clip import draw_frames, planes_of, render_clip
from services.generator.providers.local.fonts import font, runs
from services.generator.providers.local.layout import Placed, lay_out
from services.generator.providers.local.look import LOOKS, choose_look
from services.generator.providers.local.still import paint_still
from services.generator.providers.local.words import Line

SIZE = WIDTH, HEIGHT = 320, 180
FRAME_RATE = 24
ENGLISH = "We were running through the golden light"
SONGS = [
    ENGLISH,
    "तुम हो तो हर रात दिवाली है",
    "أنا هنا وحدي أنتظر الصباح",
    "நீ இல்லாத நேரம் நிலவும் தூங்காது",
    "I have walked a thousand miles along the river just to hear you say it. " * 4,
    "W" * 300,
]

Luma = npt.NDArray[np.int16]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "clip.mp4")


@pytest.fixture
def still(tmp_path: Path) -> str:
    return paint(tmp_path / "still.jpg")


def paint(
    path: Path, *, style: str = "dusk", seed: int = 1, size: tuple[int, int] = SIZE
) -> str:
    paint_still(
        prompt="a quiet valley",
        style=style,
        song_seed=7,
        seed=seed,
        width=size[0],
        height=size[1],
        path=str(path),
    )
    return str(path)


def render(
    still: str,
    path: str,
    *,
    lines: Sequence[Line] = (),
    frames: int = 30,
    frame_rate: int = FRAME_RATE,
    size: tuple[int, int] = SIZE,
    keyframes: Sequence[int] = (),
) -> str:
    render_clip(
        still=still,
        lines=lines,
        width=size[0],
        height=size[1],
        frame_rate=frame_rate,
        frames=frames,
        seed=3,
        path=path,
        keyframes=keyframes,
    )
    return path


def line(text: str, start: float = 0.0, end: float = 1.0) -> Line:
    return {"text": text, "start": start, "end": end}


def decoded(path: str) -> list[VideoFrame]:
    with av.open(path) as container:
        return list(container.decode(video=0))


def luma(frame: VideoFrame) -> Luma:
    return planes_of(frame)[0].astype(np.int16)


def drawn(still: str, lines: Sequence[Line], frames: int = 30) -> list[Luma]:
    return [luma(f) for f in draw_frames(still, lines, SIZE, FRAME_RATE, frames, 3)]


def changed(still: str, text: str, **span: float) -> list[npt.NDArray[np.bool_]]:
    """Where the line alters the picture, for each frame of a clip."""
    with_line, without = drawn(still, [line(text, **span)]), drawn(still, [])
    return [np.abs(a - b) > 40 for a, b in zip(with_line, without, strict=True)]


def test_a_still_is_the_same_for_the_same_arguments(tmp_path: Path) -> None:
    first = Path(paint(tmp_path / "first.jpg")).read_bytes()
    assert Path(paint(tmp_path / "again.jpg")).read_bytes() == first
    assert Path(paint(tmp_path / "other.jpg", seed=2)).read_bytes() != first


@pytest.mark.parametrize("name", [look.name for look in LOOKS])
def test_every_look_paints_a_picture_larger_than_the_frame(
    name: str, tmp_path: Path
) -> None:
    with Image.open(paint(tmp_path / "still.jpg", style=name)) as image:
        pixels = np.asarray(image)
    assert pixels.shape[0] > HEIGHT
    assert pixels.shape[1] > WIDTH
    assert pixels.std() > 15


def test_a_word_of_the_style_chooses_the_look() -> None:
    assert choose_look("a slow song of the Ocean, at dusk", 1).name == "sea"
    assert choose_look("neon, city", 1).name == "neon"


def test_without_such_a_word_the_look_belongs_to_the_song() -> None:
    looks = {choose_look("", seed).name for seed in range(100)}
    assert len(looks) == len(LOOKS)
    assert choose_look("unheard of", -5) is choose_look("", -5)


@pytest.mark.parametrize(
    ("size", "frame_rate", "frames"),
    [((320, 180), 24, 61), ((128, 128), 60, 1), ((144, 256), 1, 3), ((130, 128), 5, 7)],
)
def test_a_clip_has_exactly_its_frames_at_a_constant_rate(
    size: tuple[int, int], frame_rate: int, frames: int, tmp_path: Path, path: str
) -> None:
    still = paint(tmp_path / "still.jpg", size=size)
    lines = [line(ENGLISH, 0, 1.5)]
    render(still, path, lines=lines, frames=frames, frame_rate=frame_rate, size=size)
    times = [frame.time for frame in decoded(path)]
    assert times == [float(Fraction(i, frame_rate)) for i in range(frames)]


def test_a_clip_is_silent_h264_in_bt709_and_tv_range(still: str, path: str) -> None:
    with av.open(render(still, path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
        assert (context.color_primaries, context.color_trc) == (1, 1)
        assert (context.colorspace, context.color_range) == (1, 1)
        assert (context.width, context.height) == SIZE


def test_idr_frames_stand_at_the_start_where_asked_and_two_seconds_apart(
    still: str, path: str
) -> None:
    render(still, path, frames=62, keyframes=[12])
    with av.open(path) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    shown = sorted(packets, key=lambda packet: packet.pts or 0)
    assert [i for i, packet in enumerate(shown) if packet.is_keyframe] == [0, 12, 60]
    for packet in shown:
        assert packet.is_keyframe == (5 in nal_types(bytes(packet)))


def nal_types(packet: bytes) -> list[int]:
    """Of a packet whose NAL units have lengths of four bytes before them."""
    types: list[int] = []
    while packet:
        size = int.from_bytes(packet[:4], "big")
        types.append(packet[4] & 31)
        packet = packet[4 + size :]
    return types


def test_clips_of_one_size_and_rate_have_identical_parameter_sets(
    still: str, tmp_path: Path
) -> None:
    other = paint(tmp_path / "other.jpg", style="night", seed=9)
    clips = [
        render(still, str(tmp_path / "one.mp4"), frames=1),
        render(other, str(tmp_path / "two.mp4"), frames=50, lines=[line(ENGLISH)]),
        render(still, str(tmp_path / "three.mp4"), frames=9, keyframes=[4]),
    ]
    parameters: set[bytes | None] = set()
    for clip in clips:
        with av.open(clip) as container:
            parameters.add(container.streams.video[0].codec_context.extradata)
    assert len(parameters) == 1


@pytest.mark.parametrize(
    ("size", "frame_rate"), [((320, 180), 24), ((320, 180), 60), ((128, 128), 60)]
)
@pytest.mark.parametrize("style", ["mist", "sea"])
def test_no_two_neighbouring_frames_are_equal(
    style: str, size: tuple[int, int], frame_rate: int, tmp_path: Path, path: str
) -> None:
    still = paint(tmp_path / "still.jpg", style=style, size=size)
    render(still, path, frames=130, frame_rate=frame_rate, size=size)
    frames = [luma(frame) for frame in decoded(path)]
    assert all(np.any(first != second) for first, second in pairwise(frames))


def test_the_picture_glides_without_shaking(still: str) -> None:
    frames = drawn(still, [], frames=48)
    steps = np.array([displacement(a, b) for a, b in pairwise(frames)])
    speed = np.hypot(*steps.T)
    assert speed.min() > 0.05
    assert speed.max() < 1
    # What is left of each step over the mean of its neighbours is shaking.
    shaking = steps[1:-1] - (steps[:-2] + steps[2:]) / 2
    assert np.abs(shaking).max() < 0.05


def displacement(first: Luma, second: Luma) -> npt.NDArray[np.float64]:
    """How far the lower left of the picture moved, in pixels, by least squares:
    Lucas and Kanade, 1981.
    """
    part = np.s_[HEIGHT // 2 :, : WIDTH // 2]
    a, b = first[part].astype(float), second[part].astype(float)
    down, across = np.gradient((a + b) / 2)
    slopes = np.stack([across.ravel(), down.ravel()], axis=1)
    return np.linalg.lstsq(slopes, (a - b).ravel(), rcond=None)[0].astype(np.float64)


def test_words_rise_one_by_one_and_leave_together(still: str) -> None:
    frames = changed(still, "first second", start=0.2, end=1.1)
    left, right = np.s_[:, : WIDTH // 2], np.s_[:, WIDTH // 2 :]
    assert not frames[4].any()
    early, settled = frames[9], frames[22]
    assert early[left].any()
    assert not early[right].any()
    assert settled[left].any()
    assert settled[right].any()
    assert not frames[27].any()


def test_a_word_rises_from_below_and_comes_to_rest(still: str) -> None:
    frames = changed(still, "higher", start=0.0, end=1.25)
    heights = [np.nonzero(frame)[0].mean() for frame in frames[6:18]]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] - heights[-1] > 1
    assert np.array_equal(frames[18], frames[15])


def test_lines_never_stand_on_top_of_each_other(still: str) -> None:
    alone = drawn(still, [line("after", 0.5, 1.25)])
    together = drawn(still, [line("before", 0, 1.25), line("after", 0.5, 1.25)])
    assert np.array_equal(alone[-1], together[-1])


def test_lines_that_start_together_get_a_row_each() -> None:
    upper, lower = lay_out("Aurora\nMorgenrot", WIDTH, HEIGHT)
    assert upper.baseline < lower.baseline


@pytest.mark.parametrize("text", ["", "  ", "\U0001f680\U0001f600", "\x00\u200d"])
def test_a_line_without_a_character_to_draw_changes_nothing(
    text: str, still: str
) -> None:
    assert not any(frame.any() for frame in changed(still, text))


def test_letters_without_a_font_are_named(still: str, path: str) -> None:
    answer = render_clip(
        still=still,
        lines=[line("love \u16a0\u16a1\u16a0!"), line("\u0b95 \u16a2 \U0001f600")],
        width=WIDTH,
        height=HEIGHT,
        frame_rate=FRAME_RATE,
        frames=1,
        seed=1,
        path=path,
    )
    assert answer == {"frames": 1, "missing_letters": "\u16a0\u16a1\u16a2"}


def test_letters_are_dark_on_a_pale_picture_and_light_on_a_dark_one(
    tmp_path: Path,
) -> None:
    for name, color in (("pale.png", 240), ("dark.png", 20)):
        Image.new("L", SIZE, color).save(tmp_path / name)
    pale = drawn(str(tmp_path / "pale.png"), [line("ink", 0, 2)])[-1]
    dark = drawn(str(tmp_path / "dark.png"), [line("ink", 0, 2)])[-1]
    assert pale.min() < 50
    assert dark.max() > 215


@pytest.mark.parametrize("text", SONGS, ids=lambda text: text[:6])
@pytest.mark.parametrize("size", [(1280, 720), (720, 1280), SIZE])
def test_every_word_of_a_line_stands_inside_the_frame(
    text: str, size: tuple[int, int]
) -> None:
    words = lay_out(text, *size)
    assert "".join(word.text for word in words) == "".join(text.split())
    for word in words:
        assert word.x >= 0
        assert word.x + word.advance <= size[0]
        assert word.size <= word.baseline <= size[1] - word.size / 3


def test_a_line_too_long_for_the_smallest_letters_is_cut_off() -> None:
    text = "W" * 5000
    shown = "".join(word.text for word in lay_out(text, 128, 128))
    assert 100 < len(shown) < len(text)


def test_letters_scale_with_the_smaller_side() -> None:
    wide, tall, small = (
        lay_out("love", *size)[0].size for size in [(1280, 720), (720, 1280), SIZE]
    )
    assert wide == tall
    assert wide == pytest.approx(4 * small, rel=0.1)


def left_to_right(text: str) -> list[str]:
    def left(word: Placed) -> int:
        return word.x

    return [word.text for word in sorted(lay_out(text, 3000, 400), key=left)]


def test_words_of_a_right_to_left_line_stand_from_right_to_left() -> None:
    assert left_to_right("واحد اثنان ثلاثة") == ["ثلاثة", "اثنان", "واحد"]


def test_embedded_words_keep_their_own_direction() -> None:
    assert left_to_right("واحد love me اثنان") == ["اثنان", "love", "me", "واحد"]
    assert left_to_right("say واحد اثنان again") == ["say", "اثنان", "واحد", "again"]
    assert left_to_right("واحد 2024 اثنان") == ["اثنان", "2024", "واحد"]


def test_every_row_has_the_direction_of_its_line() -> None:
    words = lay_out("واحد\n2024 love", 3000, 400)
    number, word = words[1:]
    assert word.x < number.x


def test_composed_and_decomposed_letters_are_the_same_word() -> None:
    assert lay_out("cafe\u0301", *SIZE) == lay_out("caf\u00e9", *SIZE)


def test_scripts_are_shaped_and_not_strung_together() -> None:
    assert features.check("raqm")
    for text in ("क्षि", "لا", "க்ஷ"):
        (run,) = runs(text)
        face = font(run.typeface, 64)
        assert face.getlength(text) < sum(face.getlength(letter) for letter in text)


def test_a_run_ends_where_its_typeface_has_no_glyph() -> None:
    assert [run.text for run in runs("rock'n'ரோல் 7")] == ["rock'n'", "ரோல் 7"]


def test_a_clip_that_cannot_be_made_leaves_no_file(tmp_path: Path, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        render(str(tmp_path / "missing.jpg"), path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "frames"), [((321, 180), 9), ((320, 181), 9), ((320, 180), 0)]
)
def test_odd_sides_and_empty_clips_are_refused(
    size: tuple[int, int], frames: int, still: str, path: str
) -> None:
    with pytest.raises(ValueError, match="even sides and at least one frame"):
        render(still, path, size=size, frames=frames)
