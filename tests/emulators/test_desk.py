"""The emulators as someone sees them who runs them by hand."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.emulators import NO_TLS, Emulators, LrcSong

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def by_hand(emulators: Emulators) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=emulators.url, verify=NO_TLS) as by_hand:
        yield by_hand


async def test_knobs_are_turned_by_name_and_a_wrong_name_is_refused(
    emulators: Emulators, by_hand: httpx.AsyncClient
) -> None:
    wanted = {
        "lrclib": {"get": {"throttle": 1}},
        "odyssey": {"usd_per_second": "0.10", "clip": {"hold": "pending"}},
    }
    assert (await by_hand.post("/_emulator/knobs", json=wanted)).status_code == 204
    assert emulators.odyssey.knobs.clip.hold == "pending"
    assert emulators.odyssey.knobs.usd_per_second * 10 == 1
    names = {"track_name": "a", "artist_name": "b"}
    answers = [await by_hand.get("/lrclib/api/get", params=names) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [429, 404]
    wrong = await by_hand.post("/_emulator/knobs", json={"lrclib": {"got": 1}})
    assert wrong.status_code == 400
    assert "'got'" in wrong.text


async def test_the_log_tells_every_request_to_a_provider(
    by_hand: httpx.AsyncClient,
) -> None:
    await by_hand.get("/lrclib/api/search?q=a")
    [exchange] = (await by_hand.get("/_emulator/log")).json()
    assert exchange["path"] == "/api/search?q=a"
    assert exchange["purpose"] == "search"
    assert exchange["received_at"] <= exchange["answered_at"]
    assert (await by_hand.get("/_emulator/billed")).json() == []


async def test_an_answer_can_be_slow(
    emulators: Emulators, by_hand: httpx.AsyncClient
) -> None:
    emulators.lrclib.knobs.search.delay = 0.05
    await by_hand.get("/lrclib/api/search?q=a")
    [exchange] = emulators.log.exchanges
    assert exchange.answered_at
    assert exchange.answered_at - exchange.received_at >= 0.05


async def test_many_who_leave_at_once_are_all_seen(emulators: Emulators) -> None:
    emulators.lrclib.songs = [LrcSong(title="a", artist="b", plain="c" * 10_000)]
    emulators.lrclib.knobs.search.hang = "body"
    async with httpx.AsyncClient(base_url=emulators.lrclib.url, timeout=60) as http:
        async with asyncio.TaskGroup() as tasks:
            waiting = [
                tasks.create_task(http.get("/api/search?q=a")) for _ in range(100)
            ]
            await emulators.until(lambda: len(emulators.log.open()) == 100)
            left_at = time.monotonic()
            for each in waiting:
                each.cancel()
        await emulators.until(lambda: not emulators.log.open())
    leaves = [exchange.disconnected_at for exchange in emulators.log.exchanges]
    assert all(leave and 0 <= leave - left_at < 1 for leave in leaves)


async def test_they_stop_at_once_with_a_client_that_waits() -> None:
    async with httpx.AsyncClient(timeout=60) as http:
        with Emulators() as emulators:
            emulators.lrclib.knobs.get.hang = "headers"
            url = f"{emulators.lrclib.url}/api/get"
            waiting = asyncio.ensure_future(http.get(url))
            await emulators.hanging("headers")
            stopped_at = time.monotonic()
        assert time.monotonic() - stopped_at < 1
        with pytest.raises(httpx.TransportError):
            await waiting
