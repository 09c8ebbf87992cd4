"""Workshop: a worker in this process, whose tasks do as a test tells them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from refrain.artifacts import ArtifactStore
from refrain.bus import Bus
from refrain.job import Job, Kind, Slot, Task
from refrain.store import Change, Database, TaskStore, WorkerStore
from refrain.timing import Timing
from refrain.worker import Worker
from tests.eventually import eventually
from tests.refrain.record import outcome_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from pathlib import Path

    from refrain.outcome import Outcome

NO_NATS = "nats://127.0.0.1:9"
HOUR = timedelta(hours=1)
AT_ONCE = timedelta(0)

POLLS = Timing(heartbeat=timedelta(milliseconds=100), drain=AT_ONCE)
"""Hears of everything by its heartbeat, if not before."""

NEVER_POLLS = Timing(
    heartbeat=HOUR,
    lease=4 * HOUR,
    fence_abort=2 * HOUR,
    fence_end=3 * HOUR,
    drain=AT_ONCE,
)
"""Hears of nothing but by NATS."""


@dataclass(slots=True)
class Hand:
    """A handler of all kinds: it waits for `release`, then makes what it is to make."""

    segments: int = 2
    started: list[Task] = field(default_factory=list[Task])
    aborted: list[Task] = field(default_factory=list[Task])
    release: asyncio.Event = field(default_factory=asyncio.Event)
    makes: Outcome | Exception | None = None
    on_abort: Exception | None = None

    async def __call__(self, task: Task) -> Outcome:
        self.started.append(task)
        try:
            await self.release.wait()
        except asyncio.CancelledError:
            self.aborted.append(task)
            if self.on_abort is not None:
                raise self.on_abort from None
            raise
        if isinstance(self.makes, Exception):
            raise self.makes
        return self.makes or outcome_of(task, self.segments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A worker at work."""

    run: asyncio.Task[None]
    shutdown: asyncio.Event

    async def end(self) -> None:
        """Asks the worker to end and waits until it has."""
        self.shutdown.set()
        await self.run


class Workshop:
    """Hires workers for one record, on one bus."""

    def __init__(self, url: str, nats_url: str, folder: Path) -> None:
        self._url = url
        self._nats_url = nats_url
        self.artifacts = ArtifactStore(folder.as_uri())

    @asynccontextmanager
    async def bus(self, nats_url: str = "") -> AsyncGenerator[Bus]:
        """A bus; connected, unless another URL than the workshop's is given."""
        async with Bus(nats_url or self._nats_url, "test") as bus:
            if not nats_url:
                await eventually(lambda: bus.connected)
            yield bus

    async def ring(self, job: Job) -> None:
        """Tells an idle worker of the job's plan."""
        async with self.bus() as bus:
            await bus.announce([Change(job=job, queued=(Kind.PLAN,))])

    async def ring_until_started(self, hand: Hand, job: Job) -> None:
        """Rings until a worker has heard: its subscription may be on its way."""

        async def started() -> bool:
            await self.ring(job)
            return any(task.job_id == job.job_id for task in hand.started)

        await eventually(started)

    @asynccontextmanager
    async def worker(
        self,
        hand: Hand,
        *,
        timing: Timing = POLLS,
        slots: Mapping[Slot, int] | None = None,
        kinds: tuple[Kind, ...] = tuple(Kind),
        url: str = "",
        lease_url: str = "",
        nats_url: str = "",
    ) -> AsyncGenerator[Shift]:
        """A worker that ends with the block, its tasks handed back.

        `url` and `lease_url` are other ways to the record, for all and for the
        heartbeat alone.
        """
        url = url or self._url
        shutdown = asyncio.Event()
        async with (
            Database(url, timeout=1) as database,
            Database(lease_url or url, timeout=1, pool_size=1) as lease,
            self.bus(nats_url) as bus,
            asyncio.TaskGroup() as group,
        ):
            worker = Worker(
                "generator",
                tasks=TaskStore(database),
                workers=WorkerStore(lease),
                artifacts=self.artifacts,
                bus=bus,
                handlers=dict.fromkeys(kinds, hand),
                slots=slots or {Slot.PROVIDER: 4, Slot.MEDIA: 4},
                timing=timing,
            )
            shift = Shift(
                run=group.create_task(worker.run(shutdown)), shutdown=shutdown
            )
            yield shift
            await shift.end()
