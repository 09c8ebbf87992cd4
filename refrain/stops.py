"""StopMemory: stops that were heard lately, for tasks that open later."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from refrain.job import AbortReason
from refrain.v1.stop_event_pb2 import StopEvent

if TYPE_CHECKING:
    from datetime import timedelta

_REASONS = {
    StopEvent.CANCEL: AbortReason.CANCELLED,
    StopEvent.PAUSE: AbortReason.PAUSED,
    StopEvent.FAIL: AbortReason.FAILED,
}


@dataclass(frozen=True, slots=True)
class _Stop:
    event_sequence: int
    reason: AbortReason
    heard_at: float


class StopMemory:
    """What the stop feed said of each job last, for a while."""

    def __init__(self, memory: timedelta) -> None:
        self._memory = memory.total_seconds()
        self._stops: OrderedDict[UUID, _Stop] = OrderedDict()

    def hear(self, event: StopEvent) -> list[UUID]:
        """Remembers the newest stop of each job, whatever order they come in.

        Returns the jobs that the event names.
        """
        now = time.monotonic()
        self._forget(now - self._memory)
        job_ids = [UUID(stop.job_id) for stop in event.stops]
        for job_id, stop in zip(job_ids, event.stops, strict=True):
            known = self._stops.get(job_id)
            if known is None or known.event_sequence < stop.event_sequence:
                self._stops.pop(job_id, None)
                self._stops[job_id] = _Stop(
                    stop.event_sequence, _REASONS[event.kind], now
                )
        return job_ids

    def reason_to_abort(self, job_id: UUID, claimed_at: int) -> AbortReason | None:
        """Why a task is to stop that was claimed at this sequence of its job."""
        stop = self._stops.get(job_id)
        return stop.reason if stop and stop.event_sequence > claimed_at else None

    def _forget(self, heard_before: float) -> None:
        while self._stops:
            oldest = next(iter(self._stops.values()))
            if oldest.heard_at > heard_before:
                break
            self._stops.popitem(last=False)
