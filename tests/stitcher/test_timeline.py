from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from PIL import Image

from services.stitcher.clips import ClipError
from services.stitcher.verify import VideoError, verify_fully, verify_video
from tests.stitcher.material import (
    FRAME,
    FRAMES,
    HEIGHT,
    LENGTHS,
    PICTURE,
    STARTS,
    WIDTH,
    brightness,
    copy,
    flip_bits,
    join,
    make_clip,
)

if TYPE_CHECKING:
    from pathlib import Path

    from services.stitcher.captions import Caption


def test_the_clips_of_these_tests_have_b_frames(clips: list[Path]) -> None:
    with av.open(str(clips[0])) as container:
        shown = [packet.pts for packet in container.demux(video=0) if packet.size]

    assert shown != sorted(shown, key=lambda pts: pts or 0)


def test_every_frame_of_every_clip_is_shown_once_and_in_order(
    silent_video: Path,
) -> None:
    with av.open(str(silent_video)) as container:
        frames = [
            (frame.time, frame.to_ndarray()[:HEIGHT].mean())
            for frame in container.decode(video=0)
        ]

    assert [time for time, _ in frames] == pytest.approx(
        [number * FRAME for number in range(FRAMES)]
    )
    assert [luma for _, luma in frames] == pytest.approx(
        [
            brightness(clip, frame)
            for clip, length in enumerate(LENGTHS)
            for frame in range(length)
        ],
        abs=0.45,
    )


def test_the_picture_is_copied_and_not_encoded_again(
    clips: list[Path], silent_video: Path
) -> None:
    def payloads(path: Path) -> list[bytes]:
        with av.open(str(path)) as container:
            return [bytes(packet) for packet in container.demux(video=0) if packet.size]

    assert payloads(silent_video) == [data for clip in clips for data in payloads(clip)]


def test_a_video_decodes_strictly_from_end_to_end(silent_video: Path) -> None:
    verify_fully(silent_video, PICTURE, frames=FRAMES, starts=STARTS)


def test_the_index_of_a_video_stands_before_its_media(silent_video: Path) -> None:
    data = silent_video.read_bytes()

    assert data.index(b"moov") < data.index(b"mdat")


def test_join_clips_tells_what_it_made(clips: list[Path], tmp_path: Path) -> None:
    made = join(clips, tmp_path)

    assert made == {
        "frames": FRAMES,
        "duration": pytest.approx(FRAMES * FRAME),
        "size_bytes": (tmp_path / "video.mp4").stat().st_size,
        "width": WIDTH,
        "height": HEIGHT,
    }
    assert {path.name for path in tmp_path.iterdir()} == {
        "video.mp4",
        "poster.jpg",
        "captions.vtt",
    }


def test_the_poster_is_the_frame_a_third_into_the_video(
    clips: list[Path], tmp_path: Path
) -> None:
    join(clips, tmp_path)

    with Image.open(tmp_path / "poster.jpg") as poster:
        gray = np.asarray(poster.convert("L")).mean()
    assert (poster.format, poster.size) == ("JPEG", (WIDTH, HEIGHT))
    # Frame 26 is the second of clip 1, and video luminance goes from 16 to 235.
    assert gray == pytest.approx((brightness(1, 1) - 16) * 255 / 219, abs=2)


CAPTIONS: list[Caption] = [
    {"text": "Où va la <nuit> & l'été?", "start": 0.5, "end": 1.25},
    {"text": "दो\nlines", "start": 1.25, "end": 2.0},
    {"text": "the last", "start": 2.5, "end": 99.0},
]
SHOWN = [
    (500, 750, "Où va la <nuit> & l'été?"),
    (1250, 750, "दो\nlines"),
    (2500, 750, "the last"),
]
"""Start and length in milliseconds, text."""


def test_captions_are_read_back_as_they_were_given(
    clips: list[Path], tmp_path: Path
) -> None:
    join(clips, tmp_path, captions=CAPTIONS)

    with av.open(str(tmp_path / "video.mp4")) as container:
        samples = list(container.demux(container.streams.subtitles[0]))
    shown = [
        (sample.pts, sample.duration, bytes(sample)[2:].decode())
        for sample in samples
        if sample.size > 2
    ]
    assert shown == SHOWN


def test_captions_are_written_beside_the_video(
    clips: list[Path], tmp_path: Path
) -> None:
    join(clips, tmp_path, captions=CAPTIONS)

    text = (tmp_path / "captions.vtt").read_text(encoding="utf-8")
    assert "00:00:00.500 --> 00:00:01.250\nOù va la &lt;nuit&gt; &amp;" in text


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="needs the ffmpeg program")
def test_ffmpeg_reads_the_captions(clips: list[Path], tmp_path: Path) -> None:
    join(clips, tmp_path, captions=CAPTIONS)

    command = ["ffmpeg", "-i", tmp_path / "video.mp4", "-f", "srt", "-"]
    srt = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert [text for _, _, text in SHOWN if text not in srt] == []


def test_a_truncated_clip_is_refused_by_name(clips: list[Path], tmp_path: Path) -> None:
    short = copy(clips[2], tmp_path / "short.mp4", movflags="faststart")
    data = short.read_bytes()
    short.write_bytes(data[: len(data) * 2 // 3])

    with pytest.raises(ClipError, match=r"clip 2 \(short\.mp4\)"):
        join([*clips[:2], short, *clips[3:]], tmp_path)


def test_a_clip_with_flipped_bits_is_refused_by_name(
    clips: list[Path], tmp_path: Path
) -> None:
    broken = copy(clips[2], tmp_path / "broken.mp4")
    flip_bits(broken)

    with pytest.raises(VideoError, match="clip 2 is broken"):
        join([*clips[:2], broken, *clips[3:]], tmp_path)


def test_a_clip_of_other_encoder_settings_is_refused(
    clips: list[Path], tmp_path: Path
) -> None:
    other = make_clip(tmp_path / "other.mp4", LENGTHS[1], preset="ultrafast")

    with pytest.raises(ClipError, match=r"clip 1 .* other parameter sets"):
        join([clips[0], other, *clips[2:]], tmp_path)


def test_a_clip_of_another_size_is_refused(clips: list[Path], tmp_path: Path) -> None:
    other = make_clip(tmp_path / "other.mp4", LENGTHS[1], width="176")

    with pytest.raises(ClipError, match=r"clip 1 .* is 176x90, not 160x90"):
        join([clips[0], other, *clips[2:]], tmp_path)


def test_a_clip_with_an_edit_list_is_refused(clips: list[Path], tmp_path: Path) -> None:
    cut = copy(clips[0], tmp_path / "cut.mp4", shift=-4)

    with pytest.raises(ClipError, match=r"clip 0 .* edit list"):
        join([cut, *clips[1:]], tmp_path)


def test_a_clip_that_starts_without_an_idr_frame_is_refused(
    clips: list[Path], tmp_path: Path
) -> None:
    cut = copy(clips[0], tmp_path / "cut.mp4", skip=1)

    with pytest.raises(ClipError, match=r"clip 0 .* IDR"):
        join([cut, *clips[1:]], tmp_path)


def test_clips_that_do_not_fill_the_video_are_refused(
    clips: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ClipError, match=f"{FRAMES} frames long together, not 79"):
        join(clips, tmp_path, frames=79)


def test_a_refused_join_leaves_nothing_behind(
    clips: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ClipError):
        join(clips, tmp_path, frames=FRAMES + 1)

    assert list(tmp_path.iterdir()) == []


def test_a_video_with_its_index_behind_fails_verification(
    silent_video: Path, tmp_path: Path
) -> None:
    behind = copy(silent_video, tmp_path / "behind.mp4")

    with pytest.raises(VideoError, match="index"):
        verify_video(behind, PICTURE, frames=FRAMES, starts=STARTS)


def test_a_video_that_lacks_a_frame_fails_verification(
    silent_video: Path, tmp_path: Path
) -> None:
    shorter = copy(silent_video, tmp_path / "a.mp4", skip=1, movflags="faststart")

    with pytest.raises(VideoError, match=f"{FRAMES - 1} frames, not {FRAMES}"):
        verify_video(shorter, PICTURE, frames=FRAMES, starts=STARTS)


MEASURE = """
import sys
from pathlib import Path
from services.stitcher.timeline import join_clips
count, frames, folder, clip = int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
join_clips(clips=[clip] * count, audio=None, captions=[], width=160, height=90,
           frame_rate=24, frames=frames * count, folder=folder)
# Not ru_maxrss: that of a child begins with what its parent had.
status = dict(line.split(":") for line in Path("/proc/self/status").open())
print(int(status["VmHWM"].split()[0]) // 1024)
"""


def test_sixty_clips_take_no_more_memory_than_three(
    clips: list[Path], tmp_path: Path
) -> None:
    def megabytes(count: int) -> int:
        arguments = [str(count), str(LENGTHS[0]), str(tmp_path), str(clips[0])]
        command = [sys.executable, "-c", MEASURE, *arguments]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    assert megabytes(60) < min(megabytes(3) + 15, 200)
