"""Lease: a worker's place among the living, renewed, or lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from refrain.errors import Unavailable
from refrain.fence import Fence, boottime
from refrain.job import AbortReason

if TYPE_CHECKING:
    from collections.abc import Collection

    from refrain.store import WorkerStore
    from refrain.store.workers import Attempt
    from refrain.timing import Timing

log = logging.getLogger(__name__)


class Holder(Protocol):
    """Who runs tasks under the lease."""

    def held(self) -> Collection[Attempt]:
        """Returns the attempts from their claims to the ends of their settles."""
        ...

    def abort(self, attempt: Attempt, reason: AbortReason) -> None:
        """Aborts an attempt, if it is still held."""
        ...

    async def let_go(self) -> None:
        """Aborts all and returns once nothing is held or being claimed."""
        ...

    def look(self) -> None:
        """Looks for tasks to claim."""
        ...


class Lease:
    """Registers a worker process and renews its lease, and is the poll leg."""

    def __init__(
        self, service: str, workers: WorkerStore, timing: Timing, holder: Holder
    ) -> None:
        self.worker_id = UUID(int=0)
        self._service = service
        self._workers = workers
        self._timing = timing
        self._holder = holder
        self._fence = Fence(timing, lambda: bool(holder.held()))

    @property
    def stands(self) -> bool:
        """False once the worker may neither claim nor run anything."""
        return self._fence.stands

    async def take(self, shutdown: asyncio.Event) -> None:
        """Registers the worker, however long that takes, or until the shutdown."""
        self._fence.open()
        while not shutdown.is_set():
            try:
                await self._register()
            except Unavailable as err:
                log.warning("not registered yet: %s", err)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.5):
                        await shutdown.wait()
            else:
                return

    async def keep(self) -> None:
        """Renews the lease until cancelled."""
        interval = self._timing.heartbeat.total_seconds()
        while True:
            try:
                await self._beat()
            except Unavailable as err:
                log.warning("no heartbeat: %s", err)
            await asyncio.sleep(interval)

    async def watch(self) -> None:
        """Aborts what is held while the fence is down, until cancelled."""
        while True:
            await asyncio.sleep(0.1)
            if not self._fence.stands:
                for attempt in self._holder.held():
                    self._holder.abort(attempt, AbortReason.LEASE_LOST)

    async def give_up(self) -> None:
        """Ends the lease of a worker that holds nothing any more."""
        self._fence.close()
        try:
            await self._workers.retire_worker(self.worker_id)
        except Unavailable as err:
            log.warning("the lease is left to lapse: %s", err)

    async def _register(self) -> None:
        sent_at = boottime()
        self.worker_id = await self._workers.register_worker(
            self._service, socket.gethostname(), os.getpid(), self._timing.lease
        )
        self._fence.renewed(sent_at)
        log.info("registered as worker %s", self.worker_id)

    async def _beat(self) -> None:
        sent_at = boottime()
        if not await self._workers.renew_worker(self.worker_id, self._timing.lease):
            # Others hold this process for dead: it ends what it runs, and is another.
            log.warning("worker %s was held for dead", self.worker_id)
            await self._holder.let_go()
            await self._register()
        else:
            self._fence.renewed(sent_at)
            held = list(self._holder.held())
            stops = await self._workers.list_stops(self.worker_id, held)
            for attempt, reason in stops.items():
                self._holder.abort(attempt, reason)
        self._holder.look()
