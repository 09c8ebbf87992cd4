"""Outcomes: how an attempt ended, and what that makes of its task; without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from refrain.job import MAX_FAILURES, EventKind, Status, StopMode, TaskStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refrain.job import Job, SegmentRow, Slot, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan came to its end: the storyboard, and what its segments occupy."""

    segments: tuple[SegmentRow, ...]
    slot: Slot
    found: Mapping[str, Any] | None = None
    """What was looked up: fields of the refrain.v1.CreateJobRequest in JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipMade:
    """A segment came to its end."""

    image_uri: str
    clip_uri: str
    input_digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoMade:
    """A stitch came to its end, with a refrain.v1.Video in its JSON form."""

    video: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An attempt failed; `delay` is how long the next one waits."""

    error: Mapping[str, Any]
    retryable: bool
    delay: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Aborted:
    """An attempt was stopped before it came to its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescued:
    """An attempt whose worker is dead."""

    error: Mapping[str, Any]
    mode: StopMode = StopMode.LEASE_EXPIRED


Outcome = Planned | ClipMade | VideoMade | Failed | Aborted | Rescued


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """What an attempt's outcome makes of its task, as the job now stands."""

    status: TaskStatus
    event: EventKind
    stop_mode: StopMode | None = None
    counts_as_failure: bool = False


def ending(job: Job, task: Task, outcome: Outcome) -> Ending:
    """Decides what becomes of a task; `job` is its row, locked."""
    match outcome:
        case VideoMade() if job.stopping:
            return _stopped(StopMode.FINISHED_ANYWAY)
        case Planned() | ClipMade() | VideoMade():
            return Ending(
                status=TaskStatus.COMPLETED,
                event=EventKind.TASK_COMPLETED,
                stop_mode=StopMode.FINISHED_ANYWAY if job.stopping else None,
            )
        case Aborted() if job.stopping:
            return _stopped(StopMode.ABORTED)
        case Aborted():
            return Ending(status=TaskStatus.QUEUED, event=EventKind.TASK_HANDED_BACK)
        case Failed() if job.status is Status.CANCELLING:
            return _stopped(StopMode.FINISHED_ANYWAY)
        case Rescued() if job.stopping:
            return _stopped(outcome.mode)
        case Failed() | Rescued():
            return _failed(job, task, outcome)


def _stopped(mode: StopMode) -> Ending:
    return Ending(
        status=TaskStatus.CANCELLED, event=EventKind.TASK_ABORTED, stop_mode=mode
    )


def _failed(job: Job, task: Task, outcome: Failed | Rescued) -> Ending:
    rescued = isinstance(outcome, Rescued)
    retryable = rescued or outcome.retryable
    if retryable and not job.stopping and task.failures + 1 < MAX_FAILURES:
        return Ending(
            status=TaskStatus.QUEUED,
            event=EventKind.TASK_RESCUED if rescued else EventKind.TASK_RETRIED,
            counts_as_failure=True,
        )
    return Ending(
        status=TaskStatus.FAILED,
        event=EventKind.TASK_FAILED,
        stop_mode=StopMode.FINISHED_ANYWAY if job.stopping else None,
        counts_as_failure=True,
    )
