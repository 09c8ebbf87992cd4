"""Worker steps: claim, run, settle, and what a worker hears of stops.

A step that its worker cannot take, or that changes nothing, is not there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.protocol import record
from tests.protocol.memory import aborting, is_stopped, let_go
from tests.protocol.settle import OUTCOMES, settle
from tests.protocol.state import (
    MOVES,
    REACHES_POSTGRES,
    RUNS,
    Attempt,
    Claim,
    Held,
    Mode,
    Pending,
    Phase,
    State,
    Steps,
    Zone,
    with_held,
    with_worker,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.protocol.rules import Rules


def worker_steps(state: State, index: int, rules: Rules) -> Steps:
    mode = state.workers[index].mode
    if mode in MOVES:
        yield from _work(state, index)
        yield from _hear(state, index, rules)
    if mode in REACHES_POSTGRES:
        yield from _claim(state, index, rules)
        yield from _open(state, index, rules)
        yield from _settle(state, index, rules)


def calls_that_would_begin(state: State, rules: Rules) -> Iterator[Held]:
    """The attempts that begin_provider_call would let pay, if they asked now."""
    if record.locked(state):
        return
    for index, worker in enumerate(state.workers):
        if worker.mode in REACHES_POSTGRES:
            for held in worker.held:
                if held.phase in RUNS and record.may_call(state, index, held, rules):
                    yield held


def _work(state: State, index: int) -> Steps:
    """A handler ends: by itself, by a failure, or at its await."""
    for held in state.workers[index].held:
        if held.phase in {Phase.RUNNING, Phase.ABORTING}:
            made = held._replace(phase=Phase.MADE)
            yield ("finish", index, held.task), with_held(state, index, held, made)
        if held.phase is Phase.ABORTING:
            aborted = held._replace(phase=Phase.ABORTED)
            yield ("abort", index, held.task), with_held(state, index, held, aborted)
        if held.phase is Phase.RUNNING and state.failures:
            fewer = state._replace(failures=state.failures - 1)
            for name, phase in (("fail", Phase.FAILED), ("err", Phase.RETRYING)):
                failed = held._replace(phase=phase)
                yield (name, index, held.task), with_held(fewer, index, held, failed)


def _claim(state: State, index: int, rules: Rules) -> Steps:
    """Worker._claim, as far as COMMIT. A woken process may have been about to."""
    worker = state.workers[index]
    fresh = worker.zone is Zone.FRESH or not rules.claims_need_a_fresh_lease
    sends = (worker.mode is Mode.UP and fresh) or worker.mode is Mode.WAKING
    if record.locked(state) or worker.claims or not sends:
        return
    for task in range(len(state.rows)):
        if record.may_claim(state, worker, task, rules):
            yield ("claim", index, task), claimed(state, index, task)


def claimed(state: State, index: int, task: int) -> State:
    """The claim is committed, its reply on its way."""
    state = record.claim(state, index, task)
    worker = state.workers[index]
    claim = Claim(task, Attempt.OURS, state.job.stops)
    return with_worker(state, index, worker._replace(claims=(claim,)))


def _open(state: State, index: int, rules: Rules) -> Steps:
    """Worker._claim, from the reply on: the scope opens, or the claim is dropped."""
    worker = state.workers[index]
    for claim in worker.claims:
        heard = worker._replace(claims=())
        if worker.zone is not Zone.FRESH and rules.replies_need_a_fresh_lease:
            yield ("drop", index, claim.task), with_worker(state, index, heard)
            continue
        phase = Phase.RUNNING
        if rules.worker_remembers_stops and is_stopped(worker, claim.claimed_at, rules):
            # Cancelled before its first step, the handler never begins.
            phase = Phase.ABORTED
        held = Held(claim.task, claim.attempt, phase, claim.claimed_at)
        opened = heard._replace(held=tuple(sorted((*worker.held, held))))
        yield ("open", index, claim.task), with_worker(state, index, opened)


def _settle(state: State, index: int, rules: Rules) -> Steps:
    """Worker._settle, tried again for as long as the record does not answer."""
    if record.locked(state):
        return
    for held in state.workers[index].held:
        if held.phase not in OUTCOMES:
            continue
        names = {True: "settle", False: "settle waits"}
        step = (names[rules.settle_locks_first], index, held.task)
        if rules.settle_locks_first:
            yield step, settled(state, index, held, state, rules)
        elif not any(each.held == held for each in state.pending):
            waits = Pending("settle", index, held, state.job, state.rows)
            yield step, state._replace(pending=(*state.pending, waits))


def settled(state: State, index: int, held: Held, seen: State, rules: Rules) -> State:
    after = settle(state, index, held, seen, rules) or state
    return let_go(after, index, held)


def _hear(state: State, index: int, rules: Rules) -> Steps:
    """Worker._hear_stop. NATS may lose, double, delay and reorder every stop."""
    worker = state.workers[index]
    if not rules.worker_hears_stops:
        return
    for stop in range(max(worker.heard, 1), state.job.stops + 1):
        heard = worker._replace(heard=stop)
        held = tuple(
            aborting(each) if is_stopped(heard, each.claimed_at, rules) else each
            for each in heard.held
        )
        aborted = heard._replace(held=tuple(sorted(held)))
        if aborted != worker:
            yield ("hear", index, -1), with_worker(state, index, aborted)
