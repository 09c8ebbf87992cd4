"""A worker in a process of its own, at a tenth of the protocol's timing.

`python -m tests.refrain.worker_process <database> <nats> <folder> <conduct>`; says
`running` when it has a task, and `aborted` when that is cancelled.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from refrain.artifacts import ArtifactStore
from refrain.bus import Bus
from refrain.job import Kind, Slot
from refrain.store import Database, TaskStore, WorkerStore
from refrain.timing import TIMING, Timing
from refrain.worker import Worker

if TYPE_CHECKING:
    from refrain.job import Task

TENTH = Timing(
    heartbeat=TIMING.heartbeat / 10,
    lease=TIMING.lease / 10,
    fence_abort=TIMING.fence_abort / 10,
    fence_end=TIMING.fence_end / 10,
    grace=TIMING.grace / 10,
    drain=TIMING.drain / 10,
)
ignoring = False
ONLY_GRACE = Timing(heartbeat=TENTH.heartbeat, grace=TENTH.grace)


async def wait(task: Task) -> NoReturn:
    """Runs until it is cancelled."""
    print("running", flush=True)  # noqa: T201
    try:
        await asyncio.Event().wait()
    finally:
        print("aborted", flush=True)  # noqa: T201
    raise AssertionError


async def ignore(task: Task) -> NoReturn:
    """Runs whatever happens to it."""
    print("running", flush=True)  # noqa: T201
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            print("aborted", flush=True)  # noqa: T201


async def ignore_once(task: Task) -> NoReturn:
    """The first task ignores whatever happens to it; the others run until then."""
    global ignoring
    if not ignoring:
        ignoring = True
        await ignore(task)
    await wait(task)


async def block(task: Task) -> NoReturn:
    """Never lets go of the event loop."""
    print("running", flush=True)  # noqa: T201
    while True:
        time.sleep(timedelta(hours=1).total_seconds())  # noqa: ASYNC251


CONDUCT = {
    "wait": (wait, TENTH),
    "ignore": (ignore, ONLY_GRACE),
    "ignore_once": (ignore_once, ONLY_GRACE),
    "block": (block, TENTH),
}


async def main(database_url: str, nats_url: str, folder: str, conduct: str) -> None:
    handler, timing = CONDUCT[conduct]
    async with (
        Database(database_url) as database,
        Database(database_url, pool_size=1) as lease,
        Bus(nats_url, "test") as bus,
    ):
        worker = Worker(
            "generator",
            tasks=TaskStore(database),
            workers=WorkerStore(lease),
            artifacts=ArtifactStore(folder),
            bus=bus,
            handlers={Kind.PLAN: handler},
            slots={Slot.PROVIDER: 2},
            timing=timing,
        )
        await worker.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
