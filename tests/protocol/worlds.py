"""Worlds: how much may happen in one search, so that it comes to an end."""

from __future__ import annotations

from dataclasses import dataclass

from refrain.job import TaskStatus
from tests.protocol.state import Job, Row, State, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One job between two workers; NATS may always lose, double and reorder."""

    segments: int
    """1 or 2; a stitch follows them."""
    faults: int
    """Of processes, of networks and of Postgres, at any moments."""
    pauses: int = 0
    """And as many resumes; DRAIN and ABORT."""
    failures: int = 0
    """Of a task, for a while or for good."""
    cancels: bool = True

    @property
    def first_state(self) -> State:
        queued = (Row(TaskStatus.QUEUED),) * self.segments
        return State(
            job=Job(),
            rows=(*queued, Row()),
            workers=(Worker(), Worker()),
            faults=self.faults,
            pauses=self.pauses,
            failures=self.failures,
            cancellable=self.cancels,
        )

    def __str__(self) -> str:
        parts = [
            _count(self.segments, "segment"),
            _count(self.faults, "fault"),
            _count(self.pauses, "pause"),
            _count(self.failures, "failure"),
        ]
        return ", ".join(part for part in parts if part)


QUICK = (
    World(segments=2, faults=0, pauses=1, failures=1),
    World(segments=1, faults=1, failures=1),
)
"""A second or two."""
WHOLE = (
    World(segments=2, faults=1, pauses=1, failures=1),
    World(segments=2, faults=2),
)
"""Those in which the protocol as it is built is searched: a minute."""
SMALL = World(segments=1, faults=1, pauses=1)
"""Enough for most guards to be missed."""
FAILING = World(segments=2, faults=0, failures=1)
NO_CANCEL = World(segments=2, faults=0, cancels=False)
SPARE = (
    FAILING,
    World(segments=1, faults=1, pauses=1, failures=1),
    World(segments=1, faults=2),
)
"""Those in which a guard is searched for that seems not to be missed."""


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}" if number else ""
