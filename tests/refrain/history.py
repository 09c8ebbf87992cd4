"""History: clients, workers and the sweep at one record, in any order.

A worker here does what a network and its fate can make it do: it loses the reply to
a claim, settles late, twice, or after its death. Whatever has happened, all that is
left comes to its end once nothing more goes wrong.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from refrain.errors import JobNotFound, WrongStatus
from refrain.job import Kind, PauseMode, Status
from refrain.store import Change, JobFilter
from tests.refrain.forecast import CANCELLABLE, attempt_of
from tests.refrain.steps import OVER, End, Steps

if TYPE_CHECKING:
    from asyncio import Runner
    from collections.abc import Collection, Iterable, Sequence
    from uuid import UUID

    from psycopg import Connection

    from refrain.job import Job
    from refrain.store.database import Row
    from tests.refrain.record import Record

    T = TypeVar("T")

MOST_JOBS = 3
MANY_JOBS = 3
NOW = timedelta(0)

Order = tuple[str, int, int, timedelta | None]
"""Owner, segments, max_in_flight and cancel_after of a job."""

OWNERS = st.sampled_from(["ada", "bob"])
ORDERS = st.tuples(
    OWNERS,
    st.sampled_from([3, 3, 2, 1]),
    st.sampled_from([3, 3, 2, 1]),
    st.sampled_from([None, None, None, NOW]),
)
WHICH = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 5, 8])
"""Of those that come into question, counted from the last."""
ENDS = st.sampled_from([End.DONE, *End])
KINDS = st.sampled_from([tuple(Kind), tuple(Kind), *((kind,) for kind in Kind)])
STATUSES = st.sampled_from([None, *([status] for status in sorted(CANCELLABLE))])


class Fate(StrEnum):
    """What befalls a worker."""

    CRASH = "crash"
    """Its process is gone; what is settled for it yet was long on its way."""
    FREEZE = "freeze"
    """It goes on, and does not renew its lease."""
    END = "end"
    """Its tasks ignored their cancellation, so the process ended itself."""
    SHUTDOWN = "shutdown"


class History(RuleBasedStateMachine):
    """One history; rules say `which` job, worker or claim is meant."""

    def __init__(self, record: Record, runner: Runner, own: Connection[Row]) -> None:
        super().__init__()
        self.steps = Steps(record, runner, own)
        self.record = record
        self.run = runner.run

    @initialize(
        orders=st.lists(ORDERS, min_size=1, max_size=2),
        times=st.sampled_from([1, 1, 2, 3, 4, 0]),
        hold=st.integers(1, 2),
    )
    def begin(self, orders: list[Order], times: int, hold: int) -> None:
        """Some jobs, of which some have come some way, and two workers at them."""
        for order in orders:
            self.steps.creates(*order)
        worker = self.steps.registers()
        for _ in range(times):
            self.steps.goes_well(worker)
        self.steps.looks()
        self.claim(0, Kind, hold, heard=True)
        self.steps.registers()
        self.claim(0, Kind, hold, heard=True)

    # Clients

    @precondition(lambda self: len(self.steps.rows.open) < MOST_JOBS)
    @rule(order=ORDERS)
    def create(self, order: Order) -> None:
        self.steps.creates(*order)

    @precondition(lambda self: self.steps.rows.open)
    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        job_id, owner = self.job(which, self.steps.rows.open)
        answer = self.steps.does(
            self.record.jobs.cancel_job(
                job_id, owner, requested_by="user", reason="enough"
            )
        )
        self.steps.only_one(job_id, answer, self.steps.before.cancelled(job_id))

    @precondition(lambda self: len(self.steps.rows.open) >= MANY_JOBS)
    @rule(which=st.lists(WHICH, min_size=2, max_size=3))
    def cancel_many(self, which: list[int]) -> None:
        """Of one owner, who may name jobs of another, and one twice."""
        named = [self.job(n, self.steps.rows.open) for n in which]
        _, asking = named[0]
        answers = self.steps.does(
            self.record.jobs.cancel_jobs(
                [job_id for job_id, _ in named],
                asking,
                requested_by="user",
                reason="these",
            )
        )
        assert isinstance(answers, list)
        assert self.steps.changed <= {job_id for job_id, _ in named}
        for (job_id, owner), answer in zip(named, answers, strict=True):
            told = self.steps.before.cancelled(job_id)
            self.steps.is_as_told(
                job_id, answer, told if owner == asking else JobNotFound
            )

    @precondition(lambda self: len(self.steps.rows.open) >= MANY_JOBS)
    @rule(owner=OWNERS, statuses=STATUSES)
    def cancel_matching(self, owner: str, statuses: list[Status] | None) -> None:
        jobs = JobFilter(statuses=statuses)
        meant = {
            job.job_id
            for job in self.steps.rows.open
            if job.owner == owner
            and job.status in CANCELLABLE.intersection(statuses or Status)
        }
        running = sum(map(self.steps.rows.running, meant))
        counted = self.run(self.record.jobs.count_cancellable(owner, jobs))
        assert (counted.running, counted.idle) == (running, len(meant) - running)
        changes = self.steps.does(
            self.record.jobs.cancel_matching(
                owner, jobs, requested_by="user", reason="all"
            )
        )
        self.steps.are_cancelled(changes, meant)

    @precondition(lambda self: self.steps.rows.open)
    @rule(which=WHICH, mode=st.sampled_from(PauseMode))
    def pause(self, which: int, mode: PauseMode) -> None:
        job_id, owner = self.job(which, self.steps.rows.open)
        answer = self.steps.does(
            self.record.jobs.pause_job(job_id, owner, mode, actor="user")
        )
        self.steps.only_one(job_id, answer, self.steps.before.paused(job_id, mode))

    @precondition(lambda self: self.steps.rows.held_up)
    @rule(which=WHICH)
    def resume(self, which: int) -> None:
        job_id, _ = self.job(which, self.steps.rows.held_up)
        self.steps.resumes(job_id)

    @precondition(
        lambda self: self.steps.rows.finished and len(self.steps.rows.open) < MOST_JOBS
    )
    @rule(which=WHICH, request_id=st.none() | st.just("again"))
    def retry(self, which: int, request_id: str | None) -> None:
        job_id, owner = self.job(which, self.steps.rows.finished)
        answer = self.steps.does(
            self.record.jobs.retry_job(job_id, owner, request_id=request_id)
        )
        told = self.steps.before.retried(job_id, owner, request_id)
        if not isinstance(answer, Change):
            self.steps.only_one(job_id, answer, told)
            return
        retried = answer.job.job_id
        assert answer.job.retried_from == job_id
        assert self.steps.changed == ({retried} if told else set())
        if told:
            self.steps.owners[retried] = owner
            self.steps.lengths[retried] = self.steps.lengths[job_id]
            rows = self.steps.rows
            assert rows.clips(retried) == rows.clips(job_id)

    @precondition(lambda self: self.steps.rows.finished)
    @rule(which=WHICH)
    def delete(self, which: int) -> None:
        job_id, owner = self.job(which, self.steps.rows.finished)
        answer = self.steps.does(self.record.jobs.delete_job(job_id, owner))
        before, rows = self.steps.before, self.steps.rows
        if answer is not None:
            known = job_id in before.jobs
            self.steps.only_one(job_id, answer, WrongStatus if known else JobNotFound)
            assert not known or not before.jobs[job_id].finished
            return
        assert before.jobs[job_id].finished
        assert self.steps.changed == {job_id}
        assert job_id not in rows.jobs
        for uri in filter(None, before.clips(job_id)):
            named = any(uri in rows.clips(other) for other in rows.jobs)
            assert self.run(self.record.jobs.names_artifact(uri)) == named

    # Workers

    @rule(which=WHICH, kinds=KINDS, times=st.integers(1, 3), heard=st.booleans())
    def claim(
        self, which: int, kinds: Collection[Kind], times: int, heard: bool
    ) -> None:
        """Unheard, a task runs by its row and no one is at work on it."""
        worker = nth(self.steps.views, which)
        for _ in range(times):
            task = self.steps.claims(worker, kinds)
            if task is None:
                return
            if heard:
                self.steps.views[worker][attempt_of(task)] = task

    @rule(which=WHICH, times=st.integers(1, 3), end=ENDS)
    def work(self, which: int, times: int, end: End) -> None:
        """All goes well for a while, and then may not."""
        worker = nth(self.steps.views, which)
        for time in range(times):
            task = self.steps.claims(worker)
            if task is None:
                return
            self.steps.settles(task, end if time == times - 1 else End.DONE)

    @precondition(lambda self: self.steps.at_work)
    @rule(which=WHICH, purpose=st.sampled_from(["storyboard", "image", "clip"]))
    def call(self, which: int, purpose: str) -> None:
        self.steps.calls(nth(self.steps.claims_in_doubt, which), purpose)

    @precondition(lambda self: self.steps.held)
    @rule(which=WHICH, end=ENDS)
    def settle(self, which: int, end: End) -> None:
        self.steps.settles(nth(self.steps.held.values(), which), end)

    @precondition(lambda self: self.steps.claimed and self.steps.rows.open)
    @rule(which=WHICH, end=ENDS)
    def settle_late(self, which: int, end: End) -> None:
        """Perhaps once more, or though the task was taken from the worker."""
        self.steps.settles(nth(self.steps.claims_in_doubt, which), end)

    @precondition(lambda self: self.steps.missed)
    @rule(which=WHICH)
    def beat(self, which: int) -> None:
        """A heartbeat, and what its answers make the worker do."""
        self.steps.beats(nth(self.steps.missed, which))

    @precondition(lambda self: self.steps.at_work)
    @rule(which=WHICH, fate=st.sampled_from(Fate))
    def meet(self, which: int, fate: Fate) -> None:
        worker = nth(self.steps.at_work, which)
        match fate:
            case Fate.CRASH:
                self.steps.views[worker].clear()
            case Fate.FREEZE:
                pass
            case Fate.END:
                job_ids = {task.job_id for task in self.steps.views[worker].values()}
                self.run(self.record.workers.kill_worker(worker, job_ids))
                self.steps.views[worker].clear()
            case Fate.SHUTDOWN:
                self.steps.hands_back(self.steps.views[worker].values())
        self.steps.renews(worker, OVER)

    # The sweep

    @precondition(
        lambda self: (
            self.steps.rows.due or len(self.steps.alive) < len(self.steps.views)
        )
    )
    @rule()
    def sweep(self) -> None:
        workers = self.steps.views.keys()
        marked = self.run(self.record.workers.mark_dead_workers(NOW))
        lapsed = workers - self.steps.alive - self.steps.dead
        assert {row["worker_id"] for row in marked} == lapsed
        self.steps.dead |= lapsed
        orphans = {
            attempt_of(task)
            for worker in self.steps.dead
            for task in self.steps.rows.run_by(worker)
        }
        rescued = [
            attempt_of(task)
            for job_id in self.run(self.record.workers.list_orphaned_jobs())
            for task in self.steps.rescues(job_id)
        ]
        assert sorted(rescued) == sorted(orphans)
        due = {job.job_id for job in self.steps.rows.due}
        changes = self.steps.does(self.record.jobs.cancel_overdue())
        self.steps.are_cancelled(changes, due)

    @precondition(lambda self: self.steps.rows.waiting)
    @rule()
    def end_idle(self) -> None:
        """Which is for bugs alone: a settle ends what it leaves idle."""
        assert self.run(self.record.workers.list_idle_stopping_jobs()) == []
        for job in self.steps.rows.waiting:
            ended = self.run(self.record.tasks.end_idle_job(job.job_id, "sweep"))
            assert ended is None
        self.steps.looks()
        assert not self.steps.changed

    # The end

    def teardown(self) -> None:
        if sys.exc_info()[0] is not None:
            return
        self.sweep()
        for worker in list(self.steps.views):
            self.steps.beats(worker)
        assert not [job for job in self.steps.rows.waiting if job.stopping], (
            "it need do no more"
        )
        for task in self.steps.held.values():
            self.steps.settles(task, End.DONE)
        assert not self.steps.rows.waiting
        for job in self.steps.rows.open:
            self.steps.resumes(job.job_id)
        worker = self.steps.registers()
        while self.steps.goes_well(worker):
            pass
        self.steps.looks()
        assert self.steps.rows.open == []

    def job(self, which: int, meant: Sequence[Job]) -> tuple[UUID, str]:
        """Mostly one of those that are meant, and then any that there ever was."""
        job_ids = [job.job_id for job in meant]
        others = [job_id for job_id in self.steps.owners if job_id not in job_ids]
        job_id = nth([*others, *job_ids], which)
        return job_id, self.steps.owners[job_id]


def nth(things: Iterable[T], which: int) -> T:
    """The so-manieth from the end, around."""
    backwards = list(things)[::-1]
    return backwards[which % len(backwards)]
