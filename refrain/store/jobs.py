"""Jobs as clients see them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from refrain.errors import RefrainError, WrongStatus
from refrain.job import (
    Cause,
    EventKind,
    Job,
    Kind,
    PauseMode,
    SegmentState,
    Status,
    Task,
)
from refrain.store import cancel, create, pause
from refrain.store.cancel import CHUNK, CancellableJobs, CancelRequest
from refrain.store.rows import job_from, segment_state_from, task_from
from refrain.store.transaction import (
    Change,
    get_owned_job,
    lock_owned_job,
    read_all,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal
    from uuid import UUID

    from refrain.store.database import Connection, Database


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What CreateJob stores."""

    owner: str
    request_id: str | None
    request: Mapping[str, Any]
    """The refrain.v1.CreateJobRequest, defaults filled in, in its JSON form."""
    digest: bytes
    """Of the request as it was sent."""
    title: str
    artist: str
    labels: Mapping[str, str]
    priority: int
    max_in_flight: int
    cancel_after: timedelta | None
    max_cost_usd: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs are listed; None means any."""

    statuses: Sequence[Status] | None = None
    text: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """A row of `job_events`, with the job as it then stood."""

    sequence: int
    recorded_at: datetime
    kind: EventKind
    actor: str
    task_kind: Kind | None
    position: int | None
    detail: str
    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A row of `uploads`: audio that may be named by its owner's jobs."""

    sha256: str
    duration: timedelta
    size_bytes: int


class JobStore:
    """What the gateway asks of the record."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create_job(self, new: NewJob) -> Change:
        """Creates the job, PENDING, with its plan queued.

        A request_id that the owner used before returns that job unchanged, or
        raises RequestIdTaken if it was for another request.
        """
        return await self._database.execute(partial(create.create_job, new=new))

    async def get_job(self, job_id: UUID, owner: str) -> Job:
        """Raises JobNotFound, also for another owner's job."""
        return await self._database.read(
            partial(get_owned_job, job_id=job_id, owner=owner)
        )

    async def list_jobs(
        self, owner: str, jobs: JobFilter, *, before: UUID | None, page_size: int
    ) -> list[Job]:
        """Returns up to page_size jobs older than `before`, newest first."""
        params = _page_params(owner, jobs, before, page_size)
        return [job_from(row) for row in await self._read("list_jobs", params)]

    async def list_job_versions(
        self, owner: str, jobs: JobFilter, *, before: UUID | None, page_size: int
    ) -> dict[str, int]:
        """Returns the version of each job that list_jobs returns, in its order.

        A job that has the same version at two times was the same at both. Its id
        is text: a thousand of these are compared in a tenth of the time.
        """
        params = _page_params(owner, jobs, before, page_size)
        rows = await self._read("list_job_versions", params)
        return {row["job_id"]: row["version"] for row in rows}

    async def get_jobs(
        self, job_ids: Sequence[UUID], owner: str
    ) -> list[tuple[Job, int]]:
        """Returns those of the jobs that there are, with their versions."""
        rows = await self._read("get_jobs", {"job_ids": list(job_ids), "owner": owner})
        versions = [row.pop("version") for row in rows]
        return list(zip(map(job_from, rows), versions, strict=True))

    async def cancel_job(
        self,
        job_id: UUID,
        owner: str,
        *,
        requested_by: str,
        reason: str,
        cause: Cause = Cause.USER,
    ) -> Change:
        """Marks the job; it is CANCELLED at once if no task of it runs.

        A job that is CANCELLING or CANCELLED is returned unchanged. Raises
        JobNotFound, and WrongStatus for COMPLETED and FAILED jobs.
        """
        request = CancelRequest(requested_by=requested_by, reason=reason, cause=cause)
        return await self._database.transact(
            partial(cancel.cancel_job, job_id=job_id, owner=owner, request=request)
        )

    async def cancel_jobs(
        self,
        job_ids: Sequence[UUID],
        owner: str,
        *,
        requested_by: str,
        reason: str,
        cause: Cause = Cause.USER,
    ) -> list[Change | RefrainError | None]:
        """Does to up to CHUNK jobs what cancel_job does to one, each for itself.

        None stands for a job whose row another transaction holds at this moment:
        cancel_job waits for it.
        """
        request = CancelRequest(requested_by=requested_by, reason=reason, cause=cause)
        return await self._database.transact(
            partial(cancel.cancel_jobs, job_ids=job_ids, owner=owner, request=request)
        )

    async def cancel_matching(
        self,
        owner: str,
        jobs: JobFilter,
        *,
        requested_by: str,
        reason: str,
        cause: Cause = Cause.USER,
    ) -> list[Change]:
        """Cancels up to CHUNK of the jobs that match, those that run first.

        Returns an empty list when none is left that can be cancelled and whose row
        no other transaction holds at this moment.
        """
        request = CancelRequest(requested_by=requested_by, reason=reason, cause=cause)
        params = {**_filter_params(owner, jobs), "limit": CHUNK}
        return await self._database.transact(
            partial(cancel.cancel_matching, params=params, request=request)
        )

    async def cancel_overdue(self) -> list[Change]:
        """Cancels up to CHUNK jobs, of all owners, whose deadline has passed."""
        return await self._database.transact(cancel.cancel_overdue)

    async def count_cancellable(self, owner: str, jobs: JobFilter) -> CancellableJobs:
        """Counts what cancel_matching would cancel, chunk by chunk to the end."""
        params = _filter_params(owner, jobs)
        (row,) = await self._read("count_cancellable_jobs", params)
        return CancellableJobs(**row)

    async def list_cancellable(
        self, owner: str, jobs: JobFilter, limit: int
    ) -> list[Job]:
        """Returns jobs in the order in which cancel_matching takes them."""
        params = {**_filter_params(owner, jobs), "limit": limit}
        return [
            job_from(row) for row in await self._read("list_cancellable_jobs", params)
        ]

    async def pause_job(
        self, job_id: UUID, owner: str, mode: PauseMode, *, actor: str
    ) -> Change:
        """Pauses the job once nothing of it runs, and starts nothing more of it.

        ABORT overrides a DRAIN that is under way; else a job that is PAUSING or
        PAUSED is returned unchanged. Raises JobNotFound, and WrongStatus for
        stopping and finished jobs.
        """
        return await self._database.transact(
            partial(pause.pause_job, job_id=job_id, owner=owner, mode=mode, actor=actor)
        )

    async def resume_job(self, job_id: UUID, owner: str, *, actor: str) -> Change:
        """Lets a PAUSING or PAUSED job go on; PENDING and PROCESSING stay unchanged.

        Raises JobNotFound, and WrongStatus for stopping and finished jobs.
        """
        return await self._database.transact(
            partial(pause.resume_job, job_id=job_id, owner=owner, actor=actor)
        )

    async def retry_job(
        self, job_id: UUID, owner: str, *, request_id: str | None
    ) -> Change:
        """Creates a PENDING job with what the old one was asked, and had made.

        Takes over its storyboard, if it had one, and the clips that would be made
        just the same again. Raises JobNotFound, RequestIdTaken, and WrongStatus
        unless the old job is CANCELLED or FAILED.
        """
        return await self._database.transact(
            partial(create.retry_job, job_id=job_id, owner=owner, request_id=request_id)
        )

    async def delete_job(self, job_id: UUID, owner: str) -> None:
        """Deletes a finished job's rows; its files are left to the caller.

        Raises JobNotFound, and WrongStatus for a job that is not finished.
        """
        await self._database.transact(partial(_delete_job, job_id=job_id, owner=owner))

    async def list_segments(self, job_id: UUID) -> list[SegmentState]:
        """Returns the segments, and how they stand, in the order of the song."""
        rows = await self._read("list_segment_states", {"job_id": job_id})
        return [segment_state_from(row) for row in rows]

    async def list_tasks(self, job_id: UUID) -> list[Task]:
        """Returns the plan, then the segments, then the stitch."""
        rows = await self._read("list_tasks", {"job_id": job_id})
        return [task_from(row) for row in rows]

    async def list_events(
        self, job_id: UUID, *, after: int, page_size: int
    ) -> list[JobEvent]:
        """Returns up to page_size events that follow `after`, oldest first."""
        params = {"job_id": job_id, "after": after, "page_size": page_size}
        return [_event_from(row) for row in await self._read("list_events", params)]

    async def list_sequences(self, job_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Returns the sequence of each job's newest event."""
        rows = await self._read("list_sequences", {"job_ids": list(job_ids)})
        return {row["job_id"]: row["event_sequence"] for row in rows}

    async def insert_upload(self, owner: str, upload: Upload) -> None:
        """Lets the owner's jobs name the audio."""
        params = {
            "owner": owner,
            "sha256": upload.sha256,
            "duration": upload.duration,
            "size_bytes": upload.size_bytes,
        }
        await self._database.read(partial(write, name="insert_upload", params=params))

    async def get_upload(self, owner: str, sha256: str) -> Upload | None:
        """Returns what the owner uploaded under this digest, if anything."""
        rows = await self._read("get_upload", {"owner": owner, "sha256": sha256})
        return Upload(**rows[0]) if rows else None

    async def names_artifact(self, uri: str, owner: str | None = None) -> bool:
        """True if a job (of this owner) or a segment of one names the artifact."""
        rows = await self._read("names_artifact", {"uri": uri, "owner": owner})
        return rows[0]["named"]

    async def _read(self, name: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self._database.read(partial(read_all, name=name, params=params))


async def _delete_job(connection: Connection, *, job_id: UUID, owner: str) -> None:
    job = await lock_owned_job(connection, job_id, owner)
    if not await write(connection, "delete_job", {"job_id": job_id}):
        raise WrongStatus("delete", job.status)


def _page_params(
    owner: str, jobs: JobFilter, before: UUID | None, page_size: int
) -> dict[str, Any]:
    return {
        **_filter_params(owner, jobs),
        "statuses": list(set(jobs.statuses or Status)),
        "before": before,
        "page_size": page_size,
    }


def _filter_params(owner: str, jobs: JobFilter) -> dict[str, Any]:
    return {
        "owner": owner,
        "statuses": jobs.statuses and list(jobs.statuses),
        "text": jobs.text,
        "created_from": jobs.created_from,
        "created_to": jobs.created_to,
    }


def _event_from(row: Mapping[str, Any]) -> JobEvent:
    event = {k: v for k, v in row.items() if k.startswith("event_")}
    sequence_of_job = event.pop("event_sequence")
    job = {k: v for k, v in row.items() if k not in event}
    return JobEvent(
        sequence=event["event_number"],
        recorded_at=event["event_recorded_at"],
        kind=EventKind(event["event_kind"]),
        actor=event["event_actor"],
        task_kind=event["event_task_kind"] and Kind(event["event_task_kind"]),
        position=event["event_position"],
        detail=event["event_detail"],
        job=job_from({**job, "event_sequence": sequence_of_job}),
    )
