"""The wire between client and provider: notes every request, delays, hangs, breaks off.

A client that leaves is noticed at once, and its request is given up as a server that
cares would do.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tests.emulators.log import Exchange, Log

PIECE = 64 * 1024
"""Bytes; an answer is sent in pieces, so that one who leaves in the middle is seen."""


class Wire:
    """Stands before an ASGI application, which answers without knowing of it."""

    def __init__(self, app: ASGIApp, log: Log) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole_body(receive)
        if body is None:
            return
        exchange = self._log.add(scope, body)
        scope["exchange"] = exchange
        try:
            async with asyncio.TaskGroup() as tasks:
                answering = tasks.create_task(self._answer(scope, body, send))
                tasks.create_task(_give_up_when_alone(receive, exchange, answering))
        finally:
            if exchange.open:
                exchange.disconnected_at = time.monotonic()

    async def _answer(self, scope: Scope, body: bytes, send: Send) -> None:
        answer = _Answer()
        await self._app(scope, _again(body), answer)
        exchange: Exchange = scope["exchange"]
        await asyncio.sleep(exchange.faults.delay)
        await _hang(exchange, "headers")
        exchange.status = answer.start["status"]
        await send(answer.start)
        half = len(answer.body) // 2
        await _send_pieces(send, answer.body[:half])
        await _hang(exchange, "body")
        await _send_pieces(send, answer.body[half:-1])
        # Who has the last byte may look at once, and who reads slowly may still leave.
        await send(_part(b""))
        exchange.answered_at = time.monotonic()
        await send({"type": "http.response.body", "body": answer.body[-1:]})


class _Answer:
    """An application's answer, held back."""

    def __init__(self) -> None:
        self.start: Message = {}
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")


async def _hang(exchange: Exchange, where: str) -> None:
    if exchange.faults.hang == where:
        exchange.hanging = where
        await exchange.faults.wait_until(lambda: exchange.faults.hang != where)
        exchange.hanging = ""


async def _give_up_when_alone(
    receive: Receive, exchange: Exchange, answering: asyncio.Task[None]
) -> None:
    """Ends with the answer, or when the client leaves, and ends the answer then."""
    while (await receive())["type"] != "http.disconnect":
        continue
    if exchange.answered_at is None:
        exchange.disconnected_at = time.monotonic()
        answering.cancel()


async def _send_pieces(send: Send, body: bytes) -> None:
    for start in range(0, len(body), PIECE):
        await send(_part(body[start : start + PIECE]))


def _part(body: bytes) -> Message:
    """Sent once the client has taken most of what came before."""
    return {"type": "http.response.body", "body": body, "more_body": True}


async def _whole_body(receive: Receive) -> bytes | None:
    """None if the client left before it had sent all of it."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
