"""Worker: claim a task, run it in a scope, settle it, and claim again.

It hears of stops three ways: by the stop feed, by the answer to its heartbeat, and
by its own fence. All three end in `CancelScope.cancel` with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from google.rpc import code_pb2

from refrain.errors import CallRefused, OutcomeRefused, TaskError, Unavailable
from refrain.fence import end_process
from refrain.held import Held, HeldTasks
from refrain.job import AbortReason, Kind, Slot, Task
from refrain.lease import Lease
from refrain.outcome import Aborted, Failed, Outcome
from refrain.stops import StopMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from uuid import UUID

    from refrain.artifacts import ArtifactStore
    from refrain.bus import Bell, Bus
    from refrain.store import TaskStore, WorkerStore
    from refrain.store.workers import Attempt
    from refrain.timing import Timing
    from refrain.v1.stop_event_pb2 import StopEvent

log = logging.getLogger(__name__)

BACKOFF = timedelta(seconds=1)
BACKOFF_CAP = timedelta(seconds=60)
LAST_WORDS = 1.0
"""Seconds that a process has between its decision to end and its end."""
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Handler(Protocol):
    """Does one kind of task."""

    async def __call__(self, task: Task) -> Outcome:
        """Returns what was made; raises TaskError if it cannot be made."""
        ...


class Worker:
    """Runs the tasks of its handlers' kinds, as many as it has slots."""

    def __init__(
        self,
        service: str,
        *,
        tasks: TaskStore,
        workers: WorkerStore,
        artifacts: ArtifactStore,
        bus: Bus,
        handlers: Mapping[Kind, Handler],
        slots: Mapping[Slot, int],
        timing: Timing,
        on_settled: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_settled` hears of every attempt whose end is in the record."""
        self._tasks = tasks
        self._on_settled = on_settled
        self._workers = workers
        self._artifacts = artifacts
        self._bus = bus
        self._handlers = handlers
        self._slots = slots
        self._timing = timing
        self._lease = Lease(service, workers, timing, self)
        self._held = HeldTasks(timing.grace, self._hear_of_ignored)
        self._stops = StopMemory(timing.stop_memory)
        self._wake = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._ignoring: set[UUID] = set()
        self._killed = asyncio.Event()
        self._draining = False
        self._bells: list[Bell] = []

    async def run(self, shutdown: asyncio.Event) -> None:
        """Works until `shutdown` is set, then drains, hands back and returns."""
        await self._lease.take(shutdown)
        await self._bus.on_stop(self._hear_stop)
        self._bells = [
            await self._bus.on_work(kind, self._wake.set) for kind in self._handlers
        ]
        self._bus.on_reconnect(self._wake.set)
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(self._lease.keep()),
                group.create_task(self._lease.watch()),
                group.create_task(self._hand_back_forever()),
                group.create_task(self._end_when_killed()),
                group.create_task(self._claim_forever(group)),
            ]
            await shutdown.wait()
            await self._drain()
            for loop in loops:
                loop.cancel()
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(self._timing.grace.total_seconds()):
                await self._hand_back_unheld()
        await self._lease.give_up()

    # What the lease asks of its holder

    def held(self) -> Collection[Attempt]:
        return self._held.attempts

    def abort(self, attempt: Attempt, reason: AbortReason) -> None:
        held = self._held.get(attempt)
        if held is not None:
            self._held.abort(held, reason)

    async def let_go(self) -> None:
        # A claim whose answer is on its way is then held, and aborted too.
        async with self._claiming:
            await self._held.abort_all(AbortReason.LEASE_LOST)

    def look(self) -> None:
        self._wake.set()

    # Claiming

    async def _claim_forever(self, group: asyncio.TaskGroup) -> None:
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            # Who listens only after its claims misses what is queued in between.
            await self._listen_while_idle()
            try:
                await self._claim_all(group)
            except Unavailable as err:
                log.warning("no claims: %s", err)
            await self._listen_while_idle()

    async def _claim_all(self, group: asyncio.TaskGroup) -> None:
        """Claims until nothing is due or no slot is free."""
        asked_again = False
        while self._free_slots():
            if await self._claim(group):
                continue
            if asked_again:
                return
            asked_again = True
            # The job's row may have been locked by whoever rang the bell.
            await asyncio.sleep(random.uniform(0.02, 0.05))  # noqa: S311

    async def _claim(self, group: asyncio.TaskGroup) -> bool:
        async with self._claiming:
            slots = self._free_slots()
            if not slots:
                return False
            claimed = await self._tasks.claim_task(
                self._lease.worker_id, self._handlers.keys(), slots
            )
            if claimed is None or not self._lease.stands:
                return False
            change, task = claimed
            held = self._held.hold(task, claimed_at=change.job.event_sequence)
        log.info("claimed", extra={"job_id": task.job_id, "task": task.name})
        self._abort_if_stopped(held)
        group.create_task(self._run(held))
        await self._bus.announce([change])
        return True

    def _free_slots(self) -> list[Slot]:
        if self._draining or not self._lease.stands:
            return []
        return self._held.free(self._slots)

    async def _listen_while_idle(self) -> None:
        """A worker without a free slot leaves the group that doorbells ring in."""
        for bell in self._bells:
            await (bell.open() if self._free_slots() else bell.close())

    # Running

    async def _run(self, held: Held) -> None:
        try:
            outcome = await self._outcome(held)
            if held.scope.cancel_called:
                # Not at the abort itself: a hundred lines would delay the last one.
                fields = {"job_id": held.task.job_id, "task": held.task.name}
                log.info("abort: %s", held.scope.reason, extra=fields)
            await self._settle(held.task, outcome)
        except Unavailable as err:
            log.warning("files are left to the sweep: %s", err)
        finally:
            self._held.let_go_of(held)
            self._wake.set()

    async def _outcome(self, held: Held) -> Outcome:
        task = held.task
        try:
            made = await held.scope.run(self._handlers[task.kind](task))
        except (CallRefused, Unavailable):
            return Aborted()
        except TaskError as err:
            failure = err
        except Exception as err:  # the one supervisor of what handlers do
            log.exception("failed", extra={"job_id": task.job_id, "task": task.name})
            failure = TaskError(repr(err), reason="INTERNAL", retryable=True)
        else:
            return Aborted() if made is None else made
        # What an abort breaks off may raise anything: that is not the task's failure.
        return Aborted() if held.scope.cancel_called else _failed(task, failure)

    async def _settle(self, task: Task, outcome: Outcome) -> None:
        """Tries until the record has it, or says that the task is not ours."""
        actor = f"worker:{self._lease.worker_id}"
        while True:
            try:
                change = await self._tasks.settle_task(task, outcome, actor)
                break
            except Unavailable as err:
                log.warning("not settled yet: %s", err)
                await asyncio.sleep(0.25)
            except OutcomeRefused as err:
                log.error("refused: %s", err, extra={"job_id": task.job_id})  # noqa: TRY400
                outcome = _failed(task, TaskError(str(err), reason="OUTCOME_REFUSED"))
        log.info(
            "settled %s",
            type(outcome).__name__.lower() if change else "by another",
            extra={"job_id": task.job_id, "task": task.name},
        )
        if change is not None:
            await self._bus.announce([change])
        self._on_settled()
        # Of an attempt that came to nothing, a finished image is named all the same.
        await self._artifacts.delete_unnamed(task.folder, self._tasks.names_artifact)

    # Stopping

    def _hear_stop(self, event: StopEvent) -> None:
        for job_id in self._stops.hear(event):
            for held in self._held.of_job(job_id):
                self._abort_if_stopped(held)

    def _abort_if_stopped(self, held: Held) -> None:
        job_id, sequence = held.task.job_id, held.claimed_at
        reason = self._stops.reason_to_abort(job_id, claimed_at=sequence)
        if reason is not None:
            self._held.abort(held, reason)

    def _hear_of_ignored(self, held: Held) -> None:
        log.error("%s ignored its cancellation", held.task.name)
        self._ignoring.add(held.task.job_id)
        self._killed.set()

    async def _end_when_killed(self) -> None:
        """Ends a process that cannot be rid of a task in another way.

        What else it runs is handed back before, if that is quickly done.
        """
        await self._killed.wait()
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._end_claims()
                worker_id = self._lease.worker_id
                await self._workers.kill_worker(worker_id, self._ignoring)
                await self._held.abort_all(AbortReason.SHUTDOWN)
        end_process("a task ignored its cancellation")

    async def _end_claims(self) -> None:
        # What is being claimed at this moment is then held, and let go of too.
        async with self._claiming:
            self._draining = True

    async def _drain(self) -> None:
        """Lets running tasks end for a while, then hands them back."""
        await self._end_claims()
        await self._listen_while_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.drain.total_seconds()):
                await self._held.wait_for_none()
        await self._held.abort_all(AbortReason.SHUTDOWN)

    async def _hand_back_forever(self) -> None:
        """Apart from the heartbeat, which must not wait for the locks of jobs."""
        while True:
            await asyncio.sleep(self._timing.heartbeat.total_seconds())
            try:
                await self._hand_back_unheld()
            except Unavailable as err:
                log.warning("nothing handed back: %s", err)

    async def _hand_back_unheld(self) -> None:
        """Returns tasks that we claimed without hearing of it.

        No claim may be under way meanwhile: its row would look unheld.
        """
        if self._claiming.locked():
            return
        async with self._claiming:
            unheld = await self._workers.list_unheld_tasks(
                self._lease.worker_id, list(self._held.attempts)
            )
        for task in unheld:
            await self._settle(task, Aborted())


def _failed(task: Task, error: TaskError) -> Failed:
    ceiling = min(BACKOFF * 2**task.failures, BACKOFF_CAP)
    jittered = ceiling * random.random()  # noqa: S311
    message = str(error).replace("\0", "").encode("utf-8", "replace").decode()
    return Failed(
        error={
            "code": code_pb2.INTERNAL,
            "message": message,
            "details": [
                {"@type": ERROR_INFO, "domain": "refrain", "reason": error.reason}
            ],
        },
        retryable=error.retryable,
        delay=error.retry_after or jittered,
    )
