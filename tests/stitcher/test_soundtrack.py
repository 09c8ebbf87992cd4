from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from services.stitcher.soundtrack import SongError
from tests.stitcher.material import (
    FRAME,
    join,
    make_clip,
    write_mp3_with_cover,
    write_wav,
)

if TYPE_CHECKING:
    from pathlib import Path


def heard(video: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Decodes the sound: one row a channel, 48,000 columns a second."""
    with av.open(str(video)) as container:
        blocks = [frame.to_ndarray() for frame in container.decode(audio=0)]
    return np.concatenate(blocks, axis=1).astype(np.float32)


def loudness(samples: np.ndarray[Any, np.dtype[np.float32]]) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


@pytest.mark.parametrize("seconds", [None, 1.0, 9.0])
@pytest.mark.parametrize("frames", [1, 7, 25])
def test_the_sound_is_as_long_as_the_picture(
    tmp_path: Path, frames: int, seconds: float | None
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames)
    song = write_wav(tmp_path / "song.wav", seconds) if seconds else None

    join([clip], tmp_path, audio=song, frames=frames)

    with av.open(str(tmp_path / "video.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        lengths = [
            float((stream.duration or 0) * Fraction(stream.time_base or 0))
            for stream in (video, audio)
        ]
    assert lengths == pytest.approx([frames * FRAME] * 2, abs=1e-4)


def test_without_a_song_there_is_silence(silent_video: Path) -> None:
    assert loudness(heard(silent_video)) < 1e-6


def test_after_a_shorter_song_there_is_silence(
    clips: list[Path], tmp_path: Path
) -> None:
    join(clips, tmp_path, audio=write_wav(tmp_path / "song.wav", 1.5))

    sound = heard(tmp_path / "video.mp4")
    assert loudness(sound[:, 4800:67_200]) > 0.2
    assert loudness(sound[:, 76_800:]) < 1e-3


def test_the_sound_is_not_shifted_against_the_picture(
    clips: list[Path], tmp_path: Path
) -> None:
    join(clips, tmp_path, audio=write_wav(tmp_path / "song.wav", 4, lead=0.5))

    loud = np.abs(heard(tmp_path / "video.mp4")[0]) > 0.1
    assert np.argmax(loud) / 48_000 == pytest.approx(0.5, abs=0.005)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 1), (96_000, 2), (48_000, 6)])
def test_a_song_of_any_rate_and_channels_is_heard_on_both_sides(
    clips: list[Path], tmp_path: Path, rate: int, channels: int
) -> None:
    song = write_wav(tmp_path / "song.wav", 4, rate=rate, channels=channels)

    join(clips, tmp_path, audio=song)

    left, right = heard(tmp_path / "video.mp4")
    assert min(loudness(left), loudness(right)) > 0.1


def test_an_mp3_with_cover_art_is_a_song(clips: list[Path], tmp_path: Path) -> None:
    song = write_mp3_with_cover(tmp_path / "song.mp3", 4)
    with av.open(str(song)) as container:
        assert container.streams.video, "the cover is a video stream"

    join(clips, tmp_path, audio=song)

    assert loudness(heard(tmp_path / "video.mp4")) > 0.2


def test_a_song_that_is_no_sound_is_refused(clips: list[Path], tmp_path: Path) -> None:
    song = tmp_path / "song.mp3"
    song.write_bytes(b"not a song " * 100)

    with pytest.raises(SongError, match="the song cannot be read"):
        join(clips, tmp_path, audio=song)

    with pytest.raises(SongError, match="no sound"):
        join(clips, tmp_path, audio=clips[0])
