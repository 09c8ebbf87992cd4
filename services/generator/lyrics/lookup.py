"""Lookup: the lyrics that a request does not give, from its audio or from LRCLIB."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict

from refrain.errors import TaskError
from refrain.lyrics import LyricsError, parse_lyrics, song_duration
from refrain.storyboard import LONGEST_SONG
from services.generator.lyrics.search import FoundLyrics, LyricsNotFound, find_lyrics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refrain.artifacts import ArtifactStore
    from refrain.job import Task
    from refrain.media import MediaPool
    from refrain.scratch import Scratch
    from refrain.store import LyricsStore
    from refrain.v1.job_service_pb2 import CreateJobRequest
    from services.generator.lyrics.lrclib import LrclibClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """By what a song is looked up."""

    title: str
    artist: str
    album: str
    seconds: float | None

    @property
    def digest(self) -> bytes:
        """Of the names in lower case."""
        text = json.dumps(asdict(self), sort_keys=True).casefold()
        return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LyricsLookup:
    """Fills in the lyrics of a request. What the audio file says comes first."""

    lrclib: LrclibClient | None
    answers: LyricsStore
    artifacts: ArtifactStore
    media: MediaPool
    scratch: Scratch

    async def complete(
        self, task: Task, request: CreateJobRequest
    ) -> Mapping[str, Any]:
        """Puts what was found into the request, and returns those fields in JSON.

        Raises LyricsNotFound, ProviderError.
        """
        tags = await self._read_tags(task, request)
        if lyrics := str(tags.get("lyrics", "")):
            request.lyrics = lyrics
        else:
            self._apply(await self._look_up(_names(request, tags)), request)
        self._set_duration(request)
        fields = {"lyrics", "instrumental", "songDuration"}
        return {k: v for k, v in MessageToDict(request).items() if k in fields}

    async def _read_tags(
        self, task: Task, request: CreateJobRequest
    ) -> Mapping[str, Any]:
        if not request.audio_uri:
            return {}
        with self.scratch.folder(task) as folder:
            path = await self.artifacts.get(request.audio_uri, folder / "song")
            return await self.media.call(
                "services.generator.lyrics.tags:read_tags", path=str(path)
            )

    async def _look_up(self, names: Names) -> FoundLyrics:
        answer = await self.answers.get_answer(names.digest)
        if answer is not None:
            return _found(answer)
        if self.lrclib is None:
            raise LyricsNotFound(names.title, names.artist)
        found = await find_lyrics(
            self.lrclib,
            title=names.title,
            artist=names.artist,
            album=names.album,
            duration=None
            if names.seconds is None
            else timedelta(seconds=names.seconds),
        )
        if found is None:
            raise LyricsNotFound(names.title, names.artist)
        await _check(found)
        await self.answers.keep_answer(names.digest, _answer(found))
        return found

    @staticmethod
    def _apply(found: FoundLyrics, request: CreateJobRequest) -> None:
        request.lyrics = found.lyrics
        request.instrumental = found.instrumental
        if not request.HasField("song_duration") and found.duration is not None:
            request.song_duration.FromTimedelta(found.duration)

    @staticmethod
    def _set_duration(request: CreateJobRequest) -> None:
        """The record knows how long the song is only if audio or a caller said so."""
        if not request.HasField("song_duration"):
            if request.instrumental:
                raise TaskError(
                    "the song has no words, and nothing says how long it is; "
                    "give song_duration, or audio",
                    reason="DURATION_UNKNOWN",
                )
            duration = song_duration(parse_lyrics(request.lyrics), None, None)
            request.song_duration.FromTimedelta(duration)
        if request.song_duration.ToTimedelta() > LONGEST_SONG:
            raise TaskError(
                "the song that was found is longer than 20 minutes; give lyrics",
                reason="SONG_TOO_LONG",
            )


def _names(request: CreateJobRequest, tags: Mapping[str, Any]) -> Names:
    known = request.HasField("song_duration")
    return Names(
        title=request.title,
        artist=request.artist or str(tags.get("artist", "")),
        album=request.album or str(tags.get("album", "")),
        seconds=request.song_duration.ToTimedelta().total_seconds() if known else None,
    )


async def _check(found: FoundLyrics) -> None:
    """Raises TaskError for lyrics that nobody would take from a request either."""
    try:
        if not found.instrumental:
            await asyncio.to_thread(parse_lyrics, found.lyrics)
    except LyricsError as err:
        raise TaskError(
            f"the lyrics that were found cannot be read: {err}; give them in lyrics",
            reason="LYRICS_UNREADABLE",
        ) from err


def _answer(found: FoundLyrics) -> dict[str, Any]:
    duration = found.duration
    return {
        "lyrics": found.lyrics,
        "instrumental": found.instrumental,
        "seconds": None if duration is None else duration.total_seconds(),
        "source": found.source,
    }


def _found(answer: Mapping[str, Any]) -> FoundLyrics:
    seconds = answer["seconds"]
    return FoundLyrics(
        lyrics=answer["lyrics"],
        instrumental=answer["instrumental"],
        duration=None if seconds is None else timedelta(seconds=seconds),
        source=answer["source"],
    )
