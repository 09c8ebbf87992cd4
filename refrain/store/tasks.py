"""Tasks as workers see them: claim, call, settle, rescue."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from google.protobuf.json_format import ParseDict
from psycopg.types.json import Jsonb

from refrain.errors import CallRefused, OutcomeRefused
from refrain.job import (
    EventKind,
    Job,
    Kind,
    SegmentRow,
    Slot,
    Status,
    StopMode,
    Task,
    TaskStatus,
)
from refrain.outcome import (
    ClipMade,
    Ending,
    Failed,
    Outcome,
    Planned,
    Rescued,
    VideoMade,
    ending,
)
from refrain.store.rows import segment_from, task_from
from refrain.store.transaction import (
    Change,
    attempt_params,
    drop_calls,
    end_if_idle,
    lock_job,
    read_all,
    read_one,
    record,
    recount_calls,
    write,
)
from refrain.v1.job_service_pb2 import CreateJobRequest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from refrain.store.database import Connection, Database


class TaskStore:
    """What a worker asks of the record, for the tasks it runs."""

    def __init__(
        self, database: Database, *, jobs_per_owner: int | None = None
    ) -> None:
        """No job is started while so many of its owner's are under way; None: any."""
        self._database = database
        self._jobs_per_owner = jobs_per_owner

    async def claim_task(
        self, worker_id: UUID, kinds: Collection[Kind], slots: Collection[Slot]
    ) -> tuple[Change, Task] | None:
        """Takes the next due task of these kinds and slots, if there is one.

        None may also mean that its job was locked by another at this moment.
        """
        params = {
            "worker_id": worker_id,
            "kinds": list(kinds),
            "slots": list(slots),
            "jobs_per_owner": self._jobs_per_owner,
        }
        return await self._database.transact(partial(_claim_task, params=params))

    async def settle_task(
        self, task: Task, outcome: Outcome, actor: str
    ) -> Change | None:
        """Records how an attempt ended; None if the task is no longer its own.

        Raises OutcomeRefused for an outcome that can be no row.
        """
        steps = partial(_settle_task, task=task, outcome=outcome, actor=actor)
        try:
            return await self._database.transact(steps)
        except (psycopg.DataError, psycopg.IntegrityError, UnicodeError) as err:
            raise OutcomeRefused(str(err)) from err

    async def rescue_tasks(self, job_id: UUID, actor: str) -> list[tuple[Task, Change]]:
        """Takes a job's running tasks back from workers that are dead."""
        return await self._database.transact(
            partial(_rescue_tasks, job_id=job_id, actor=actor)
        )

    async def end_idle_job(self, job_id: UUID, actor: str) -> Change | None:
        """Ends a stopping job whose last settle failed to; None if all is well."""
        return await self._database.transact(
            partial(_end_idle_job, job_id=job_id, actor=actor)
        )

    async def get_request(self, job_id: UUID) -> CreateJobRequest:
        """Returns what the job is made from, its defaults filled in."""
        row = await self._database.read(
            partial(read_one, name="get_request", params={"job_id": job_id})
        )
        if row is None:
            raise CallRefused
        return ParseDict(row["request"], CreateJobRequest())

    async def get_segment(self, task: Task) -> SegmentRow:
        """Returns the segment that the task is to make."""
        params = {"job_id": task.job_id, "position": task.position}
        row = await self._database.read(
            partial(read_one, name="get_segment", params=params)
        )
        if row is None:
            raise CallRefused
        return segment_from(row)

    async def names_artifact(self, uri: str) -> bool:
        """True if a job or a segment names the artifact."""
        params = {"uri": uri, "owner": None}
        row = await self._database.read(
            partial(read_one, name="names_artifact", params=params)
        )
        return row is not None and row["named"]

    async def list_segments(self, job_id: UUID) -> list[SegmentRow]:
        """Returns the segments in the order of the song."""
        rows = await self._database.read(
            partial(read_all, name="list_segments", params={"job_id": job_id})
        )
        return [segment_from(row) for row in rows]


async def _claim_task(
    connection: Connection, *, params: Mapping[str, Any]
) -> tuple[Change, Task] | None:
    claimable = await read_one(connection, "lock_claimable_job", params)
    if claimable is None:
        return None
    job_id: UUID = claimable["job_id"]
    starts = Status(claimable["status"]) is Status.PENDING
    if starts and params["jobs_per_owner"] is not None:
        # Another start of this owner's would not be seen in the count that follows.
        owner = await read_one(connection, "lock_owner", {"owner": claimable["owner"]})
        if owner is None or not owner["locked"]:
            return None
    row = await read_one(connection, "claim_task", {**params, "job_id": job_id})
    if row is None:
        return None
    task = task_from(row)
    await write(connection, "start_task", {"job_id": job_id, "kind": task.kind})
    actor = f"worker:{params['worker_id']}"
    job = await record(connection, job_id, EventKind.TASK_STARTED, actor, task=task)
    return Change(job=job), task


async def _settle_task(
    connection: Connection, *, task: Task, outcome: Outcome, actor: str
) -> Change | None:
    job = await lock_job(connection, task.job_id)
    if job is None:
        return None
    end = ending(job, task, outcome)
    if not await _write_task(connection, task, outcome, end):
        return None
    queued = await _write_result(connection, job, task, outcome, end)
    stops = False
    if end.status is TaskStatus.FAILED and isinstance(outcome, Failed | Rescued):
        stops = await _fail_job(connection, job, outcome)
    if task.kind is not Kind.STITCH:
        await _end_calls(connection, job, task, end, stops=stops or job.stopping)
    job = await record(
        connection, job.job_id, end.event, actor, task=task, detail=_detail(outcome)
    )
    if end.status is TaskStatus.COMPLETED and isinstance(outcome, VideoMade):
        params = {"job_id": job.job_id, "video": Jsonb(outcome.video)}
        if await write(connection, "complete_job", params):
            job = await record(connection, job.job_id, EventKind.COMPLETED, actor)
    job = await end_if_idle(connection, job, actor)
    return Change(job=job, queued=queued, stops=stops and job.tasks_running > 0)


async def _end_calls(
    connection: Connection, job: Job, task: Task, end: Ending, *, stops: bool
) -> None:
    """Says of the attempt's calls what became of them, before the job's event does."""
    # What a plan has just made of the job's costs is not in `job`.
    if not job.paid and task.kind is not Kind.PLAN:
        return
    completed = end.status is TaskStatus.COMPLETED
    params = {**attempt_params(task), "completed": completed}
    ended = await write(connection, "end_calls", params)
    if stops:
        await drop_calls(connection, [job.job_id])
    elif ended:
        await recount_calls(connection, [job.job_id])


async def _write_task(
    connection: Connection, task: Task, outcome: Outcome, end: Ending
) -> bool:
    error = outcome.error if isinstance(outcome, Failed | Rescued) else None
    params = {
        **attempt_params(task),
        "error": error and Jsonb(error),
        "failures": int(end.counts_as_failure),
    }
    if end.status is TaskStatus.QUEUED:
        delay = outcome.delay if isinstance(outcome, Failed) else timedelta(0)
        return bool(await write(connection, "requeue_task", {**params, "delay": delay}))
    return bool(
        await write(
            connection,
            "finish_task",
            {**params, "status": end.status, "stop_mode": end.stop_mode},
        )
    )


async def _write_result(
    connection: Connection, job: Job, task: Task, outcome: Outcome, end: Ending
) -> tuple[Kind, ...]:
    """Keeps what the attempt made, frees its place, and queues what follows it."""
    job_id = {"job_id": job.job_id}
    completed = end.status is TaskStatus.COMPLETED
    if completed and isinstance(outcome, Planned):
        await _insert_segments(connection, job, outcome)
    if completed and isinstance(outcome, ClipMade):
        made = {
            "position": task.position,
            "image_uri": outcome.image_uri,
            "clip_uri": outcome.clip_uri,
            "input_digest": outcome.input_digest,
        }
        await write(connection, "keep_segment", {**job_id, **made})
    await write(
        connection,
        "release_task",
        {
            **job_id,
            "segments_completed": int(completed and isinstance(outcome, ClipMade)),
            "aborted": int(end.stop_mode is StopMode.ABORTED),
            "killed": int(end.stop_mode is StopMode.KILLED_AFTER_GRACE),
            "expired": int(end.stop_mode is StopMode.LEASE_EXPIRED),
            "finished_anyway": int(end.stop_mode is StopMode.FINISHED_ANYWAY),
        },
    )
    if end.status is TaskStatus.QUEUED:
        return (task.kind,)
    if completed and isinstance(outcome, Planned):
        return (Kind.SEGMENT,) * await write(connection, "insert_segment_tasks", job_id)
    if completed and isinstance(outcome, ClipMade):
        return (Kind.STITCH,) * await write(connection, "insert_stitch", job_id)
    return ()


async def _insert_segments(connection: Connection, job: Job, plan: Planned) -> None:
    if not plan.segments:
        raise OutcomeRefused("a storyboard has at least one segment")
    params = {
        "job_id": job.job_id,
        "slot": plan.slot,
        "positions": [segment.position for segment in plan.segments],
        "start_offsets": [segment.start_offset for segment in plan.segments],
        "end_offsets": [segment.end_offset for segment in plan.segments],
        "lines": [Jsonb(list(segment.lines)) for segment in plan.segments],
        "prompts": [segment.prompt for segment in plan.segments],
        "estimates": [segment.estimate_usd for segment in plan.segments],
    }
    await write(connection, "insert_segments", params)
    await write(connection, "count_segments", params)
    if plan.found is not None:
        found = {"job_id": job.job_id, "found": Jsonb(plan.found)}
        await write(connection, "keep_lyrics", found)


async def _fail_job(
    connection: Connection, job: Job, outcome: Failed | Rescued
) -> bool:
    params = {
        "job_id": job.job_id,
        "error": Jsonb(outcome.error),
        "message": outcome.error.get("message", ""),
    }
    return bool(await write(connection, "stop_failed_job", params))


async def _rescue_tasks(
    connection: Connection, *, job_id: UUID, actor: str
) -> list[tuple[Task, Change]]:
    await lock_job(connection, job_id)
    rows = await read_all(connection, "list_orphaned_tasks", {"job_id": job_id})
    rescued: list[tuple[Task, Change]] = []
    for row in rows:
        killed = row.pop("killed")
        task = task_from(row)
        rescued_task = Rescued(
            error={"code": 14, "message": f"worker {task.worker_id} died"},
            mode=StopMode.KILLED_AFTER_GRACE if killed else StopMode.LEASE_EXPIRED,
        )
        change = await _settle_task(
            connection, task=task, outcome=rescued_task, actor=actor
        )
        if change is not None:
            rescued.append((task, change))
    return rescued


async def _end_idle_job(
    connection: Connection, *, job_id: UUID, actor: str
) -> Change | None:
    job = await lock_job(connection, job_id)
    if job is None or job.finished:
        return None
    await write(connection, "recount_running_tasks", {"job_id": job_id})
    counted = await lock_job(connection, job_id)
    if counted is None:
        return None
    if counted.paid and counted.stopping and not counted.tasks_running:
        await drop_calls(connection, [job_id])
    ended = await end_if_idle(connection, counted, actor)
    return Change(job=ended) if ended.event_sequence > job.event_sequence else None


def _detail(outcome: Outcome) -> str:
    if isinstance(outcome, Failed | Rescued):
        return str(outcome.error.get("message", ""))
    return ""
