"""Settle: how an attempt ends, what follows it, and how its job ends.

Whoever settles, the decision is that of `refrain.outcome.ending`: the search asks the
very function that the services ask.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar

from refrain import job as product
from refrain import outcome as product_outcome
from refrain.job import Kind, Status, TaskStatus
from refrain.outcome import (
    Aborted,
    ClipMade,
    Failed,
    Rescued,
    VideoMade,
    ending,
)
from tests.protocol.record import move_attempts, send_stop, skip_queued
from tests.protocol.state import (
    DEAD_ID,
    Attempt,
    Held,
    Phase,
    Row,
    State,
    kind_of,
    with_row,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.protocol.rules import Rules

T = TypeVar("T")

Outcome = Literal[
    "Made", "Aborted", "Failed", "Failed for good", "Rescued", "Rescued for good"
]
OUTCOMES: Mapping[Phase, Outcome] = {
    Phase.MADE: "Made",
    Phase.ABORTED: "Aborted",
    Phase.RETRYING: "Failed",
    Phase.FAILED: "Failed for good",
}
_KEPT = {TaskStatus.FAILED: TaskStatus.CANCELLED}


def settle(
    state: State, worker: int, held: Held, seen: State, rules: Rules
) -> State | None:
    """The WHERE of finish_task and requeue_task, then the settle itself."""
    row = state.rows[held.task]
    if rules.settle_names_its_attempt:
        ours = held.attempt is not Attempt.OLD
    else:
        ours = row.worker == worker or not rules.settle_names_its_worker
    runs = row.status is TaskStatus.RUNNING
    if not ours or (rules.settle_needs_a_running_row and not runs):
        return None
    return settle_task(state, held.task, OUTCOMES[held.phase], seen, rules)


def settle_task(
    state: State, task: int, outcome: Outcome, seen: State, rules: Rules
) -> State:
    """finish_task or requeue_task, release_task, what follows, end_if_idle."""
    kind = kind_of(state, task)
    status = _ending(seen.job.status, seen.job.error, kind, outcome, rules)
    state = move_attempts(state, task, Attempt.OURS, Attempt.LAST)
    state = with_row(state, task, Row(_KEPT.get(status, status)))
    job = state.job
    state = state._replace(job=job._replace(tasks_running=job.tasks_running - 1))
    if status is TaskStatus.COMPLETED and kind is Kind.SEGMENT:
        state = _insert_stitch(state, task, seen, rules)
    if status is TaskStatus.FAILED:
        state = _stop_failed_job(state)
    if status is TaskStatus.COMPLETED and kind is Kind.STITCH:
        state = _complete_job(state, rules)
    return end_if_idle(state, rules) if rules.last_settle_ends_the_job else state


def rescue(state: State, rules: Rules, outcome: Outcome = "Rescued") -> State | None:
    """lock_job, list_orphaned_tasks, then a settle of each."""
    orphans = [
        task
        for task, row in enumerate(state.rows)
        if row.status is TaskStatus.RUNNING
        and (row.worker == DEAD_ID or state.workers[row.worker].marked_dead)
    ]
    for task in orphans:
        state = settle_task(state, task, outcome, state, rules)
    return state if orphans else None


def end_idle_job(state: State, rules: Rules) -> State | None:
    """list_idle_stopping_jobs, lock_job, recount_running_tasks, end_if_idle."""
    if any(row.status is TaskStatus.RUNNING for row in state.rows):
        return None
    counted = state._replace(job=state.job._replace(tasks_running=0))
    ended = end_if_idle(counted, rules)
    return ended if ended.job.status is not state.job.status else None


def end_if_idle(state: State, rules: Rules) -> State:
    """confirm_cancel, confirm_failure, confirm_pause."""
    job = state.job
    if job.error and job.status is Status.PROCESSING:
        if not job.tasks_running or not rules.failure_waits_for_the_last_settle:
            return state._replace(job=job._replace(status=Status.FAILED))
    elif job.status is Status.CANCELLING and not job.tasks_running:
        return state._replace(job=job._replace(status=Status.CANCELLED))
    elif job.status is Status.PAUSING and not job.tasks_running:
        return state._replace(job=job._replace(status=Status.PAUSED, pause_mode=None))
    return state


def _insert_stitch(state: State, task: int, seen: State, rules: Rules) -> State:
    """insert_stitch."""
    follows = {
        Status.PROCESSING: True,
        Status.PAUSING: rules.stitch_follows_while_pausing,
        Status.PAUSED: rules.stitch_follows_while_paused,
    }
    job = state.job
    follows_now = follows.get(job.status, False) and not job.error
    counted = state if rules.counts_stand_in_the_job else seen
    others = [row for at, row in enumerate(counted.rows[:-1]) if at != task]
    if any(row.status is not TaskStatus.COMPLETED for row in others):
        return state
    if follows_now or (job.stopping and not rules.nothing_follows_while_stopping):
        return with_row(state, len(state.rows) - 1, Row(TaskStatus.QUEUED))
    return state


def _complete_job(state: State, rules: Rules) -> State:
    """complete_job."""
    job = state.job
    pausing = job.status is Status.PAUSING and rules.stitch_completes_a_pausing_job
    runs = (job.status is Status.PROCESSING or pausing) and not job.error
    anything = job.stopping and not rules.completion_needs_a_running_job
    if job.tasks_running or not (runs or anything):
        return state
    return state._replace(job=job._replace(status=Status.COMPLETED, pause_mode=None))


def _stop_failed_job(state: State) -> State:
    """stop_failed_job."""
    job = state.job
    if job.error or job.status not in {Status.PROCESSING, Status.PAUSING}:
        return state
    state = skip_queued(state, state)
    job = job._replace(status=Status.PROCESSING, pause_mode=None, error=True)
    return state._replace(job=send_stop(job) if job.tasks_running else job)


@cache
def _ending(
    status: Status, error: bool, kind: Kind, outcome: Outcome, rules: Rules
) -> TaskStatus:
    """Asks `refrain.outcome.ending`, the very function that the services ask."""
    job = _bare(product.Job, status=status, error={} if error else None)
    made = VideoMade if kind is Kind.STITCH else ClipMade
    outcomes: Mapping[Outcome, product_outcome.Outcome] = {
        "Made": _bare(made),
        "Failed for good": _bare(Failed, retryable=False),
        "Failed": _bare(Failed, retryable=True),
        "Aborted": Aborted(),
        "Rescued": Rescued(error={}),
        "Rescued for good": Rescued(error={}),
    }
    if outcome == "Aborted" and not rules.abort_of_a_running_job_hands_back:
        return TaskStatus.CANCELLED
    if outcome == "Made" and not rules.video_is_refused_while_stopping:
        return TaskStatus.COMPLETED
    last = product.MAX_FAILURES - 1 if outcome == "Rescued for good" else 0
    task = _bare(product.Task, failures=last)
    return ending(job, task, outcomes[outcome]).status


def _bare(cls: type[T], **fields: object) -> T:
    """An instance with only the fields that `ending` looks at."""
    instance = object.__new__(cls)
    for name, value in fields.items():
        object.__setattr__(instance, name, value)
    return instance
