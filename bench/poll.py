"""Poll: a cancel of which the worker hears by its heartbeat alone.

NATS is out of the worker's reach. The cancels come at every phase between two beats.
"""

from __future__ import annotations

import asyncio
import time

from bench.figure import Figure
from bench.system import System
from bench.tasks_in_flight import TasksInFlight
from refrain.v1.job_service_pb2 import CancelJobRequest

TRIALS = 200
SPACING = 0.05
"""Seconds between two cancels."""
CLOSED = "nats://127.0.0.1:1"
BOUND = 1.5
"""Seconds: one heartbeat, and half a second."""


async def measure() -> list[Figure]:
    """Returns the longest time from the call of CancelJob to the CancelledError."""
    async with System() as system:
        tasks = await TasksInFlight.start(system, slots=TRIALS, REFRAIN_NATS_URL=CLOSED)
        await tasks.add(TRIALS)
        calls: dict[str, int] = {}
        for job_id in tasks.job_ids:
            calls[job_id] = time.monotonic_ns()
            await system.jobs.CancelJob(CancelJobRequest(job_id=job_id))
            await asyncio.sleep(SPACING)
        stops = await tasks.stops(calls)
    return [
        Figure(
            name=f"poll_alone_longest_of_{TRIALS}",
            value=max(stop.aborted for stop in stops) / 1e3,
            unit="s",
            floor=BOUND,
            at_most=1,
        )
    ]
