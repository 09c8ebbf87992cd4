"""Record: claims, calls, cancels, pauses; each transaction is one atomic step.

Every function takes the state as it is once the job's row is locked and returns
the state that COMMIT leaves, or None where the statements meet zero rows. While
another transaction holds the lock nobody gets in: see `locked`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from refrain.job import FINISHED, PauseMode, Status, TaskStatus
from tests.protocol.state import (
    DEAD_ID,
    Attempt,
    Claim,
    Held,
    Job,
    Row,
    State,
    Worker,
    alive,
    with_row,
    with_worker,
)

if TYPE_CHECKING:
    from tests.protocol.rules import Rules

E = TypeVar("E", Held, Claim)

CANCELLABLE = frozenset(
    {Status.PENDING, Status.PROCESSING, Status.PAUSING, Status.PAUSED}
)
CLAIMABLE = frozenset({Status.PENDING, Status.PROCESSING})


def locked(state: State) -> bool:
    return state.commit is not None


def claim(state: State, worker: int, task: int) -> State:
    """lock_claimable_job, claim_task, start_task."""
    job = state.job
    state = move_attempts(state, task, Attempt.LAST, Attempt.OLD)
    state = with_row(state, task, Row(TaskStatus.RUNNING, worker))
    return state._replace(
        job=job._replace(
            status=Status.PROCESSING, started=True, tasks_running=job.tasks_running + 1
        )
    )


def may_claim(state: State, claimant: Worker, task: int, rules: Rules) -> bool:
    """The WHERE of lock_claimable_job and claim_task."""
    job = state.job
    return (
        state.rows[task].status is TaskStatus.QUEUED
        and (job.status not in FINISHED or not rules.finished_is_final)
        and (
            (job.status in CLAIMABLE and not job.error)
            or not rules.claim_needs_a_running_job
        )
        and (alive(claimant) or not rules.claim_needs_a_live_worker)
    )


def may_call(state: State, worker: int, held: Held, rules: Rules) -> bool:
    """The WHERE of begin_provider_call."""
    job = state.job
    runs = job.status in {Status.PROCESSING, Status.PAUSING} and not job.error
    asked = job.pause_mode is PauseMode.ABORT
    return (
        ((runs and not asked) or not rules.call_needs_a_running_job)
        and (held.attempt is Attempt.OURS or not rules.call_names_its_attempt)
        and (alive(state.workers[worker]) or not rules.call_needs_a_live_worker)
    )


def cancel(state: State, seen: State, rules: Rules) -> State | None:
    """request_cancels. `seen` is the snapshot in which it finds tasks."""
    job = state.job
    if job.status not in CANCELLABLE:
        return None
    if rules.counts_stand_in_the_job:
        idle = not job.tasks_running
    else:
        idle = all(row.status is not TaskStatus.RUNNING for row in seen.rows)
    if rules.cancel_skips_what_is_queued:
        state = skip_queued(state, seen)
    if idle or not rules.cancel_waits_for_the_last_settle:
        job = job._replace(status=Status.CANCELLED, pause_mode=None)
    else:
        job = send_stop(job._replace(status=Status.CANCELLING, pause_mode=None))
    return state._replace(job=job)


def pause(state: State, mode: PauseMode) -> State | None:
    """lock_job, request_pause."""
    job = state.job
    runs = job.status in CLAIMABLE and not job.error
    overrides = job.pause_mode is PauseMode.DRAIN and mode is PauseMode.ABORT
    if not runs and not overrides:
        return None
    if not job.tasks_running:
        return state._replace(job=job._replace(status=Status.PAUSED))
    job = job._replace(status=Status.PAUSING, pause_mode=mode)
    return state._replace(job=send_stop(job) if mode is PauseMode.ABORT else job)


def resume(state: State) -> State | None:
    """lock_job, resume_job."""
    job = state.job
    if job.status not in {Status.PAUSING, Status.PAUSED}:
        return None
    status = Status.PROCESSING if job.started else Status.PENDING
    return state._replace(job=job._replace(status=status, pause_mode=None))


def rename_worker(state: State, index: int) -> State:
    """register_worker: rows of the old id stay with an id that nobody has."""
    rows = tuple(
        row._replace(worker=DEAD_ID) if row.worker == index else row
        for row in state.rows
    )
    commit = state.commit
    if commit is not None and commit[0] == index:
        commit = (DEAD_ID, commit[1])
    return state._replace(rows=rows, commit=commit)


def move_attempts(state: State, task: int, old: Attempt, new: Attempt) -> State:
    """What the workers hold of a task whose row has moved on."""
    for index, worker in enumerate(state.workers):
        claims = tuple(_moved(each, task, old, new) for each in worker.claims)
        held = tuple(_moved(each, task, old, new) for each in worker.held)
        if claims != worker.claims or held != worker.held:
            moved = worker._replace(claims=claims, held=tuple(sorted(held)))
            state = with_worker(state, index, moved)
    return state


def send_stop(job: Job) -> Job:
    return job._replace(stops=job.stops + 1)


def skip_queued(state: State, seen: State) -> State:
    """What the snapshot saw QUEUED and what still is."""
    queued = TaskStatus.QUEUED
    rows = tuple(
        Row(TaskStatus.CANCELLED)
        if row.status is queued and known.status is queued
        else row
        for row, known in zip(state.rows, seen.rows, strict=True)
    )
    return state._replace(rows=rows)


def _moved(each: E, task: int, old: Attempt, new: Attempt) -> E:
    if each.task == task and each.attempt is old:
        return each._replace(attempt=new)
    return each
