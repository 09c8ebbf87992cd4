"""Worker: claim a task, run it in a scope, settle it, and claim again.

It hears of stops three ways: by the stop feed, by the answer to its heartbeat, and
by its own fence. All three end in `CancelScope.cancel` with a reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from google.rpc import code_pb2

from refrain.cancellation import CancelScope
from refrain.errors import CallRefused, OutcomeRefused, TaskError, Unavailable
from refrain.fence import end_process
from refrain.job import (
    Aborted,
    AbortReason,
    ClipMade,
    Failed,
    Kind,
    Outcome,
    Slot,
    Task,
    VideoMade,
)
from refrain.lease import Lease
from refrain.stops import StopMemory

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from refrain.artifacts import ArtifactStore
    from refrain.bus import Bell, Bus
    from refrain.store import TaskStore, WorkerStore
    from refrain.store.workers import Attempt
    from refrain.timing import Timing
    from refrain.v1.stop_event_pb2 import StopEvent

log = logging.getLogger(__name__)

BACKOFF = timedelta(seconds=1)
BACKOFF_CAP = timedelta(seconds=60)
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"


class Handler(Protocol):
    """Does one kind of task."""

    async def __call__(self, task: Task) -> Outcome:
        """Returns what was made; raises TaskError if it cannot be made."""
        ...


@dataclass(slots=True)
class _Held:
    """An attempt of ours, from its claim to the end of its settle."""

    task: Task
    scope: CancelScope = field(default_factory=CancelScope)


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
    ) -> None:
        self._tasks = tasks
        self._workers = workers
        self._artifacts = artifacts
        self._bus = bus
        self._handlers = handlers
        self._slots = slots
        self._timing = timing
        self._lease = Lease(service, workers, timing, self)
        self._held: dict[Attempt, _Held] = {}
        self._stops = StopMemory(timing.stop_memory)
        self._wake = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._idle = asyncio.Event()
        self._idle.set()
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
                group.create_task(self._claim_forever(group)),
            ]
            await shutdown.wait()
            await self._drain()
            for loop in loops:
                loop.cancel()
        with contextlib.suppress(Unavailable):
            await self._hand_back_unheld()
        await self._lease.give_up()

    # What the lease asks of its holder

    def held(self) -> Collection[Attempt]:
        return self._held.keys()

    def abort(self, attempt: Attempt, reason: AbortReason) -> None:
        if attempt in self._held:
            self._abort(self._held[attempt], reason)

    async def let_go(self) -> None:
        # A claim whose answer is on its way is then held, and aborted too.
        async with self._claiming:
            await self._abort_all(AbortReason.LEASE_LOST)

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
            held = _Held(task)
            self._held[_attempt(task)] = held
            self._idle.clear()
        log.info("claimed", extra={"job_id": task.job_id, "task": task.name})
        sequence = change.job.event_sequence
        reason = self._stops.reason_to_abort(task.job_id, claimed_at=sequence)
        if reason is not None:
            held.scope.cancel(reason)
        group.create_task(self._run(held))
        await self._bus.announce([change])
        return True

    def _free_slots(self) -> list[Slot]:
        if self._draining or not self._lease.stands:
            return []
        used = [held.task.slot for held in self._held.values()]
        return [slot for slot, n in self._slots.items() if used.count(slot) < n]

    async def _listen_while_idle(self) -> None:
        """A worker without a free slot leaves the group that doorbells ring in."""
        for bell in self._bells:
            await (bell.open() if self._free_slots() else bell.close())

    # Running

    async def _run(self, held: _Held) -> None:
        try:
            outcome = await self._outcome(held)
            await self._settle(held.task, outcome)
        except Unavailable as err:
            log.warning("files are left to the sweep: %s", err)
        finally:
            del self._held[_attempt(held.task)]
            self._wake.set()
            if not self._held:
                self._idle.set()

    async def _outcome(self, held: _Held) -> Outcome:
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
        await self._delete_unless_named(task, outcome)

    async def _delete_unless_named(self, task: Task, outcome: Outcome) -> None:
        """Deletes the files of an attempt whose result no row names."""
        match outcome:
            case ClipMade(clip_uri=uri) | VideoMade(video={"uri": str(uri)}):
                named = await self._tasks.names_artifact(task.job_id, uri)
            case _:
                named = False
        if not named:
            await self._artifacts.delete_folder(task.folder)

    # Stopping

    def _hear_stop(self, event: StopEvent) -> None:
        reasons = self._stops.hear(event)
        for held in list(self._held.values()):
            if held.task.job_id in reasons:
                self._abort(held, reasons[held.task.job_id])

    def _abort(self, held: _Held, reason: AbortReason) -> None:
        if held.scope.cancel_called:
            return
        log.info(
            "aborting: %s",
            reason,
            extra={"job_id": held.task.job_id, "task": held.task.name},
        )
        held.scope.cancel(reason)
        grace = self._timing.grace.total_seconds()
        asyncio.get_running_loop().call_later(grace, self._end_if_running, held)

    @staticmethod
    def _end_if_running(held: _Held) -> None:
        if not held.scope.ended:
            end_process(f"{held.task.name} ignored its cancellation")

    async def _abort_all(self, reason: AbortReason) -> None:
        for held in self._held.values():
            self._abort(held, reason)
        await self._idle.wait()

    async def _drain(self) -> None:
        """Lets running tasks end for a while, then hands them back."""
        # What is being claimed at this moment is then held, and drained too.
        async with self._claiming:
            self._draining = True
        await self._listen_while_idle()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timing.drain.total_seconds()):
                await self._idle.wait()
        await self._abort_all(AbortReason.SHUTDOWN)

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
                self._lease.worker_id, list(self._held)
            )
        for task in unheld:
            await self._settle(task, Aborted())


def _attempt(task: Task) -> Attempt:
    return task.job_id, task.kind, task.position, task.attempt


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
