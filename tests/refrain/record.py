"""Record: jobs, tasks and workers in a wished state, and what must hold of them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString, cast

import psycopg
from google.protobuf.json_format import ParseDict

from refrain.job import (
    TRANSITIONS,
    Job,
    Kind,
    PauseMode,
    SegmentRow,
    Slot,
    Status,
    Task,
)
from refrain.outcome import ClipMade, Failed, Outcome, Planned, VideoMade
from refrain.provider_call import (
    FREE,
    CallStatus,
    CancelState,
    NewCall,
    ProviderCall,
    Purpose,
)
from refrain.reuse import input_digest
from refrain.store import (
    CallStore,
    Change,
    Database,
    JobEvent,
    JobStore,
    NewJob,
    TaskStore,
    WorkerStore,
)
from refrain.v1.job_service_pb2 import CreateJobRequest
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
    from uuid import UUID

    from refrain.store.database import Connection

LEASE = timedelta(seconds=10)
IMAGE_USD = Decimal("0.0670")
PRICE = Decimal("0.0671")
"""Of an image, by its answer."""
CLIP_USD = Decimal("0.5000")
SEGMENT_USD = IMAGE_USD + CLIP_USD
FAILED = Failed(error={"code": 13, "message": "no such voice"}, retryable=False)
REQUEST = {"title": "Song", "lyrics": "la"}
UNSOUND = cast("LiteralString", Path(__file__).with_name("unsound.sql").read_text())
"""Returns what must never hold of a job, and does; takes what `asked_about` gives."""
RETRY = Failed(error={"code": 14, "message": "try again"}, retryable=True)


def new_job(**changes: Any) -> NewJob:
    """A request as the gateway hands it over."""
    values: dict[str, Any] = {
        "owner": "ada",
        "request_id": None,
        "request": REQUEST,
        "digest": b"digest",
        "title": "Song",
        "artist": "Band",
        "labels": {},
        "priority": 0,
        "max_in_flight": 4,
        "cancel_after": None,
        **changes,
    }
    return NewJob(**values)


def local_call(purpose: str) -> NewCall:
    """A call that costs nothing."""
    return NewCall(provider="local", purpose=Purpose(purpose))


def image_call(**changes: Any) -> NewCall:
    """A call for an image that one waits for."""
    values: dict[str, Any] = {
        "provider": "gemini",
        "purpose": Purpose.IMAGE,
        "model": "painter",
        "estimate_usd": IMAGE_USD,
        "on_stop": CancelState.UNKNOWN,
        **changes,
    }
    return NewCall(**values)


def clip_call(**changes: Any) -> NewCall:
    """A call that starts an operation which can be stopped."""
    values: dict[str, Any] = {
        "provider": "omni",
        "purpose": Purpose.CLIP,
        "model": "mover",
        "estimate_usd": CLIP_USD,
        "on_stop": CancelState.PENDING,
        **changes,
    }
    return NewCall(**values)


def plan_of(segments: int, estimate_usd: Decimal = FREE) -> Planned:
    """A storyboard of so many segments of 5 s."""
    return Planned(
        segments=tuple(
            SegmentRow(
                position=position,
                start_offset=timedelta(seconds=5 * position),
                end_offset=timedelta(seconds=5 * position + 5),
                lines=({"text": "la", "start": 5 * position, "end": 5 * position + 1},),
                prompt="a tree",
                estimate_usd=estimate_usd,
            )
            for position in range(segments)
        ),
        slot=Slot.MEDIA,
    )


def clip_of(task: Task) -> ClipMade:
    """What a segment's attempt makes."""
    segment = plan_of(task.position + 1).segments[task.position]
    request = ParseDict(REQUEST, CreateJobRequest())
    return ClipMade(
        image_uri=f"artifact:{task.folder}/image.jpg",
        clip_uri=f"artifact:{task.folder}/clip.mp4",
        input_digest=input_digest(request, segment),
    )


def video_of(task: Task) -> VideoMade:
    """What a stitch's attempt makes."""
    return VideoMade(video={"uri": f"artifact:{task.folder}/video.mp4"})


def outcome_of(task: Task, segments: int = 2) -> Outcome:
    """What an attempt makes when all goes well."""
    match task.kind:
        case Kind.PLAN:
            return plan_of(segments)
        case Kind.SEGMENT:
            return clip_of(task)
        case Kind.STITCH:
            return video_of(task)


def asked_about(job_ids: Collection[UUID]) -> dict[str, Any]:
    """What UNSOUND is to be told: the jobs in question, or none for all."""
    transitions = [f"{old} {new}" for old in TRANSITIONS for new in TRANSITIONS[old]]
    return {"job_ids": list(job_ids), "transitions": transitions}


class Record:
    """The stores over one database, and raw SQL beside them."""

    def __init__(
        self, database: Database, url: str, own: Database | None = None
    ) -> None:
        """`own` is another way to the record, for what is not the product's."""
        self.url = url
        self._own = own or database
        self.jobs = JobStore(database)
        self.tasks = TaskStore(database)
        self.calls = CallStore(database)
        self.workers = WorkerStore(database)

    async def create(self, **changes: Any) -> Job:
        """A PENDING job whose plan is queued."""
        return (await self.jobs.create_job(new_job(**changes))).job

    async def register(self, lease: timedelta = LEASE) -> UUID:
        """A worker that lives for one lease; a negative one has expired."""
        return await self.workers.register_worker("generator", "host", 1, lease)

    async def die(self, worker_id: UUID) -> None:
        """Marks a worker dead, as the sweep does."""
        await self.workers.retire_worker(worker_id)

    async def claim(self, worker_id: UUID, *kinds: Kind) -> Task:
        """The next task, RUNNING; there must be one, though its job may be locked."""

        async def claimed() -> tuple[Change, Task] | None:
            return await self.tasks.claim_task(worker_id, kinds or tuple(Kind), Slot)

        found = await eventually(claimed)
        assert found is not None
        return found[1]

    async def claims(self, worker_id: UUID) -> bool:
        """Whether there is anything to claim; claims it if so."""
        claimed = await self.tasks.claim_task(worker_id, tuple(Kind), tuple(Slot))
        return claimed is not None

    async def settle(self, task: Task, outcome: Outcome | None = None) -> Change | None:
        """Settles as its worker does, by default with what it was to make."""
        return await self.tasks.settle_task(
            task, outcome or outcome_of(task), f"worker:{task.worker_id}"
        )

    async def cancel(self, job: Job | UUID, reason: str = "enough") -> Job:
        """Cancels as its owner does."""
        job_id = job.job_id if isinstance(job, Job) else job
        change = await self.jobs.cancel_job(
            job_id, "ada", requested_by="user:ada", reason=reason
        )
        return change.job

    async def pause(self, job: Job, mode: PauseMode = PauseMode.DRAIN) -> Job:
        """Pauses as its owner does."""
        pause = self.jobs.pause_job(job.job_id, job.owner, mode, actor="user:ada")
        return (await pause).job

    async def resume(self, job: Job) -> Job:
        """Resumes as its owner does."""
        resume = self.jobs.resume_job(job.job_id, job.owner, actor="user:ada")
        return (await resume).job

    async def at_segments(self, worker_id: UUID, segments: int = 2, **job: Any) -> Job:
        """A job whose segments are queued."""
        created = await self.create(**job)
        await self.settle(await self.claim(worker_id, Kind.PLAN), plan_of(segments))
        return await self.job(created.job_id)

    async def at_paid_segments(
        self, worker_id: UUID, segments: int = 2, **job: Any
    ) -> Job:
        """A job whose segments, of one image and one clip each, are queued."""
        created = await self.create(**job)
        plan = await self.claim(worker_id, Kind.PLAN)
        await self.settle(plan, plan_of(segments, SEGMENT_USD))
        return await self.job(created.job_id)

    async def begin(self, task: Task, new: NewCall) -> ProviderCall:
        """A call that may be sent, and is."""
        call = await self.calls.begin_provider_call(task, new)
        assert isinstance(call, ProviderCall)
        return call

    async def start_clip(self, task: Task, **changes: Any) -> ProviderCall:
        """A call whose operation runs at its provider."""
        call = await self.begin(task, clip_call(**changes))
        await self.calls.record_operation(call.call_id, f"operation {call.call_id}")
        return await self.calls.get_call(call.call_id)

    async def under_way(self) -> tuple[Job, Task, Task]:
        """A clip after its image, an image, and a segment of which nothing was sent."""
        worker_id = await self.register()
        job = await self.at_paid_segments(worker_id, segments=3)
        task, other = await self.claim(worker_id), await self.claim(worker_id)
        image = await self.begin(task, image_call())
        await self.calls.finish_call(image, CallStatus.ANSWERED, PRICE)
        await self.start_clip(task)
        await self.begin(other, image_call())
        return job, task, other

    async def at_stitch(self, worker_id: UUID, **job: Any) -> Job:
        """A job of one segment whose stitch is queued."""
        planned = await self.at_segments(worker_id, segments=1, **job)
        await self.settle(await self.claim(worker_id, Kind.SEGMENT))
        return await self.job(planned.job_id)

    async def job(self, job_id: UUID) -> Job:
        """The job as it now stands, whoever owns it."""
        (row,) = await self.read("SELECT owner FROM jobs WHERE job_id = %s", job_id)
        return await self.jobs.get_job(job_id, row["owner"])

    async def stands(self, job: Job, status: Status) -> bool:
        """Whether the job now has this status."""
        return (await self.job(job.job_id)).status is status

    async def failures(self, job: Job, count: int) -> bool:
        """Whether the job's plan has failed so often."""
        return (await self.task(job, Kind.PLAN)).failures == count

    async def task(self, job: Job, kind: Kind, position: int = 0) -> Task:
        """A task of the job as it now stands."""
        (task,) = [
            task
            for task in await self.jobs.list_tasks(job.job_id)
            if (task.kind, task.position) == (kind, position)
        ]
        return task

    async def events(self, job: Job) -> list[JobEvent]:
        """All the job's events."""
        return await self.jobs.list_events(job.job_id, after=0, page_size=1000)

    async def read(self, statement: LiteralString, *params: Any) -> list[Any]:
        """Runs any statement; returns its rows as dicts."""

        async def run(connection: Connection) -> list[Any]:
            cursor = await connection.execute(statement, params)
            return await cursor.fetchall() if cursor.description else []

        return await self._own.execute(run)

    @asynccontextmanager
    async def holding(
        self, statement: LiteralString, *params: Any
    ) -> AsyncGenerator[None]:
        """Holds the rows that `SELECT … FOR UPDATE` names, from a third connection."""
        async with await psycopg.AsyncConnection.connect(self.url) as connection:
            await connection.execute(statement, params)
            yield

    async def waiting(self, count: int) -> None:
        """Returns once so many transactions wait for a lock."""

        async def so_many_wait() -> bool:
            (row,) = await self.read(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return row["count"] == count

        await eventually(so_many_wait)

    async def in_order(
        self,
        job: Job,
        first: Callable[[], Awaitable[Any]],
        second: Callable[[], Awaitable[Any]],
    ) -> tuple[Any, Any]:
        """Lets both wait for the job's row, in this order, and then lets go of it."""
        held = "SELECT FROM jobs WHERE job_id = %s FOR UPDATE"
        async with self.holding(held, job.job_id):
            one = asyncio.ensure_future(first())
            await self.waiting(1)
            other = asyncio.ensure_future(second())
            await self.waiting(2)
        results = await asyncio.gather(one, other, return_exceptions=True)
        return results[0], results[1]

    async def clone(self, job: Job, copies: int) -> list[UUID]:
        """Copies a job with all its rows; returns the ids of the copies."""
        made = await self.read("SELECT uuidv7() FROM generate_series(1, %s)", copies)
        job_ids: list[UUID] = [row["uuidv7"] for row in made]
        for table in ("jobs", "job_requests", "tasks", "segments", "job_events"):
            rows = await self.read(
                "SELECT string_agg(attname, ', ' ORDER BY attnum) AS columns "
                "FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 "
                "AND attgenerated = '' AND attname <> 'job_id'",
                table,
            )
            columns = rows[0]["columns"]
            statement = (
                f"INSERT INTO {table} (job_id, {columns}) "  # noqa: S608
                f"SELECT copy, {columns} FROM {table}, unnest(%s::uuid[]) AS copy "
                "WHERE job_id = %s"
            )
            await self.read(cast("LiteralString", statement), job_ids, job.job_id)
        await self.read("ANALYZE")
        return job_ids

    async def assert_sound(self, job_ids: Collection[UUID] = ()) -> None:
        """Checks what must hold of each job (all, if none is named) at any time."""

        async def unsound(connection: Connection) -> list[Any]:
            cursor = await connection.execute(UNSOUND, asked_about(job_ids))
            return await cursor.fetchall()

        assert await self._own.execute(unsound) == []
