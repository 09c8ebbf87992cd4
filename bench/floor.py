"""Floors: what a cancel cannot do without, measured each time beside it.

A cancel is one gRPC call, one durable commit and one NATS message; the floor of its
latency is the sum of the three alone.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Self, cast

import psycopg
from nats.aio.client import Client
from psycopg_pool import AsyncConnectionPool

from bench.figure import Figure, percentile
from bench.peer import ECHO, HOP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from nats.aio.msg import Msg

    from bench.system import System

INSERT = "INSERT INTO bench VALUES (uuidv7())"
USUAL_P50 = {"echo": 0.60, "insert": 0.32, "hop": 0.30}
"""Milliseconds on two idle cores: floors far from them say that a run is unusual."""


class Floors:
    """The three floors, open for one sample of each at a time."""

    call_echo: Callable[[], Awaitable[object]]

    def __init__(self, system: System) -> None:
        self._system = system
        self._stack = AsyncExitStack()
        self._samples: dict[str, list[float]] = {name: [] for name in USUAL_P50}

    async def __aenter__(self) -> Self:
        system = self._system
        peer = await system.spawn("bench.peer", system.nats_url)
        (port,) = await peer.next()
        channel = await system.dial(int(port))
        echo = cast("Callable[[bytes], Awaitable[bytes]]", channel.unary_unary(ECHO))
        self.call_echo = partial(echo, bytes(64))
        self._connection = await self._stack.enter_async_context(
            await psycopg.AsyncConnection.connect(system.database_url, autocommit=True)
        )
        await self._connection.execute("CREATE TABLE IF NOT EXISTS bench (id uuid)")
        self._pool = await self._stack.enter_async_context(
            AsyncConnectionPool(
                system.database_url, kwargs={"autocommit": True}, max_size=8, open=False
            )
        )
        self._nats = Client()
        await self._nats.connect(system.nats_url)
        self._stack.push_async_callback(self._nats.close)
        self._inbox = self._nats.new_inbox()
        self._heard: asyncio.Queue[int] = asyncio.Queue()
        await self._nats.subscribe(self._inbox, cb=self._hear)  # pyright: ignore[reportUnknownMemberType]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def sample(self) -> None:
        """Measures each floor once."""
        for name, work in (("echo", self.call_echo), ("insert", self._insert)):
            start = time.monotonic_ns()
            await work()
            self._add(name, start, time.monotonic_ns())
        start = time.monotonic_ns()
        await self._nats.publish(HOP, reply=self._inbox)
        self._add("hop", start, await self._heard.get())

    async def sample_burst(self, count: int) -> float:
        """Returns the milliseconds of so many of each at once, one kind at a time."""
        start = time.monotonic_ns()
        await asyncio.gather(*(self.call_echo() for _ in range(count)))
        await asyncio.gather(*(self._insert_by_pool() for _ in range(count)))
        for _ in range(count):
            await self._nats.publish(HOP, reply=self._inbox)
        heard = [await self._heard.get() for _ in range(count)]
        return (heard[-1] - start) / 1e6

    @property
    def total(self) -> float:
        """The sum of the three medians, in milliseconds."""
        return sum(percentile(samples, 50) for samples in self._samples.values())

    def figures(self) -> list[Figure]:
        """Returns p50 beside the usual, and p99 beside p50."""
        figures: list[Figure] = []
        for name, samples in self._samples.items():
            p50, p99 = (percentile(samples, percent) for percent in (50, 99))
            usual = USUAL_P50[name]
            figures += [
                Figure(
                    name=f"floor_{name}_p50",
                    value=p50,
                    unit="ms",
                    floor=usual,
                    at_least=1 / 3,
                    at_most=3,
                ),
                Figure(name=f"floor_{name}_p99", value=p99, unit="ms", floor=p50),
            ]
        return figures

    async def _insert(self) -> None:
        await self._connection.execute(INSERT)

    async def _insert_by_pool(self) -> None:
        async with self._pool.connection() as connection:
            await connection.execute(INSERT)

    async def _hear(self, message: Msg) -> None:
        self._heard.put_nowait(int(message.data))

    def _add(self, name: str, start: int, end: int) -> None:
        self._samples[name].append((end - start) / 1e6)
