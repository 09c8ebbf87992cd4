"""Answers are read one by one, and none of them waits for another that stalls."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from services.generator.providers.arrivals import Arrivals
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

URL = "http://provider.example/"


class Body(httpx.AsyncByteStream):
    """Three pieces, of which the last two come when they are let."""

    def __init__(self) -> None:
        self.goes_on = asyncio.Event()
        self.begun = False
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.begun = True
        yield b"a"
        await self.goes_on.wait()
        yield b"b"
        yield b"c"

    async def aclose(self) -> None:
        self.closed = True


class Answers(httpx.AsyncBaseTransport):
    """Answers each request with the next of its bodies."""

    def __init__(self, *bodies: Body) -> None:
        self._bodies = iter(bodies)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=next(self._bodies))


async def test_an_answer_that_stalls_holds_up_no_other() -> None:
    stalled, quick = Body(), Body()
    quick.goes_on.set()
    async with httpx.AsyncClient(transport=Arrivals(Answers(stalled, quick))) as http:
        first = asyncio.create_task(http.get(URL))
        await eventually(lambda: stalled.begun)
        assert (await http.get(URL)).content == b"abc"
        assert not first.done()
        stalled.goes_on.set()
        assert (await first).content == b"abc"


async def test_who_is_cancelled_closes_the_answer_and_gives_its_turn_away() -> None:
    stalled, quick = Body(), Body()
    quick.goes_on.set()
    async with httpx.AsyncClient(transport=Arrivals(Answers(stalled, quick))) as http:
        task = asyncio.create_task(http.get(URL))
        await eventually(lambda: stalled.begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stalled.closed
        assert (await http.get(URL)).content == b"abc"
