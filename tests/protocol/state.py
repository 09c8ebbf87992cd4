"""State: one job, its tasks and two workers, as the search sees them.

Small on purpose. Attempts are not numbered: a worker's entry knows whether its
attempt is still the one that the row names, and nothing else is ever asked of the
number. Stops that went out are counted in place of the job's event_sequence,
because only the order of stops and claims is ever compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum, StrEnum
from typing import NamedTuple

from refrain.job import Kind, PauseMode, Status, TaskStatus

Step = tuple[str, int, int]
"""Its name, the worker (or -1) and the task (or -1) that it concerns."""

NOBODY = -1
DEAD_ID = 2
"""A worker id under which nobody lives any more: its process has another now."""
WORKERS = (0, 1)


class Mode(StrEnum):
    """How a worker process fares."""

    UP = "up"
    CUT = "cut off from Postgres"
    DRAINING = "draining"
    FROZEN = "frozen"
    WAKING = "woken past its lease, and its fence has not looked yet"
    DOWN = "down"


HEALTHY = frozenset({Mode.UP, Mode.CUT, Mode.DRAINING})
"""Processes that are answerable for what they run."""
REACHES_POSTGRES = frozenset({Mode.UP, Mode.DRAINING, Mode.WAKING})
MOVES = HEALTHY | {Mode.WAKING}


class Zone(IntEnum):
    """The time since the last renewal was sent, with a lease of 10 s."""

    FRESH = 0
    ABORT = 1
    """From 7 s: the worker claims nothing and aborts all."""
    END = 2
    """From 9 s: what still runs ends with the process."""
    LAPSED = 3
    """From 10 s: others may hold the worker for dead."""


class Phase(StrEnum):
    """Where an attempt is in the memory of its worker."""

    RUNNING = "running"
    ABORTING = "aborting"
    IGNORING = "ignoring its abort"
    MADE = "made"
    ABORTED = "aborted"
    RETRYING = "failed, may be tried again"
    FAILED = "failed for good"


RUNS = frozenset({Phase.RUNNING, Phase.ABORTING, Phase.IGNORING})


class Attempt(IntEnum):
    """How an attempt compares with its task's row."""

    OURS = 0
    """The row is RUNNING and names this attempt."""
    LAST = 1
    """The row names this attempt, and is not RUNNING any more."""
    OLD = 2
    """The row names a later attempt."""


class Held(NamedTuple):
    """An attempt from its claim to the end of its settle, in a worker's memory."""

    task: int
    attempt: Attempt
    phase: Phase
    claimed_at: int
    """How many stops had gone out at its claim."""


class Claim(NamedTuple):
    """A claim that was committed and whose reply is on its way."""

    task: int
    attempt: Attempt
    claimed_at: int


class Worker(NamedTuple):
    mode: Mode = Mode.UP
    zone: Zone = Zone.FRESH
    marked_dead: bool = False
    heard: int = 0
    """The newest stop in its memory."""
    claims: tuple[Claim, ...] = ()
    held: tuple[Held, ...] = ()


class Row(NamedTuple):
    """A row of `tasks`; FAILED, CANCELLED and SKIPPED are one, CANCELLED, here."""

    status: TaskStatus | None = None
    """None until the task is inserted."""
    worker: int = NOBODY


class Job(NamedTuple):
    """A row of `jobs`."""

    status: Status = Status.PENDING
    error: bool = False
    pause_mode: PauseMode | None = None
    started: bool = False
    tasks_running: int = 0
    stops: int = 0
    """How many stops went out, in place of event_sequence."""

    @property
    def stopping(self) -> bool:
        return self.status is Status.CANCELLING or (
            self.status is Status.PROCESSING and self.error
        )


class Pending(NamedTuple):
    """A statement that waits for the job's lock with a snapshot from before."""

    name: str
    worker: int
    held: Held | None
    job: Job
    rows: tuple[Row, ...]


class State(NamedTuple):
    job: Job
    rows: tuple[Row, ...]
    """The segments, then the stitch that follows the last of them."""
    workers: tuple[Worker, Worker]
    commit: tuple[int, int] | None = None
    """A claim (worker, task) whose COMMIT is on its way: it holds the job's lock."""
    pending: tuple[Pending, ...] = ()
    faults: int = 0
    """How many more faults may come."""
    pauses: int = 0
    failures: int = 0
    cancellable: bool = True
    """False where a search is to show what goes wrong without any cancel."""


Steps = Iterator[tuple[Step, State]]
"""What can happen next, and what state it leads to."""


def kind_of(state: State, task: int) -> Kind:
    return Kind.STITCH if task == len(state.rows) - 1 else Kind.SEGMENT


def alive(worker: Worker) -> bool:
    """What SQL asks: `dead_at IS NULL AND expires_at > clock_timestamp()`."""
    return not worker.marked_dead and worker.zone < Zone.LAPSED


def with_worker(state: State, index: int, worker: Worker) -> State:
    first, second = state.workers
    pair = (worker, second) if index == 0 else (first, worker)
    return State(state.job, state.rows, pair, *state[3:])  # Faster than _replace.


def with_row(state: State, task: int, row: Row) -> State:
    rows = (*state.rows[:task], row, *state.rows[task + 1 :])
    return state._replace(rows=rows)


def with_held(state: State, index: int, old: Held, new: Held | None) -> State:
    """Replaces one attempt in a worker's memory, or takes it away."""
    worker = state.workers[index]
    held = [each for each in worker.held if each is not old]
    if new is not None:
        held.append(new)
    return with_worker(state, index, worker._replace(held=tuple(sorted(held))))
