"""Jobs as clients see them: create, read, cancel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from refrain.errors import JobNotFound, NotCancellable, RequestIdTaken
from refrain.job import FINISHED, Cause, EventKind, Job, Kind, SegmentRow, Status, Task
from refrain.store.rows import job_from, segment_from, task_from
from refrain.store.transaction import (
    Change,
    lock_job,
    read_all,
    read_one,
    record,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
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
        return await self._database.execute(partial(_create_job, new=new))

    async def get_job(self, job_id: UUID, owner: str) -> Job:
        """Raises JobNotFound, also for another owner's job."""
        return await self._database.read(partial(_get_job, job_id=job_id, owner=owner))

    async def list_jobs(
        self, owner: str, jobs: JobFilter, *, before: UUID | None, page_size: int
    ) -> list[Job]:
        """Returns up to page_size jobs older than `before`, newest first."""
        params = {
            "owner": owner,
            "before": before,
            "statuses": jobs.statuses and list(jobs.statuses),
            "text": jobs.text,
            "created_from": jobs.created_from,
            "created_to": jobs.created_to,
            "page_size": page_size,
        }
        rows = await self._read("list_jobs", params)
        return [job_from(row) for row in rows]

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
        JobNotFound, and NotCancellable for COMPLETED and FAILED jobs.
        """
        params = {
            "job_id": job_id,
            "requested_by": requested_by,
            "reason": reason,
            "cause": cause,
            "message": cause.message,
        }
        return await self._database.transact(
            partial(_cancel_job, owner=owner, params=params)
        )

    async def list_segments(self, job_id: UUID) -> list[SegmentRow]:
        """Returns the segments in the order of the song."""
        rows = await self._read("list_segments", {"job_id": job_id})
        return [segment_from(row) for row in rows]

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

    async def names_artifact(self, job_id: UUID, uri: str) -> bool:
        """True if the job or one of its segments names the artifact."""
        rows = await self._read("names_artifact", {"job_id": job_id, "uri": uri})
        return rows[0]["named"]

    async def _read(self, name: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        return await self._database.read(partial(read_all, name=name, params=params))


async def _create_job(connection: Connection, *, new: NewJob) -> Change:
    row = await read_one(
        connection,
        "create_job",
        {
            "owner": new.owner,
            "request_id": new.request_id,
            "title": new.title,
            "artist": new.artist,
            "labels": Jsonb(new.labels),
            "priority": new.priority,
            "max_in_flight": new.max_in_flight,
            "cancel_after": new.cancel_after,
            "request": Jsonb(new.request),
            "digest": new.digest,
            "actor": f"user:{new.owner}",
        },
    )
    if row is None:
        return await _find_created(connection, new)
    return Change(job=job_from(row), queued=(Kind.PLAN,))


async def _find_created(connection: Connection, new: NewJob) -> Change:
    params = {"owner": new.owner, "request_id": new.request_id}
    row = await read_one(connection, "find_request", params)
    if row is None or row["digest"] != new.digest:
        raise RequestIdTaken(new.request_id or "")
    job = await _get_job(connection, job_id=row["job_id"], owner=new.owner)
    return Change(job=job)


async def _get_job(connection: Connection, *, job_id: UUID, owner: str) -> Job:
    row = await read_one(connection, "get_job", {"job_id": job_id, "owner": owner})
    if row is None:
        raise JobNotFound(job_id)
    return job_from(row)


async def _cancel_job(
    connection: Connection, *, owner: str, params: Mapping[str, Any]
) -> Change:
    job_id: UUID = params["job_id"]
    job = await lock_job(connection, job_id)
    if job is None or job.owner != owner:
        raise JobNotFound(job_id)
    row = await read_one(connection, "request_cancel", params)
    if row is None:
        if job.status in FINISHED - {Status.CANCELLED}:
            raise NotCancellable(job.status)
        return Change(job=job, stops=job.status is Status.CANCELLING)
    job = job_from(row)
    if job.status is Status.CANCELLED:
        actor = params["requested_by"]
        job = await record(connection, job_id, EventKind.CANCELLED, actor)
    return Change(job=job, stops=job.status is Status.CANCELLING)


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
