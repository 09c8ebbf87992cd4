"""Sweep: finds by level what no one is at work on, and sets it right."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.exceptions import BaseError

from refrain.artifacts import uri_of
from refrain.errors import Unavailable
from refrain.fence import boottime

if TYPE_CHECKING:
    from collections.abc import Generator
    from uuid import UUID

    from refrain.service import Connections

log = logging.getLogger(__name__)

ACTOR = "sweep"
FILE_AGE = timedelta(hours=1)
"""Files are swept once in this time, and when they are older than it."""


class Sweep:
    """One gateway's sweep; several do no harm to each other."""

    def __init__(self, to: Connections) -> None:
        self._to = to
        self._lease = to.timing.lease.total_seconds()
        self._interval = to.timing.sweep.total_seconds()
        self._marks_from = boottime() + self._lease

    async def run(self) -> None:
        """Sweeps until cancelled."""
        swept_at = boottime()
        while True:
            await asyncio.sleep(self._interval)
            # Who could not sweep may be the one who was cut off: workers get one
            # lease to renew theirs before any of them is held for dead.
            if boottime() - swept_at > self._lease / 2:
                self._marks_from = boottime() + self._lease
            try:
                await self.sweep()
                swept_at = boottime()
            except Unavailable as err:
                log.warning("no sweep: %s", err)

    async def sweep(self) -> None:
        """Sweeps once."""
        await self._cancel_overdue_jobs()
        await self._mark_dead_workers()
        await self._rescue_tasks()
        await self._end_idle_jobs()

    async def _mark_dead_workers(self) -> None:
        if boottime() < self._marks_from:
            return
        for worker in await self._to.workers.mark_dead_workers(self._to.timing.lease):
            log.warning(
                "worker %s is dead: %s on %s, pid %s",
                worker["worker_id"],
                worker["service"],
                worker["host"],
                worker["pid"],
            )

    async def _rescue_tasks(self) -> None:
        for job_id in await self._to.workers.list_orphaned_jobs():
            with _others_go_on(job_id):
                rescued = await self._to.tasks.rescue_tasks(job_id, ACTOR)
                await self._to.bus.announce([change for _, change in rescued])
                for task, _ in rescued:
                    log.warning("rescued", extra={"job_id": job_id, "task": task.name})
                    # No settle of this attempt can succeed any more, and name these.
                    await self._to.artifacts.delete_unnamed(
                        task.folder, self._to.jobs.names_artifact
                    )

    async def _end_idle_jobs(self) -> None:
        for job_id in await self._to.workers.list_idle_stopping_jobs():
            with _others_go_on(job_id):
                change = await self._to.tasks.end_idle_job(job_id, ACTOR)
                if change is not None:
                    log.error("ended by the sweep", extra={"job_id": job_id})
                    await self._to.bus.announce([change])

    async def _cancel_overdue_jobs(self) -> None:
        while changes := await self._to.jobs.cancel_overdue():
            await self._to.bus.announce(changes)


class FileSweep:
    """Deletes what no row names, such as the files of a worker that was killed."""

    def __init__(self, to: Connections) -> None:
        self._to = to

    async def run(self) -> None:
        """Sweeps until cancelled."""
        while True:
            await asyncio.sleep(FILE_AGE.total_seconds())
            try:
                await self.sweep(FILE_AGE)
            except (Unavailable, BaseError, OSError) as err:
                log.warning("no sweep of files: %s", err)

    async def sweep(self, age: timedelta) -> None:
        """Sweeps once; what is younger than `age` may be about to be named."""
        async for key in self._to.artifacts.list("jobs", older=age):
            if not await self._to.jobs.names_artifact(uri_of(key)):
                log.info("deleting %s: no row names it", key)
                await self._to.artifacts.delete(key)


@contextmanager
def _others_go_on(job_id: UUID) -> Generator[None]:
    """One job whose row is locked keeps no other waiting for its rescue."""
    try:
        yield
    except Unavailable as err:
        log.warning("not swept: %s", err, extra={"job_id": job_id})
