"""Rescue: a cancel of jobs whose worker was killed while their tasks ran.

Nobody aborts them; the sweep takes them back once the worker's lease has lapsed.
"""

from __future__ import annotations

import asyncio

from bench.figure import Figure
from bench.system import System
from bench.tasks_in_flight import TasksInFlight
from bench.watch import cancel_and_watch

WORKERS = 8
TASKS = 4
SPACING = 1.1
"""Seconds between two kills, so that they meet every phase of the sweep."""
BOUND = 15
"""Seconds: the lease, a sweep, and as much again for slow machines."""


async def measure() -> list[Figure]:
    """Returns the longest time from the call of CancelJob to CANCELLED."""
    async with System() as system:
        workers: list[TasksInFlight] = []
        for _ in range(WORKERS):
            # Those that started before are full, so the new one gets the tasks.
            worker = await TasksInFlight.start(system, slots=TASKS)
            await worker.add(TASKS)
            workers.append(worker)
        async with asyncio.TaskGroup() as group:
            cancels: list[asyncio.Task[float]] = []
            for worker in workers:
                await worker.worker.kill()
                cancels += [
                    group.create_task(cancel_and_watch(system.jobs, job_id))
                    for job_id in worker.job_ids
                ]
                await asyncio.sleep(SPACING)
    return [
        Figure(
            name=f"rescue_alone_longest_of_{len(cancels)}",
            value=max(cancel.result() for cancel in cancels),
            unit="s",
            floor=BOUND,
            at_most=1,
        )
    ]
