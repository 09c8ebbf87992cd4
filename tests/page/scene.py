"""Scene: one job in every state that the page shows, as workers would leave them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from refrain.job import PauseMode
from refrain.outcome import Aborted, Failed
from refrain.provider_call import CallStatus
from tests.refrain.record import Record, clip_call, image_call, plan_of

if TYPE_CHECKING:
    from uuid import UUID

    from refrain.job import Job, Task

OWNER = "local"
LONG_LEASE = timedelta(hours=1)
REFUSED = Failed(
    error={
        "code": 9,
        "message": "Segment 4: gemini refused the picture: it may show a real person. "
        "Change the lyrics or the style, or let the local renderer stand in.",
    },
    retryable=False,
)
SEGMENTS = 8
WORDS = (
    "I walked along the water's edge",
    "And counted every light;",
    "The morning took them one by one",
    "And gave me back the night.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The jobs by what they show, newest last."""

    jobs: dict[str, UUID]


async def set_scene(record: Record) -> Scene:
    """Leaves a job in each state; a worker of an hour's lease holds what runs."""
    worker_id = await record.register(LONG_LEASE)
    jobs: dict[str, UUID] = {}
    for name, (state, title, artist) in _STATES.items():
        job = await state(record, worker_id, title=title, artist=artist)
        jobs[name] = job.job_id
    return Scene(jobs=jobs)


async def _completed(record: Record, worker_id: UUID, **song: Any) -> Job:
    job = await _planned(record, worker_id, **song)
    for _ in range(SEGMENTS):
        await _make_clip(record, await record.claim(worker_id))
    await record.settle(await record.claim(worker_id))
    return job


async def _failed(record: Record, worker_id: UUID, **song: Any) -> Job:
    job = await _planned(record, worker_id, **song)
    for _ in range(3):
        await _make_clip(record, await record.claim(worker_id))
    await record.settle(await record.claim(worker_id), REFUSED)
    return job


async def _cancelled(record: Record, worker_id: UUID, **song: Any) -> Job:
    job, running = await _under_way(record, worker_id, **song)
    await _cancel(record, job, "wrong song, sorry")
    for task in running:
        await record.settle(task, Aborted())
    return job


async def _cancelled_before(record: Record, worker_id: UUID, **song: Any) -> Job:
    del worker_id
    job = await _created(record, **song)
    await _cancel(record, job, "")
    return job


async def _paused(record: Record, worker_id: UUID, **song: Any) -> Job:
    job = await _planned(record, worker_id, **song)
    for _ in range(2):
        await _make_clip(record, await record.claim(worker_id))
    return await record.pause(job)


async def _pausing(record: Record, worker_id: UUID, **song: Any) -> Job:
    job, _ = await _under_way(record, worker_id, **song)
    return await record.pause(job, PauseMode.DRAIN)


async def _cancelling(record: Record, worker_id: UUID, **song: Any) -> Job:
    job, running = await _under_way(record, worker_id, **song)
    await _cancel(record, job, "the chorus comes too early")
    for task in running[:2]:
        await record.settle(task, Aborted())
    return job


async def _processing(record: Record, worker_id: UUID, **song: Any) -> Job:
    job, _ = await _under_way(record, worker_id, **song)
    return job


async def _pending(record: Record, worker_id: UUID, **song: Any) -> Job:
    del worker_id
    return await _created(record, **song)


async def _under_way(
    record: Record, worker_id: UUID, **song: Any
) -> tuple[Job, list[Task]]:
    """Two segments are done, and of the next three a call is in flight."""
    job = await _planned(record, worker_id, **song)
    for _ in range(2):
        await _make_clip(record, await record.claim(worker_id))
    running = [await record.claim(worker_id) for _ in range(3)]
    for task in running:
        await record.start_clip(task)
    return job, running


async def _planned(record: Record, worker_id: UUID, **song: Any) -> Job:
    job = await _created(record, **song)
    plan = plan_of(SEGMENTS, Decimal("0.5670"))
    segments = tuple(
        replace(segment, lines=({**segment.lines[0], "text": WORDS[number % 4]},))
        for number, segment in enumerate(plan.segments)
    )
    await record.settle(await record.claim(worker_id), replace(plan, segments=segments))
    return job


async def _created(record: Record, **song: Any) -> Job:
    return await record.create(owner=OWNER, priority=10, **song)


async def _make_clip(record: Record, task: Task) -> None:
    for new, price in (
        (image_call(), Decimal("0.0672")),
        (clip_call(), Decimal("0.5000")),
    ):
        call = await record.begin(task, new)
        await record.calls.finish_call(call, CallStatus.ANSWERED, price)
    await record.settle(task)


async def _cancel(record: Record, job: Job, reason: str) -> None:
    await record.jobs.cancel_job(
        job.job_id, OWNER, requested_by=f"user:{OWNER}", reason=reason
    )


_STATES = {
    "completed": (_completed, "Harbour Lights", "The Slow Ferries"),
    "failed": (_failed, "Portrait of Somebody Famous", "Anna Lind"),
    "cancelled_before": (_cancelled_before, "Take the Wrong Train", "Nine Miles Out"),
    "cancelled": (_cancelled, "Row Your Boat (Live at the Old Mill)", "The Rounds"),
    "paused": (_paused, "أغنية الصباح", "فرقة النور"),
    "pausing": (_pausing, "Sommarnatt", "Ek & Björk"),
    "cancelling": (_cancelling, "A Very Long Title That Goes On, " * 4, "The Ellipses"),
    "processing": (_processing, "Greensleeves", "Traditional"),
    "pending": (_pending, "<script>alert('1')</script>", "Bobby & the Tables"),
}
