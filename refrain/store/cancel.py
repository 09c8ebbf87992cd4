"""The steps of a cancel: of one job, of many, and of those that a filter matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refrain.errors import JobNotFound, RefrainError, WrongStatus
from refrain.job import Cause, Job, Status
from refrain.store.rows import job_from
from refrain.store.transaction import Change, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from refrain.store.database import Connection

CHUNK = 1000
"""Jobs that one transaction cancels at most, and one stop message names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelRequest:
    """Who asks for a cancel, and why; what the receipt keeps."""

    requested_by: str
    reason: str
    cause: Cause
    statuses: Sequence[Status] | None = None
    """Jobs that left these meanwhile are not meant any more; None: any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellableJobs:
    """How many jobs can be cancelled."""

    idle: int
    """Nothing of them runs: they are CANCELLED at once."""
    running: int
    """A task of them runs: they are CANCELLING until it has stopped."""


async def cancel_jobs(
    connection: Connection,
    *,
    job_ids: Sequence[UUID],
    owner: str,
    request: CancelRequest,
) -> list[Change | RefrainError]:
    """Answers for each id in its order, each job for itself."""
    stood = await _lock_jobs(connection, job_ids)
    owned = [job.job_id for job in stood.values() if job.owner == owner]
    changes = {
        change.job.job_id: change
        for change in await _request_cancels(connection, owned, request)
    }
    return [
        changes.get(job_id) or _unchanged(job_id, stood.get(job_id), owner)
        for job_id in job_ids
    ]


async def cancel_matching(
    connection: Connection, *, params: Mapping[str, Any], request: CancelRequest
) -> list[Change]:
    """Cancels one chunk; none of it changed means that another was quicker."""
    while rows := await read_all(connection, "list_cancellable_jobs", params):
        job_ids = [row["job_id"] for row in rows]
        await _lock_jobs(connection, job_ids)
        if changes := await _request_cancels(connection, job_ids, request):
            return changes
    return []


async def cancel_overdue(connection: Connection) -> list[Change]:
    """Cancels one chunk of those whose deadline has passed and that no one holds."""
    rows = await read_all(connection, "lock_overdue_jobs", {"limit": CHUNK})
    job_ids = [row["job_id"] for row in rows]
    deadline = CancelRequest(requested_by="sweep", reason="", cause=Cause.DEADLINE)
    return await _request_cancels(connection, job_ids, deadline)


async def _lock_jobs(
    connection: Connection, job_ids: Sequence[UUID]
) -> dict[UUID, Job]:
    rows = await read_all(connection, "lock_jobs", {"job_ids": list(job_ids)})
    return {row["job_id"]: job_from(row) for row in rows}


async def _request_cancels(
    connection: Connection, job_ids: Sequence[UUID], request: CancelRequest
) -> list[Change]:
    params = {
        "job_ids": list(job_ids),
        "statuses": request.statuses and list(request.statuses),
        "requested_by": request.requested_by,
        "reason": request.reason,
        "cause": request.cause,
        "message": request.cause.message,
    }
    rows = await read_all(connection, "request_cancels", params)
    return [_change(job_from(row)) for row in rows]


def _unchanged(job_id: UUID, job: Job | None, owner: str) -> Change | RefrainError:
    if job is None or job.owner != owner:
        return JobNotFound(job_id)
    if job.status in {Status.COMPLETED, Status.FAILED}:
        return WrongStatus("cancel", job.status)
    return _change(job)


def _change(job: Job) -> Change:
    return Change(job=job, stops=job.status is Status.CANCELLING)
