"""EventPages: what was read of jobs' events lately, once for all who watch them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from services.gateway.messages import event_message

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from refrain.store import JobStore
    from refrain.v1.job_pb2 import JobEvent

PAGE = 50
"""Events on a page: the first holds 1 to 50, the second 51 to 100."""
PAGES = 200
"""Pages that are kept, of all jobs together: some 20 MiB."""
READS = 2
"""Reads at the same time: watches leave the other connections to other calls."""


class EventPages:
    """Each page is read by whoever needs it first, and kept for the others."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._pages: OrderedDict[tuple[UUID, int], _Page] = OrderedDict()
        self._reads = asyncio.Semaphore(READS)

    async def after(self, job_id: UUID, sequence: int, ring: int) -> Sequence[JobEvent]:
        """Returns the events that follow on the page; empty if there are none yet.

        What was read before the ring is not taken for the newest.
        """
        page = self._page(job_id, sequence // PAGE)
        # Watches that wait here for the same events get them one by one, each in a
        # turn of the loop, and other calls have theirs in between.
        async with page.reading:
            if sequence < page.start:
                await self._read(page, job_id, sequence, ring)
            elif sequence >= page.end and page.ring < ring:
                await self._read(page, job_id, page.end, ring)
            return page.events[max(sequence - page.start, 0) :]

    async def _read(self, page: _Page, job_id: UUID, after: int, ring: int) -> None:
        """Reads from `after` to the end of the page."""
        async with self._reads:
            events = await self._jobs.list_events(
                job_id, after=after, page_size=page.last - after
            )
        read = [event_message(event) for event in events]
        if after == page.end:
            page.events += read
        else:
            page.start, page.events = after, read
        page.ring = ring

    def _page(self, job_id: UUID, number: int) -> _Page:
        page = self._pages.setdefault((job_id, number), _Page(number))
        self._pages.move_to_end((job_id, number))
        if len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        return page


class _Page:
    """A run of events without a gap, from `start`, its first one's predecessor."""

    def __init__(self, number: int) -> None:
        self.last = (number + 1) * PAGE
        self.start = self.last
        self.events: list[JobEvent] = []
        self.ring = 0
        """The job's ring that was the newest when the page was read."""
        self.reading = asyncio.Lock()

    @property
    def end(self) -> int:
        return self.start + len(self.events)
