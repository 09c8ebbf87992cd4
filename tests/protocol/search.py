"""Search: every state that can be reached, and the shortest way to a wrong one."""

from __future__ import annotations

import gc
from array import array
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.protocol.invariants import (
    HELP,
    Broken,
    broken_by,
    broken_in,
    is_meant,
    may_rest,
    waits_for_work,
)
from tests.protocol.steps import NATURES, Nature, successors
from tests.protocol.symmetry import canonical, images

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.protocol.rules import Rules
    from tests.protocol.state import State, Step

Trace = tuple[tuple["Step", "State"], ...]


@dataclass(frozen=True, slots=True)
class Result:
    states: int
    """How many were looked at."""
    broken: Broken | None = None
    trace: Trace = ()
    """The shortest way to where it is broken."""


def search(first: State, rules: Rules) -> Result:
    """Explores breadth first, until something is broken or nothing is new."""
    with _no_garbage_collection():
        graph = _Graph(first, rules)
        return _explored(graph, rules) or _settled(graph)


def _explored(graph: _Graph, rules: Rules) -> Result | None:
    for at, state in enumerate(graph.states):
        broken = broken_in(state, rules)
        if broken is not None:
            return Result(at + 1, broken, graph.trace(at))
        for step, after in successors(state, rules):
            target = canonical(after)
            broken = broken_by(state, step, after)
            if broken is not None:
                return Result(at + 1, broken, graph.trace(at, beyond=target))
            graph.add(target, at, step)
    return None


def _settled(graph: _Graph) -> Result:
    """What must come about does so from every state, or the search says where not."""
    states = len(graph.states)
    for broken in HELP:
        stuck = graph.find_stuck(broken)
        if stuck is not None:
            return Result(states, broken, graph.trace(stuck))
    return Result(states)


class _Graph:
    """States in the order in which they were found, and the steps between them."""

    def __init__(self, first: State, rules: Rules) -> None:
        self.states = [canonical(first)]
        self._first = first
        self._rules = rules
        self._index = {canonical(first): 0}
        self._parts: dict[Any, Any] = {}
        self._found_from = array("l", [-1])
        self._steps = {
            nature: (array("l"), array("l")) for nature in HELP[Broken.NEVER_ENDS]
        }
        """Where from and where to, of those natures that are asked about."""

    def add(self, state: State, found_from: int, step: Step) -> None:
        at = self._index.get(state)
        if at is None:
            at = self._append(state, found_from)
        steps = self._steps.get(NATURES.get(step[0], Nature.PROTOCOL))
        if steps is not None:
            steps[0].append(found_from)
            steps[1].append(at)

    def _append(self, state: State, found_from: int) -> int:
        """Adds a state, of parts that are stored once: most have been there before."""
        share = self._parts.setdefault
        first, second = state.workers
        state = state._replace(
            job=share(state.job, state.job),
            rows=share(state.rows, state.rows),
            workers=(share(first, first), share(second, second)),
        )
        at = self._index[state] = len(self.states)
        self.states.append(state)
        self._found_from.append(found_from)
        return at

    def find_stuck(self, broken: Broken) -> int | None:
        """The first state from which the steps that are enough lead to no rest."""
        rests = bytearray(map(may_rest, self.states))
        while any(self._spread(rests, nature, broken) for nature in self._steps):
            pass
        for at, state in enumerate(self.states):
            if not rests[at] and is_meant(state, broken):
                return at
        return None

    def _spread(self, rests: bytearray, nature: Nature, broken: Broken) -> bool:
        """Goes the steps backwards once; True if that reached a state anew."""
        helps = nature in HELP[broken]
        if not helps and nature is not Nature.WORK:
            return False
        changed = False
        sources, targets = self._steps[nature]
        for at in range(len(sources) - 1, -1, -1):
            source = sources[at]
            if rests[source] or not rests[targets[at]]:
                continue
            if helps or waits_for_work(self.states[source]):
                rests[source] = changed = True
        return changed

    def trace(self, at: int, beyond: State | None = None) -> Trace:
        """The way there from the first state, its workers told apart."""
        path = [] if beyond is None else [beyond]
        while at > 0:
            path.append(self.states[at])
            at = self._found_from[at]
        state, trace = self._first, list[tuple["Step", "State"]]()
        for target in reversed(path):
            step, state = next(
                (step, after)
                for step, after in successors(state, self._rules)
                if target in images(canonical(after))
            )
            trace.append((step, state))
        return tuple(trace)


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Hundreds of thousands of tuples, none of them garbage, would be walked often."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
