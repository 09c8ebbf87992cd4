"""One call of the API: its deadline, its repetition, and its error in words."""

from __future__ import annotations

import asyncio
import time
from math import inf
from typing import TYPE_CHECKING, TypeVar

import grpc.aio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from grpc.aio import UnaryUnaryMultiCallable

Request = TypeVar("Request")
Answer = TypeVar("Answer")

DEADLINE = 10.0
"""Seconds for one attempt of a call."""
RETRY_FOR = 10.0
"""Seconds, from the first UNAVAILABLE on, for which a call is repeated."""
FIRST_PAUSE, LAST_PAUSE = 0.1, 1.0
"""Seconds between attempts, doubled from one to the next."""


async def call(
    method: UnaryUnaryMultiCallable[Request, Answer],
    request: Request,
    deadline: float = DEADLINE,
) -> Answer:
    """Sends the request until it is answered by anything but UNAVAILABLE."""
    return await insist(lambda: method(request, timeout=deadline))


async def insist(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    """Repeats the attempt while it is answered UNAVAILABLE, for RETRY_FOR."""
    give_up = inf
    pause = FIRST_PAUSE
    while True:
        try:
            return await attempt()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            give_up = min(give_up, time.monotonic() + RETRY_FOR)
            if time.monotonic() + pause > give_up:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, LAST_PAUSE)


def explain(error: grpc.aio.AioRpcError, server: str) -> str:
    """Returns in one line what went wrong, and what to do about it."""
    answered = "grpc-status-details-bin" in dict(error.trailing_metadata() or ())
    if error.code() is grpc.StatusCode.UNAVAILABLE and not answered:
        hint = "start it with `refrain up`, or name another with --server"
        return f"nothing answers at {server}; {hint}"
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"no answer from {server} in time; try again"
    return " ".join((error.details() or error.code().name).split())
