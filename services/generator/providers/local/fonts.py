"""Fonts: which installed typeface can draw which characters.

Pillow does not fall back from one font to another, so a text is cut into runs, each
of a typeface whose character map has all of the run.
"""

import struct
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import fontpkg
from PIL import ImageFont

_WEIGHT = 650
JOINERS = "\u200c\u200d"
"""Control characters that shape letters, and stay: Indic and Persian need them."""
_CJK = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc")
"""Where Debian's fonts-noto-cjk puts it: no clean package of it is on PyPI."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Typeface:
    """Compared by identity: it is a key of caches, and its ranges are long."""

    path: str
    starts: tuple[int, ...]
    """First code point of each range that the typeface draws, ascending."""
    ends: tuple[int, ...]
    """Last code point of each range."""

    def draws(self, character: str) -> bool:
        index = bisect_right(self.starts, ord(character)) - 1
        return index >= 0 and ord(character) <= self.ends[index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    text: str
    typeface: Typeface


def runs(text: str) -> list[Run]:
    """The text in logical order; characters that no typeface draws are left out."""
    found: list[Run] = []
    for character in text:
        last = found[-1].typeface if found else None
        face = last if last and last.draws(character) else _typeface_for(character)
        if face is None:
            continue
        if face is last:
            found[-1] = Run(text=found[-1].text + character, typeface=face)
        else:
            found.append(Run(text=character, typeface=face))
    return found


def missing(texts: Iterable[str]) -> str:
    """The letters that no typeface draws, each once, sorted: of another script."""
    letters = {letter for text in texts for letter in text if letter.isalpha()}
    return "".join(sorted(letter for letter in letters if not drawable(letter)))


def drawable(character: str) -> bool:
    return _typeface_for(character) is not None


@lru_cache(maxsize=64)
def font(typeface: Typeface, size: int) -> ImageFont.FreeTypeFont:
    """The typeface at a size in pixels, semi-bold where its weight varies."""
    face = ImageFont.truetype(typeface.path, size, layout_engine=ImageFont.Layout.RAQM)
    try:
        axes = face.get_variation_axes()
    except OSError:
        return face
    face.set_variation_by_axes(
        [
            _WEIGHT if axis.get("name") == b"Weight" else axis["default"] or 0
            for axis in axes
        ]
    )
    return face


@cache
def _typeface_for(character: str) -> Typeface | None:
    if unicodedata.category(character)[0] == "C" and character not in JOINERS:
        return None
    for path in _paths():
        face = _typeface(path)
        if face.draws(character):
            return face
    return None


@cache
def _paths() -> tuple[str, ...]:
    """Noto Sans, then every other Noto Sans that is installed, the largest last."""
    slugs = sorted(slug for slug in fontpkg.families() if slug.startswith("noto-sans"))
    if not slugs:
        raise LookupError(
            "No font to draw words with: install the package fontpkg-noto-sans"
        )
    paths = [str(fontpkg.path(slug, weight=_WEIGHT, nearest=True)) for slug in slugs]
    return (*paths, str(_CJK)) if _CJK.exists() else tuple(paths)


@cache
def _typeface(path: str) -> Typeface:
    ranges = sorted(_ranges(Path(path).read_bytes()))
    return Typeface(
        path=path,
        starts=tuple(start for start, _ in ranges),
        ends=tuple(end for _, end in ranges),
    )


def _ranges(data: bytes) -> Iterator[tuple[int, int]]:
    """Code points in the `cmap` table of an OpenType file or collection, formats 4
    and 12: https://learn.microsoft.com/typography/opentype/spec/cmap
    """
    (font_at,) = struct.unpack_from(">I", data, 12) if data[:4] == b"ttcf" else (0,)
    (tables,) = struct.unpack_from(">H", data, font_at + 4)
    records = (
        struct.unpack_from(">4sIII", data, font_at + 12 + 16 * i) for i in range(tables)
    )
    cmap = next(record[2] for record in records if record[0] == b"cmap")
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    subtables = {
        struct.unpack_from(">H", data, at)[0]: at
        for at in (
            cmap + struct.unpack_from(">HHI", data, cmap + 4 + 8 * i)[2]
            for i in range(count)
        )
    }
    if at := subtables.get(12):
        (groups,) = struct.unpack_from(">I", data, at + 12)
        for i in range(groups):
            start, end, _ = struct.unpack_from(">III", data, at + 16 + 12 * i)
            yield start, end
    elif at := subtables.get(4):
        (double,) = struct.unpack_from(">H", data, at + 6)
        ends = struct.unpack_from(f">{double // 2}H", data, at + 14)
        starts = struct.unpack_from(f">{double // 2}H", data, at + 16 + double)
        yield from zip(starts, ends, strict=True)
