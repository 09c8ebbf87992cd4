"""Memory: what a worker process knows, and loses with its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.protocol.state import Attempt, Held, Mode, Phase, State, Worker, with_worker

if TYPE_CHECKING:
    from tests.protocol.rules import Rules


def is_stopped(worker: Worker, claimed_at: int, rules: Rules) -> bool:
    """StopMemory.reason_to_abort."""
    if not rules.stop_must_be_newer_than_the_claim:
        return worker.heard > 0
    return worker.heard > claimed_at


def abort_all(worker: Worker) -> Worker:
    return worker._replace(held=tuple(sorted(aborting(held) for held in worker.held)))


def aborting(held: Held) -> Held:
    if held.phase is Phase.RUNNING:
        return held._replace(phase=Phase.ABORTING)
    return held


def let_go(state: State, index: int, held: Held) -> State:
    """The worker forgets an attempt, which its settle may have made the LAST."""
    worker = state.workers[index]
    settled = held._replace(attempt=Attempt.LAST)
    kept = list(worker.held)
    kept.remove(held if held in kept else settled)
    return with_worker(state, index, worker._replace(held=tuple(kept)))


def ended(worker: Worker) -> Worker:
    """A process that is gone: what it held in memory went with it."""
    return Worker(Mode.DOWN, worker.zone, worker.marked_dead)
