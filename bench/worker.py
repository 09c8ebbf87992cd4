"""A worker whose plans wait for an HTTP answer that never comes.

Run as `python -m bench.worker PORT SLOTS`; prints `job_id status aborted settled` when
a task is settled: the job's status, and the CLOCK_MONOTONIC times in nanoseconds at
which the handler met its CancelledError and the settle was committed.
"""

from __future__ import annotations

import asyncio
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from bench.provider import wait_for_answer
from refrain.job import Kind, Slot, Task
from refrain.service import Connections, run
from refrain.store import Change, Database, TaskStore
from refrain.timing import TIMING
from refrain.worker import Worker

if TYPE_CHECKING:
    from uuid import UUID

    from refrain.outcome import Outcome


class _ReportingTasks(TaskStore):
    """Prints when a task was aborted and settled."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.aborted: dict[UUID, int] = {}

    async def settle_task(
        self, task: Task, outcome: Outcome, actor: str
    ) -> Change | None:
        change = await super().settle_task(task, outcome, actor)
        settled = time.monotonic_ns()
        status = change and change.job.status
        aborted = self.aborted.pop(task.job_id, 0)
        print(task.job_id, status, aborted, settled, flush=True)  # noqa: T201
        return change


async def _serve(
    port: int, slots: int, to: Connections, shutdown: asyncio.Event
) -> None:
    async with Database(to.settings.database_url) as database:
        tasks = _ReportingTasks(database)

        async def plan(task: Task) -> Outcome:
            try:
                await wait_for_answer(port, str(task.job_id))
            except asyncio.CancelledError:
                tasks.aborted[task.job_id] = time.monotonic_ns()
                raise
            raise RuntimeError("the wait for the provider ended")

        worker = Worker(
            "bench",
            tasks=tasks,
            workers=to.workers,
            artifacts=to.artifacts,
            bus=to.bus,
            handlers={Kind.PLAN: plan},
            slots={Slot.PROVIDER: slots},
            timing=to.timing,
        )
        await worker.run(shutdown)


if __name__ == "__main__":
    run("bench", partial(_serve, *map(int, sys.argv[1:])), TIMING)
