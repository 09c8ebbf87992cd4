"""Arrivals: one answer at a time is read, so that the event loop keeps its pace.

Two hundred pictures that come at once would each have a piece read in every turn of the
loop, and everything else in the process would wait for all of these.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

PATIENCE = 0.005
"""Seconds that the next piece may take; who waits longer lets others read."""


class Arrivals(httpx.AsyncBaseTransport):
    """Reads the answers of another transport one by one."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self._turn = asyncio.Lock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        if isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _InTurn(response.stream, self._turn)
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


class _InTurn(httpx.AsyncByteStream):
    """A body that is read while its turn lasts, or while nothing comes."""

    def __init__(self, body: httpx.AsyncByteStream, turn: asyncio.Lock) -> None:
        self._body = body
        self._turn = turn
        self._has_turn = False

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        pieces = aiter(self._body)
        try:
            while (piece := await self._next(pieces)) is not None:
                yield piece
        finally:
            self._end_turn()

    async def aclose(self) -> None:
        self._end_turn()
        await self._body.aclose()

    async def _next(self, pieces: AsyncIterator[bytes]) -> bytes | None:
        if not self._has_turn:
            await self._turn.acquire()
            self._has_turn = True
        piece = asyncio.ensure_future(_next_or_none(pieces))
        try:
            done, _ = await asyncio.wait([piece], timeout=PATIENCE)
            if not done:
                self._end_turn()
            return await piece
        finally:
            # Who is cancelled closes the connection, which ends the read somehow.
            if not piece.done():
                piece.cancel()
                await asyncio.gather(piece, return_exceptions=True)

    def _end_turn(self) -> None:
        if self._has_turn:
            self._has_turn = False
            self._turn.release()


async def _next_or_none(pieces: AsyncIterator[bytes]) -> bytes | None:
    return await anext(pieces, None)
