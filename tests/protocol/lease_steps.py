"""Lease steps: the heartbeat and what it tells, the fence, and the end of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.job import PauseMode, Status, TaskStatus
from tests.protocol import record, settle
from tests.protocol.memory import abort_all, aborting, ended
from tests.protocol.state import (
    MOVES,
    REACHES_POSTGRES,
    Attempt,
    Held,
    Mode,
    Phase,
    State,
    Steps,
    Zone,
    with_worker,
)

if TYPE_CHECKING:
    from tests.protocol.rules import Rules


def lease_steps(state: State, index: int, rules: Rules) -> Steps:
    mode = state.workers[index].mode
    if mode in MOVES:
        yield from _fence(state, index, rules)
        yield from _end_for_ignored_abort(state, index, rules)
    if mode in REACHES_POSTGRES:
        yield from _heartbeat(state, index, rules)
        yield from _hand_back_unheld(state, index, rules)
        yield from _retire(state, index)


def _heartbeat(state: State, index: int, rules: Rules) -> Steps:
    """Lease._beat."""
    worker = state.workers[index]
    if worker.marked_dead and rules.dead_workers_stay_dead:
        yield from _register(state, index, rules)
        return
    mode = Mode.UP if worker.mode is Mode.WAKING else worker.mode
    renewed = worker._replace(mode=mode, zone=Zone.FRESH, marked_dead=False)
    if renewed != worker:
        yield ("renew", index, -1), with_worker(state, index, renewed)
    held = tuple(
        aborting(each) if _listed(state, each, rules) else each for each in worker.held
    )
    if held != worker.held:
        polled = worker._replace(held=tuple(sorted(held)))
        yield ("poll", index, -1), with_worker(state, index, polled)


def _listed(state: State, held: Held, rules: Rules) -> bool:
    """The WHERE of list_stops."""
    job = state.job
    if held.attempt is not Attempt.OURS and rules.heartbeat_lists_lost_tasks:
        return True
    stops = job.status is Status.CANCELLING or job.error
    pauses = job.pause_mode is PauseMode.ABORT and rules.heartbeat_lists_pauses
    return rules.heartbeat_lists_stops and (stops or pauses)


def _register(state: State, index: int, rules: Rules) -> Steps:
    """let_go, then register_worker under a new id."""
    worker = state.workers[index]
    lets_go = rules.worker_lets_go_before_it_registers
    aborted = abort_all(worker)
    if aborted != worker and lets_go:
        yield ("let go", index, -1), with_worker(state, index, aborted)
    if not lets_go or not (worker.held or worker.claims):
        state = record.rename_worker(state, index)
        worker = worker._replace(mode=Mode.UP, zone=Zone.FRESH, marked_dead=False)
        yield ("register", index, -1), with_worker(state, index, worker)


def _hand_back_unheld(state: State, index: int, rules: Rules) -> Steps:
    """Worker._hand_back_unheld: list_unheld_tasks, then a settle of each."""
    worker = state.workers[index]
    if not rules.unheld_tasks_are_handed_back or record.locked(state):
        return
    if worker.claims and rules.nothing_is_handed_back_during_a_claim:
        return
    for task, row in enumerate(state.rows):
        held = any(
            each.task == task and each.attempt is Attempt.OURS for each in worker.held
        )
        if row.status is TaskStatus.RUNNING and row.worker == index and not held:
            after = settle.settle_task(state, task, "Aborted", state, rules)
            yield ("hand back", index, task), after


def _fence(state: State, index: int, rules: Rules) -> Steps:
    """Lease.watch, and the thread of Fence."""
    worker = state.workers[index]
    if worker.zone >= Zone.ABORT and rules.fence_aborts:
        aborted = abort_all(worker)
        if aborted != worker:
            yield ("fence aborts", index, -1), with_worker(state, index, aborted)
    if worker.zone >= Zone.END and rules.fence_ends_the_process:
        if worker.held:
            yield ("fence ends", index, -1), with_worker(state, index, ended(worker))
        elif worker.mode is Mode.WAKING and not worker.claims:
            awake = worker._replace(mode=Mode.UP)
            yield ("fence looks", index, -1), with_worker(state, index, awake)


def _end_for_ignored_abort(state: State, index: int, rules: Rules) -> Steps:
    """HeldTasks._end_grace, Worker._end_when_killed."""
    worker = state.workers[index]
    ignores = any(held.phase is Phase.IGNORING for held in worker.held)
    if ignores and rules.ignored_abort_ends_the_process:
        yield ("grace ends", index, -1), with_worker(state, index, ended(worker))


def _retire(state: State, index: int) -> Steps:
    """Lease.give_up, once Worker._drain holds nothing any more."""
    worker = state.workers[index]
    if worker.mode is Mode.DRAINING and not (worker.held or worker.claims):
        retired = ended(worker)._replace(marked_dead=True, zone=Zone.LAPSED)
        yield ("retire", index, -1), with_worker(state, index, retired)
