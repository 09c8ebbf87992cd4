"""Reads lyrics, plain or LRC, and says when each line of the song sounds.

An LRC file is text whose lines carry stamps, `[mm:ss.xx]`; its enhanced form (A2)
stamps each word as well, `<mm:ss.xx>`. All times are offsets from the song's start.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import NamedTuple

MAX_LENGTH = 500_000
"""Characters in all, stamps and tags counted: what is read in a third of a second."""

MAX_LINES = 2_000
"""Sung lines in one song, repeats counted."""

MAX_LINE_LENGTH = 1_000
"""Characters in one line, stamps not counted."""

AFTER_LAST_STAMP = timedelta(seconds=5)
"""How long a song of unknown length goes on after its last stamp."""

PLAIN_LINE = timedelta(seconds=3)
"""How long each line lasts when nothing gives the song a length."""

LAST_LINE = timedelta(seconds=8)
"""How long the last line sounds at most when nothing says where it ends."""

BREATH = 8
"""What a plain line takes beside its letters, in letters."""

_ZERO = timedelta()

_STAMP = r"([0-9]{1,3}):([0-9]{1,2})(?:[.:]([0-9]{1,3}))?"
_LINE_STAMP = re.compile(rf"\s*\[{_STAMP}\]")
_WORD_STAMP = re.compile(rf"[<\[]{_STAMP}[>\]]")
_LENGTH = re.compile(_STAMP)
_OFFSET = re.compile(r"([+-]?[0-9]{1,9})")
_TAG = re.compile(
    r"\[(ti|ar|al|au|by|length|offset|re|ve)\s*:(.*)\]", re.ASCII | re.IGNORECASE
)
_COMMENT = re.compile(r"#(?:\s.*)?|\[#.*\]")


class LyricsError(ValueError):
    """The lyrics cannot be used."""


class Word(NamedTuple):
    """One word of an enhanced LRC line and when it is sung."""

    text: str
    start: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One sung line: never empty, its white space single spaces."""

    text: str
    start: timedelta
    """Zero in plain lyrics, until `timed_lines` gives the line a place."""
    end: timedelta | None = None
    """The line's own end, else the next later stamp; None when there is neither.
    Equal to `start` only when `[offset:]` moved the whole line before the song."""
    words: tuple[Word, ...] = ()
    """Set only by word stamps; joined by spaces the words are `text`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lyrics:
    """The lines of a song in the order they sound, at least one."""

    lines: tuple[Line, ...]
    tags: Mapping[str, str]
    """The known, non-empty LRC tags, keys in lower case."""
    synced: bool
    """Whether the lines carry times."""
    after_pause: frozenset[int] = frozenset()
    """Of plain lyrics, the lines by index that stand below a blank one; none if every
    line stands alone."""


def parse_lyrics(text: str) -> Lyrics:
    """Reads LRC if any line begins with a stamp, else plain text.

    Stamps are `[mm:ss]`, `[mm:ss.xx]` or `[mm:ss:xx]`, minutes of one to three digits,
    fractions likewise. A line with several stamps repeats at each; its word stamps time
    the repeat nearest to them. A stamp without text ends the line before it. Positive
    `[offset:]` milliseconds make the lyrics sooner, never before zero. Lines that share
    a stamp (a translation) sound together.

    Seconds above 59 count as they stand: `[00:99.00]` is 1:39. What only resembles a
    stamp or a tag, `[ab:cd]` or `[Chorus]`, is text; LRC passes over every line without
    a stamp, so there such a line vanishes. A `#` before a space opens a comment.

    Raises:
        LyricsError: No line has words, there are too many lines, one or all of them are
            too long, or one holds a NUL character.
    """
    tags: dict[str, str] = {}
    plain: list[tuple[int, str]] = []
    stamped: list[tuple[int, list[timedelta], str]] = []
    for number, row in _numbered_rows(text):
        stamps, rest = _split_stamps(row)
        if stamps:
            stamped.append((number, stamps, rest))
        elif tag := _TAG.fullmatch(row.strip()):
            if value := tag[2].strip():
                tags[tag[1].lower()] = value
        elif not _COMMENT.fullmatch(row.strip()):
            plain.append((number, row))

    if stamped:
        lines, after_pause = _synced_lines(stamped, _offset(tags)), frozenset[int]()
    else:
        lines, after_pause = _plain_lines(plain)
    if not lines:
        raise LyricsError(
            "the lyrics hold no line of words: send plain text or LRC "
            f"of 1 to {MAX_LINES:,} lines"
        )
    return Lyrics(lines=lines, tags=tags, synced=bool(stamped), after_pause=after_pause)


def song_duration(
    lyrics: Lyrics, audio_duration: timedelta | None, requested: timedelta | None
) -> timedelta:
    """The song's length: that of its audio, else the one requested.

    With neither it is the `[length:]` tag if that lies past the last stamp, else the
    last stamp (a line's end counts as one) and 5 s, else 3 s for each line.
    """
    if audio_duration is not None:
        return audio_duration
    if requested is not None:
        return requested
    last_stamp = max(
        line.start if line.end is None else line.end for line in lyrics.lines
    )
    length = _LENGTH.fullmatch(lyrics.tags.get("length", ""))
    if length and _time(length) > last_stamp:
        return _time(length)
    if lyrics.synced:
        return last_stamp + AFTER_LAST_STAMP
    return PLAIN_LINE * len(lyrics.lines)


def timed_lines(lyrics: Lyrics, duration: timedelta) -> tuple[Line, ...]:
    """The lines that sound in a song of `duration`, each with its start and end.

    `0 <= start < end <= duration` holds for each. Synced lines keep their times, cut at
    the song's end; one without an end sounds for 8 s at most. Plain lines share the
    song by their letters, and 8 more for each line; blank lines between two others are
    one pause, as long as the average line.
    """
    if lyrics.synced:
        placed = (
            replace(line, end=line.start + LAST_LINE) if line.end is None else line
            for line in lyrics.lines
        )
    else:
        placed = _spread(lyrics, duration)
    return tuple(_cut_at(duration, placed))


def _spread(lyrics: Lyrics, duration: timedelta) -> Iterable[Line]:
    """Plain lines one after another, and between them the pauses."""
    shares = [len(line.text) + BREATH for line in lyrics.lines]
    pause = sum(shares) // len(shares)
    song = sum(shares) + pause * len(lyrics.after_pause)
    at = 0
    for index, (line, share) in enumerate(zip(lyrics.lines, shares, strict=True)):
        if index in lyrics.after_pause:
            at += pause
        start, at = at, at + share
        yield replace(line, start=duration * start / song, end=duration * at / song)


def _cut_at(duration: timedelta, lines: Iterable[Line]) -> Iterable[Line]:
    for line in lines:
        end = duration if line.end is None else min(line.end, duration)
        if line.start < end:
            yield replace(line, end=end)


def _numbered_rows(text: str) -> Iterable[tuple[int, str]]:
    if len(text) > MAX_LENGTH:
        raise LyricsError(
            f"the lyrics have {len(text):,} characters, at most {MAX_LENGTH:,} are "
            "allowed: send the lyrics of one song"
        )
    for number, row in enumerate(text.replace("\ufeff", "").splitlines(), start=1):
        if "\0" in row:
            raise LyricsError(
                f"line {number} of the lyrics holds a NUL character: "
                "remove it, or save the file as UTF-8"
            )
        yield number, row


def _plain_lines(
    rows: Sequence[tuple[int, str]],
) -> tuple[tuple[Line, ...], frozenset[int]]:
    """The lines, and the indexes of those after a pause."""
    lines: list[Line] = []
    after_pause: set[int] = set()
    for number, row in rows:
        if text := _sung_text(number, row):
            lines.append(Line(text=text, start=_ZERO))
        elif lines:
            after_pause.add(len(lines))
    _refuse_too_many(len(lines))
    after_pause.discard(len(lines))
    # Text with a blank line below every line is double-spaced.
    alone = len(after_pause) == len(lines) - 1
    return tuple(lines), frozenset() if alone else frozenset(after_pause)


def _synced_lines(
    rows: Sequence[tuple[int, list[timedelta], str]], offset: timedelta
) -> tuple[Line, ...]:
    sung = [
        (text, stamps, rest)
        for number, stamps, rest in rows
        if (text := _sung_text(number, _WORD_STAMP.sub("", rest)))
    ]
    _refuse_too_many(sum(len(stamps) for _, stamps, _ in sung))
    lines = [line for row in sung for line in _repeated(*row)]
    lines.sort(key=lambda line: line.start)
    times = sorted({stamp for _, stamps, _ in rows for stamp in stamps})
    return tuple(_moved(_bounded(line, times), -offset) for line in lines)


def _repeated(text: str, stamps: Sequence[timedelta], rest: str) -> list[Line]:
    """One line at each stamp; only the one nearest to them has the word times."""
    lines = [Line(text=text, start=stamp) for stamp in stamps]
    unmarked, marks = _split_word_stamps(rest)
    if not marks:
        return lines
    nearest = min(
        range(len(stamps)), key=lambda index: abs(stamps[index] - marks[0][1])
    )
    start = stamps[nearest]
    end = None
    if not unmarked[marks[-1][0] :].strip():
        end = marks.pop()[1]
    lines[nearest] = Line(
        text=text,
        start=start,
        end=end if end is not None and end > start else None,
        words=_words(unmarked, [(0, start), *marks]) if marks else (),
    )
    return lines


def _split_word_stamps(rest: str) -> tuple[str, list[tuple[int, timedelta]]]:
    """The text without word stamps, and of each stamp the place in it and the time."""
    marks: list[tuple[int, timedelta]] = []
    removed = 0
    for match in _WORD_STAMP.finditer(rest):
        marks.append((match.start() - removed, _time(match)))
        removed += len(match[0])
    return _WORD_STAMP.sub("", rest), marks


def _words(text: str, marks: Sequence[tuple[int, timedelta]]) -> tuple[Word, ...]:
    """Each word at the last mark before it, so syllables timed apart stay one word."""
    places = [place for place, _ in marks]
    return tuple(
        Word(match[0], marks[bisect_right(places, match.start()) - 1][1])
        for match in re.finditer(r"\S+", text)
    )


def _bounded(line: Line, times: Sequence[timedelta]) -> Line:
    following = bisect_right(times, line.start)
    if line.end is not None or following == len(times):
        return line
    return replace(line, end=times[following])


def _moved(line: Line, by: timedelta) -> Line:
    return replace(
        line,
        start=max(_ZERO, line.start + by),
        end=None if line.end is None else max(_ZERO, line.end + by),
        words=tuple(Word(text, max(_ZERO, start + by)) for text, start in line.words),
    )


def _split_stamps(row: str) -> tuple[list[timedelta], str]:
    stamps: list[timedelta] = []
    position = 0
    while match := _LINE_STAMP.match(row, position):
        stamps.append(_time(match))
        position = match.end()
    return stamps, row[position:]


def _time(stamp: re.Match[str]) -> timedelta:
    minutes, seconds, fraction = stamp.groups()
    return timedelta(
        minutes=int(minutes),
        seconds=int(seconds),
        microseconds=int((fraction or "").ljust(6, "0")),
    )


def _offset(tags: Mapping[str, str]) -> timedelta:
    offset = _OFFSET.fullmatch(tags.get("offset", ""))
    return timedelta(milliseconds=int(offset[1])) if offset else _ZERO


def _sung_text(number: int, row: str) -> str:
    text = " ".join(row.split())
    if len(text) > MAX_LINE_LENGTH:
        raise LyricsError(
            f"line {number} of the lyrics has {len(text):,} characters, at most "
            f"{MAX_LINE_LENGTH:,} are allowed: break it into shorter lines"
        )
    return text


def _refuse_too_many(count: int) -> None:
    if count > MAX_LINES:
        raise LyricsError(
            f"the lyrics have {count:,} lines, at most {MAX_LINES:,} are "
            "allowed: send one song, or leave lines out"
        )
