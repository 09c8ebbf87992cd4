"""LRCLIB: a free library of lyrics, plain and synced (https://lrclib.net/docs).

It wants one request at a time and a User-Agent that names who asks.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

import httpx

from services.generator.providers.provider import ProviderError
from services.generator.providers.transport import answers_of, retry_after

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "LRCLIB"

LONGEST_TRACK = 3600
"""Seconds: LRCLIB refuses to look for longer ones."""

_HEADERS = {"user-agent": f"refrain/{version('refrain')}", "accept": "application/json"}
_TIMEOUT = httpx.Timeout(20, connect=5)
_LONGEST_WORDS = 300
_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One recording of a song; with no lyrics at all nobody has sent any yet."""

    track_id: str
    title: str
    artist: str
    duration: timedelta | None
    instrumental: bool
    plain: str
    """Empty if there are none."""
    synced: str
    """LRC; empty if there is none."""


class LrclibClient:
    """Asks LRCLIB, one request at a time in this process."""

    def __init__(self, http: httpx.AsyncClient, base_url: str) -> None:
        self._http = http
        self._url = base_url.rstrip("/")
        self._turn = asyncio.Lock()

    async def get(
        self,
        *,
        title: str,
        artist: str,
        album: str = "",
        duration: timedelta | None = None,
    ) -> Track | None:
        """Returns the track of that name, within 2 s of the duration if it is given.

        None if LRCLIB has no such track. Raises ProviderError.
        """
        answer = await self._get(
            "/api/get", _query(title, artist, album) | _seconds(duration)
        )
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return None
        found = _json(answer)
        if not isinstance(found, dict):
            raise _not_understood(answer)
        return _track(cast("dict[str, Any]", found))

    async def search(self, *, title: str, artist: str = "") -> list[Track]:
        """Returns up to 20 tracks with such words in their names. Raises ProviderError.

        They come in LRCLIB's own order, which does not say how well they match.
        """
        answer = await self._get("/api/search", _query(title, artist, ""))
        found = _json(answer)
        if not isinstance(found, list):
            raise _not_understood(answer)
        return [
            _track(cast("dict[str, Any]", track))
            for track in cast("list[Any]", found)
            if isinstance(track, dict)
        ]

    async def _get(self, path: str, query: Mapping[str, str]) -> httpx.Response:
        async with self._turn:
            with answers_of(NAME):
                answer = await self._http.get(
                    f"{self._url}{path}",
                    params=query,
                    headers=_HEADERS,
                    timeout=_TIMEOUT,
                )
        if answer.is_success or answer.status_code == HTTPStatus.NOT_FOUND:
            return answer
        raise _error(answer)


def _query(title: str, artist: str, album: str) -> dict[str, str]:
    names = {"track_name": title, "artist_name": artist, "album_name": album}
    return {name: value for name, value in names.items() if value}


def _seconds(duration: timedelta | None) -> dict[str, str]:
    seconds = round(duration.total_seconds()) if duration else 0
    return {"duration": str(seconds)} if 1 <= seconds <= LONGEST_TRACK else {}


def _track(fields: dict[str, Any]) -> Track:
    return Track(
        track_id=str(fields.get("id")),
        title=str(fields.get("trackName") or fields.get("name") or ""),
        artist=str(fields.get("artistName") or ""),
        duration=_length(fields.get("duration")),
        instrumental=bool(fields.get("instrumental")),
        plain=str(fields.get("plainLyrics") or "").strip(),
        synced=str(fields.get("syncedLyrics") or "").strip(),
    )


def _length(seconds: object) -> timedelta | None:
    if isinstance(seconds, int | float) and 0 < seconds < _DAY:
        return timedelta(seconds=seconds)
    return None


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _not_understood(answer: httpx.Response) -> ProviderError:
    return ProviderError(
        f"{NAME} answered {answer.status_code} with what is not its API's; "
        "see that LRCLIB_URL is right"
    )


def _error(answer: httpx.Response) -> ProviderError:
    """Its errors are JSON with a message, or the plain text of the server below it."""
    fields = _json(answer)
    words = ""
    if isinstance(fields, dict):
        words = str(cast("dict[str, Any]", fields).get("message", ""))
    status = answer.status_code
    throttled = status == HTTPStatus.TOO_MANY_REQUESTS
    return ProviderError(
        f"{NAME} answered {status}: {(words or answer.text)[:_LONGEST_WORDS]}",
        retryable=throttled or status >= 500 or status == HTTPStatus.REQUEST_TIMEOUT,
        throttled=throttled,
        retry_after=retry_after(answer.headers),
    )
