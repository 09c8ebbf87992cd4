"""Finds the lyrics of a song by its names: LRCLIB's own match, else the best one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import timedelta
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from refrain.errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.generator.lyrics.lrclib import LrclibClient, Track

SAME_RECORDING = timedelta(seconds=10)
"""Recordings whose lengths differ by more are other ones, sung at other times."""
SAME_LENGTH = timedelta(seconds=2)
"""Lengths that differ by less are alike, as they are to LRCLIB."""
SIMILAR = 0.6
"""How much of two names must be alike, from 0 to 1, for them to be the same."""

_ADDITION = r"\(.*?\)|\[.*?\]|\s-\s.*|\b(?:feat|ft)\b.*"
_TITLE_ADDITION = re.compile(_ADDITION, re.IGNORECASE)
"""No part of a title: `(Live)`, `[Remix]`, ` - Remastered 2011`, `feat. X`."""
_ARTIST_ADDITION = re.compile(rf"{_ADDITION}|[,;&/+].*", re.IGNORECASE)
"""Who plays along: `Queen & David Bowie` may be filed under `Queen`."""
_NOTHING = re.compile(r"(?!)")
_LONGEST_NAME = 100
"""Characters compared; the time grows with the square of them."""
_STAMPS = re.compile(r"\[[^\]]*\]|<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundLyrics:
    """What was found: lyrics, or that the song has none."""

    lyrics: str
    """LRC if there is such, else plain text; empty exactly for an instrumental."""
    instrumental: bool
    duration: timedelta | None
    """Of the recording whose lyrics these are."""
    source: str
    """Where they come from, such as `lrclib:3396226`."""


class LyricsNotFound(TaskError):
    """Nobody has the lyrics, so they must be given."""

    def __init__(self, title: str, artist: str) -> None:
        by = f" by {artist!r}" if artist else ""
        super().__init__(
            f"No lyrics were found for {title!r}{by}; "
            "give them in lyrics, or set instrumental.",
            reason="LYRICS_NOT_FOUND",
        )


async def find_lyrics(
    lrclib: LrclibClient,
    *,
    title: str,
    artist: str,
    album: str = "",
    duration: timedelta | None = None,
) -> FoundLyrics | None:
    """Returns LRCLIB's track of these names, else the best of a search for them.

    In a search the name of the song and of the artist (if given) must be similar.
    An instrumental counts only if none of them has words. Otherwise a recording within
    10 s of `duration` comes first: another one lends its words, but not its times. Then
    come synced lyrics before plain ones, then the nearest in length, then in name.

    Returns None if there is none, or no title. Raises ProviderError.
    """
    if not title:
        return None
    if artist:
        track = await lrclib.get(
            title=title, artist=artist, album=album, duration=duration
        )
        if track and (found := _found(track, duration)):
            return found
    tracks = await lrclib.search(title=title, artist=artist)
    return _best(tracks, title, artist, duration)


def _best(
    tracks: Sequence[Track], title: str, artist: str, duration: timedelta | None
) -> FoundLyrics | None:
    likeness = {track: _likeness(track, title, artist) for track in tracks}
    candidates = [
        track
        for track in tracks
        if likeness[track] >= SIMILAR and _found(track, duration)
    ]
    if not candidates:
        return None
    best = min(
        candidates, key=lambda track: (*_rank(track, duration), -likeness[track])
    )
    return _found(best, duration)


def _found(track: Track, duration: timedelta | None) -> FoundLyrics | None:
    """What a track gives to a song of this length; None if it is nothing."""
    has_times = _has_words(track.synced) and not _is_other(track, duration)
    lyrics = track.synced if has_times else track.plain
    if not lyrics and not track.instrumental:
        return None
    return FoundLyrics(
        lyrics=lyrics,
        instrumental=not lyrics,
        duration=track.duration,
        source=f"lrclib:{track.track_id}",
    )


def _rank(track: Track, duration: timedelta | None) -> tuple[float, ...]:
    """The lowest is the best; of an unknown length is worse than of the same."""
    off = timedelta()
    if duration is not None:
        off = abs(track.duration - duration) if track.duration else SAME_RECORDING
    return (
        not (track.synced or track.plain),
        off > SAME_RECORDING,
        not _has_words(track.synced),
        max(off, SAME_LENGTH).total_seconds(),
    )


def _is_other(track: Track, duration: timedelta | None) -> bool:
    if track.duration is None or duration is None:
        return False
    return abs(track.duration - duration) > SAME_RECORDING


def _has_words(synced: str) -> bool:
    return bool(_STAMPS.sub("", synced).strip())


def _likeness(track: Track, title: str, artist: str) -> float:
    """How alike the names are, from 0 to 1: the song's, and the artist's if given.

    Additions may be missing on either side, but not of an instrumental: `Song` is not
    `Song (Karaoke)`.
    """
    sung = bool(track.synced or track.plain)
    alike = _similarity(track.title, title, _TITLE_ADDITION if sung else _NOTHING)
    if artist:
        alike = min(alike, _similarity(track.artist, artist, _ARTIST_ADDITION))
    return alike


def _similarity(one: str, other: str, addition: re.Pattern[str]) -> float:
    return max(
        _ratio(_normal(one), _normal(other)),
        _ratio(_bare(one, addition), _bare(other, addition)),
    )


def _ratio(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()


def _bare(name: str, addition: re.Pattern[str]) -> str:
    return _normal(addition.sub("", name)) or _normal(name)


def _normal(name: str) -> str:
    """In one case, without accents or punctuation, unless it is nothing else."""
    name = name[:_LONGEST_NAME].casefold()
    letters = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", name)
        if not unicodedata.combining(letter)
    )
    return " ".join(re.findall(r"\w+", letters)) or name.strip()
