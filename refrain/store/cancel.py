"""The steps of a cancel: of one job, of many, and of those that a filter matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refrain.errors import JobNotFound, RefrainError, WrongStatus
from refrain.job import Cause, Job, Status
from refrain.store.rows import job_from
from refrain.store.transaction import Change, drop_calls, lock_owned_job, read_all

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal
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


@dataclass(frozen=True, slots=True, kw_only=True)
class CancellableJobs:
    """How many jobs can be cancelled, and what that would do to their cost."""

    idle: int
    """Nothing of them runs: they are CANCELLED at once."""
    running: int
    """A task of them runs: they are CANCELLING until it has stopped."""
    avoidable_usd: Decimal
    in_flight_usd: Decimal
    unstoppable_usd: Decimal
    """As of a Job, summed up."""

    @property
    def total(self) -> int:
        return self.idle + self.running


async def cancel_job(
    connection: Connection, *, job_id: UUID, owner: str, request: CancelRequest
) -> Change:
    """Waits for the job's row."""
    job = await lock_owned_job(connection, job_id, owner)
    for change in await request_cancels(connection, {job_id: job.paid}, request):
        return change
    answer = _unchanged(job)
    if isinstance(answer, RefrainError):
        raise answer
    return answer


async def cancel_jobs(
    connection: Connection,
    *,
    job_ids: Sequence[UUID],
    owner: str,
    request: CancelRequest,
) -> list[Change | RefrainError | None]:
    """Answers for each id in its order; None if another holds the job's row.

    To wait for one row would keep all the others running.
    """
    params = {"job_ids": list(job_ids), "owner": owner}
    rows = await read_all(connection, "lock_free_jobs", params)
    free = {row["job_id"]: row["paid"] for row in rows}
    answers: dict[UUID, Change | RefrainError | None] = {
        change.job.job_id: change
        for change in await request_cancels(connection, free, request)
    }
    if unchanged := [job_id for job_id in job_ids if job_id not in answers]:
        params["job_ids"] = unchanged
        for row in await read_all(connection, "list_owned_jobs", params):
            job = job_from(row)
            answers[job.job_id] = _unchanged(job) if job.job_id in free else None
    return [
        answers[job_id] if job_id in answers else JobNotFound(job_id)
        for job_id in job_ids
    ]


async def cancel_matching(
    connection: Connection, *, params: Mapping[str, Any], request: CancelRequest
) -> list[Change]:
    """Cancels one chunk of those that match and that no one holds."""
    rows = await read_all(connection, "lock_cancellable_jobs", params)
    locked = {row["job_id"]: row["paid"] for row in rows}
    return await request_cancels(connection, locked, request)


async def cancel_overdue(connection: Connection) -> list[Change]:
    """Cancels one chunk of those whose deadline has passed and that no one holds."""
    rows = await read_all(connection, "lock_overdue_jobs", {"limit": CHUNK})
    locked = {row["job_id"]: row["paid"] for row in rows}
    deadline = CancelRequest(requested_by="sweep", reason="", cause=Cause.DEADLINE)
    return await request_cancels(connection, locked, deadline)


async def request_cancels(
    connection: Connection, locked: Mapping[UUID, bool], request: CancelRequest
) -> list[Change]:
    """Marks those of the locked jobs that can be cancelled.

    `locked` says of each whether its calls cost money.
    """
    if paid := [job_id for job_id, costs in locked.items() if costs]:
        await drop_calls(connection, paid)
    params = {
        "job_ids": list(locked),
        "requested_by": request.requested_by,
        "reason": request.reason,
        "cause": request.cause,
        "message": request.cause.message,
    }
    rows = await read_all(connection, "request_cancels", params)
    return [_change(job_from(row)) for row in rows]


def _unchanged(job: Job) -> Change | RefrainError:
    if job.status in {Status.COMPLETED, Status.FAILED}:
        return WrongStatus("cancel", job.status)
    return _change(job)


def _change(job: Job) -> Change:
    return Change(job=job, stops=job.status is Status.CANCELLING)
