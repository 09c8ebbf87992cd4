"""HeldTasks: what a worker runs, from the claims to the ends of the settles."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from refrain.cancellation import CancelScope

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import timedelta
    from uuid import UUID

    from refrain.job import AbortReason, Slot, Task
    from refrain.store.workers import Attempt


@dataclass(slots=True)
class Held:
    """An attempt of ours, from its claim to the end of its settle."""

    task: Task
    claimed_at: int
    """The job's event_sequence with the claim: stops of before do not mean it."""
    scope: CancelScope = field(default_factory=CancelScope)

    @property
    def attempt(self) -> Attempt:
        task = self.task
        return task.job_id, task.kind, task.position, task.attempt


class HeldTasks:
    """Finds what is held by attempt and by job, and aborts it."""

    def __init__(self, grace: timedelta, on_ignored: Callable[[Held], None]) -> None:
        """`on_ignored` hears of what still runs when its grace is over."""
        self._grace = grace.total_seconds()
        self._on_ignored = on_ignored
        self._by_attempt: dict[Attempt, Held] = {}
        self._by_job: dict[UUID, set[Attempt]] = {}
        self._none = asyncio.Event()
        self._none.set()

    @property
    def attempts(self) -> Collection[Attempt]:
        return self._by_attempt.keys()

    def hold(self, task: Task, claimed_at: int) -> Held:
        """Adds a task that was just claimed."""
        held = Held(task, claimed_at)
        self._by_attempt[held.attempt] = held
        self._by_job.setdefault(task.job_id, set()).add(held.attempt)
        self._none.clear()
        return held

    def let_go_of(self, held: Held) -> None:
        """Takes away what has been settled."""
        job_id = held.task.job_id
        del self._by_attempt[held.attempt]
        self._by_job[job_id].remove(held.attempt)
        if not self._by_job[job_id]:
            del self._by_job[job_id]
        if not self._by_attempt:
            self._none.set()

    def get(self, attempt: Attempt) -> Held | None:
        return self._by_attempt.get(attempt)

    def of_job(self, job_id: UUID) -> list[Held]:
        return [self._by_attempt[each] for each in self._by_job.get(job_id, ())]

    def free(self, slots: Mapping[Slot, int]) -> list[Slot]:
        """Returns the slots of which there are more than are taken."""
        taken = [held.task.slot for held in self._by_attempt.values()]
        return [slot for slot, count in slots.items() if taken.count(slot) < count]

    async def wait_for_none(self) -> None:
        """Returns once nothing is held."""
        await self._none.wait()

    def abort(self, held: Held, reason: AbortReason) -> None:
        """Aborts what is held, once, and watches that it ends within its grace."""
        if held.scope.cancel_called:
            return
        held.scope.cancel(reason)
        asyncio.get_running_loop().call_later(self._grace, self._end_grace, held)

    async def abort_all(self, reason: AbortReason) -> None:
        """Aborts all, and returns once nothing is held."""
        for held in self._by_attempt.values():
            self.abort(held, reason)
        await self.wait_for_none()

    def _end_grace(self, held: Held) -> None:
        if not held.scope.ended:
            self._on_ignored(held)
