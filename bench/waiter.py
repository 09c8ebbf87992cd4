"""A process whose asyncio tasks wait for HTTP answers that never come.

Run as `python -m bench.waiter PORT TASKS`: what a worker does, without Refrain.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from bench.provider import wait_for_answer


async def _wait(port: int, tasks: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(tasks):
            group.create_task(wait_for_answer(port, str(number)))


if __name__ == "__main__":
    uvloop.run(_wait(*map(int, sys.argv[1:])))
