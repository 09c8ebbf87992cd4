"""The steps that every transition is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refrain.errors import JobNotFound
from refrain.job import EventKind, Job, Kind, Task
from refrain.store.database import Connection, Row, query
from refrain.store.rows import job_from

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from refrain.provider_call import ProviderCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a transition committed, and who is to be told to look."""

    job: Job
    queued: tuple[Kind, ...] = ()
    """The kind of each task that now waits for a worker."""
    stops: bool = False
    """True if workers may run tasks of the job that are to stop."""


async def read_one(
    connection: Connection, name: str, params: Mapping[str, Any]
) -> Row | None:
    """Returns the row that the statement yields, if any."""
    cursor = await connection.execute(query(name), params)
    return await cursor.fetchone()


async def read_all(
    connection: Connection, name: str, params: Mapping[str, Any]
) -> list[Row]:
    """Returns all rows that the statement yields."""
    cursor = await connection.execute(query(name), params)
    return await cursor.fetchall()


async def write(connection: Connection, name: str, params: Mapping[str, Any]) -> int:
    """Returns how many rows the statement met."""
    cursor = await connection.execute(query(name), params)
    return cursor.rowcount


async def lock_job(connection: Connection, job_id: UUID) -> Job | None:
    """Locks the job until the end of the transaction and returns its row."""
    row = await read_one(connection, "lock_job", {"job_id": job_id})
    return None if row is None else job_from(row)


async def lock_owned_job(connection: Connection, job_id: UUID, owner: str) -> Job:
    """Locks the job; raises JobNotFound, also for another owner's."""
    job = await lock_job(connection, job_id)
    if job is None or job.owner != owner:
        raise JobNotFound(job_id)
    return job


async def get_owned_job(connection: Connection, job_id: UUID, owner: str) -> Job:
    """Reads the job; raises JobNotFound, also for another owner's."""
    row = await read_one(connection, "get_job", {"job_id": job_id, "owner": owner})
    if row is None:
        raise JobNotFound(job_id)
    return job_from(row)


async def record(
    connection: Connection,
    job_id: UUID,
    kind: EventKind,
    actor: str,
    *,
    task: Task | ProviderCall | None = None,
    detail: str = "",
) -> Job:
    """Adds the job's next event, with the job as it now stands, and returns it."""
    row = await read_one(
        connection,
        "record_event",
        {
            "job_id": job_id,
            "kind": kind,
            "actor": actor,
            "task_kind": task and task.kind,
            "position": task.position if task and task.kind is Kind.SEGMENT else None,
            "detail": detail,
        },
    )
    if row is None:
        raise RuntimeError("events are recorded by the holder of the job's lock")
    return job_from(row)


def attempt_params(task: Task) -> dict[str, Any]:
    """The fence: zero rows once the task has gone to another attempt."""
    return {
        "job_id": task.job_id,
        "kind": task.kind,
        "position": task.position,
        "attempt": task.attempt,
        "worker_id": task.worker_id,
    }


async def recount_calls(
    connection: Connection, job_ids: Sequence[UUID], *, stopping: bool = False
) -> None:
    """Sums up what the calls of locked jobs cost; `stopping` also what is saved."""
    params = {"job_ids": list(job_ids), "stopping": stopping}
    await write(connection, "recount_calls", params)


async def drop_calls(connection: Connection, job_ids: Sequence[UUID]) -> None:
    """Makes it a duty to stop what the calls of stopped jobs have started.

    Those of tasks that still run are left to the settles.
    """
    await write(connection, "drop_calls", {"job_ids": list(job_ids)})
    await recount_calls(connection, job_ids, stopping=True)


async def end_if_idle(connection: Connection, job: Job, actor: str) -> Job:
    """Ends a stopping or pausing job of which no task runs any more."""
    if job.tasks_running:
        return job
    message = job.cancel_cause.message if job.cancel_cause else ""
    params = {"job_id": job.job_id, "message": message}
    if await write(connection, "confirm_cancel", params):
        return await record(connection, job.job_id, EventKind.CANCELLED, actor)
    if await write(connection, "confirm_failure", params):
        return await record(connection, job.job_id, EventKind.FAILED, actor)
    if await write(connection, "confirm_pause", params):
        return await record(connection, job.job_id, EventKind.PAUSED, actor)
    return job
