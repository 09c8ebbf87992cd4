"""Jobs, tasks and what may become of them: pure, without I/O.

Whoever changes a job holds its row's lock, asks this module what the change is,
and writes it. The statements in `queries/` and the constraints of the record say
the same again, each for itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

MAX_FAILURES = 4
"""A task that has failed or been rescued this often fails for good."""


class Status(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"


CANCELLABLE = frozenset(
    {Status.PENDING, Status.PROCESSING, Status.PAUSING, Status.PAUSED}
)
FINISHED = frozenset({Status.CANCELLED, Status.COMPLETED, Status.FAILED})

TRANSITIONS: Mapping[Status, frozenset[Status]] = {
    Status.PENDING: frozenset({Status.PROCESSING, Status.PAUSED, Status.CANCELLED}),
    Status.PROCESSING: frozenset(
        {
            Status.PAUSING,
            Status.PAUSED,
            Status.CANCELLING,
            Status.CANCELLED,
            Status.COMPLETED,
            Status.FAILED,
        }
    ),
    Status.PAUSING: frozenset(
        {
            Status.PROCESSING,
            Status.PAUSED,
            Status.CANCELLING,
            Status.CANCELLED,
            Status.COMPLETED,
        }
    ),
    Status.PAUSED: frozenset({Status.PENDING, Status.PROCESSING, Status.CANCELLED}),
    Status.CANCELLING: frozenset({Status.CANCELLED}),
    Status.CANCELLED: frozenset(),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
}
"""Every change of status that a statement makes; a transaction may make two."""


class PauseMode(StrEnum):
    """What a pause does to the tasks that run."""

    DRAIN = "drain"
    ABORT = "abort"


class Stage(StrEnum):
    LYRICS = "lyrics"
    STORYBOARD = "storyboard"
    SEGMENTS = "segments"
    STITCHING = "stitching"


class Cause(StrEnum):
    """What asked for a cancel."""

    USER = "user"
    ADMIN = "admin"
    DEADLINE = "deadline"
    BUDGET = "budget"

    @property
    def message(self) -> str:
        """What the job says after it."""
        match self:
            case Cause.USER:
                return "Job cancelled by user"
            case Cause.ADMIN:
                return "Job cancelled: by an administrator"
            case Cause.DEADLINE:
                return "Job cancelled: deadline passed"
            case Cause.BUDGET:
                return "Job cancelled: budget reached"


class Kind(StrEnum):
    """What a task does."""

    PLAN = "plan"
    SEGMENT = "segment"
    STITCH = "stitch"


class Slot(StrEnum):
    """What a task occupies in its worker: a waiting call, or a core."""

    PROVIDER = "provider"
    MEDIA = "media"


class TaskStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"


class StopMode(StrEnum):
    """How a task of a stopped job came to its end."""

    NEVER_STARTED = "never_started"
    ABORTED = "aborted"
    FINISHED_ANYWAY = "finished_anyway"
    KILLED_AFTER_GRACE = "killed_after_grace"
    LEASE_EXPIRED = "lease_expired"


class AbortReason(StrEnum):
    """Why a worker aborts what it runs."""

    CANCELLED = "cancelled"
    FAILED = "failed"
    PAUSED = "paused"
    SHUTDOWN = "shutdown"
    LEASE_LOST = "lease_lost"


class EventKind(StrEnum):
    CREATED = "created"
    TASK_STARTED = "task_started"
    STAGE_ENTERED = "stage_entered"
    PROVIDER_CANCEL = "provider_cancel"
    TASK_COMPLETED = "task_completed"
    TASK_ABORTED = "task_aborted"
    TASK_RETRIED = "task_retried"
    TASK_FAILED = "task_failed"
    TASK_HANDED_BACK = "task_handed_back"
    TASK_RESCUED = "task_rescued"
    CANCEL_REQUESTED = "cancel_requested"
    PAUSE_REQUESTED = "pause_requested"
    PAUSED = "paused"
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    FAILED = "failed"


LAST_EVENTS = frozenset({EventKind.CANCELLED, EventKind.COMPLETED, EventKind.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A row of `jobs`: one song on its way to one video."""

    job_id: UUID
    owner: str
    request_id: str | None
    status: Status
    pause_mode: PauseMode | None
    """Set exactly while the job is PAUSING."""
    stage: Stage | None
    title: str
    artist: str
    labels: Mapping[str, str]
    priority: int
    max_in_flight: int
    tasks_running: int
    segments_total: int
    segments_completed: int
    message: str
    error: Mapping[str, Any] | None
    """A google.rpc.Status in its JSON form."""
    video: Mapping[str, Any] | None
    """A refrain.v1.Video in its JSON form."""
    cancel_requested_at: datetime | None
    cancel_requested_by: str | None
    cancel_reason: str | None
    cancel_cause: Cause | None
    stopped_at: datetime | None
    tasks_skipped: int
    tasks_aborted: int
    tasks_killed: int
    tasks_expired: int
    tasks_finished_anyway: int
    slowest_stop: timedelta | None
    cancel_at: datetime | None
    retried_from: UUID | None
    spent_usd: Decimal
    avoided_usd: Decimal
    avoided_probably_usd: Decimal
    unknown_usd: Decimal
    in_flight_usd: Decimal
    """What the calls under way will cost, by estimate."""
    unstoppable_usd: Decimal
    """That of those which no cancel stops at their provider."""
    calls_to_stop: int
    """Calls under way, free ones too, that do not end with the attempt."""
    segment_usd: Decimal
    """What one more segment costs, by estimate."""
    segments_usd: Decimal
    """What all segments cost that were to be made."""
    max_cost_usd: Decimal | None
    paid: bool
    """True if any call of the job costs money, or is to be stopped with it."""
    cancels_confirmed: int
    cancels_refused: int
    cancels_pending: int
    cancels_unsupported: int
    cancels_unknown: int
    event_sequence: int
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    cancelled: bool

    @property
    def stopping(self) -> bool:
        """True from the stop to the settle of the last task."""
        return self.status is Status.CANCELLING or (
            self.status is Status.PROCESSING and self.error is not None
        )

    @property
    def finished(self) -> bool:
        return self.status in FINISHED

    @property
    def avoidable_usd(self) -> Decimal:
        """What a cancel now would save at most; 0 once the job stops."""
        if self.stopping or self.finished:
            return Decimal(0)
        left = self.segments_total - self.segments_completed
        return max(Decimal(0), self.segment_usd * left - self.in_flight_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A row of `tasks`: a leased unit of a job's work."""

    job_id: UUID
    kind: Kind
    position: int
    slot: Slot
    status: TaskStatus
    attempt: int
    failures: int
    worker_id: UUID | None
    available_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    stop_mode: StopMode | None
    error: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """For people: `segment 3, attempt 1`."""
        where = f" {self.position}" if self.kind is Kind.SEGMENT else ""
        return f"{self.kind}{where}, attempt {self.attempt}"

    @property
    def folder(self) -> str:
        """Where the artifacts of this attempt are put."""
        match self.kind:
            case Kind.PLAN:
                return f"jobs/{self.job_id}/plan/{self.attempt}"
            case Kind.SEGMENT:
                return f"jobs/{self.job_id}/segments/{self.position}/{self.attempt}"
            case Kind.STITCH:
                return f"jobs/{self.job_id}/video/{self.attempt}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    """A row of `segments`: a span of the song and what was made for it."""

    position: int
    start_offset: timedelta
    end_offset: timedelta
    lines: tuple[Mapping[str, Any], ...]
    """`{"text", "start", "end"}`, seconds from the start of the song."""
    prompt: str
    image_uri: str | None = None
    clip_uri: str | None = None
    input_digest: bytes | None = None
    """Of what the files were made from; see `refrain.reuse`."""
    estimate_usd: Decimal = Decimal(0)
    """What its calls cost, at list prices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentState:
    """A segment, where its task stands, and what its calls have cost."""

    segment: SegmentRow
    status: TaskStatus
    error: Mapping[str, Any] | None
    """Of the last attempt that failed: a google.rpc.Status in its JSON form."""
    spent_usd: Decimal
    in_flight_usd: Decimal
    """What those under way will cost, by estimate."""
