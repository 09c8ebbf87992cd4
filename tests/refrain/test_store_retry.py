"""Retry and delete, by the record."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from refrain.errors import JobNotFound, RequestIdTaken, WrongStatus
from refrain.job import Kind, PauseMode, Slot, Status, TaskStatus
from refrain.outcome import Aborted, ClipMade
from refrain.reuse import input_digest
from tests.refrain.record import FAILED, Record, clip_of, video_of

if TYPE_CHECKING:
    from uuid import UUID

    from refrain.job import Job, Task


async def retry(record: Record, job: Job, request_id: str | None = None) -> Job:
    change = await record.jobs.retry_job(job.job_id, "ada", request_id=request_id)
    return change.job


async def make_clip(record: Record, task: Task) -> ClipMade:
    """A clip with the digest that the segment's inputs have."""
    request = await record.tasks.get_request(task.job_id)
    segment = await record.tasks.get_segment(task)
    made = clip_of(task)
    return ClipMade(
        image_uri=made.image_uri,
        clip_uri=made.clip_uri,
        input_digest=input_digest(request, segment),
    )


async def cancelled_at(record: Record, worker_id: UUID, made: int, of: int) -> Job:
    """A job that was cancelled when so many of its segments were made."""
    job = await record.at_segments(worker_id, segments=of)
    for _ in range(made):
        task = await record.claim(worker_id)
        await record.settle(task, await make_clip(record, task))
    return await record.cancel(job)


async def finish(record: Record, worker_id: UUID) -> list[Task]:
    """Does all that is due, and returns what was done."""
    tasks: list[Task] = []
    while claimed := await record.tasks.claim_task(worker_id, tuple(Kind), tuple(Slot)):
        tasks.append(claimed[1])
        await record.settle(claimed[1])
    return tasks


async def test_a_retry_makes_only_what_the_cancelled_job_had_not_made(
    record: Record,
) -> None:
    worker_id = await record.register()
    old = await cancelled_at(record, worker_id, made=15, of=24)
    rows = await record.tasks.list_segments(old.job_id)
    new = await retry(record, old)
    assert new.status is Status.PENDING
    assert new.retried_from == old.job_id
    assert (new.segments_completed, new.segments_total) == (15, 24)
    await record.assert_sound()
    done = await finish(record, worker_id)
    assert [task.kind for task in done] == [*[Kind.SEGMENT] * 9, Kind.STITCH]
    assert {task.position for task in done[:9]} == set(range(15, 24))
    assert await record.stands(new, Status.COMPLETED)
    segments = await record.tasks.list_segments(new.job_id)
    assert segments[:15] == rows[:15]
    assert [segment.prompt for segment in segments] == [row.prompt for row in rows]
    assert await record.job(old.job_id) == old
    assert await record.tasks.list_segments(old.job_id) == rows
    await record.assert_sound()


async def test_a_clip_of_other_inputs_is_made_again(record: Record) -> None:
    worker_id = await record.register()
    old = await cancelled_at(record, worker_id, made=2, of=3)
    await record.read("UPDATE segments SET prompt = 'a sea' WHERE position = 1")
    new = await retry(record, old)
    assert new.segments_completed == 1
    done = await finish(record, worker_id)
    assert [task.position for task in done[:-1]] == [1, 2]


async def test_a_retry_of_a_retry_takes_over_what_both_made(record: Record) -> None:
    worker_id = await record.register()
    first = await cancelled_at(record, worker_id, made=1, of=3)
    second = await retry(record, first)
    task = await record.claim(worker_id)
    await record.settle(task, await make_clip(record, task))
    third = await retry(record, await record.cancel(second))
    assert third.segments_completed == 2
    assert third.retried_from == second.job_id


async def test_a_failed_stitch_is_retried_with_all_its_clips(record: Record) -> None:
    worker_id = await record.register()
    old = await record.at_segments(worker_id, segments=1)
    task = await record.claim(worker_id)
    await record.settle(task, await make_clip(record, task))
    await record.settle(await record.claim(worker_id), FAILED)
    new = await retry(record, old)
    assert [task.kind for task in await finish(record, worker_id)] == [Kind.STITCH]
    assert await record.stands(new, Status.COMPLETED)
    await record.assert_sound()


async def test_a_job_without_a_storyboard_is_planned_anew(record: Record) -> None:
    worker_id = await record.register()
    new = await retry(record, await record.cancel(await record.create()))
    assert (await record.task(new, Kind.PLAN)).status is TaskStatus.QUEUED
    kinds = [task.kind for task in await finish(record, worker_id)]
    assert kinds == [Kind.PLAN, Kind.SEGMENT, Kind.SEGMENT, Kind.STITCH]


async def test_a_storyboard_that_came_too_late_is_taken_over(record: Record) -> None:
    worker_id = await record.register()
    old = await record.create()
    task = await record.claim(worker_id)
    await record.cancel(old)
    await record.settle(task)
    await retry(record, old)
    kinds = [task.kind for task in await finish(record, worker_id)]
    assert kinds == [Kind.SEGMENT, Kind.SEGMENT, Kind.STITCH]


async def test_the_deadline_of_a_retry_counts_from_its_own_creation(
    record: Record,
) -> None:
    old = await record.create(cancel_after=timedelta(hours=1))
    new = await retry(record, await record.cancel(old))
    assert new.cancel_at is not None
    assert new.cancel_at - new.created_at == timedelta(hours=1)
    assert new.cancel_requested_at is None


async def test_a_retry_sent_twice_makes_one_job(record: Record) -> None:
    old = await record.cancel(await record.create())
    other = await record.cancel(await record.create())
    new = await retry(record, old, "again")
    assert await retry(record, old, "again") == new
    with pytest.raises(RequestIdTaken):
        await retry(record, other, "again")
    assert await retry(record, old) != new


async def test_a_retry_sent_again_after_the_old_job_is_gone_finds_the_new_one(
    record: Record,
) -> None:
    old = await record.cancel(await record.create())
    new = await retry(record, old, "again")
    await record.jobs.delete_job(old.job_id, "ada")
    assert await retry(record, old, "again") == new
    with pytest.raises(JobNotFound):
        await retry(record, old, "another")


async def test_only_what_came_to_nothing_can_be_retried(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_stitch(worker_id)
    with pytest.raises(WrongStatus, match="Cannot retry job with status: processing"):
        await retry(record, job)
    task = await record.claim(worker_id)
    await record.settle(task, video_of(task))
    with pytest.raises(WrongStatus, match="Cannot retry job with status: completed"):
        await retry(record, job)
    with pytest.raises(JobNotFound):
        await record.jobs.retry_job(job.job_id, "eve", request_id=None)


async def test_a_deleted_job_leaves_no_rows(record: Record) -> None:
    worker_id = await record.register()
    job = await cancelled_at(record, worker_id, made=1, of=2)
    await record.jobs.delete_job(job.job_id, "ada")
    for table in ("jobs", "tasks", "segments", "job_events", "job_requests"):
        (row,) = await record.read(f"SELECT count(*) FROM {table}")  # noqa: S608
        assert row["count"] == 0, table
    with pytest.raises(JobNotFound):
        await record.jobs.delete_job(job.job_id, "ada")


async def test_only_a_finished_job_can_be_deleted(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    task = await record.claim(worker_id)
    await record.pause(job, PauseMode.ABORT)
    with pytest.raises(WrongStatus, match="Cannot delete job with status: pausing"):
        await record.jobs.delete_job(job.job_id, "ada")
    await record.cancel(job)
    with pytest.raises(WrongStatus, match="Cannot delete job with status: cancelling"):
        await record.jobs.delete_job(job.job_id, "ada")
    with pytest.raises(JobNotFound):
        await record.jobs.delete_job(job.job_id, "eve")
    await record.settle(task, Aborted())
    await record.jobs.delete_job(job.job_id, "ada")


async def test_a_file_is_named_as_long_as_a_retry_names_it(record: Record) -> None:
    worker_id = await record.register()
    old = await cancelled_at(record, worker_id, made=1, of=2)
    (kept, _) = await record.tasks.list_segments(old.job_id)
    assert kept.clip_uri
    new = await record.cancel(await retry(record, old))
    await record.jobs.delete_job(old.job_id, "ada")
    assert await record.jobs.names_artifact(kept.clip_uri)
    assert await record.jobs.names_artifact(kept.clip_uri, "ada")
    assert not await record.jobs.names_artifact(kept.clip_uri, "eve")
    await record.jobs.delete_job(new.job_id, "ada")
    assert not await record.jobs.names_artifact(kept.clip_uri)
