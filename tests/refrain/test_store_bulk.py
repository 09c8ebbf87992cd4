"""Many jobs cancelled at once, by the record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from refrain.errors import JobNotFound, WrongStatus
from refrain.job import Cause, EventKind, Job, Status
from refrain.store import Change, JobFilter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from tests.refrain.record import Record


async def batch(record: Record, job_ids: Sequence[UUID]) -> list[str]:
    """What a batch answers for each job, in a word."""
    answers = await record.jobs.cancel_jobs(
        job_ids, "ada", requested_by="user:ada", reason="all of it"
    )
    return [
        answer.job.status
        if isinstance(answer, Change)
        else (answer and type(answer).__name__) or "held"
        for answer in answers
    ]


async def matching(record: Record, jobs: JobFilter) -> list[Job]:
    changes = await record.jobs.cancel_matching(
        "ada", jobs, requested_by="user:ada", reason="all of it"
    )
    return [change.job for change in changes]


async def test_each_job_of_a_batch_is_answered_for_itself(record: Record) -> None:
    worker_id = await record.register()
    running = await record.at_segments(worker_id)
    await record.claim(worker_id)
    done = await record.at_stitch(worker_id)
    while (await record.job(done.job_id)).status is not Status.COMPLETED:
        task = await record.claim(worker_id)
        if task.job_id == done.job_id:
            await record.settle(task)
    again = await record.cancel(await record.create())
    idle, others = await record.create(), await record.create(owner="eve")
    unknown = uuid4()
    job_ids = [
        done.job_id,
        idle.job_id,
        unknown,
        running.job_id,
        others.job_id,
        again.job_id,
        idle.job_id,
    ]
    assert await batch(record, job_ids) == [
        WrongStatus.__name__,
        Status.CANCELLED,
        JobNotFound.__name__,
        Status.CANCELLING,
        JobNotFound.__name__,
        Status.CANCELLED,
        Status.CANCELLED,
    ]
    assert await record.job(again.job_id) == again
    assert await record.stands(others, Status.PENDING)
    await record.assert_sound()


async def test_both_events_of_a_cancel_at_once_say_how_the_job_stood(
    record: Record,
) -> None:
    jobs = [await record.create() for _ in range(3)]
    await batch(record, [job.job_id for job in jobs])
    for job in jobs:
        requested, cancelled = (await record.events(job))[-2:]
        assert requested.kind is EventKind.CANCEL_REQUESTED
        assert cancelled.kind is EventKind.CANCELLED
        for event in (requested, cancelled):
            assert event.job.event_sequence == event.sequence
            assert event.job.cancel_reason == "all of it"


async def test_jobs_at_work_are_cancelled_before_those_that_wait(
    record: Record,
) -> None:
    worker_id = await record.register()
    waiting = [await record.create(max_in_flight=1) for _ in range(3)]
    await record.claim(worker_id)
    (running,) = [j for j in waiting if (await record.job(j.job_id)).tasks_running]
    listed = await record.jobs.list_cancellable("ada", JobFilter(), 10)
    assert listed[0].job_id == running.job_id
    counted = await record.jobs.count_cancellable("ada", JobFilter())
    assert (counted.idle, counted.running) == (2, 1)
    cancelled = await matching(record, JobFilter())
    assert {job.job_id for job in cancelled} == {job.job_id for job in waiting}
    assert await matching(record, JobFilter()) == []
    await record.assert_sound()


@pytest.mark.parametrize(
    ("wanted", "titles"),
    [
        (JobFilter(text="AMB"), {"Lamb"}),
        (JobFilter(statuses=[Status.PAUSED]), {"Paused"}),
        (JobFilter(statuses=[Status.CANCELLED, Status.COMPLETED]), set[str]()),
        (JobFilter(), {"Lamb", "Paused"}),
    ],
)
async def test_a_filter_cancels_what_matches_and_nothing_else(
    record: Record, wanted: JobFilter, titles: set[str]
) -> None:
    await record.create(title="Lamb")
    await record.pause(await record.create(title="Paused"))
    await record.create(title="Lamb", owner="eve")
    await record.cancel(await record.create(title="Lamb"))
    assert {job.title for job in await matching(record, wanted)} == titles
    await record.assert_sound()


LOCK = "SELECT FROM jobs WHERE job_id = %s FOR UPDATE"


async def test_a_job_that_another_holds_keeps_no_other_running(record: Record) -> None:
    held, *free = [await record.create() for _ in range(3)]
    async with record.holding(LOCK, held.job_id):
        assert await batch(record, [held.job_id, free[0].job_id]) == [
            "held",
            Status.CANCELLED,
        ]
        assert await matching(record, JobFilter()) == [await record.job(free[1].job_id)]
        assert await matching(record, JobFilter()) == []
    assert await batch(record, [held.job_id]) == [Status.CANCELLED]
    await record.assert_sound()


async def test_a_batch_waits_for_no_row_of_another_owner(record: Record) -> None:
    theirs, ours = await record.create(owner="eve"), await record.create()
    async with record.holding(LOCK, theirs.job_id):
        answers = await batch(record, [theirs.job_id, ours.job_id])
    assert answers == [JobNotFound.__name__, Status.CANCELLED]


async def test_a_chunk_is_of_a_thousand_jobs(record: Record) -> None:
    job_ids = await record.clone(await record.create(), 1200)
    sizes = [len(await matching(record, JobFilter())) for _ in range(3)]
    assert sizes == [1000, 201, 0]
    await record.assert_sound(job_ids)


async def test_jobs_past_their_deadline_are_cancelled_whosever_they_are(
    record: Record,
) -> None:
    late = [
        await record.create(owner=owner, cancel_after=timedelta(seconds=-1))
        for owner in ("ada", "eve")
    ]
    await record.create(cancel_after=timedelta(hours=1))
    await record.create(cancel_after=None)
    changes = await record.jobs.cancel_overdue()
    assert {change.job.job_id for change in changes} == {job.job_id for job in late}
    for change in changes:
        assert change.job.cancel_cause is Cause.DEADLINE
        assert change.job.cancel_requested_by == "sweep"
        assert change.job.message == "Job cancelled: deadline passed"
    assert await record.jobs.cancel_overdue() == []
    await record.assert_sound()
