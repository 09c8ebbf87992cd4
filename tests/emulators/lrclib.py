"""LRCLIB: songs and their lyrics, which it asks to be fetched one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.emulators.emulator import Emulator, exchange_of
from tests.emulators.knobs import LrclibKnobs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from tests.emulators.ledger import Ledger
    from tests.emulators.log import Log

NEAR = 2.0
"""Seconds by which a duration may be off."""
MOST_FOUND = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LrcSong:
    """A song as LRCLIB has it."""

    title: str
    artist: str
    album: str = "The Album"
    duration: float = 180.0
    """Seconds."""
    synced: str | None = None
    """Lyrics in LRC."""
    plain: str | None = None
    instrumental: bool = False

    def described(self, number: int) -> dict[str, Any]:
        return {
            "id": number,
            "name": self.title,
            "trackName": self.title,
            "artistName": self.artist,
            "albumName": self.album,
            "duration": self.duration,
            "instrumental": self.instrumental,
            "plainLyrics": self.plain,
            "syncedLyrics": self.synced,
        }

    def fits(self, asked: Mapping[str, str]) -> bool:
        """Says whether it is the song that a `get` names."""
        album = asked.get("album_name", self.album)
        off = abs(float(asked.get("duration", self.duration)) - self.duration)
        return (
            _same(self.title, asked["track_name"])
            and _same(self.artist, asked["artist_name"])
            and _same(self.album, album)
            and off <= NEAR
        )

    def resembles(self, asked: Mapping[str, str]) -> bool:
        """Says whether a `search` finds it: every word asked for is in its names."""
        names = {"track_name": self.title, "artist_name": self.artist}
        names |= {"album_name": self.album}
        names |= {"q": f"{self.title} {self.artist} {self.album}"}
        return all(
            set(words.casefold().split()) <= set(names[field].casefold().split())
            for field, words in asked.items()
            if field in names
        )


class Lrclib(Emulator[LrclibKnobs]):
    """The part of its API that reads."""

    name = "lrclib"

    def __init__(self, ledger: Ledger, url: str, log: Log) -> None:
        super().__init__(ledger, url, LrclibKnobs())
        self.songs: list[LrcSong] = []
        """What it knows; a song's id is its place, from 1."""
        self.most_at_once = 0
        """Requests that waited at the same time, at the most."""
        self._log = log

    @property
    def user_agents(self) -> set[str]:
        return {
            exchange.headers.get("user-agent", "")
            for exchange in self._log.of("lrclib")
        }

    def routes(self) -> Sequence[BaseRoute]:
        return (
            Route("/api/get", self._get),
            Route("/api/get/{id:int}", self._get_by_id),
            Route("/api/search", self._search),
        )

    def throttled(self, seconds: float) -> Response:
        headers = {"Retry-After": f"{max(1, round(seconds))}"}
        return Response("Too Many Requests", 429, headers)

    def failed(self, status: int) -> Response:
        message = "Something bad happened when processing your request"
        return _error(status, "UnknownError", message)

    def meet(self, request: Request, purpose: str) -> Response | None:
        at_once = len(self._log.open(self.name))
        self.most_at_once = max(self.most_at_once, at_once)
        return super().meet(request, purpose)

    async def _get(self, request: Request) -> Response:
        fault = self.meet(request, "get")
        if fault:
            return fault
        asked = request.query_params
        if "track_name" not in asked or "artist_name" not in asked:
            return PlainTextResponse("Failed to deserialize query string", 400)
        if not 1 <= float(asked.get("duration", 1)) <= 3600:
            message = "duration: must be between 1 and 3600"
            return _error(400, "ValidationError", message)
        for number, song in enumerate(self.songs, 1):
            if song.fits(asked):
                exchange_of(request).operation_id = str(number)
                return JSONResponse(song.described(number))
        return _not_found()

    async def _get_by_id(self, request: Request) -> Response:
        fault = self.meet(request, "get")
        if fault:
            return fault
        number: int = request.path_params["id"]
        if not 1 <= number <= len(self.songs):
            return _not_found()
        return JSONResponse(self.songs[number - 1].described(number))

    async def _search(self, request: Request) -> Response:
        fault = self.meet(request, "search")
        if fault:
            return fault
        found = [
            song.described(number)
            for number, song in enumerate(self.songs, 1)
            if song.resembles(request.query_params)
        ]
        return JSONResponse(found[:MOST_FOUND])


def _same(one: str, other: str) -> bool:
    return one.casefold().strip() == other.casefold().strip()


def _not_found() -> Response:
    return _error(404, "TrackNotFound", "Failed to find specified track")


def _error(status: int, name: str, message: str) -> Response:
    return JSONResponse(
        {"message": message, "name": name, "statusCode": status}, status
    )
