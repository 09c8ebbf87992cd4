"""LRCLIB, by its documentation, with httpx."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.emulators import LrcSong

if TYPE_CHECKING:
    import httpx

    from tests.emulators import Emulators

SONG = LrcSong(
    title="Harbour Lights",
    artist="The Tides",
    duration=233.0,
    synced="[00:17.12] The lamps go out\n",
    plain="The lamps go out\n",
)
SHORTER = LrcSong(title="Harbour Lights", artist="The Tides", duration=120.0)
NAMES = {"track_name": "harbour lights", "artist_name": "the tides"}


@pytest.fixture
def lrclib(emulators: Emulators, http: httpx.AsyncClient) -> httpx.AsyncClient:
    emulators.lrclib.songs = [SHORTER, SONG]
    http.base_url = emulators.lrclib.url
    return http


async def test_a_song_is_found_by_its_names_and_about_its_length(
    lrclib: httpx.AsyncClient,
) -> None:
    found = await lrclib.get("/api/get", params={**NAMES, "duration": 234.6})
    assert found.json()["duration"] == 233.0
    assert found.json()["syncedLyrics"] == SONG.synced
    assert (await lrclib.get(f"/api/get/{found.json()['id']}")).json() == found.json()
    off = await lrclib.get("/api/get", params={**NAMES, "duration": 236})
    assert off.status_code == 404
    assert off.json()["name"] == "TrackNotFound"


async def test_bad_questions_are_400(lrclib: httpx.AsyncClient) -> None:
    wrong = await lrclib.get("/api/get", params={**NAMES, "duration": 3601})
    assert wrong.json()["name"] == "ValidationError"
    lacking = await lrclib.get("/api/get", params={"track_name": "Harbour Lights"})
    assert (wrong.status_code, lacking.status_code) == (400, 400)


async def test_a_search_finds_songs_by_words(lrclib: httpx.AsyncClient) -> None:
    found = await lrclib.get("/api/search", params={"q": "tides harbour"})
    assert [song["id"] for song in found.json()] == [1, 2]
    none = await lrclib.get("/api/search", params={"q": "tides mountain"})
    assert none.json() == []
    named = await lrclib.get("/api/search", params=NAMES)
    assert len(named.json()) == 2


async def test_who_comes_with_how_many_at_once_is_counted(
    emulators: Emulators, lrclib: httpx.AsyncClient
) -> None:
    lrclib.headers["User-Agent"] = "Refrain/0.1"
    await lrclib.get("/api/get", params=NAMES)
    assert emulators.lrclib.most_at_once == 1
    emulators.lrclib.knobs.search.hang = "headers"
    async with asyncio.TaskGroup() as tasks:
        for _ in range(2):
            tasks.create_task(lrclib.get("/api/search", params={"q": "tides"}))
        await emulators.until(lambda: emulators.lrclib.most_at_once == 2)
        emulators.lrclib.knobs.search.hang = ""
    assert emulators.lrclib.user_agents == {"Refrain/0.1"}


async def test_a_429_says_when_to_come_back(
    emulators: Emulators, lrclib: httpx.AsyncClient
) -> None:
    emulators.lrclib.knobs.get.throttle = 1
    emulators.lrclib.knobs.get.retry_after = 7
    answer = await lrclib.get("/api/get", params=NAMES)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
