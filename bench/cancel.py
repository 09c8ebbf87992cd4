"""Cancel: from the call of CancelJob to the worker's CancelledError and CANCELLED.

One worker holds tasks that wait for HTTP answers. Each trial cancels the job of one of
them, with a sample of each floor before it, so that both see the machine alike.
"""

from __future__ import annotations

from bench.figure import Figure, percentile
from bench.floor import Floors
from bench.system import System
from bench.tasks_in_flight import Stop, TasksInFlight

TRIALS = 1000
IN_FLIGHT = (100, 1000)
WARM_UP = 50
"""Trials that are not counted: connections prepare their statements."""


async def measure() -> list[Figure]:
    """Returns the figures of the floors and of the cancel."""
    figures: list[Figure] = []
    for in_flight in IN_FLIGHT:
        async with System() as system, Floors(system) as floors:
            tasks = await TasksInFlight.start(system, slots=in_flight)
            await tasks.add(in_flight)
            await sample(tasks, WARM_UP)
            stops = await sample(tasks, TRIALS, floors)
            figures += floors.figures() if in_flight == IN_FLIGHT[0] else []
            figures += _figures(stops, floors.total, f"of_{in_flight}")
    return figures


async def sample(
    tasks: TasksInFlight, trials: int, floors: Floors | None = None
) -> list[Stop]:
    """Returns what one cancel at a time took; each task is replaced by a new one."""
    stops: list[Stop] = []
    for _ in range(trials):
        if floors is not None:
            await floors.sample()
        stops += await tasks.cancel()
        await tasks.add()
    return stops


def _figures(stops: list[Stop], floor: float, name: str) -> list[Figure]:
    aborted = [stop.aborted for stop in stops]
    settled = [stop.settled for stop in stops]
    goals = (
        ("abort", aborted, 50, 2.5),
        ("abort", aborted, 99, 8.0),
        ("cancelled", settled, 50, 5.0),
        ("cancelled", settled, 99, None),
    )
    return [
        Figure(
            name=f"cancel_to_{end}_p{percent}_{name}",
            value=percentile(samples, percent),
            unit="ms",
            floor=floor,
            at_most=at_most,
        )
        for end, samples, percent, at_most in goals
    ]
