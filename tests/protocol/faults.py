"""Faults, and what comes back after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.protocol import record
from tests.protocol.memory import abort_all, ended, let_go
from tests.protocol.settle import settle
from tests.protocol.state import (
    HEALTHY,
    RUNS,
    Mode,
    Phase,
    State,
    Steps,
    Worker,
    Zone,
    with_held,
    with_worker,
)

if TYPE_CHECKING:
    from tests.protocol.rules import Rules


def fault_steps(state: State, index: int, rules: Rules) -> Steps:
    if state.faults:
        state = state._replace(faults=state.faults - 1)
        yield from _end_process(state, index)
        yield from _cut_in_claim(state, index, rules)
        yield from _lose_reply(state, index, rules)


def time_steps(state: State, index: int, rules: Rules) -> Steps:
    """A lease lapses only where no heartbeat gets through.

    To freeze for less than a lease is to take no step for a while, so that a freeze
    is always for longer.
    """
    worker = state.workers[index]
    if worker.zone is Zone.LAPSED:
        return
    if worker.mode is Mode.CUT:
        zone = Zone(worker.zone + 1)
        if zone is Zone.LAPSED and worker.held and rules.fence_ends_the_process:
            return
        yield ("time", index, -1), with_worker(state, index, worker._replace(zone=zone))
    elif worker.mode in {Mode.FROZEN, Mode.DOWN}:
        lapsed = worker._replace(zone=Zone.LAPSED)
        yield ("time", index, -1), with_worker(state, index, lapsed)


def recovery_steps(state: State, index: int, rules: Rules) -> Steps:
    worker = state.workers[index]
    if worker.mode is Mode.FROZEN and worker.zone is Zone.LAPSED:
        counts = rules.fence_counts_while_frozen
        awake = worker._replace(mode=Mode.WAKING if counts else Mode.UP)
        yield ("wake", index, -1), with_worker(state, index, awake)
    if worker.mode is Mode.CUT:
        healed = worker._replace(mode=Mode.UP)
        yield ("heal", index, -1), with_worker(state, index, healed)
    if worker.mode is Mode.DOWN and worker.marked_dead:
        renamed = record.rename_worker(state, index)
        yield ("restart", index, -1), with_worker(renamed, index, Worker())


def _end_process(state: State, index: int) -> Steps:
    """A process is killed, told to go, frozen, or cut off from Postgres."""
    worker = state.workers[index]
    if worker.mode in HEALTHY:
        yield ("crash", index, -1), with_worker(state, index, ended(worker))
    if worker.mode in {Mode.UP, Mode.DRAINING}:
        draining = abort_all(worker)._replace(mode=Mode.DRAINING)
        yield ("drain", index, -1), with_worker(state, index, draining)
        frozen = worker._replace(mode=Mode.FROZEN)
        yield ("freeze", index, -1), with_worker(state, index, frozen)
        cut = worker._replace(mode=Mode.CUT)
        yield ("cut", index, -1), with_worker(state, index, cut)


def _cut_in_claim(state: State, index: int, rules: Rules) -> Steps:
    """Cut off between the statements of a claim and the arrival of its COMMIT."""
    worker = state.workers[index]
    if worker.mode is not Mode.UP or worker.zone is not Zone.FRESH:
        return
    if worker.claims or record.locked(state):
        return
    cut = with_worker(state, index, worker._replace(mode=Mode.CUT))
    for task in range(len(state.rows)):
        if record.may_claim(state, worker, task, rules):
            yield ("cut in claim", index, task), cut._replace(commit=(index, task))


def _lose_reply(state: State, index: int, rules: Rules) -> Steps:
    """A reply of Postgres is lost; or a handler does not mind its abort."""
    worker = state.workers[index]
    for claim in worker.claims:
        lost = worker._replace(claims=())
        yield ("lose claim", index, claim.task), with_worker(state, index, lost)
    for held in worker.held:
        if held.phase is Phase.ABORTING:
            ignoring = held._replace(phase=Phase.IGNORING)
            ignored = with_held(state, index, held, ignoring)
            yield ("ignore", index, held.task), ignored
        if held.phase in RUNS or worker.mode not in {Mode.UP, Mode.DRAINING}:
            continue
        if record.locked(state) or not rules.settle_locks_first:
            continue
        committed = settle(state, index, held, state, rules)
        if committed is not None and rules.settle_is_retried:
            yield ("lose settle", index, held.task), committed
        if not rules.settle_is_retried:
            forgotten = let_go(state, index, held)
            yield ("lose request", index, held.task), forgotten
