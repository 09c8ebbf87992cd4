"""Create: CreateJob calls a second beside those of a gRPC echo, 64 at once."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.callers import CALLERS
from bench.figure import Figure
from bench.floor import Floors
from bench.system import System
from bench.tasks_in_flight import SONG

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

ROUNDS = 5
ROUND_SECONDS = 2.0


async def measure() -> list[Figure]:
    """Returns the rate, in rounds that take turns with those of the floor."""
    async with System() as system, Floors(system) as floors:
        created = echoed = 0.0
        for _ in range(ROUNDS):
            echoed += await _rate(floors.call_echo)
            created += await _rate(lambda: system.jobs.CreateJob(SONG))
        return [
            Figure(
                name="creates_per_second",
                value=created / ROUNDS,
                unit="1/s",
                floor=echoed / ROUNDS,
                at_least=0.2,
            )
        ]


async def _rate(call: Callable[[], Awaitable[object]]) -> float:
    """Returns the calls a second of CALLERS, each with one call at a time."""
    start = time.monotonic()

    async def keep_calling() -> int:
        calls = 0
        while time.monotonic() < start + ROUND_SECONDS:
            await call()
            calls += 1
        return calls

    calls = await asyncio.gather(*(keep_calling() for _ in range(CALLERS)))
    return sum(calls) / (time.monotonic() - start)
