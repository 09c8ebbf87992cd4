"""Cancel: from the call of CancelJob to the worker's CancelledError and CANCELLED.

One worker holds 100 tasks that wait for HTTP answers. Each trial cancels the job of
one of them, with a sample of each floor before it, so that both see the machine alike.
"""

from __future__ import annotations

import time
from collections import deque

from bench.figure import Figure, percentile
from bench.floor import Floors
from bench.system import Lines, System
from refrain.v1.job_pb2 import Job
from refrain.v1.job_service_pb2 import CancelJobRequest, CreateJobRequest

TRIALS = 1000
WAITING = 100
WARM_UP = 50
"""Trials that are not counted: connections prepare their statements."""

SONG = CreateJobRequest(title="Benchmark", lyrics="One line is enough")


class _Trials:
    """Jobs whose tasks wait, and a cancel at a time."""

    def __init__(self, system: System, provider: Lines, worker: Lines) -> None:
        self._jobs = system.jobs
        self._provider = provider
        self._worker = worker
        self._waiting: deque[str] = deque()

    async def add_task(self) -> None:
        """Returns once the task of a new job waits for its answer."""
        await self._jobs.CreateJob(SONG)
        (job_id,) = await self._provider.next()
        self._waiting.append(job_id)

    async def cancel(self) -> tuple[float, float]:
        """Returns the milliseconds to CancelledError and to CANCELLED."""
        job_id = self._waiting.popleft()
        request = CancelJobRequest(job_id=job_id)
        called = time.monotonic_ns()
        job = await self._jobs.CancelJob(request)
        settled_id, status, aborted, settled = await self._worker.next()
        if (settled_id, status) != (job_id, "cancelled"):
            raise RuntimeError(f"{settled_id} was settled as {status}, not {job_id}")
        if job.status != Job.CANCELLING:
            raise RuntimeError(f"CancelJob answered {Job.Status.Name(job.status)}")
        return (int(aborted) - called) / 1e6, (int(settled) - called) / 1e6


async def measure() -> list[Figure]:
    """Returns the figures of the floors and of the cancel."""
    async with System() as system, Floors(system) as floors:
        provider = await system.spawn("bench.provider")
        (port,) = await provider.next()
        worker = await system.spawn("bench.worker", f"http://127.0.0.1:{port}")
        trials = _Trials(system, provider, worker)
        for _ in range(WAITING):
            await trials.add_task()
        for _ in range(WARM_UP):
            await trials.cancel()
            await trials.add_task()
        samples: list[tuple[float, float]] = []
        for _ in range(TRIALS):
            await floors.sample()
            samples.append(await trials.cancel())
            await trials.add_task()
        aborts, ends = zip(*samples, strict=True)
        goals = (
            ("cancel_to_abort_p50", percentile(aborts, 50), 2.5),
            ("cancel_to_abort_p99", percentile(aborts, 99), 10.0),
            ("cancel_to_cancelled_p50", percentile(ends, 50), 5.0),
            ("cancel_to_cancelled_p99", percentile(ends, 99), None),
        )
        return floors.figures() + [
            Figure(
                name=name, value=value, unit="ms", floor=floors.total, at_most=at_most
            )
            for name, value, at_most in goals
        ]
