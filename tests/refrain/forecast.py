"""Forecast: what a transition must come to, told from the rows before it.

It is the protocol once more, in a few lines and without SQL. One thing at a time
happens here; what happens at once is a matter for `races`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refrain.errors import JobNotFound, RefrainError, RequestIdTaken, WrongStatus
from refrain.job import (
    AbortReason,
    Job,
    Kind,
    PauseMode,
    Status,
    Task,
    TaskStatus,
)
from refrain.store.rows import job_from, task_from

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from psycopg import Connection

    from refrain.store.database import Row
    from refrain.store.workers import Attempt

CANCELLABLE = frozenset(
    {Status.PENDING, Status.PROCESSING, Status.PAUSING, Status.PAUSED}
)

STATEMENTS = (
    "SELECT * FROM jobs ORDER BY job_id",
    "SELECT * FROM tasks ORDER BY job_id, kind, position",
    "SELECT job_id, array_agg(to_jsonb(segments) ORDER BY position) AS rows "
    "FROM segments GROUP BY job_id",
    "SELECT job_id, count(*) FROM provider_calls GROUP BY job_id",
)

Answer = Status | type[RefrainError] | None
"""The status that a job is given, or the refusal; None if it stays as it is."""


def attempt_of(task: Task) -> Attempt:
    """What names a claim."""
    return task.job_id, task.kind, task.position, task.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """All rows of the record between two transitions."""

    jobs: Mapping[UUID, Job]
    tasks: Mapping[tuple[UUID, Kind, int], Task]
    segments: Mapping[UUID, tuple[Any, ...]]
    """By job: position, image_uri, clip_uri and input_digest of each."""
    calls: Mapping[UUID, int]
    """By job: how many were begun."""

    @property
    def open(self) -> list[Job]:
        """The jobs that are not finished."""
        return [job for job in self.jobs.values() if not job.finished]

    @property
    def finished(self) -> list[Job]:
        """The jobs that are."""
        return [job for job in self.jobs.values() if job.finished]

    @property
    def held_up(self) -> list[Job]:
        """The jobs that wait for a client, or are about to."""
        statuses = {Status.PAUSING, Status.PAUSED}
        return [job for job in self.open if job.status in statuses]

    @property
    def due(self) -> list[Job]:
        """The jobs whose deadline has passed."""
        return [job for job in self.open if job.cancel_at and job.status in CANCELLABLE]

    @property
    def waiting(self) -> list[Job]:
        """The jobs that wait for tasks to stop, or to end."""
        return [
            job for job in self.open if job.stopping or job.status is Status.PAUSING
        ]

    def of(self, job_id: UUID) -> tuple[Any, ...]:
        """All there is of one job."""
        tasks = [task for task in self.tasks.values() if task.job_id == job_id]
        segments, calls = self.segments.get(job_id), self.calls.get(job_id)
        return self.jobs.get(job_id), tasks, segments, calls

    def clips(self, job_id: UUID) -> list[str | None]:
        """What the job's segments name."""
        return [row["clip_uri"] for row in self.segments.get(job_id, ())]

    def running(self, job_id: UUID) -> bool:
        """Whether a task of the job runs."""
        return any(
            task.job_id == job_id and task.status is TaskStatus.RUNNING
            for task in self.tasks.values()
        )

    def run_by(self, worker_id: UUID) -> list[Task]:
        """The tasks that this worker runs."""
        return [
            task
            for task in self.tasks.values()
            if task.worker_id == worker_id and task.status is TaskStatus.RUNNING
        ]

    def runs(self, task: Task) -> bool:
        """Whether the row says that this very attempt runs."""
        row = self.tasks.get((task.job_id, task.kind, task.position))
        return (
            row is not None
            and row.status is TaskStatus.RUNNING
            and (row.attempt, row.worker_id) == (task.attempt, task.worker_id)
        )

    def may_claim(self, kinds: Collection[Kind]) -> bool:
        """Whether there is something to take for a worker that lives."""
        return any(
            task.status is TaskStatus.QUEUED
            and task.kind in kinds
            and (job := self.jobs[task.job_id]).tasks_running < job.max_in_flight
            and job.status in {Status.PENDING, Status.PROCESSING}
            and not job.stopping
            for task in self.tasks.values()
        )

    def reason_to_abort(self, task: Task) -> AbortReason | None:
        """What the worker that holds the attempt is to hear."""
        if not self.runs(task):
            return AbortReason.LEASE_LOST
        job = self.jobs[task.job_id]
        if job.status is Status.CANCELLING:
            return AbortReason.CANCELLED
        if job.pause_mode is PauseMode.ABORT:
            return AbortReason.PAUSED
        return AbortReason.FAILED if job.stopping else None

    def cancelled(self, job_id: UUID) -> Answer:
        """What a cancel answers."""
        job = self.jobs.get(job_id)
        if job is None:
            return JobNotFound
        match job.status:
            case Status.CANCELLING | Status.CANCELLED:
                return None
            case Status.COMPLETED | Status.FAILED:
                return WrongStatus
            case _:
                return Status.CANCELLING if self.running(job_id) else Status.CANCELLED

    def paused(self, job_id: UUID, mode: PauseMode) -> Answer:
        """What a pause answers."""
        job = self.jobs.get(job_id)
        if job is None:
            return JobNotFound
        if job.finished or job.stopping:
            return WrongStatus
        if job.status is Status.PAUSED:
            return None
        if job.status is Status.PAUSING:
            overrides = job.pause_mode is PauseMode.DRAIN and mode is PauseMode.ABORT
            return Status.PAUSING if overrides else None
        return Status.PAUSING if self.running(job_id) else Status.PAUSED

    def resumed(self, job_id: UUID) -> Answer:
        """What a resume answers."""
        job = self.jobs.get(job_id)
        if job is None:
            return JobNotFound
        if job.finished or job.stopping:
            return WrongStatus
        if job.status in {Status.PENDING, Status.PROCESSING}:
            return None
        return Status.PENDING if job.started_at is None else Status.PROCESSING

    def retried(self, job_id: UUID, owner: str, request_id: str | None) -> Answer:
        """What a retry answers: None for the job that the same request made."""
        old = self.jobs.get(job_id)
        if old and old.status not in {Status.CANCELLED, Status.FAILED}:
            return WrongStatus
        for job in self.jobs.values():
            if request_id and (job.owner, job.request_id) == (owner, request_id):
                return None if job.retried_from == job_id else RequestIdTaken
        return Status.PENDING if old else JobNotFound


def read_rows(connection: Connection[Row]) -> Rows:
    """Reads them all."""
    with connection.pipeline():
        cursors = [connection.execute(statement) for statement in STATEMENTS]
    jobs, tasks, segments, calls = (cursor.fetchall() for cursor in cursors)
    return Rows(
        jobs={row["job_id"]: job_from(row) for row in jobs},
        tasks={
            (row["job_id"], Kind(row["kind"]), row["position"]): task_from(row)
            for row in tasks
        },
        segments={row["job_id"]: tuple(row["rows"]) for row in segments},
        calls={row["job_id"]: row["count"] for row in calls},
    )
