"""Feed: every watch hears of its job's events, by doorbell or by poll."""

from __future__ import annotations

import asyncio
import itertools
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from refrain.errors import JobNotFound, Unavailable
from refrain.job import LAST_EVENTS
from refrain.v1.job_pb2 import JobEvent
from services.gateway.event_pages import EventPages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence
    from uuid import UUID

    from refrain.bus import Bus
    from refrain.job import Job
    from refrain.store import JobStore

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two queries for what no doorbell told; one for all watches."""
POLLED = 1000
"""Jobs that one query asks for."""

_LAST_KINDS = frozenset(JobEvent.Kind.Value(kind.name) for kind in LAST_EVENTS)


class Feed:
    """Wakes those who watch one job, or all jobs."""

    def __init__(self, jobs: JobStore, bus: Bus) -> None:
        self._jobs = jobs
        self._bus = bus
        self._pages = EventPages(jobs)
        self._rings = itertools.count(1)
        self._watched: dict[UUID, _Watched] = {}
        self._changes: dict[UUID | None, set[asyncio.Event]] = {}
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

    async def watch(self, job: Job, after: int) -> AsyncGenerator[JobEvent]:
        """Yields the job's events that follow `after`, up to the one that finishes it.

        What follows even that one is yielded if `after` does too. Raises JobNotFound
        when the job is deleted, and Unavailable when the gateway closes; another one
        serves the rest.
        """
        job_id = job.job_id
        with self._watch(job_id, after) as (watched, bell):
            while True:
                bell.clear()
                events = await self._pages.after(job_id, bell.sequence, watched.ring)
                for event in events:
                    yield event
                    bell.sequence = event.sequence
                    if event.kind in _LAST_KINDS:
                        return
                if not events and job.finished:
                    return
                if self._closed:
                    raise Unavailable("This gateway stops; watch again from here.")
                if not events and watched.deleted:
                    raise JobNotFound(job_id)
                if not events:
                    await bell.wait()

    async def changes(self, job_id: UUID | None = None) -> AsyncGenerator[None]:
        """Yields whenever the job may have changed, at least once a second.

        None stands for any job. Ends when the gateway closes.
        """
        bell = asyncio.Event()
        bells = self._changes.setdefault(job_id, set())
        bells.add(bell)
        try:
            while not self._closed:
                bell.clear()
                yield
                await bell.wait()
        finally:
            bells.remove(bell)
            if not bells:
                del self._changes[job_id]

    async def events(self, job_id: UUID, after: int) -> Sequence[JobEvent]:
        """Returns events that follow `after`, if there are any: up to a page."""
        return await self._pages.after(job_id, after, next(self._rings))

    @contextmanager
    def _watch(self, job_id: UUID, after: int) -> Generator[tuple[_Watched, _Bell]]:
        if job_id not in self._watched:
            self._watched[job_id] = _Watched(next(self._rings))
        watched, bell = self._watched[job_id], _Bell(after)
        watched.bells.add(bell)
        try:
            yield watched, bell
        finally:
            watched.bells.remove(bell)
            if not watched.bells:
                del self._watched[job_id]

    def _ring(self, job_id: UUID) -> None:
        self._ring_changes(None, job_id)
        if watched := self._watched.get(job_id):
            self._ring_watches(watched)

    def _ring_all(self) -> None:
        self._ring_changes(*self._changes)
        for watched in self._watched.values():
            self._ring_watches(watched)

    def _ring_changes(self, *job_ids: UUID | None) -> None:
        for job_id in job_ids:
            for bell in self._changes.get(job_id, ()):
                bell.set()

    def _ring_watches(self, watched: _Watched) -> None:
        watched.ring = next(self._rings)
        for bell in watched.bells:
            bell.set()

    async def _poll(self) -> None:
        self._ring_changes(*self._changes)
        job_ids = list(self._watched)
        for start in range(0, len(job_ids), POLLED):
            asked = job_ids[start : start + POLLED]
            newest = await self._jobs.list_sequences(asked)
            for job_id in asked:
                self._compare(job_id, newest.get(job_id))

    def _compare(self, job_id: UUID, newest: int | None) -> None:
        """Rings if there is more than some watch has; None says that it is deleted."""
        watched = self._watched.get(job_id)
        if watched is None:
            return
        watched.deleted = newest is None
        if newest is None or any(bell.sequence < newest for bell in watched.bells):
            self._ring_watches(watched)


class _Watched:
    """A job that someone watches."""

    def __init__(self, ring: int) -> None:
        self.ring = ring
        """Rises with every doorbell, and is never one of another time."""
        self.bells: set[_Bell] = set()
        self.deleted = False


class _Bell(asyncio.Event):
    """What a watch waits on, and the sequence of the last event it has."""

    def __init__(self, sequence: int) -> None:
        super().__init__()
        self.sequence = sequence
