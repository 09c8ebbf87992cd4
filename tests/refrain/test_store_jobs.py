"""The record as the gateway uses it: create, read, list, cancel."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from refrain.errors import JobNotFound, RequestIdTaken, WrongStatus
from refrain.job import (
    Cause,
    EventKind,
    Job,
    Kind,
    Status,
    StopMode,
    TaskStatus,
)
from refrain.outcome import Aborted
from refrain.store import JobFilter, Upload
from tests.refrain.record import FAILED, Record, new_job, video_of


async def test_a_new_job_is_pending_and_its_plan_queued(record: Record) -> None:
    change = await record.jobs.create_job(new_job(labels={"album": "One"}))
    assert change.job.status is Status.PENDING
    assert change.job.labels == {"album": "One"}
    assert change.queued == (Kind.PLAN,)
    (task,) = await record.jobs.list_tasks(change.job.job_id)
    assert (task.kind, task.status, task.attempt) == (Kind.PLAN, TaskStatus.QUEUED, 0)
    (event,) = await record.events(change.job)
    assert (event.sequence, event.kind, event.actor) == (
        1,
        EventKind.CREATED,
        "user:ada",
    )
    assert event.job == change.job
    await record.assert_sound()


async def test_the_same_request_sent_again_returns_the_same_job(record: Record) -> None:
    job = await record.create(request_id="r1")
    again = await record.jobs.create_job(new_job(request_id="r1"))
    assert again.job == job
    assert again.queued == ()
    assert len(await record.jobs.list_tasks(job.job_id)) == 1


async def test_another_request_of_the_same_id_is_refused(record: Record) -> None:
    await record.create(request_id="r1")
    with pytest.raises(RequestIdTaken, match="'r1' was used for another request"):
        await record.create(request_id="r1", digest=b"another")


async def test_a_request_id_belongs_to_its_owner(record: Record) -> None:
    job = await record.create(request_id="r1")
    other = await record.create(request_id="r1", owner="bob", digest=b"another")
    assert other.job_id != job.job_id


async def test_requests_without_an_id_make_a_job_each(record: Record) -> None:
    assert (await record.create()).job_id != (await record.create()).job_id


async def test_a_request_repeated_after_the_job_ended_returns_it_as_it_is(
    record: Record,
) -> None:
    job = await record.cancel(await record.create(request_id="r1"))
    assert (await record.create(request_id="r1")) == job


async def test_another_owners_job_is_not_found(record: Record) -> None:
    job = await record.create()
    with pytest.raises(JobNotFound):
        await record.jobs.get_job(job.job_id, "bob")


async def test_jobs_are_listed_newest_first_and_page_by_page(record: Record) -> None:
    jobs = [await record.create(title=f"Song {n}") for n in range(5)]
    await record.create(owner="bob")
    newest = await record.jobs.list_jobs("ada", JobFilter(), before=None, page_size=3)
    assert newest == jobs[:1:-1]
    oldest = await record.jobs.list_jobs(
        "ada", JobFilter(), before=newest[-1].job_id, page_size=3
    )
    assert oldest == jobs[1::-1]


async def test_a_list_keeps_to_its_filter(record: Record) -> None:
    pending = await record.create(title="50% Blue", artist="Ada")
    cancelled = await record.cancel(await record.create(title="Red", artist="_Bob_"))

    async def listed(jobs: JobFilter) -> list[Job]:
        return await record.jobs.list_jobs("ada", jobs, before=None, page_size=9)

    assert await listed(JobFilter(statuses=[Status.CANCELLED])) == [cancelled]
    assert await listed(JobFilter(text="blue")) == [pending]
    assert await listed(JobFilter(text="%")) == [pending]
    assert await listed(JobFilter(text="_b")) == [cancelled]
    assert await listed(JobFilter(created_from=cancelled.created_at)) == [cancelled]
    assert await listed(JobFilter(created_to=cancelled.created_at)) == [pending]


async def test_events_follow_a_sequence_and_hold_the_job_as_it_then_stood(
    record: Record,
) -> None:
    job = await record.create()
    worker_id = await record.register()
    await record.settle(await record.claim(worker_id))
    events = await record.events(job)
    assert [(event.sequence, event.kind) for event in events] == [
        (1, EventKind.CREATED),
        (2, EventKind.TASK_STARTED),
        (3, EventKind.TASK_COMPLETED),
    ]
    assert [event.job.status for event in events] == [
        Status.PENDING,
        Status.PROCESSING,
        Status.PROCESSING,
    ]
    assert [event.job.event_sequence for event in events] == [1, 2, 3]
    assert events[-1].job == await record.job(job.job_id)
    page = await record.jobs.list_events(job.job_id, after=1, page_size=1)
    assert page == events[1:2]
    assert await record.jobs.list_sequences([job.job_id, uuid4()]) == {job.job_id: 3}


async def test_an_upload_belongs_to_its_owner(record: Record) -> None:
    upload = Upload(sha256="ab", duration=timedelta(seconds=3), size_bytes=9)
    await record.jobs.insert_upload("ada", upload)
    await record.jobs.insert_upload("ada", upload)
    assert await record.jobs.get_upload("ada", "ab") == upload
    assert await record.jobs.get_upload("bob", "ab") is None


async def test_a_cancel_of_a_pending_job_is_confirmed_at_once(record: Record) -> None:
    job = await record.create()
    change = await record.jobs.cancel_job(
        job.job_id, "ada", requested_by="user:ada", reason="typo", cause=Cause.ADMIN
    )
    assert change.job.status is Status.CANCELLED
    assert change.job.message == "Job cancelled: by an administrator"
    assert not change.stops
    assert (
        change.job.cancel_requested_by,
        change.job.cancel_reason,
        change.job.cancel_cause,
    ) == ("user:ada", "typo", Cause.ADMIN)
    assert change.job.cancelled
    assert change.job.tasks_skipped == 1
    assert change.job.slowest_stop is None
    task = await record.task(job, Kind.PLAN)
    assert (task.status, task.stop_mode) == (TaskStatus.SKIPPED, StopMode.NEVER_STARTED)
    events = await record.events(job)
    assert [event.kind for event in events[1:]] == [
        EventKind.CANCEL_REQUESTED,
        EventKind.CANCELLED,
    ]
    await record.assert_sound()


@pytest.mark.parametrize("between", ["tasks", "in backoff", "paused"])
async def test_a_cancel_without_a_running_task_is_confirmed_at_once(
    record: Record, between: str
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    if between == "in backoff":
        task = await record.claim(worker_id)
        await record.settle(
            task, replace(FAILED, retryable=True, delay=timedelta(minutes=1))
        )
    if between == "paused":
        await record.pause(job)
    cancelled = await record.cancel(job)
    assert cancelled.status is Status.CANCELLED
    assert cancelled.tasks_skipped == 2
    await record.assert_sound()


@pytest.mark.parametrize("status", [Status.PROCESSING, Status.PAUSING])
async def test_a_cancel_with_a_running_task_is_confirmed_by_the_last_settle(
    record: Record, status: Status
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=3)
    first, last = await record.claim(worker_id), await record.claim(worker_id)
    if status is Status.PAUSING:
        await record.pause(job)
    change = await record.jobs.cancel_job(
        job.job_id, "ada", requested_by="user:ada", reason=""
    )
    assert change.job.status is Status.CANCELLING
    assert change.stops
    assert change.job.tasks_skipped == 1
    await record.settle(first, Aborted())
    assert (await record.job(job.job_id)).status is Status.CANCELLING
    await record.settle(last, Aborted())
    ended = await record.job(job.job_id)
    assert ended.status is Status.CANCELLED
    assert ended.message == "Job cancelled by user"
    assert ended.tasks_aborted == 2
    assert ended.cancel_requested_at is not None
    assert ended.stopped_at is not None
    assert ended.slowest_stop is not None
    assert ended.slowest_stop <= ended.stopped_at - ended.cancel_requested_at
    await record.assert_sound()


async def test_a_second_cancel_keeps_the_first_reason_and_is_published_again(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    await record.claim(worker_id)
    first = await record.cancel(job, reason="first")
    again = await record.jobs.cancel_job(
        job.job_id, "ada", requested_by="admin", reason="second", cause=Cause.ADMIN
    )
    assert again.job == first
    assert again.job.cancel_reason == "first"
    assert again.stops


async def test_a_cancelled_job_stays_as_it_is(record: Record) -> None:
    cancelled = await record.cancel(await record.create(), reason="first")
    again = await record.jobs.cancel_job(
        cancelled.job_id, "ada", requested_by="user:ada", reason="second"
    )
    assert again.job == cancelled
    assert not again.stops


async def test_a_completed_job_is_not_cancelled(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_stitch(worker_id)
    task = await record.claim(worker_id)
    await record.settle(task, video_of(task))
    with pytest.raises(WrongStatus, match="Cannot cancel job with status: completed"):
        await record.cancel(job)
    assert not (await record.job(job.job_id)).cancelled


async def test_a_failed_job_is_not_cancelled(record: Record) -> None:
    job = await record.create()
    await record.settle(await record.claim(await record.register()), FAILED)
    with pytest.raises(WrongStatus, match="Cannot cancel job with status: failed"):
        await record.cancel(job)


async def test_a_cancel_of_an_unknown_job_is_not_found(record: Record) -> None:
    with pytest.raises(JobNotFound):
        await record.cancel(uuid4())


async def test_a_cancel_of_another_owners_job_is_not_found_and_changes_nothing(
    record: Record,
) -> None:
    job = await record.create(owner="bob")
    with pytest.raises(JobNotFound):
        await record.cancel(job)
    assert await record.job(job.job_id) == job
