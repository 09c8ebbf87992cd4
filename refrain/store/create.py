"""The steps that make a job: from a request, or from a job that came to nothing."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from google.protobuf.json_format import ParseDict
from psycopg.types.json import Jsonb

from refrain.errors import RequestIdTaken, WrongStatus
from refrain.job import Job, Kind, Status
from refrain.reuse import input_digest
from refrain.store.rows import job_from, segment_from
from refrain.store.transaction import (
    Change,
    get_owned_job,
    lock_owned_job,
    read_all,
    read_one,
)
from refrain.v1.job_service_pb2 import CreateJobRequest

if TYPE_CHECKING:
    from uuid import UUID

    from refrain.store.database import Connection
    from refrain.store.jobs import NewJob


async def create_job(connection: Connection, *, new: NewJob) -> Change:
    """One statement; a request_id that was used before changes nothing."""
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
        return await _find_created(connection, new.owner, new.request_id, new.digest)
    return Change(job=job_from(row), queued=(Kind.PLAN,))


async def retry_job(
    connection: Connection, *, job_id: UUID, owner: str, request_id: str | None
) -> Change:
    """Holds the old job's lock, so that its files are named until the new one does."""
    old = await lock_owned_job(connection, job_id, owner)
    if old.status not in {Status.CANCELLED, Status.FAILED}:
        raise WrongStatus("retry", old.status)
    digest = hashlib.sha256(b"retry" + job_id.bytes).digest()
    row = await read_one(
        connection,
        "retry_job",
        {
            "job_id": job_id,
            "request_id": request_id,
            "digest": digest,
            "reused": await _list_reused(connection, job_id),
            "actor": f"user:{owner}",
        },
    )
    if row is None:
        return await _find_created(connection, owner, request_id, digest)
    job = job_from(row)
    return Change(job=job, queued=_queued(job))


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


async def _find_created(
    connection: Connection, owner: str, request_id: str | None, digest: bytes
) -> Change:
    params = {"owner": owner, "request_id": request_id}
    row = await read_one(connection, "find_request", params)
    if row is None or row["digest"] != digest:
        raise RequestIdTaken(request_id or "")
    return Change(job=await get_owned_job(connection, row["job_id"], owner))
