"""Reads what an audio file says of itself; runs in a media process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
from av.error import FFmpegError

from refrain.lyrics import LyricsError, parse_lyrics

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST_NAME = 200
"""Characters of a title, an artist or an album, as in a request."""

_LYRICS = ("syncedlyrics", "lyrics", "unsyncedlyrics", "unsynced lyrics", "uslt")
"""Keys of lyrics: Vorbis comments, ID3 USLT (`lyrics-eng`), MP4 ©lyr."""


def read_tags(*, path: str) -> dict[str, Any]:
    """Returns `{"title", "artist", "album", "lyrics", "duration"}`.

    Lyrics are LRC if any of the file's are, else plain text, and can be parsed; what is
    not there is an empty string. The duration is what the file's head says, in seconds,
    or None. Raises ValueError for what cannot be read.
    """
    try:
        with av.open(path, metadata_errors="replace") as container:
            tags = _lower(container.metadata.items())
            # Ogg has its tags in the stream; those of the whole file come first.
            for stream in container.streams.audio:
                tags = _lower(stream.metadata.items()) | tags
            microseconds = container.duration
    except FFmpegError as err:
        raise ValueError(
            "the tags of the audio cannot be read; send MP3, M4A, WAV, Ogg or FLAC"
        ) from err
    return {
        "title": _name(tags, "title"),
        "artist": _name(tags, "artist") or _name(tags, "album_artist"),
        "album": _name(tags, "album"),
        "lyrics": _best(_lyrics(tags)),
        "duration": None if microseconds is None else microseconds / 1_000_000,
    }


def _lower(items: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {key.lower(): value for key, value in items}


def _name(tags: dict[str, str], key: str) -> str:
    return " ".join(tags.get(key, "").split())[:LONGEST_NAME]


def _lyrics(tags: dict[str, str]) -> Iterable[str]:
    for key, value in tags.items():
        if key in _LYRICS or key.startswith("lyrics-"):
            yield value


def _best(candidates: Iterable[str]) -> str:
    """The first that is synced, else the first that has words, else none."""
    plain = ""
    for text in candidates:
        try:
            lyrics = parse_lyrics(text)
        except LyricsError:
            continue
        if lyrics.synced:
            return text
        plain = plain or text
    return plain
