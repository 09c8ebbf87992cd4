"""Symmetry: the two workers are alike, and so are the segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from refrain.job import FINISHED, Status
from tests.protocol.state import Claim, Held, Pending, Row, State, Worker

if TYPE_CHECKING:
    from collections.abc import Iterator

_OTHER_WORKER = {0: 1, 1: 0}
_OTHER_SEGMENT = {0: 1, 1: 0}
E = TypeVar("E", Held, Claim)
_TWO_SEGMENTS = 3
"""Rows of a job that has them: the stitch is the third."""


def canonical(state: State) -> State:
    """One state for all that differ only in who is who, or in what is over."""
    state = _forget(state)
    if len(state.rows) == _TWO_SEGMENTS and state.rows[1] < state.rows[0]:
        state = _swap_segments(state)
    if state.workers[1] < state.workers[0]:
        state = _swap_workers(state)
    return state


def images(state: State) -> Iterator[State]:
    """All the states that differ from this one only in who is who."""
    for one in (state, _swap_workers(state)):
        yield one
        if len(one.rows) == _TWO_SEGMENTS:
            yield _swap_segments(one)


def _forget(state: State) -> State:
    """What can make no difference to a job that is CANCELLING or finished."""
    job = state.job
    if state.pauses and job.status is Status.CANCELLING:
        state = state._replace(pauses=0)
    if job.status not in FINISHED:
        return state
    if job.stops or state.pauses or state.failures or job.started:
        first, second = state.workers
        state = state._replace(
            job=job._replace(stops=0, started=False),
            workers=(_without_stops(first), _without_stops(second)),
            pauses=0,
            failures=0,
        )
    return state


def _without_stops(worker: Worker) -> Worker:
    return worker._replace(
        heard=0,
        claims=tuple(each._replace(claimed_at=0) for each in worker.claims),
        held=tuple(sorted(each._replace(claimed_at=0) for each in worker.held)),
    )


def _swap_workers(state: State) -> State:
    first, second = state.workers
    commit = state.commit
    if commit is not None:
        commit = (_OTHER_WORKER.get(commit[0], commit[0]), commit[1])
    return state._replace(
        workers=(second, first),
        rows=_renamed(state.rows),
        commit=commit,
        pending=tuple(
            each._replace(
                worker=_OTHER_WORKER.get(each.worker, each.worker),
                rows=_renamed(each.rows),
            )
            for each in state.pending
        ),
    )


def _renamed(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return tuple(
        Row(row.status, _OTHER_WORKER.get(row.worker, row.worker)) for row in rows
    )


def _swap_segments(state: State) -> State:
    first, second = state.workers
    commit = state.commit
    if commit is not None:
        commit = (commit[0], _OTHER_SEGMENT.get(commit[1], commit[1]))
    return state._replace(
        rows=_exchanged(state.rows),
        workers=(_turned(first), _turned(second)),
        commit=commit,
        pending=tuple(_turned_pending(each) for each in state.pending),
    )


def _exchanged(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return (rows[1], rows[0], *rows[2:])


def _turned(worker: Worker) -> Worker:
    if not worker.held and not worker.claims:
        return worker
    return worker._replace(
        claims=tuple(_of_other(each) for each in worker.claims),
        held=tuple(sorted(_of_other(each) for each in worker.held)),
    )


def _of_other(each: E) -> E:
    return each._replace(task=_OTHER_SEGMENT.get(each.task, each.task))


def _turned_pending(each: Pending) -> Pending:
    held = each.held and _of_other(each.held)
    return each._replace(held=held, rows=_exchanged(each.rows))
