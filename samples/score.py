"""Reads a song written in ABC notation and says when each note and line sounds.

The part of ABC 2.1 (abcnotation.com/wiki/abc:standard:v2.1) that the samples need:
one voice in C or A minor, chord symbols, broken rhythm (`>`), words (`w:`) and parts
(`P:`). Each line of music is one sung line; each time its part returns it takes the
next of its `w:` lines, and the last one from then on. Every bar must add up.
"""

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

_NATURAL = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_TOKEN = re.compile(
    r'"(?P<chord>[A-G]m?)"|(?P<bar>\|)|(?P<blank>\s+)'
    r"|(?P<sharp>\^?)(?P<letter>[A-Ga-gz])(?P<octave>'*)"
    r"(?P<times>\d*)(?P<halved>/?)(?P<dotted>>?)"
)
_SYLLABLE = re.compile(r"[*_]|[^\s*_-]+-?")
_REST_WORTH_A_STAMP = 1.0
"""Seconds without words after which an LRC line is cleared; a breath is shorter."""


class ScoreError(ValueError):
    """The score is not in the part of ABC that is read here, or does not add up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One note of the melody: a MIDI pitch (69 is A at 440 Hz), times in seconds."""

    pitch: int
    start: float
    duration: float
    sung: bool
    """False where the tune goes on without words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chord:
    """A triad from one chord symbol or bar line to the next, times in seconds."""

    root: int
    """Semitones above C, 0 to 11."""
    third: int
    """Semitones above the root: 3 in a minor triad, 4 in a major one."""
    eighths: int
    start: float
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of words, from its first note to the end of its last, in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A whole performance, every repeat written out."""

    title: str
    composer: str
    notes: tuple[Note, ...]
    chords: tuple[Chord, ...]
    lines: tuple[Line, ...]
    duration: float
    """Seconds from the first bar to the end of the last."""


def read_score(abc: str) -> Score:
    """Performs a tune in ABC notation; raises ScoreError for what it cannot read."""
    header, parts = _split(abc)
    if header["K"] not in ("C", "Am"):
        raise ScoreError(f"K:{header['K']} has sharps or flats; write it in C or Am")
    performance = _Performance(
        meter=Fraction(header["M"]), unit=Fraction(header["L"]), tempo=header["Q"]
    )
    played = Counter[str]()
    for label in header["P"]:
        for stave in parts[label]:
            performance.play(stave, time=played[label])
        played[label] += 1
    performance.bar_line()
    return Score(
        title=header["T"],
        composer=header["C"],
        notes=tuple(performance.notes),
        chords=performance.chords(),
        lines=tuple(performance.lines),
        duration=performance.clock,
    )


def to_lrc(score: Score, *, length: float) -> str:
    """LRC text of a score: a stamp where each line begins, an empty one where it rests.

    `length` is that of the audio, in seconds.
    """
    rows = [
        f"[ti:{score.title}]",
        f"[ar:{score.composer}]",
        f"[length:{_stamp(length)}]",
    ]
    next_starts = [line.start for line in score.lines[1:]] + [length]
    for line, next_start in zip(score.lines, next_starts, strict=True):
        rows.append(f"[{_stamp(line.start)}]{line.text}")
        if next_start - line.end >= _REST_WORTH_A_STAMP:
            rows.append(f"[{_stamp(line.end)}]")
    return "\n".join(rows) + "\n"


def _stamp(seconds: float) -> str:
    minutes, hundredths = divmod(round(seconds * 100), 6000)
    return f"{minutes:02}:{hundredths // 100:02}.{hundredths % 100:02}"


@dataclass(slots=True, kw_only=True)
class _Stave:
    """One line of music and the `w:` lines under it, or a change of tempo."""

    music: str = ""
    verses: list[str] = field(default_factory=list[str])
    tempo: str | None = None


def _split(abc: str) -> tuple[dict[str, str], dict[str, list[_Stave]]]:
    header: dict[str, str] = {}
    parts: dict[str, list[_Stave]] = {}
    staves: list[_Stave] = []
    for row in abc.splitlines():
        name, colon, value = row.partition(":")
        is_field = bool(colon) and len(name) == 1
        if is_field and "K" not in header:
            header[name] = value.strip()
        elif is_field and name == "P":
            staves = parts.setdefault(value.strip(), [])
        elif is_field and name == "Q":
            staves.append(_Stave(tempo=value.strip()))
        elif is_field and name == "w":
            staves[-1].verses.append(value.strip())
        else:
            staves.append(_Stave(music=row))
    if missing := set("TCMLQPK") - header.keys():
        raise ScoreError(f"the header lacks {', '.join(sorted(missing))}")
    return header, parts


class _Performance:
    """Walks the staves in the order they sound, with a clock and a bar counter."""

    def __init__(self, *, meter: Fraction, unit: Fraction, tempo: str) -> None:
        self.notes: list[Note] = []
        self.lines: list[Line] = []
        self.clock = 0.0
        self._meter = meter
        self._unit = unit
        self._whole_note = _whole_note_seconds(tempo)
        self._bars = 0
        self._in_bar = Fraction(0)
        self._sharps: set[str] = set()
        self._position = Fraction(0)
        self._harmonies: list[tuple[str | None, float, Fraction]] = []

    def play(self, stave: _Stave, *, time: int) -> None:
        """Plays a stave for the `time`-th time, counted from 0."""
        if stave.tempo is not None:
            self._whole_note = _whole_note_seconds(stave.tempo)
            return
        first = len(self.notes)
        factor = Fraction(1)
        for token in _tokens(stave.music):
            if token["bar"]:
                self.bar_line()
            elif token["chord"]:
                self._mark_harmony(token["chord"])
            elif token["letter"]:
                length = factor * _length(token) * self._unit
                factor = Fraction(1, 2) if token["dotted"] else Fraction(1)
                self._sound(token, length)
        if stave.verses:
            self._underlay(first, stave.verses[min(time, len(stave.verses) - 1)])

    def bar_line(self) -> None:
        """Closes a bar; raises ScoreError unless it adds up to the meter."""
        if self._in_bar not in (0, self._meter):
            raise ScoreError(
                f"bar {self._bars + 1} as played holds {self._in_bar}, "
                f"and the meter asks for {self._meter}"
            )
        self._bars += self._in_bar == self._meter
        self._in_bar = Fraction(0)
        self._sharps.clear()
        self._mark_harmony(self._harmonies[-1][0] if self._harmonies else None)

    def chords(self) -> tuple[Chord, ...]:
        """The harmony so far, cut at every bar line."""
        return tuple(
            Chord(
                root=_NATURAL[name[0]],
                third=3 if name.endswith("m") else 4,
                eighths=int((end_position - position) * 8),
                start=start,
                duration=end - start,
            )
            for (name, start, position), (_, end, end_position) in pairwise(
                self._harmonies
            )
            if name and position < end_position
        )

    def _sound(self, token: re.Match[str], length: Fraction) -> None:
        seconds = float(length) * self._whole_note
        if token["letter"] != "z":
            pitch = self._pitch(token)
            self.notes.append(
                Note(pitch=pitch, start=self.clock, duration=seconds, sung=False)
            )
        self.clock += seconds
        self._in_bar += length
        self._position += length

    def _pitch(self, token: re.Match[str]) -> int:
        letter = token["letter"] + token["octave"]
        if token["sharp"]:
            self._sharps.add(letter)
        octave = 60 + 12 * token["letter"].islower() + 12 * len(token["octave"])
        return octave + _NATURAL[token["letter"].upper()] + (letter in self._sharps)

    def _mark_harmony(self, name: str | None) -> None:
        self._harmonies.append((name, self.clock, self._position))

    def _underlay(self, first: int, verse: str) -> None:
        """Sets a verse under the notes from `first` on: a syllable, `_` or `*` each."""
        syllables: list[str] = _SYLLABLE.findall(verse)
        notes = self.notes[first:]
        if len(syllables) != len(notes):
            raise ScoreError(f"{len(notes)} notes, {len(syllables)} syllables: {verse}")
        self.notes[first:] = [
            replace(note, sung=syllable != "*")
            for note, syllable in zip(notes, syllables, strict=True)
        ]
        sung = [note for note in self.notes[first:] if note.sung]
        text = "".join(f"{s} ".replace("- ", "") for s in syllables if s not in "*_")
        end = sung[-1].start + sung[-1].duration
        self.lines.append(Line(text=text.strip(), start=sung[0].start, end=end))


def _tokens(music: str) -> list[re.Match[str]]:
    tokens: list[re.Match[str]] = []
    at = 0
    while at < len(music):
        token = _TOKEN.match(music, at)
        if token is None:
            raise ScoreError(f"cannot read {music[at:]!r} in {music!r}")
        tokens.append(token)
        at = token.end()
    return tokens


def _length(token: re.Match[str]) -> Fraction:
    length = Fraction(int(token["times"] or 1), 2 if token["halved"] else 1)
    return length * Fraction(3, 2) if token["dotted"] else length


def _whole_note_seconds(tempo: str) -> float:
    """Seconds of a whole note at a tempo such as `3/8=56`, fifty-six 3/8 a minute."""
    beat, _, per_minute = tempo.partition("=")
    return 60 / (float(Fraction(beat)) * float(per_minute))
