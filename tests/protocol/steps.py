"""Steps: everything that can happen next, and of what nature it is."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from refrain.job import PauseMode
from tests.protocol import record
from tests.protocol.faults import fault_steps, recovery_steps, time_steps
from tests.protocol.lease_steps import lease_steps
from tests.protocol.settle import end_idle_job, rescue
from tests.protocol.state import (
    DEAD_ID,
    WORKERS,
    Held,
    Pending,
    State,
    Steps,
    Worker,
    Zone,
    with_row,
    with_worker,
)
from tests.protocol.worker_steps import settled, worker_steps

if TYPE_CHECKING:
    from tests.protocol.rules import Rules


class Nature(Enum):
    """Who or what takes a step, as far as it matters to what must come about."""

    PROTOCOL = auto()
    """Ours, or the mere passing of time: it comes, sooner or later."""
    WORK = auto()
    """A provider or a codec comes to its end, which it may never do."""
    MESSAGE = auto()
    """NATS delivers, which it need not."""
    RECOVERY = auto()
    """A network, a process or a machine comes back."""
    USER = auto()
    FAULT = auto()


NATURES = {
    "finish": Nature.WORK,
    "fail": Nature.FAULT,
    "err": Nature.FAULT,
    "hear": Nature.MESSAGE,
    "wake": Nature.RECOVERY,
    "heal": Nature.RECOVERY,
    "restart": Nature.RECOVERY,
    "cancel": Nature.USER,
    "cancel waits": Nature.USER,
    "pause drain": Nature.USER,
    "pause abort": Nature.USER,
    "resume": Nature.USER,
    "freeze": Nature.FAULT,
    "crash": Nature.FAULT,
    "cut": Nature.FAULT,
    "rescue for good": Nature.FAULT,
    "cut in claim": Nature.FAULT,
    "lose claim": Nature.FAULT,
    "lose settle": Nature.FAULT,
    "lose request": Nature.FAULT,
    "ignore": Nature.FAULT,
    "drain": Nature.FAULT,
}
"""What is not named here is PROTOCOL."""


def successors(state: State, rules: Rules) -> Steps:
    """Who may do what now. A step that is not taken may be taken later, or never."""
    yield from _users(state, rules)
    yield from _sweep(state, rules)
    yield from _pending(state, rules)
    yield from _commit(state)
    for index in WORKERS:
        yield from worker_steps(state, index, rules)
        yield from lease_steps(state, index, rules)
        yield from time_steps(state, index, rules)
        yield from recovery_steps(state, index, rules)
        yield from fault_steps(state, index, rules)


def _users(state: State, rules: Rules) -> Steps:
    if record.locked(state):
        return
    if state.cancellable:
        yield from _cancel(state, rules)
    resumed = record.resume(state)
    if resumed is not None:
        yield ("resume", -1, -1), resumed
    if not state.pauses:
        return
    for mode in PauseMode:
        paused = record.pause(state, mode)
        if paused is not None:
            paused = paused._replace(pauses=state.pauses - 1)
            yield (f"pause {mode}", -1, -1), paused


def _cancel(state: State, rules: Rules) -> Steps:
    if rules.cancel_locks_first:
        cancelled = record.cancel(state, state, rules)
        if cancelled is not None:
            yield ("cancel", -1, -1), cancelled
    elif state.job.status in record.CANCELLABLE and not state.pending:
        waits = Pending("cancel", -1, None, state.job, state.rows)
        yield ("cancel waits", -1, -1), state._replace(pending=(waits,))


def _sweep(state: State, rules: Rules) -> Steps:
    """Sweep.sweep: mark_dead_workers, rescue_tasks, end_idle_job."""
    for index, worker in enumerate(state.workers):
        lapsed = worker.zone is Zone.LAPSED or not rules.only_lapsed_workers_are_marked
        if lapsed and not worker.marked_dead:
            dead = with_worker(state, index, worker._replace(marked_dead=True))
            if not rules.orphans_are_found_by_level:
                dead = rescue(dead, rules) or dead
            yield ("mark dead", index, -1), dead
    if record.locked(state):
        return
    if rules.orphans_are_rescued and rules.orphans_are_found_by_level:
        yield from _rescue(state, rules)
    if rules.idle_jobs_are_ended:
        idle = end_idle_job(state, rules)
        if idle is not None:
            yield ("end idle", -1, -1), idle


def _rescue(state: State, rules: Rules) -> Steps:
    rescued = rescue(state, rules)
    if rescued is not None:
        yield ("rescue", -1, -1), rescued
    if rescued is not None and state.failures:
        fewer = state._replace(failures=state.failures - 1)
        failed = rescue(fewer, rules, "Rescued for good")
        if failed is not None:
            yield ("rescue for good", -1, -1), failed


def _pending(state: State, rules: Rules) -> Steps:
    """Without "lock first": a statement gets its lock, its snapshot grown old."""
    if record.locked(state):
        return
    for waits in state.pending:
        rest = tuple(each for each in state.pending if each is not waits)
        free = state._replace(pending=rest)
        seen = state._replace(job=waits.job, rows=waits.rows)
        if waits.held is None:
            cancelled = record.cancel(free, seen, rules) or free
            yield ("write cancel", -1, -1), cancelled
        else:
            held = _now(free.workers[waits.worker], waits.held)
            step = ("write settle", waits.worker, waits.held.task)
            if held is None:
                yield step, free
            else:
                yield step, settled(free, waits.worker, held, seen, rules)


def _now(worker: Worker, held: Held) -> Held | None:
    """The same attempt as its worker now holds it."""
    same = [
        each
        for each in worker.held
        if (each.task, each.phase) == (held.task, held.phase)
    ]
    return same[0] if same else None


def _commit(state: State) -> Steps:
    """A COMMIT that was on its way arrives, or Postgres rolls back."""
    if state.commit is None:
        return
    index, task = state.commit
    free = state._replace(commit=None)
    yield ("roll back", -1, task), free
    if index == DEAD_ID:
        after = record.claim(free, 0, task)
        after = with_row(after, task, after.rows[task]._replace(worker=DEAD_ID))
    else:
        after = record.claim(free, index, task)
    yield ("late commit", -1, task), after
