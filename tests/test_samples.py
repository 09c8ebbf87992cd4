"""The sample songs: their scores, their LRC files and their audio say the same."""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from samples.score import Note, Score, ScoreError, read_score, to_lrc

SAMPLES = Path(__file__).parent.parent / "samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    slug: str
    seconds: float
    tolerance: float
    max_bytes: int


TWINKLE = Sample(slug="twinkle", seconds=30, tolerance=5, max_bytes=600_000)
GREENSLEEVES = Sample(
    slug="greensleeves", seconds=120, tolerance=20, max_bytes=2_500_000
)

each_sample = pytest.mark.parametrize(
    "sample", [TWINKLE, GREENSLEEVES], ids=lambda sample: sample.slug
)


@each_sample
def test_the_lrc_holds_the_words_and_times_of_the_score(sample: Sample) -> None:
    expected = to_lrc(score_of(sample), length=lrc_length(sample))
    assert lrc_of(sample) == expected


@each_sample
def test_every_word_of_the_score_is_in_the_lrc(sample: Sample) -> None:
    abc = (SAMPLES / f"{sample.slug}.abc").read_text("utf-8")
    verses = [row[2:] for row in abc.splitlines() if row.startswith("w:")]
    plain = ("".join(c for c in verse if c not in "-_*") for verse in verses)
    lines = {row.partition("]")[2] for row in lrc_of(sample).splitlines()[3:]}
    assert lines - {""} == {" ".join(verse.split()) for verse in plain}


def test_a_stamp_without_text_ends_each_refrain_of_greensleeves() -> None:
    rows = lrc_of(GREENSLEEVES).splitlines()
    before_rests = [
        row.partition("]")[2]
        for row, following in pairwise(rows)
        if following.endswith("]") and following[1].isdigit()
    ]
    assert before_rests == ["And who but my Lady Greensleeves."] * 3


@each_sample
def test_the_audio_lasts_as_long_as_the_lrc_says(sample: Sample) -> None:
    audio, rate = audio_of(sample)
    seconds = audio.shape[1] / rate
    assert seconds == pytest.approx(lrc_length(sample), abs=0.05)
    assert seconds == pytest.approx(sample.seconds, abs=sample.tolerance)


@each_sample
def test_the_audio_is_small_enough_for_the_repository(sample: Sample) -> None:
    assert (SAMPLES / f"{sample.slug}.m4a").stat().st_size < sample.max_bytes


@each_sample
def test_the_audio_is_stereo_below_full_scale_and_ends_in_silence(
    sample: Sample,
) -> None:
    audio, rate = audio_of(sample)
    assert audio.shape[0] == 2
    assert 0.8 < np.abs(audio).max() < 0.95
    assert np.abs(audio[:, -rate // 20 :]).max() < 1e-4
    assert np.abs(audio.mean(axis=1)).max() < 1e-4


@each_sample
def test_the_loudest_pitch_of_each_long_note_is_the_one_written(
    sample: Sample,
) -> None:
    sung = [note for note in score_of(sample).notes if note.sung]
    pitches = range(min(n.pitch for n in sung), max(n.pitch for n in sung) + 1)
    long_notes = [note for note in sung if note.duration > 0.3]
    heard = [loudest_pitch(note, pitches, sample) for note in long_notes]
    assert heard == [note.pitch for note in long_notes]


def test_greensleeves_opens_with_its_tune() -> None:
    opening = [n for n in score_of(GREENSLEEVES).notes if n.sung][:10]
    assert [note.pitch for note in opening] == [
        *(69, 72, 74, 76, 78, 76),  # A C D E F# E: A-las, my love,
        *(74, 71, 67, 69),  # D B G A: do me wrong,
    ]
    eighth = 60 / 56 / 3
    eighths = [1, 2, 1, 1.5, 0.5, 1, 2, 1, 1.5, 0.5]
    assert [n.duration / eighth for n in opening] == pytest.approx(eighths)


def test_a_bar_that_does_not_add_up_is_refused() -> None:
    with pytest.raises(ScoreError, match="bar 2 as played holds 3/4"):
        read_score(tune("c c c c | c c c | c4 |"))


def test_a_note_without_a_syllable_is_refused() -> None:
    with pytest.raises(ScoreError, match="4 notes, 3 syllables"):
        read_score(tune("c c c c |\nw:Twin-kle, star"))


def test_what_is_not_read_is_named() -> None:
    with pytest.raises(ScoreError, match=r"cannot read '~c \|'"):
        read_score(tune("c c c ~c |"))


def tune(music: str) -> str:
    """A score in 4/4 of one part."""
    return f"X:1\nT:Tune\nC:Us\nM:4/4\nL:1/4\nQ:1/4=60\nP:A\nK:C\nP:A\n{music}\n"


@cache
def score_of(sample: Sample) -> Score:
    return read_score((SAMPLES / f"{sample.slug}.abc").read_text("utf-8"))


def lrc_of(sample: Sample) -> str:
    return (SAMPLES / f"{sample.slug}.lrc").read_text("utf-8")


def lrc_length(sample: Sample) -> float:
    """Seconds in the `[length:]` of a sample's LRC."""
    stamp = lrc_of(sample).partition("[length:")[2].partition("]")[0]
    minutes, _, seconds = stamp.partition(":")
    return int(minutes) * 60 + float(seconds)


@cache
def audio_of(sample: Sample) -> tuple[npt.NDArray[np.float32], int]:
    """Decodes a sample strictly: shape (channels, samples), and the rate."""
    with av.open(str(SAMPLES / f"{sample.slug}.m4a")) as container:
        stream = container.streams.audio[0]
        stream.codec_context.options = {"err_detect": "explode"}
        frames = list(container.decode(stream))
        assert not any(frame.is_corrupt for frame in frames)
        blocks = [frame.to_ndarray().astype(np.float32) for frame in frames]
        return np.concatenate(blocks, axis=1), stream.rate


def loudest_pitch(note: Note, pitches: range, sample: Sample) -> int:
    """Which of some MIDI pitches sounds loudest while a note does."""
    audio, rate = audio_of(sample)
    begin, end = note.start + 0.05, note.start + note.duration
    window = audio[:, round(begin * rate) : round(end * rate)].mean(axis=0)
    bins = 1 << 17
    spectrum = np.abs(np.fft.rfft(window * np.hanning(len(window)), bins))
    edges = 440 * 2 ** ((np.array([*pitches, pitches.stop]) - 69.5) / 12)
    at = np.round(edges * bins / rate).astype(int)
    levels = [spectrum[low:high].max() for low, high in pairwise(at)]
    return pitches[int(np.argmax(levels))]
