"""Layout: a line of a song set as centred rows of words that fit the frame."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from services.generator.providers.local import fonts

LEADING = 1.42
"""From one baseline to the next, in type sizes; Devanagari and Tamil stand tall."""
_LARGEST = 0.104
_SMALLEST = 0.03
"""Type sizes, as shares of the frame's smaller side."""
_ROOM_ACROSS = 0.84
_ROOM_DOWN = 0.68
"""Shares of the frame that words may fill."""
_MEASURED_AT = 64
_SPACE = 0.27
"""The gap between words, in type sizes."""
_UNSPACED = "\\u3040-\\u30ff\\u3400-\\u9fff"
"""Kana and Han are written without spaces, and rows may break between any two."""
_PIECES = re.compile(f"[{_UNSPACED}]{{1,4}}[^\\w\\s]*|[^{_UNSPACED}]+")
Direction = Literal["L", "R"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    text: str
    x: int
    """Left end of the baseline, pixels from the left of the frame."""
    baseline: int
    """Pixels from the top of the frame."""
    advance: float
    """From the left end of the baseline to the right one, in pixels."""
    size: int
    """Type size in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Word:
    text: str
    width: float
    """In type sizes."""
    space: float
    """Before it, unless it opens a row; in type sizes."""


def lay_out(text: str, width: int, height: int) -> list[Placed]:
    """The words of a text in reading order, placed in a frame of that size.

    A newline starts a new row. Words of which no character can be drawn are left
    out; what does not fit at the smallest type size is cut off.
    """
    smaller = min(width, height)
    room_across, room_down = width * _ROOM_ACROSS, height * _ROOM_DOWN
    smallest = max(smaller * _SMALLEST, 5.0)
    size = smaller * _LARGEST
    paragraphs = [
        list(_words(part, room_across / smallest)) for part in text.split("\n")
    ]
    while True:
        rows = [row for words in paragraphs for row in _wrap(words, room_across / size)]
        fits = len(rows) * LEADING * size <= room_down
        if size <= smallest or (fits and _widest(rows) <= room_across / size):
            break
        size = max(size * 0.95, smallest)
    rows = rows[: max(int(room_down / (LEADING * size)), 1)]
    base = _direction(text) or "L"
    return _place(rows, base, max(int(size), 1), width, height)


def is_right_to_left(text: str) -> bool:
    return _direction(text) == "R"


def _direction(text: str) -> Direction | None:
    """Of the first letter that has one (rule P2 of the Unicode bidi algorithm)."""
    for character in text:
        match unicodedata.bidirectional(character):
            case "R" | "AL":
                return "R"
            case "L":
                return "L"
            case _:
                continue
    return None


def _words(text: str, widest: float) -> Iterable[_Word]:
    text = unicodedata.normalize("NFC", text)
    for chunk in text.split():
        drawn = "".join(character for character in chunk if fonts.drawable(character))
        space = _SPACE
        for piece in _PIECES.findall(drawn.strip(fonts.JOINERS)):
            for part in _halves(piece, widest):
                yield _Word(text=part, width=_measure(part), space=space)
                space = 0.0


def _halves(piece: str, widest: float) -> list[str]:
    """The piece, cut until each part is no wider; never before a combining mark."""
    if len(piece) < 2 or _measure(piece) <= widest:
        return [piece]
    middle = len(piece) // 2
    while middle < len(piece) and unicodedata.category(piece[middle])[0] in "MC":
        middle += 1
    if middle == len(piece):
        return [piece]
    return _halves(piece[:middle], widest) + _halves(piece[middle:], widest)


@lru_cache(maxsize=4096)
def _measure(text: str) -> float:
    """Advance width in type sizes."""
    return sum(
        fonts.font(run.typeface, _MEASURED_AT).getlength(run.text) / _MEASURED_AT
        for run in fonts.runs(text)
    )


def _wrap(words: list[_Word], room: float) -> list[list[_Word]]:
    """As few rows as hold the words, then as even as that number allows."""
    rows = _greedy(words, room)
    low, high = room / 4, room
    for _ in range(10 if len(rows) > 1 else 0):
        middle = (low + high) / 2
        attempt = _greedy(words, middle)
        if len(attempt) == len(rows) and _widest(attempt) <= middle:
            rows, high = attempt, middle
        else:
            low = middle
    return rows


def _greedy(words: list[_Word], room: float) -> list[list[_Word]]:
    rows: list[list[_Word]] = []
    for word in words:
        if rows and _row_width([*rows[-1], word]) <= room:
            rows[-1].append(word)
        else:
            rows.append([word])
    return rows


def _row_width(row: list[_Word]) -> float:
    return sum(word.width + word.space for word in row) - row[0].space


def _widest(rows: list[list[_Word]]) -> float:
    return max(map(_row_width, rows), default=0.0)


def _place(
    rows: list[list[_Word]], base: Direction, size: int, width: int, height: int
) -> list[Placed]:
    placed: list[Placed] = []
    block = len(rows) * LEADING * size
    # The middle of the small letters, not of the em box, sits on the middle line.
    first = (height - block) / 2 + (LEADING / 2 + 0.33) * size
    for number, row in enumerate(rows):
        x = (width - _row_width(row) * size) / 2
        lefts: dict[int, float] = {}
        for position, index in enumerate(_visual_order(row, base)):
            x += row[index].space * size if position else 0
            lefts[index] = x
            x += row[index].width * size
        placed += [
            Placed(
                text=word.text,
                x=round(lefts[index]),
                baseline=round(first + number * LEADING * size),
                advance=word.width * size,
                size=size,
            )
            for index, word in enumerate(row)
        ]
    return placed


def _visual_order(row: list[_Word], base: Direction) -> list[int]:
    """Indices of the words from left to right, one level of embedding deep.

    A word without letters goes with its neighbours if they agree, else with the row
    (rules N1 and N2 of the Unicode bidi algorithm, for whole words).
    """
    directions = [_direction(word.text) for word in row]
    groups: list[list[int]] = []
    against = False
    for index, direction in enumerate(directions):
        if direction is None:
            following = next(filter(None, directions[index:]), base)
            turns = against and following != base
        else:
            turns = direction != base
        if turns and against:
            groups[-1].append(index)
        else:
            groups.append([index])
        against = turns
    if base == "R":
        groups.reverse()
        return [index for group in groups for index in group]
    return [index for group in groups for index in reversed(group)]
