"""Steps: one transition at a time, each held against its forecast.

What the workers of the protocol remember is remembered here: what each holds, and
which claims and settles there have been.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from refrain.errors import CallRefused, RefrainError
from refrain.job import Kind, PauseMode, Slot, Status, Task, TaskStatus
from refrain.outcome import Aborted, Outcome
from refrain.store import Change
from tests.refrain.forecast import Answer, attempt_of, read_rows
from tests.refrain.record import (
    FAILED,
    LEASE,
    RETRY,
    UNSOUND,
    Record,
    asked_about,
    local_call,
    outcome_of,
)

if TYPE_CHECKING:
    from asyncio import Runner
    from collections.abc import Collection, Coroutine, Iterable, Set
    from datetime import timedelta
    from uuid import UUID

    from psycopg import Connection

    from refrain.store.database import Row
    from refrain.store.workers import Attempt

    T = TypeVar("T")
    Refusal = RefrainError | CallRefused

OVER = -LEASE
"""A lease renewed for so long has lapsed."""


class End(StrEnum):
    """How a handler ends."""

    DONE = "done"
    TRY_AGAIN = "try again"
    FAILED = "failed"
    ABORTED = "aborted"


class Steps:
    """The record, from empty, and all that is done to it."""

    def __init__(self, record: Record, runner: Runner, own: Connection[Row]) -> None:
        """`own` is a connection to look through, between two transitions."""
        self.record = record
        self.run = runner.run
        self.owners: dict[UUID, str] = {}
        self.lengths: dict[UUID, int] = {}
        """How many segments each job's plan makes."""
        self.views: dict[UUID, dict[Attempt, Task]] = {}
        """What each worker believes that it runs."""
        self.alive: set[UUID] = set()
        self.dead: set[UUID] = set()
        self.claimed: dict[Attempt, Task] = {}
        self.settled: set[Attempt] = set()
        self._own = own
        own.execute("DELETE FROM jobs")
        own.execute("DELETE FROM workers")
        self.before = self.rows = read_rows(own)
        self.changed: Set[UUID] = set()

    @property
    def held(self) -> dict[Attempt, Task]:
        """What any worker believes that it runs."""
        return {a: task for view in self.views.values() for a, task in view.items()}

    @property
    def at_work(self) -> list[UUID]:
        """The workers that run tasks by their rows."""
        return [worker for worker in self.views if self.rows.run_by(worker)]

    @property
    def missed(self) -> list[UUID]:
        """The workers that something happened to since they last looked."""
        rows = self.rows
        return [
            worker
            for worker, view in self.views.items()
            if worker not in self.alive
            or {attempt_of(task) for task in rows.run_by(worker)} != view.keys()
            or any(rows.reason_to_abort(task) for task in view.values())
        ]

    @property
    def claims_in_doubt(self) -> list[Task]:
        """All claims; those come last that are not to go on, and whose tasks run."""
        runs = {
            key
            for key, row in self.rows.tasks.items()
            if row.status is TaskStatus.RUNNING
        }

        def doubt(task: Task) -> tuple[bool, bool]:
            stopped = self.rows.reason_to_abort(task) is not None
            return (
                (task.job_id, task.kind, task.position) in runs,
                stopped or task.worker_id not in self.alive,
            )

        return sorted(self.claimed.values(), key=doubt)

    def does(self, transition: Coroutine[Any, Any, T]) -> T | Refusal:
        """Makes one transition and looks at what it left."""
        answer: T | Refusal
        try:
            answer = self.run(transition)
        except (RefrainError, CallRefused) as refusal:
            answer = refusal
        self.looks()
        return answer

    def looks(self) -> None:
        """Checks the jobs that changed; the others are as sound as they were."""
        self.before, self.rows = self.rows, read_rows(self._own)
        job_ids = self.before.jobs.keys() | self.rows.jobs.keys()
        self.changed = {
            job_id
            for job_id in job_ids
            if self.rows.of(job_id) != self.before.of(job_id)
        }
        if self.changed:
            unsound = self._own.execute(UNSOUND, asked_about(self.changed)).fetchall()
            assert unsound == []
        for job_id in self.changed & self.rows.jobs.keys() & self.before.jobs.keys():
            assert not self.before.jobs[job_id].finished, "what is finished stays so"

    # Clients

    def creates(
        self, owner: str, segments: int, most: int, cancel_after: timedelta | None
    ) -> None:
        """Creates a job."""
        job = self.run(
            self.record.create(
                owner=owner, max_in_flight=most, cancel_after=cancel_after
            )
        )
        self.owners[job.job_id], self.lengths[job.job_id] = owner, segments
        self.looks()

    def is_as_told(self, job_id: UUID, answer: Any, told: Answer) -> None:
        """Checks that a job was given the status that was forecast, or refused."""
        assert (job_id in self.changed) == isinstance(told, Status)
        if isinstance(told, type):
            assert isinstance(answer, told)
            return
        assert isinstance(answer, Change)
        job = answer.job
        assert job == self.rows.jobs[job_id]
        assert told in {None, job.status}
        stops = job.status is Status.CANCELLING or job.pause_mode is PauseMode.ABORT
        assert answer.stops == stops

    def only_one(self, job_id: UUID, answer: Any, told: Answer) -> None:
        """Checks that nothing happened to any other job."""
        self.is_as_told(job_id, answer, told)
        assert self.changed <= {job_id}

    def are_cancelled(self, changes: list[Change] | Refusal, meant: Set[UUID]) -> None:
        """Checks that those were cancelled that were meant, and no others."""
        assert not isinstance(changes, Exception)
        cancelled = {change.job.job_id: change for change in changes}
        assert cancelled.keys() == self.changed == meant
        for job_id, change in cancelled.items():
            self.is_as_told(job_id, change, self.before.cancelled(job_id))

    def resumes(self, job_id: UUID) -> None:
        """Lets a job go on."""
        owner = self.owners[job_id]
        answer = self.does(self.record.jobs.resume_job(job_id, owner, actor="user"))
        self.only_one(job_id, answer, self.before.resumed(job_id))

    # Workers

    def registers(self) -> UUID:
        """Registers a worker that holds nothing."""
        worker = self.run(self.record.register())
        self.views[worker] = {}
        self.alive.add(worker)
        return worker

    def renews(self, worker: UUID, lease: timedelta) -> bool:
        """Renews a lease, or lets it lapse; False if others hold it for dead."""
        renewed = self.run(self.record.workers.renew_worker(worker, lease))
        assert renewed == (worker not in self.dead)
        if renewed and lease > OVER:
            self.alive.add(worker)
        else:
            self.alive.discard(worker)
        return renewed

    def claims(self, worker: UUID, kinds: Collection[Kind] = Kind) -> Task | None:
        """Claims the next task, if there is one."""
        claimed = self.does(self.record.tasks.claim_task(worker, kinds, Slot))
        assert not isinstance(claimed, Exception)
        there_is_one = worker in self.alive and self.before.may_claim(kinds)
        assert (claimed is not None) == there_is_one
        if claimed is None:
            assert not self.changed
            return None
        change, task = claimed
        assert self.changed == {task.job_id}
        assert change.job == self.rows.jobs[task.job_id]
        assert self.rows.runs(task)
        assert attempt_of(task) not in self.claimed, "no attempt is made twice"
        self.claimed[attempt_of(task)] = task
        return task

    def calls(self, task: Task, purpose: str) -> None:
        """Begins a paid call, if the attempt may."""
        call = self.record.calls.begin_provider_call(task, local_call(purpose))
        begun = not isinstance(self.does(call), Exception)
        lives = task.worker_id in self.alive
        assert begun == (lives and not self.before.reason_to_abort(task))
        assert self.changed == ({task.job_id} if begun else set())

    def settles(self, task: Task, end: End) -> None:
        """Settles an attempt, which counts only if it is the one that runs."""
        for view in self.views.values():
            view.pop(attempt_of(task), None)
        change = self.does(self.record.settle(task, self.outcome(task, end)))
        if change is None:
            assert not self.before.runs(task)
            assert not self.changed
            return
        assert isinstance(change, Change)
        assert self.before.runs(task)
        assert self.changed == {task.job_id}
        assert change.job == self.rows.jobs[task.job_id]
        assert attempt_of(task) not in self.settled, "of an attempt one settle counts"
        self.settled.add(attempt_of(task))

    def hands_back(self, tasks: Iterable[Task]) -> None:
        """Settles them as aborted, whatever becomes of them."""
        for task in list(tasks):
            self.settles(task, End.ABORTED)

    def beats(self, worker: UUID) -> None:
        """Renews a lease, and does what the answers say."""
        view = self.views[worker]
        if not self.renews(worker, LEASE):
            self.hands_back(view.values())
            self.registers()
            return
        stops = self.run(self.record.workers.list_stops(worker, list(view)))
        reasons = {
            attempt: self.rows.reason_to_abort(task) for attempt, task in view.items()
        }
        assert stops == {attempt: why for attempt, why in reasons.items() if why}
        unheld = self.run(self.record.workers.list_unheld_tasks(worker, list(view)))
        run = {attempt_of(task) for task in self.rows.run_by(worker)}
        assert {attempt_of(task) for task in unheld} == run - view.keys()
        self.hands_back([*unheld, *(view[attempt] for attempt in stops)])

    def goes_well(self, worker: UUID) -> bool:
        """Claims and does one task, if there is one; nobody looks."""
        claimed = self.run(self.record.tasks.claim_task(worker, Kind, Slot))
        if claimed is None:
            return False
        _, task = claimed
        made = self.outcome(task, End.DONE)
        self.run(self.record.settle(task, made))
        return True

    def rescues(self, job_id: UUID) -> list[Task]:
        """Takes back what dead workers run of a job."""
        rescued = self.does(self.record.tasks.rescue_tasks(job_id, "sweep"))
        assert not isinstance(rescued, Exception)
        assert self.changed == {job_id}
        return [task for task, _ in rescued]

    def outcome(self, task: Task, end: End) -> Outcome:
        """What the handler of the task leaves."""
        match end:
            case End.DONE:
                return outcome_of(task, self.lengths[task.job_id])
            case End.TRY_AGAIN:
                return RETRY
            case End.FAILED:
                return FAILED
            case End.ABORTED:
                return Aborted()
