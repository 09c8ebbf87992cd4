"""Memory: what a worker holds for each task in flight, beside its connection alone."""

from __future__ import annotations

import psutil

from bench.figure import Figure
from bench.system import Spawned, System
from bench.tasks_in_flight import TasksInFlight

TASKS = 1000
WARM_UP = 50
"""Tasks that are not counted: the first of all load what the others share."""


async def measure() -> list[Figure]:
    """Returns the KiB of resident memory that a task in flight adds."""
    async with System() as system:
        tasks = await TasksInFlight.start(system, slots=WARM_UP + TASKS)
        await tasks.add(WARM_UP)
        before = _resident(tasks.worker)
        await tasks.add(TASKS)
        added = _resident(tasks.worker) - before
        few = await _resident_of_waiter(system, WARM_UP)
        many = await _resident_of_waiter(system, WARM_UP + TASKS)
    return [
        Figure(
            name=f"memory_of_a_task_of_{TASKS}",
            value=added / TASKS,
            unit="KiB",
            floor=(many - few) / TASKS,
        )
    ]


async def _resident_of_waiter(system: System, tasks: int) -> float:
    provider = await system.spawn("bench.provider")
    (port,) = await provider.next()
    waiter = await system.spawn("bench.waiter", port, str(tasks))
    for _ in range(tasks):
        await provider.next()
    return _resident(waiter)


def _resident(process: Spawned) -> float:
    """The KiB of the process that are in memory."""
    return psutil.Process(process.pid).memory_info().rss / 1024
