"""Feed: every watch hears of its job's events, by doorbell or by poll."""

from __future__ import annotations

import asyncio
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from refrain.errors import Unavailable
from refrain.job import LAST_EVENTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from uuid import UUID

    from refrain.bus import Bus
    from refrain.store import JobEvent, JobStore

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two queries for what no doorbell told; one for all watches."""
PAGE = 100


class Bell(asyncio.Event):
    """What a watch waits on, and the sequence of the last event it has."""

    def __init__(self, job_id: UUID | None, sequence: int) -> None:
        super().__init__()
        self.job_id = job_id
        self.sequence = sequence


class Feed:
    """Wakes watches of one job, and of all jobs."""

    def __init__(self, jobs: JobStore, bus: Bus) -> None:
        self._jobs = jobs
        self._bus = bus
        self._bells: dict[UUID | None, set[Bell]] = {}
        self._closed = False

    async def run(self) -> None:
        """Listens and polls until cancelled."""
        await self._bus.on_event(self._ring)
        self._bus.on_reconnect(self._ring_all)
        while True:
            await asyncio.sleep(POLL)
            try:
                await self._poll()
            except Unavailable as err:
                log.warning("no poll: %s", err)

    def close(self) -> None:
        """Ends every watch, so that the server can stop."""
        self._closed = True
        self._ring_all()

    async def watch(self, job_id: UUID, after: int) -> AsyncGenerator[JobEvent]:
        """Yields the job's events that follow `after`, up to the one that ends it.

        Raises Unavailable when the gateway closes; another one serves the rest.
        """
        with self._bell(job_id, after) as bell:
            while True:
                bell.clear()
                events = await self._jobs.list_events(
                    job_id, after=bell.sequence, page_size=PAGE
                )
                for event in events:
                    yield event
                    bell.sequence = event.sequence
                    if event.kind in LAST_EVENTS:
                        return
                if self._closed:
                    raise Unavailable("This gateway stops; watch again from here.")
                if not events:
                    await bell.wait()

    async def changes(self) -> AsyncGenerator[None]:
        """Yields whenever any job may have changed, at least once a second."""
        with self._bell(None, 0) as bell:
            while not self._closed:
                bell.clear()
                yield
                await bell.wait()

    @contextmanager
    def _bell(self, job_id: UUID | None, sequence: int) -> Generator[Bell]:
        bell = Bell(job_id, sequence)
        bells = self._bells.setdefault(job_id, set())
        bells.add(bell)
        try:
            yield bell
        finally:
            bells.discard(bell)
            if not bells:
                self._bells.pop(job_id, None)

    def _ring(self, job_id: UUID) -> None:
        for bell in [*self._bells.get(job_id, ()), *self._bells.get(None, ())]:
            bell.set()

    def _ring_all(self) -> None:
        for bells in self._bells.values():
            for bell in bells:
                bell.set()

    async def _poll(self) -> None:
        for bell in self._bells.get(None, ()):
            bell.set()
        watched = [job_id for job_id in self._bells if job_id is not None]
        if not watched:
            return
        newest = await self._jobs.list_sequences(watched)
        for job_id in watched:
            for bell in self._bells.get(job_id, ()):
                if newest.get(job_id, bell.sequence) > bell.sequence:
                    bell.set()
