"""Tasks in flight: each waits in a worker for an answer that never comes."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from refrain.v1.job_pb2 import Job
from refrain.v1.job_service_pb2 import (
    BatchCancelJobsRequest,
    CancelJobRequest,
    CreateJobRequest,
)

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from bench.system import Spawned, System

SONG = CreateJobRequest(title="Benchmark", lyrics="One line is enough")
CREATES_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """How long after the call, in milliseconds; infinite if the cancel was lost."""

    aborted: float
    """The handler met its CancelledError."""
    settled: float
    """The job was CANCELLED."""

    @property
    def lost(self) -> bool:
        """True if the worker did not abort the task, or the job is not CANCELLED."""
        return self.settled == math.inf


LOST = Stop(aborted=math.inf, settled=math.inf)


class TasksInFlight:
    """One worker and the jobs whose tasks it holds, the oldest first."""

    def __init__(self, system: System, provider: Spawned, worker: Spawned) -> None:
        self.worker = worker
        self.job_ids: deque[str] = deque()
        self._jobs = system.jobs
        self._provider = provider

    @classmethod
    async def start(cls, system: System, *, slots: int, **environment: str) -> Self:
        """Starts a worker with that many slots, and its provider."""
        provider = await system.spawn("bench.provider")
        (port,) = await provider.next()
        worker = await system.spawn("bench.worker", port, str(slots), **environment)
        return cls(system, provider, worker)

    async def add(self, count: int = 1) -> None:
        """Creates jobs; returns once the task of each waits for its answer."""
        for done in range(0, count, CREATES_AT_ONCE):
            creates = min(CREATES_AT_ONCE, count - done)
            await asyncio.gather(*(self._jobs.CreateJob(SONG) for _ in range(creates)))
            await self.refill(creates)

    async def refill(self, count: int) -> None:
        """Returns once this many more tasks wait, of jobs that are there already."""
        for _ in range(count):
            (job_id,) = await self._provider.next()
            self.job_ids.append(job_id)

    async def cancel(self, count: int = 1) -> list[Stop]:
        """Calls CancelJob for the oldest jobs, all at once, and awaits their ends."""
        job_ids = self._take_oldest(count)
        return await self._call(job_ids, *map(self._cancel, job_ids))

    async def cancel_batch(self, count: int) -> list[Stop]:
        """Calls BatchCancelJobs for the oldest jobs, and awaits their ends."""
        job_ids = self._take_oldest(count)
        return await self._call(job_ids, self._cancel_batch(job_ids))

    async def stops(self, calls: Mapping[str, int]) -> list[Stop]:
        """Returns how each of the jobs ended, by the worker's own account.

        `calls` maps the ids of the jobs to when they were cancelled, on CLOCK_MONOTONIC
        in nanoseconds.
        """
        stops = dict.fromkeys(calls, LOST)
        with suppress(TimeoutError):
            for _ in range(len(stops)):
                job_id, status, aborted, settled = await self.worker.next()
                if status == "cancelled" and int(aborted):
                    stops[job_id] = Stop(
                        aborted=(int(aborted) - calls[job_id]) / 1e6,
                        settled=(int(settled) - calls[job_id]) / 1e6,
                    )
        return list(stops.values())

    def _take_oldest(self, count: int) -> list[str]:
        return [self.job_ids.popleft() for _ in range(count)]

    async def _call(
        self, job_ids: list[str], *calls: Coroutine[Any, Any, None]
    ) -> list[Stop]:
        called = dict.fromkeys(job_ids, time.monotonic_ns())
        async with asyncio.TaskGroup() as group:
            stops = group.create_task(self.stops(called))
            for call in calls:
                group.create_task(call)
        return stops.result()

    async def _cancel(self, job_id: str) -> None:
        _expect_cancelling(await self._jobs.CancelJob(CancelJobRequest(job_id=job_id)))

    async def _cancel_batch(self, job_ids: list[str]) -> None:
        request = BatchCancelJobsRequest(job_ids=job_ids)
        for result in (await self._jobs.BatchCancelJobs(request)).results:
            _expect_cancelling(result.job)


def _expect_cancelling(job: Job) -> None:
    if job.status != Job.CANCELLING:
        raise RuntimeError(f"the cancel answered {Job.Status.Name(job.status)}")
