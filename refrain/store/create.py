"""The steps that make a job: from a request, or from a job that came to nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from google.protobuf.json_format import ParseDict
from psycopg.types.json import Jsonb

from refrain.errors import JobNotFound, RequestIdTaken, WrongStatus
from refrain.job import Job, Kind, Status
from refrain.reuse import input_digest
from refrain.store.rows import job_from, segment_from
from refrain.store.transaction import (
    Change,
    lock_job,
    read_all,
    read_one,
)
from refrain.v1.job_service_pb2 import CreateJobRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any
    from uuid import UUID

    from refrain.store.database import Connection
    from refrain.store.jobs import NewJob


async def create_job(connection: Connection, *, new: NewJob) -> Change:
    """One statement; a request_id that was used before changes nothing."""
    params = {
        "owner": new.owner,
        "request_id": new.request_id,
        "title": new.title,
        "artist": new.artist,
        "labels": Jsonb(new.labels),
        "priority": new.priority,
        "max_in_flight": new.max_in_flight,
        "cancel_after": new.cancel_after,
        "max_cost_usd": new.max_cost_usd,
        "request": Jsonb(new.request),
        "digest": new.digest,
        "actor": f"user:{new.owner}",
    }
    job, created = await _insert_once(connection, "create_job", params)
    return Change(job=job, queued=(Kind.PLAN,) if created else ())


async def retry_job(
    connection: Connection, *, job_id: UUID, owner: str, request_id: str | None
) -> Change:
    """Holds the old job's lock, so that its files are named until the new one does."""
    params: dict[str, Any] = {
        "job_id": job_id,
        "owner": owner,
        "request_id": request_id,
        "digest": hashlib.sha256(b"retry" + job_id.bytes).digest(),
        "actor": f"user:{owner}",
    }
    old = await lock_job(connection, job_id)
    if old is None or old.owner != owner:
        # The old job may have been deleted since this request was first served.
        if (made := await _find_made(connection, params)) is None:
            raise JobNotFound(job_id)
        return Change(job=made)
    if old.status not in {Status.CANCELLED, Status.FAILED}:
        raise WrongStatus("retry", old.status)
    params["reused"] = await _list_reused(connection, job_id)
    job, created = await _insert_once(connection, "retry_job", params)
    return Change(job=job, queued=_queued(job) if created else ())


async def _list_reused(connection: Connection, job_id: UUID) -> list[int]:
    """Returns the positions of the clips that would be made just the same again."""
    stored = await read_one(connection, "get_request", {"job_id": job_id})
    rows = await read_all(connection, "list_segments", {"job_id": job_id})
    if stored is None:
        return []
    request = ParseDict(stored["request"], CreateJobRequest())
    return [
        segment.position
        for segment in map(segment_from, rows)
        if segment.clip_uri and segment.input_digest == input_digest(request, segment)
    ]


def _queued(job: Job) -> tuple[Kind, ...]:
    if not job.segments_total:
        return (Kind.PLAN,)
    left = job.segments_total - job.segments_completed
    return (Kind.SEGMENT,) * min(left, job.max_in_flight) or (Kind.STITCH,)


async def _insert_once(
    connection: Connection, name: str, params: Mapping[str, Any]
) -> tuple[Job, bool]:
    """Returns the job and whether it is new; raises RequestIdTaken.

    A second turn is for an id whose job is deleted between the two statements.
    """
    for _ in range(2):
        row = await read_one(connection, name, params)
        if row is not None:
            return job_from(row), True
        if (made := await _find_made(connection, params)) is not None:
            return made, False
    raise RequestIdTaken(params["request_id"])


async def _find_made(connection: Connection, params: Mapping[str, Any]) -> Job | None:
    """Returns the job that this very request made before."""
    row = await read_one(connection, "find_request", params)
    if row is None:
        return None
    if row["digest"] != params["digest"]:
        raise RequestIdTaken(params["request_id"])
    row = await read_one(connection, "get_job", {**params, "job_id": row["job_id"]})
    return None if row is None else job_from(row)
