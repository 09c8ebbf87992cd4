"""LiveJob: one job, its segments and its events, and then what differs of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.errors import JobNotFound
from refrain.v1 import job_pb2 as v1
from services.gateway.job_service import OWNER
from services.gateway.live.sse import json_texts, sent_event
from services.gateway.messages import job_message, segment_message
from services.gateway.rest.answers import json_text

if TYPE_CHECKING:
    from asyncio import Semaphore
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from refrain.job import SegmentState
    from services.gateway.feed import Feed
    from services.gateway.jobs import Jobs


class LiveJob:
    """What one client has of a job; each look yields what it lacks."""

    def __init__(
        self, job_id: UUID, after: int, jobs: Jobs, feed: Feed, reads: Semaphore
    ) -> None:
        self._job_id = str(job_id)
        self._jobs = jobs
        self._feed = feed
        self._reads = reads
        self._job: v1.Job | None = None
        self._segments: dict[int, SegmentState] = {}
        self._segments_sent = False
        """True even if there were none."""
        self._sequence = after
        """Of the newest event that the client has."""

    async def look(self) -> AsyncGenerator[bytes]:
        """Yields job, segments and events; raises JobNotFound once it is deleted."""
        async with self._reads:
            job = await self._jobs.get(self._job_id, OWNER)
            segments = await self._jobs.segments(self._job_id, OWNER)
        message = job_message(job)
        if message != self._job:
            self._job = message
            yield sent_event("job", json_text(message))
        differing = [state for state in segments if self._differs(state)]
        if differing or not self._segments_sent:
            texts = await json_texts(map(segment_message, differing))
            self._segments |= {state.segment.position: state for state in differing}
            self._segments_sent = True
            yield sent_event("segments", f'{{"segments": [{", ".join(texts)}]}}')
        while self._sequence < job.event_sequence:
            events = await self._feed.events(job.job_id, self._sequence)
            if not events:
                raise JobNotFound(job.job_id)
            for event in events:
                self._sequence = event.sequence
                yield sent_event("event", _event_json(event), event.sequence)

    def forget(self) -> None:
        """Makes the next look yield job and segments; no event comes twice."""
        self._job = None
        self._segments.clear()
        self._segments_sent = False

    def _differs(self, state: SegmentState) -> bool:
        return self._segments.get(state.segment.position) != state


def _event_json(event: v1.JobEvent) -> str:
    """Returns it without the job as it then stood."""
    message = v1.JobEvent()
    message.CopyFrom(event)
    message.ClearField("job")
    return json_text(message)
