"""Settles: what an attempt's outcome makes of its task and its job."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from refrain.errors import OutcomeRefused
from refrain.job import (
    MAX_FAILURES,
    EventKind,
    Kind,
    Stage,
    Status,
    StopMode,
    TaskStatus,
)
from refrain.outcome import Aborted, Failed, Outcome
from tests.refrain.record import (
    FAILED,
    RETRY,
    Record,
    clip_of,
    outcome_of,
    plan_of,
    video_of,
)


async def test_a_job_goes_from_plan_to_video(record: Record) -> None:
    job, worker_id = await record.create(), await record.register()
    plan = await record.claim(worker_id)
    change = await record.settle(plan, plan_of(2))
    assert change is not None
    assert change.queued == (Kind.SEGMENT, Kind.SEGMENT)
    assert (change.job.stage, change.job.segments_total) == (Stage.SEGMENTS, 2)
    for position in range(2):
        segment = await record.claim(worker_id)
        assert segment.position == position
        change = await record.settle(segment, clip_of(segment))
        assert change is not None
    assert change.queued == (Kind.STITCH,)
    stitch = await record.claim(worker_id)
    assert (await record.job(job.job_id)).stage is Stage.STITCHING
    change = await record.settle(stitch, video_of(stitch))
    assert change is not None
    assert change.job.status is Status.COMPLETED
    assert change.job.video == video_of(stitch).video
    assert change.job.message == "Video ready"
    segments = await record.tasks.list_segments(job.job_id)
    assert [segment.start_offset.seconds for segment in segments] == [0, 5]
    assert all(segment.clip_uri for segment in segments)
    assert [event.kind for event in await record.events(job)][-2:] == [
        EventKind.TASK_COMPLETED,
        EventKind.COMPLETED,
    ]
    await record.assert_sound()


async def test_a_failure_that_may_pass_is_tried_again_after_its_delay(
    record: Record,
) -> None:
    job, worker_id = await record.create(), await record.register()
    task = await record.claim(worker_id)
    change = await record.settle(task, replace(RETRY, delay=timedelta(hours=1)))
    assert change is not None
    assert change.queued == (Kind.PLAN,)
    retried = await record.task(job, Kind.PLAN)
    assert (retried.status, retried.failures) == (TaskStatus.QUEUED, 1)
    assert retried.error == RETRY.error
    assert retried.started_at is not None
    assert retried.available_at - retried.started_at >= timedelta(hours=1)
    event = (await record.events(job))[-1]
    assert (event.kind, event.detail) == (EventKind.TASK_RETRIED, "try again")
    await record.assert_sound()


async def test_the_fourth_failure_fails_the_job(record: Record) -> None:
    job, worker_id = await record.create(), await record.register()
    for _ in range(MAX_FAILURES):
        assert (await record.job(job.job_id)).error is None
        await record.settle(await record.claim(worker_id), RETRY)
    failed = await record.job(job.job_id)
    assert (failed.status, failed.error) == (Status.FAILED, RETRY.error)
    assert failed.message == "try again"
    assert (await record.task(job, Kind.PLAN)).failures == 4
    assert not await record.claims(worker_id)
    await record.assert_sound()


async def test_a_hand_back_is_no_failure(record: Record) -> None:
    job, worker_id = await record.create(), await record.register()
    for attempt in range(1, 7):
        task = await record.claim(worker_id)
        assert task.attempt == attempt
        change = await record.settle(task, Aborted())
        assert change is not None
        assert change.queued == (Kind.PLAN,)
    task = await record.task(job, Kind.PLAN)
    assert (task.status, task.failures) == (TaskStatus.QUEUED, 0)
    await record.assert_sound()


async def test_a_failure_for_good_stops_the_rest_and_then_fails_the_job(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=3)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    change = await record.settle(task, FAILED)
    assert change is not None
    assert change.stops
    assert (change.job.status, change.job.error) == (Status.PROCESSING, FAILED.error)
    assert change.job.stopping
    assert change.job.tasks_skipped == 1
    event = (await record.events(job))[-1]
    assert (event.kind, event.job) == (EventKind.TASK_FAILED, change.job)
    await record.settle(other, Aborted())
    failed = await record.job(job.job_id)
    assert (failed.status, failed.error) == (Status.FAILED, FAILED.error)
    assert failed.message == "no such voice"
    assert (await record.task(job, Kind.SEGMENT, 1)).status is TaskStatus.CANCELLED
    await record.assert_sound()


async def test_the_only_failing_task_stops_no_one(record: Record) -> None:
    await record.create()
    change = await record.settle(await record.claim(await record.register()), FAILED)
    assert change is not None
    assert change.job.status is Status.FAILED
    assert not change.stops


async def test_the_first_error_of_a_job_stays(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    await record.settle(task, FAILED)
    await record.settle(other, RETRY)
    failed = await record.job(job.job_id)
    assert (failed.status, failed.error) == (Status.FAILED, FAILED.error)
    last = await record.task(job, Kind.SEGMENT, 1)
    assert (last.status, last.error) == (TaskStatus.FAILED, RETRY.error)
    await record.assert_sound()


async def test_a_cancel_wins_over_a_failure_and_the_error_is_kept(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    await record.settle(task, FAILED)
    assert (await record.cancel(job)).status is Status.CANCELLING
    await record.settle(other, Aborted())
    cancelled = await record.job(job.job_id)
    assert (cancelled.status, cancelled.error) == (Status.CANCELLED, FAILED.error)
    assert cancelled.message == "Job cancelled by user"
    await record.assert_sound()


async def test_a_failure_of_a_cancelling_job_is_recorded_as_cancelled(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    task = await record.claim(worker_id)
    await record.cancel(job)
    await record.settle(task, FAILED)
    cancelled = await record.job(job.job_id)
    assert (cancelled.status, cancelled.error) == (Status.CANCELLED, None)
    ended = await record.task(job, Kind.SEGMENT)
    assert (ended.status, ended.error) == (TaskStatus.CANCELLED, FAILED.error)
    await record.assert_sound()


@pytest.mark.parametrize("stopped_by", ["a cancel", "a failure"])
async def test_a_segment_that_finished_anyway_is_kept(
    record: Record, stopped_by: str
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    if stopped_by == "a cancel":
        await record.cancel(job)
        await record.settle(other, Aborted())
    else:
        await record.settle(other, FAILED)
    change = await record.settle(task, clip_of(task))
    assert change is not None
    assert change.job.finished
    assert change.job.segments_completed == 1
    assert change.job.tasks_finished_anyway == 1
    assert await record.tasks.names_artifact(clip_of(task).clip_uri)
    ended = await record.task(job, Kind.SEGMENT)
    assert (ended.status, ended.stop_mode) == (
        TaskStatus.COMPLETED,
        StopMode.FINISHED_ANYWAY,
    )
    await record.assert_sound()


async def test_a_plan_that_finished_anyway_queues_nothing(record: Record) -> None:
    job = await record.create()
    task = await record.claim(await record.register())
    await record.cancel(job)
    change = await record.settle(task, plan_of(3))
    assert change is not None
    assert change.queued == ()
    assert change.job.status is Status.CANCELLED
    assert len(await record.jobs.list_tasks(job.job_id)) == 1
    await record.assert_sound()


async def test_a_video_that_comes_after_the_cancel_is_refused(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_stitch(worker_id)
    task = await record.claim(worker_id)
    await record.cancel(job)
    video = video_of(task)
    change = await record.settle(task, video)
    assert change is not None
    assert (change.job.status, change.job.video) == (Status.CANCELLED, None)
    assert not await record.tasks.names_artifact(video.video["uri"])
    await record.assert_sound()


async def test_a_stitch_that_settles_while_pausing_completes_the_job(
    record: Record,
) -> None:
    worker_id = await record.register()
    job = await record.at_stitch(worker_id)
    task = await record.claim(worker_id)
    await record.pause(job)
    await record.settle(task, video_of(task))
    assert (await record.job(job.job_id)).status is Status.COMPLETED
    await record.assert_sound()


@pytest.mark.parametrize("kind", [Kind.PLAN, Kind.SEGMENT])
async def test_what_follows_a_task_is_queued_while_pausing(
    record: Record, kind: Kind
) -> None:
    worker_id = await record.register()
    job = await (
        record.create() if kind is Kind.PLAN else record.at_segments(worker_id, 1)
    )
    task = await record.claim(worker_id)
    await record.pause(job)
    change = await record.settle(task, outcome_of(task, segments=1))
    assert change is not None
    assert change.job.status is Status.PAUSED
    assert len(change.queued) == 1
    assert [event.kind for event in await record.events(job)][-2:] == [
        EventKind.TASK_COMPLETED,
        EventKind.PAUSED,
    ]
    await record.assert_sound()


async def test_a_failure_while_pausing_fails_the_job(record: Record) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id)
    task, other = await record.claim(worker_id), await record.claim(worker_id)
    await record.pause(job)
    await record.settle(task, FAILED)
    assert (await record.job(job.job_id)).stopping
    await record.settle(other, Aborted())
    assert (await record.job(job.job_id)).status is Status.FAILED
    await record.assert_sound()


@pytest.mark.parametrize("kind", list(Kind))
async def test_a_settle_repeated_after_its_reply_was_lost_changes_nothing(
    record: Record, kind: Kind
) -> None:
    worker_id = await record.register()
    match kind:
        case Kind.PLAN:
            job = await record.create()
        case Kind.SEGMENT:
            job = await record.at_segments(worker_id)
        case Kind.STITCH:
            job = await record.at_stitch(worker_id)
    task = await record.claim(worker_id)
    assert task.kind is kind
    await record.settle(task)
    settled = await record.job(job.job_id)
    assert await record.settle(task) is None
    assert await record.settle(task, FAILED) is None
    assert await record.job(job.job_id) == settled
    await record.assert_sound()


@pytest.mark.parametrize("of", ["an older attempt", "another worker", "no job"])
async def test_only_the_attempt_itself_settles(record: Record, of: str) -> None:
    job, worker_id = await record.create(), await record.register()
    task = await record.claim(worker_id)
    match of:
        case "an older attempt":
            await record.settle(task, Aborted())
            await record.claim(worker_id)
        case "another worker":
            task = replace(task, worker_id=await record.register())
        case _:
            task = replace(task, job_id=worker_id)
    before = await record.job(job.job_id)
    assert await record.settle(task) is None
    assert await record.job(job.job_id) == before
    assert before.tasks_running == 1


def spans(*offsets: int) -> Outcome:
    plan = plan_of(1)
    return replace(
        plan,
        segments=tuple(
            replace(
                plan.segments[0],
                position=position,
                start_offset=timedelta(0),
                end_offset=timedelta(seconds=end),
            )
            for position, end in enumerate(offsets)
        ),
    )


def prompt(text: str) -> Outcome:
    plan = plan_of(1)
    return replace(plan, segments=(replace(plan.segments[0], prompt=text),))


@pytest.mark.parametrize(
    "outcome",
    [
        spans(),
        spans(5, 0),
        prompt("a\0tree"),
        prompt("a \ud83d tree"),
        Failed(error={"code": 13, "message": "\0"}, retryable=False),
    ],
    ids=["no segments", "empty span", "NUL", "half a character", "NUL in an error"],
)
async def test_an_outcome_that_can_be_no_row_is_refused_whole(
    record: Record, outcome: Outcome
) -> None:
    job = await record.create()
    task = await record.claim(await record.register())
    before = await record.job(job.job_id)
    with pytest.raises(OutcomeRefused):
        await record.settle(task, outcome)
    assert await record.job(job.job_id) == before
    assert await record.tasks.list_segments(job.job_id) == []
    await record.assert_sound()
