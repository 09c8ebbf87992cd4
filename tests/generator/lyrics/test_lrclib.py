"""LRCLIB's client: what it asks, how it waits its turn, and what it understands."""

from __future__ import annotations

import asyncio
import statistics
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

from services.generator.lyrics.lrclib import LrclibClient, Track
from services.generator.providers.provider import ProviderError
from tests.emulators import Emulators, Exchange, LrcSong
from tests.generator.leaving import seconds_to_close

if TYPE_CHECKING:
    from collections.abc import Coroutine

SONG = LrcSong(
    title="Stand by Me",
    artist="Ben E. King",
    duration=180.0,
    synced="[00:01.00]When the night",
    plain="When the night\n",
)
TRACK = Track(
    track_id="1",
    title="Stand by Me",
    artist="Ben E. King",
    duration=timedelta(minutes=3),
    instrumental=False,
    plain="When the night",
    synced="[00:01.00]When the night",
)


@pytest.fixture
def lrclib(lrclib: LrclibClient, emulators: Emulators) -> LrclibClient:
    emulators.lrclib.songs = [SONG]
    return lrclib


def answering(status: int, **answer: Any) -> LrclibClient:
    respond = httpx.MockTransport(lambda _: httpx.Response(status, **answer))
    return LrclibClient(httpx.AsyncClient(transport=respond), "https://lrc.example/")


def get(lrclib: LrclibClient) -> Coroutine[Any, Any, Track | None]:
    return lrclib.get(title=SONG.title, artist=SONG.artist)


def search(lrclib: LrclibClient) -> Coroutine[Any, Any, list[Track]]:
    return lrclib.search(title=SONG.title, artist=SONG.artist)


async def error_of(call: Coroutine[Any, Any, object]) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await call
    return raised.value


def sent(emulators: Emulators) -> list[Exchange]:
    return emulators.log.of("lrclib")


async def test_a_track_is_found_by_its_names(lrclib: LrclibClient) -> None:
    assert await get(lrclib) == TRACK
    assert await search(lrclib) == [TRACK]


async def test_a_track_that_is_not_there_is_none(lrclib: LrclibClient) -> None:
    assert await lrclib.get(title="Stand", artist="Ben") is None
    assert await lrclib.search(title="Another") == []


@pytest.mark.parametrize(
    ("seconds", "asked"),
    [
        (None, None),
        (181.6, "182"),
        (3600, "3600"),
        (3601, None),
        (0.4, None),
    ],
)
async def test_a_length_is_asked_for_in_the_seconds_that_lrclib_takes(
    lrclib: LrclibClient, emulators: Emulators, seconds: float | None, asked: str | None
) -> None:
    duration = None if seconds is None else timedelta(seconds=seconds)
    await lrclib.get(title="A & B", artist="C", album="D?", duration=duration)
    url = httpx.URL(f"http://lrclib{sent(emulators)[0].path}")
    assert url.path == "/api/get"
    names = {"track_name": "A & B", "artist_name": "C", "album_name": "D?"}
    assert dict(url.params) == names | ({"duration": asked} if asked else {})


async def test_a_search_leaves_out_what_is_not_known(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    await lrclib.search(title="A")
    assert sent(emulators)[0].path == "/api/search?track_name=A"


async def test_requests_go_out_one_at_a_time_and_say_who_asks(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    calls = [get(lrclib) for _ in range(5)] + [search(lrclib) for _ in range(5)]
    await asyncio.gather(*calls)
    assert len(sent(emulators)) == 10
    assert emulators.lrclib.most_at_once == 1
    (user_agent,) = emulators.lrclib.user_agents
    assert user_agent.startswith("refrain/")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"duration": None, "plainLyrics": None, "syncedLyrics": None},
        {"duration": 0, "trackName": "", "instrumental": None},
        {"duration": "long", "plainLyrics": " \n"},
        {"duration": 1e300},
    ],
)
async def test_a_track_may_lack_anything(fields: dict[str, object]) -> None:
    track = await get(answering(200, json={"id": 7, "name": "Song", **fields}))
    assert track == Track(
        track_id="7",
        title="Song",
        artist="",
        duration=None,
        instrumental=False,
        plain="",
        synced="",
    )


@pytest.mark.parametrize("body", [b"<html>", b'"text"', b"", b"\xff"])
async def test_what_is_not_lrclib_s_answer_says_what_to_look_at(body: bytes) -> None:
    for call in (get, search):
        error = await error_of(call(answering(200, content=body)))
        assert "LRCLIB_URL" in str(error)
        assert not error.retryable


async def test_a_search_at_a_wrong_address_says_what_to_look_at() -> None:
    error = await error_of(search(answering(404, content=b"<html>")))
    assert "LRCLIB_URL" in str(error)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"json": {"message": "duration: must be between 1 and 3600"}}, "duration"),
        ({"text": "Failed to deserialize query string"}, "deserialize"),
        ({"json": ["odd"]}, "odd"),
    ],
)
async def test_a_refused_question_is_not_asked_again(
    answer: dict[str, Any], words: str
) -> None:
    error = await error_of(get(answering(400, **answer)))
    assert not error.retryable
    assert words in str(error)


@pytest.mark.parametrize("fault", ["unavailable", "broken"])
async def test_what_lrclib_cannot_answer_now_may_be_asked_again(
    lrclib: LrclibClient, emulators: Emulators, fault: str
) -> None:
    setattr(emulators.lrclib.knobs.get, fault, 1)
    error = await error_of(get(lrclib))
    assert (error.retryable, error.throttled) == (True, False)
    assert len(sent(emulators)) == 1


async def test_a_throttled_question_says_for_how_long(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    emulators.lrclib.knobs.search.throttle = 1
    emulators.lrclib.knobs.search.retry_after = 7
    error = await error_of(search(lrclib))
    assert (error.retryable, error.throttled) == (True, True)
    assert error.retry_after == timedelta(seconds=7)


async def test_a_line_that_fails_may_be_tried_again() -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("")

    http = httpx.AsyncClient(transport=httpx.MockTransport(fail))
    error = await error_of(get(LrclibClient(http, "https://lrc.example")))
    assert error.retryable
    assert "LRCLIB did not answer: ReadTimeout" in str(error)


@pytest.mark.parametrize("hang", ["headers", "body"])
async def test_a_cancelled_question_lets_go_at_once_and_the_next_has_its_turn(
    lrclib: LrclibClient, emulators: Emulators, hang: Literal["headers", "body"]
) -> None:
    delays: list[float] = []
    for _ in range(5):
        emulators.lrclib.knobs.get.hang = hang
        delays.append(await seconds_to_close(emulators, get(lrclib), hang))
        emulators.lrclib.knobs.get.hang = ""
        assert await get(lrclib) == TRACK
    assert statistics.median(delays) < 0.05
