"""Burst: 100 tasks in flight are cancelled at once, again and again.

By 100 calls of CancelJob, whose floor is 100 calls of the echo, 100 commits and 100
hops, each at once; and by one BatchCancelJobs, whose floor is that of one cancel.
"""

from __future__ import annotations

from statistics import median

from bench.figure import Figure
from bench.floor import Floors
from bench.system import System
from bench.tasks_in_flight import Stop, TasksInFlight

CANCELS = 10_000
BURST = 100
FLOORS_PER_ROUND = 10


async def measure() -> list[Figure]:
    """Returns when the last CancelledError was met, and how many cancels were lost."""
    calls: list[list[Stop]] = []
    batches: list[list[Stop]] = []
    floor_bursts: list[float] = []
    async with System() as system, Floors(system) as floors:
        tasks = await TasksInFlight.start(system, slots=BURST)
        for _ in range(CANCELS // BURST // 2):
            for _ in range(FLOORS_PER_ROUND):
                await floors.sample()
            floor_bursts.append(await floors.sample_burst(BURST))
            await tasks.add(BURST)
            calls.append(await tasks.cancel(BURST))
            await tasks.add(BURST)
            batches.append(await tasks.cancel_batch(BURST))
    stops = [stop for burst in calls + batches for stop in burst]
    by_calls, by_batch = median(map(_last, calls)), median(map(_last, batches))
    return [
        _figure("calls_beside_100_floors", by_calls, median(floor_bursts), None),
        _figure("calls_beside_one_floor", by_calls, floors.total, None),
        _figure("batched_beside_one_floor", by_batch, floors.total, 10),
        Figure(
            name=f"lost_of_{len(stops):_}",
            value=sum(stop.lost for stop in stops),
            unit="cancels",
            floor=len(stops),
            at_most=0,
        ),
    ]


def _last(burst: list[Stop]) -> float:
    return max(stop.aborted for stop in burst)


def _figure(name: str, value: float, floor: float, at_most: float | None) -> Figure:
    return Figure(
        name=f"last_abort_of_{BURST}_{name}",
        value=value,
        unit="ms",
        floor=floor,
        at_most=at_most,
    )
