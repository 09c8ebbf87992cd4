"""Load: a cancel while 64 callers create jobs, beside a cancel of the same run without.

Every slot of the worker is taken, and each that a cancel frees is filled again from
the jobs that the callers left waiting.
"""

from __future__ import annotations

from bench.cancel import WARM_UP, sample
from bench.figure import Figure, percentile
from bench.system import System
from bench.tasks_in_flight import Stop, TasksInFlight

TRIALS = 300
IN_FLIGHT = 100


async def measure() -> list[Figure]:
    """Returns p50 and p99, each beside its like without load."""
    async with System() as system:
        tasks = await TasksInFlight.start(system, slots=IN_FLIGHT)
        await tasks.add(IN_FLIGHT)
        await sample(tasks, WARM_UP)
        idle = await sample(tasks, TRIALS)
        callers = await system.spawn("bench.callers", str(system.grpc_port))
        await callers.next()
        loaded: list[Stop] = []
        for _ in range(TRIALS):
            loaded += await tasks.cancel()
            await tasks.refill(1)
    return [
        Figure(
            name=f"cancel_to_abort_p{percent}_under_load",
            value=percentile([stop.aborted for stop in loaded], percent),
            unit="ms",
            floor=percentile([stop.aborted for stop in idle], percent),
            at_most=at_most,
        )
        for percent, at_most in ((50, 3.0), (99, None))
    ]
