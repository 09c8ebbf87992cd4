"""Invariants: what must hold in every state, on every step, and in the end."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from refrain.job import (
    FINISHED,
    TRANSITIONS,
    PauseMode,
    Status,
    TaskStatus,
)
from tests.protocol.state import HEALTHY, RUNS, Attempt, State, Step
from tests.protocol.steps import Nature
from tests.protocol.worker_steps import calls_that_would_begin

if TYPE_CHECKING:
    from tests.protocol.rules import Rules


class Broken(StrEnum):
    """The invariant that does not hold, said as what is then the case."""

    RUNS_ON = "a healthy process runs a task of a job that is finished or paused"
    RUNS_TWICE = "a task runs in two healthy processes"
    LEFT_OPEN = "a finished job has a task that is QUEUED or RUNNING"
    MISCOUNTED = "tasks_running is not the number of RUNNING tasks"
    PAID_LATE = "a paid call begins after the stop, or for an attempt that is over"
    REWRITTEN = "a status changes as it must not"
    UNPAUSED = "a pause ends though nobody resumed"
    NEVER_STOPS = "a stop never comes about unless work, NATS or a user helps"
    NEVER_ENDS = "the job can never end any more, even if all goes well"


HELP = {
    Broken.NEVER_STOPS: frozenset({Nature.PROTOCOL}),
    Broken.NEVER_ENDS: frozenset({Nature.PROTOCOL, Nature.WORK, Nature.RECOVERY}),
}
"""The steps that are enough for a stop, and for the end of a job."""

# One transaction may take two changes: a failure makes a pausing job PROCESSING, and
# FAILED if nothing of it runs.
_ALLOWED = {status: {status, *after} for status, after in TRANSITIONS.items()}
_ALLOWED[Status.PAUSING].add(Status.FAILED)
_OPEN = frozenset({TaskStatus.QUEUED, TaskStatus.RUNNING})


def broken_in(state: State, rules: Rules) -> Broken | None:
    job = state.job
    finished = job.status in FINISHED
    running = [
        held.task
        for worker in state.workers
        if worker.mode in HEALTHY
        for held in worker.held
        if held.phase in RUNS
    ]
    if running and (finished or job.status is Status.PAUSED):
        return Broken.RUNS_ON
    if len(running) != len(set(running)):
        return Broken.RUNS_TWICE
    if finished and any(row.status in _OPEN for row in state.rows):
        return Broken.LEFT_OPEN
    rows = [row.status for row in state.rows]
    if rows.count(TaskStatus.RUNNING) != job.tasks_running:
        return Broken.MISCOUNTED
    stopped = job.stopping or finished or job.pause_mode is PauseMode.ABORT
    for held in calls_that_would_begin(state, rules):
        if stopped or held.attempt is not Attempt.OURS:
            return Broken.PAID_LATE
    return None


def broken_by(before: State, step: Step, after: State) -> Broken | None:
    old, new = before.job, after.job
    if new.status not in _ALLOWED[old.status]:
        return Broken.REWRITTEN
    paused = old.status in {Status.PAUSING, Status.PAUSED}
    runs = new.status is Status.PROCESSING and not new.error
    return Broken.UNPAUSED if paused and runs and step[0] != "resume" else None


def may_rest(state: State) -> bool:
    """Finished, or paused: a user can cancel or resume that whenever he likes."""
    return state.job.status in FINISHED or state.job.status is Status.PAUSED


def is_meant(state: State, broken: Broken) -> bool:
    """Whether this state promises what `broken` denies."""
    stops = state.job.stopping or state.job.status is Status.PAUSING
    return stops or broken is Broken.NEVER_ENDS


def waits_for_work(state: State) -> bool:
    """A pause with DRAIN is the only stop that lets running tasks end by themselves."""
    return state.job.pause_mode is PauseMode.DRAIN
