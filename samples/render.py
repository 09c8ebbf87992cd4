"""Renders the sample songs: `python samples/render.py` writes their .m4a and .lrc.

Each song is a score in ABC notation. A lead sings the melody, a lute breaks the chords
and goes on with the tune where there are no words, and strings grow behind them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from instruments import RATE, Samples, damped, flute, lute, music_box, strings
from room import Room
from score import Chord, Score, read_score, to_lrc

Lead = Callable[[Score], Iterator[tuple[float, Samples]]]
"""Yields the start (s) and the sound of all that the singing voice plays."""

_HERE = Path(__file__).parent
_BIT_RATE = 128_000
_RING = 2.5
"""Seconds after the last bar in which the room falls silent."""
_ARPEGGIO = (0, 1, 3, 2, 4, 2, 3, 1)
"""Which tone of a chord (see `_tones`) each of its eighths plays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """A sample song: `slug`.abc beside this file, and who sings it how loud."""

    slug: str
    lead: Lead
    gain: float


def main() -> None:
    """Writes the audio and the LRC of every song beside its score."""
    songs = (
        Song(slug="twinkle", lead=_on_music_box, gain=0.6),
        Song(slug="greensleeves", lead=_on_flute, gain=0.37),
    )
    for song in songs:
        score = read_score((_HERE / f"{song.slug}.abc").read_text("utf-8"))
        audio = perform(song, score)
        encode(audio, score, _HERE / f"{song.slug}.m4a")
        lrc = to_lrc(score, length=audio.shape[1] / RATE)
        (_HERE / f"{song.slug}.lrc").write_text(lrc, "utf-8")


def perform(song: Song, score: Score) -> Samples:
    """Plays a song: float64 of shape (2, samples) at RATE, the same every time.

    Its length is a whole number of hundredths, so that the LRC can say it exactly.
    """
    seconds = round(score.duration + _RING, 2)
    room = Room(seconds=seconds)
    for start, sound in song.lead(score):
        room.place(sound, start, gain=song.gain)
    for note in score.notes:
        if not note.sung:
            room.place(lute(note.pitch), note.start, gain=0.3, pan=-0.2)
    dice = np.random.default_rng(1806)
    releases = [chord.start for chord in score.chords[1:]] + [seconds]
    for chord, release in zip(score.chords, releases, strict=True):
        _break(chord, room, release=release, dice=dice)
        _sustain(chord, room, swell=chord.start / score.duration)
    return room.recording(fade=_RING)


def encode(audio: Samples, score: Score, path: Path) -> None:
    """Writes stereo audio of shape (2, samples) as AAC in an MP4 container."""
    frame = av.AudioFrame.from_ndarray(audio.astype(np.float32), format="fltp")
    frame.sample_rate = RATE
    # Without a pts the muxer writes no edit list, and players add the encoder's delay.
    frame.pts = 0
    frame.time_base = Fraction(1, RATE)
    with av.open(str(path), "w", container_options={"movflags": "+faststart"}) as file:
        file.metadata.update(title=score.title, artist=score.composer)
        stream = file.add_stream("aac", rate=RATE, layout="stereo")  # pyright: ignore[reportUnknownMemberType]
        stream.bit_rate = _BIT_RATE
        file.mux(stream.encode(frame))  # pyright: ignore[reportUnknownMemberType]
        file.mux(stream.encode(None))  # pyright: ignore[reportUnknownMemberType]


def _on_flute(score: Score) -> Iterator[tuple[float, Samples]]:
    """Takes a breath before each line, out of the last note of the one before."""
    for line in score.lines:
        notes = [n for n in score.notes if n.sung and line.start <= n.start < line.end]
        phrase = [(note.pitch, note.duration) for note in notes]
        phrase[-1] = (notes[-1].pitch, notes[-1].duration - 0.12)
        yield line.start, flute(phrase)


def _on_music_box(score: Score) -> Iterator[tuple[float, Samples]]:
    for note in score.notes:
        if note.sung:
            yield note.start, damped(music_box(note.pitch), note.duration + 0.4)


def _break(
    chord: Chord, room: Room, *, release: float, dice: np.random.Generator
) -> None:
    """Plays a chord tone by tone on the lute, and lets it ring until `release`."""
    for eighth, tone in zip(range(chord.eighths), cycle(_ARPEGGIO), strict=False):
        late = dice.uniform(0.0, 0.012)
        start = chord.start + chord.duration * eighth / chord.eighths + late
        gain = (0.34 if eighth == 0 else 0.2) * dice.uniform(0.85, 1.0)
        sound = damped(lute(_tones(chord)[tone]), release - start)
        room.place(sound, start, gain=gain, pan=0.15 * tone - 0.3)


def _sustain(chord: Chord, room: Room, *, swell: float) -> None:
    """Holds root, fifth and tenth of a chord on strings, louder as `swell` nears 1."""
    tones = _tones(chord)
    for tone, pan in ((0, 0.0), (1, -0.6), (3, 0.6)):
        sound = strings(tones[tone], round(chord.duration, 3))
        room.place(sound, chord.start, gain=0.04 + 0.06 * swell, pan=pan)


def _tones(chord: Chord) -> tuple[int, ...]:
    """MIDI pitches of a root (E2 to D#3), its fifth, octave, tenth and twelfth."""
    root = 40 + (chord.root - 4) % 12
    return (root, root + 7, root + 12, root + 12 + chord.third, root + 19)


if __name__ == "__main__":
    main()
