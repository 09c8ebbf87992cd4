"""Workers claim, run, settle and drain, whatever their tasks come to."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from refrain.artifacts import uri_of
from refrain.errors import ArtifactNotFound, CallRefused, TaskError
from refrain.job import Kind, Slot, Status, TaskStatus
from refrain.local.ports import free_port
from refrain.store import Change
from tests.eventually import eventually
from tests.refrain.record import clip_of, plan_of
from tests.refrain.workshop import NEVER_POLLS, NO_NATS, POLLS, Hand

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.job import Task
    from refrain.outcome import Outcome
    from tests.refrain.record import Record
    from tests.refrain.workshop import Workshop

ONE_SLOT = {Slot.PROVIDER: 1, Slot.MEDIA: 1}


async def test_a_worker_makes_a_video_without_nats(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    hand.release.set()
    async with workshop.worker(hand, nats_url=NO_NATS):
        await eventually(lambda: record.stands(job, Status.COMPLETED))
    kinds = [task.kind for task in hand.started]
    assert kinds == [Kind.PLAN, Kind.SEGMENT, Kind.SEGMENT, Kind.STITCH]
    await record.assert_sound()


async def test_a_worker_that_never_polls_makes_a_video_by_doorbells_alone(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    hand.release.set()
    async with workshop.worker(hand, timing=NEVER_POLLS):
        await eventually(lambda: record.stands(job, Status.COMPLETED))
        late = await record.create()
        await workshop.ring_until_started(hand, late)
        await eventually(lambda: record.stands(late, Status.COMPLETED))


async def test_a_full_worker_leaves_the_doorbell_to_the_others(
    record: Record, workshop: Workshop
) -> None:
    """The test itself is one of the others, and counts what it hears."""
    hand, job = Hand(), await record.create()
    heard: list[Kind] = []
    seen: list[UUID] = []
    last = replace(job, job_id=UUID(int=1))
    async with (
        workshop.bus() as bus,
        workshop.bus() as gateway,
        workshop.worker(hand, slots={Slot.PROVIDER: 1}, kinds=(Kind.PLAN,)),
    ):
        await bus.on_work(Kind.PLAN, lambda: heard.append(Kind.PLAN))
        await bus.on_event(seen.append)

        async def heard_of_20() -> int:
            heard.clear()
            seen.clear()
            await gateway.announce([Change(job=job, queued=(Kind.PLAN,) * 20)])
            await gateway.announce([Change(job=last)])
            await eventually(lambda: last.job_id in seen)
            return len(heard)

        async def all_heard() -> bool:
            return await heard_of_20() == 20

        async def some_heard() -> bool:
            return await heard_of_20() < 20

        await eventually(lambda: hand.started)
        await eventually(all_heard)
        hand.release.set()
        await eventually(some_heard)


async def test_a_worker_runs_as_many_tasks_as_it_has_slots(
    record: Record, workshop: Workshop
) -> None:
    jobs, hand = [await record.create() for _ in range(4)], Hand()
    async with workshop.worker(hand, slots={Slot.PROVIDER: 3, Slot.MEDIA: 1}):
        await eventually(lambda: len(hand.started) == 3)
        hand.release.set()
        for job in jobs:
            await eventually(lambda job=job: record.stands(job, Status.COMPLETED))
    await record.assert_sound()


async def test_a_full_kind_of_slot_holds_up_no_other_kind(
    record: Record, workshop: Workshop
) -> None:
    await record.at_segments(await record.register(), segments=4)
    await record.create()
    hand = Hand()
    async with workshop.worker(hand, slots=ONE_SLOT):
        await eventually(lambda: len(hand.started) == 2)
        assert {task.slot for task in hand.started} == {Slot.PROVIDER, Slot.MEDIA}


async def test_a_drain_lets_running_tasks_end_and_claims_no_more(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    timing = replace(POLLS, drain=timedelta(seconds=20))
    async with workshop.worker(hand, timing=timing) as shift:
        await eventually(lambda: hand.started)
        shift.shutdown.set()
        hand.release.set()
        await shift.run
    assert len(hand.started) == 1
    assert (await record.task(job, Kind.PLAN)).status is TaskStatus.COMPLETED
    assert (await record.task(job, Kind.SEGMENT)).status is TaskStatus.QUEUED
    await record.assert_sound()


async def test_what_outlasts_the_drain_is_handed_back(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    async with workshop.worker(hand) as shift:
        await eventually(lambda: hand.started)
        await shift.end()
    assert hand.aborted == hand.started
    task = await record.task(job, Kind.PLAN)
    assert (task.status, task.failures) == (TaskStatus.QUEUED, 0)
    assert await record.read("SELECT FROM workers WHERE dead_at IS NULL") == []
    assert await record.workers.list_orphaned_jobs() == []
    await record.assert_sound()


async def test_what_is_being_claimed_at_the_shutdown_is_drained_too(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    hand.release.set()
    timing = replace(POLLS, drain=timedelta(seconds=20))
    async with workshop.worker(hand, nats_url=NO_NATS, timing=timing) as shift:
        async with record.holding("SELECT FROM tasks FOR UPDATE"):
            await record.waiting(1)
            shift.shutdown.set()
            # Nothing is held yet: the drain is over unless it sees the claim.
            await asyncio.wait([shift.run], timeout=0.1)
        await shift.run
    assert (await record.task(job, Kind.PLAN)).status is TaskStatus.COMPLETED
    assert len(hand.started) == 1
    await record.assert_sound()


async def test_a_shutdown_ends_a_worker_that_cannot_register(
    workshop: Workshop,
) -> None:
    nowhere = f"postgresql://127.0.0.1:{free_port()}/none"
    async with workshop.worker(Hand(), url=nowhere) as shift:
        await shift.end()


async def test_a_task_that_cannot_be_done_fails_its_job_with_its_own_message(
    record: Record, workshop: Workshop
) -> None:
    job = await record.create()
    hand = Hand(makes=TaskError("the lyrics are empty"))
    hand.release.set()
    async with workshop.worker(hand):
        await eventually(lambda: record.stands(job, Status.FAILED))
    failed = await record.job(job.job_id)
    assert failed.message == "the lyrics are empty"
    assert len(hand.started) == 1


async def test_a_task_that_may_yet_be_done_is_tried_again_when_its_error_says(
    record: Record, workshop: Workshop
) -> None:
    job = await record.create()
    hand = Hand(makes=TaskError("busy", retryable=True, retry_after=timedelta(hours=1)))
    hand.release.set()
    async with workshop.worker(hand):
        await eventually(lambda: record.failures(job, 1))
    task = await record.task(job, Kind.PLAN)
    assert task.started_at is not None
    assert task.available_at - task.started_at > timedelta(minutes=59)


async def test_an_error_nobody_expected_is_tried_four_times(
    record: Record, workshop: Workshop
) -> None:
    job = await record.create()
    hand = Hand(makes=LookupError("bug"))
    hand.release.set()
    async with workshop.worker(hand):
        while not await record.stands(job, Status.FAILED):
            await record.read("UPDATE tasks SET available_at = now()")
    assert len(hand.started) == 4
    assert "bug" in (await record.job(job.job_id)).message


async def test_a_refused_call_hands_the_task_back(
    record: Record, workshop: Workshop
) -> None:
    job = await record.create()
    hand = Hand(makes=CallRefused())
    hand.release.set()
    async with workshop.worker(hand):
        await eventually(lambda: len(hand.started) > 1)
    assert (await record.task(job, Kind.PLAN)).failures == 0


NUL = replace(plan_of(1), segments=(replace(plan_of(1).segments[0], prompt="a\0tree"),))


@pytest.mark.parametrize(
    "makes",
    [
        NUL,
        replace(NUL, segments=()),
        TaskError("no\0such \ud83d voice"),
    ],
    ids=["a NUL", "nothing", "an error that is no text"],
)
async def test_an_outcome_that_can_be_no_row_fails_its_job_and_not_the_worker(
    record: Record, workshop: Workshop, makes: Outcome | Exception
) -> None:
    job = await record.create()
    hand = Hand(makes=makes)
    hand.release.set()
    async with workshop.worker(hand):
        await eventually(lambda: record.stands(job, Status.FAILED))
        hand.makes = None
        healthy = await record.create()
        await eventually(lambda: record.stands(healthy, Status.COMPLETED))
    await record.assert_sound()


async def test_an_abort_that_ends_in_an_error_is_no_failure(
    record: Record, workshop: Workshop
) -> None:
    job = await record.create()
    hand = Hand(on_abort=TaskError("the connection is gone"))
    async with workshop.worker(hand) as shift:
        await eventually(lambda: hand.started)
        await shift.end()
    task = await record.task(job, Kind.PLAN)
    assert (task.status, task.failures) == (TaskStatus.QUEUED, 0)
    assert (await record.job(job.job_id)).error is None


class PutsFiles(Hand):
    """Puts a clip in the folder of each attempt before it ends."""

    def __init__(self, workshop: Workshop, folder: Path) -> None:
        super().__init__()
        self.artifacts = workshop.artifacts
        self.path = folder / "clip.mp4"
        self.path.write_bytes(b"clip")
        self.read_back = folder / "read.mp4"

    async def __call__(self, task: Task) -> Outcome:
        await self.artifacts.put(self._key(task), self.path)
        return await Hand.__call__(self, task)

    async def left(self) -> list[Task]:
        """The attempts whose files are still there."""
        left: list[Task] = []
        for task in self.started:
            with suppress(ArtifactNotFound):
                await self.artifacts.get(uri_of(self._key(task)), self.read_back)
                left.append(task)
        return left

    @staticmethod
    def _key(task: Task) -> str:
        name = "video.mp4" if task.kind is Kind.STITCH else "clip.mp4"
        return f"{task.folder}/{name}"


async def test_only_what_a_row_names_is_kept(
    record: Record, workshop: Workshop, tmp_path: Path
) -> None:
    job = await record.at_segments(await record.register(), segments=1)
    hand = PutsFiles(workshop, tmp_path)
    async with workshop.worker(hand) as shift:
        await eventually(lambda: hand.started)
        await shift.end()
    hand.release.set()
    async with workshop.worker(hand):
        await eventually(lambda: record.stands(job, Status.COMPLETED))
    aborted, made = hand.started[:2]
    assert (aborted.attempt, made.attempt) == (1, 2)
    (segment,) = await record.tasks.list_segments(job.job_id)
    assert segment.clip_uri == clip_of(made).clip_uri
    assert aborted not in await hand.left()
    assert made in await hand.left()


async def test_a_video_that_is_refused_is_deleted(
    record: Record, workshop: Workshop, tmp_path: Path
) -> None:
    job = await record.at_stitch(await record.register())
    hand = PutsFiles(workshop, tmp_path)
    # NATS is absent and the next poll far: the stitch ends before it hears.
    async with workshop.worker(hand, timing=NEVER_POLLS, nats_url=NO_NATS):
        await eventually(lambda: hand.started)
        await record.cancel(job)
        hand.release.set()
        await eventually(lambda: record.stands(job, Status.CANCELLED))
    assert await hand.left() == []
    assert hand.aborted == []


async def test_a_plan_deletes_nothing_of_the_video(
    record: Record, workshop: Workshop, tmp_path: Path
) -> None:
    """The plan's worker may clean up long after the video was made."""
    worker_id = await record.register()
    job = await record.create()
    plan = await record.claim(worker_id)
    hand = PutsFiles(workshop, tmp_path)
    hand.release.set()
    await record.settle(plan, plan_of(1))
    async with workshop.worker(hand):
        await eventually(lambda: record.stands(job, Status.COMPLETED))
    await workshop.artifacts.delete_unnamed(plan.folder, record.tasks.names_artifact)
    assert {task.kind for task in await hand.left()} == {Kind.SEGMENT, Kind.STITCH}


async def test_a_worker_survives_an_artifact_store_that_is_gone(
    record: Record, workshop: Workshop, tmp_path: Path
) -> None:
    job = await record.at_segments(await record.register(), segments=2)
    hand = PutsFiles(workshop, tmp_path)
    async with workshop.worker(hand, slots=ONE_SLOT):
        await eventually(lambda: hand.started)
        (tmp_path / "artifacts").rename(tmp_path / "elsewhere")
        (tmp_path / "artifacts").write_text("not a folder")
        await record.cancel(job)
        await eventually(lambda: record.stands(job, Status.CANCELLED))
        (tmp_path / "artifacts").unlink()
        (tmp_path / "elsewhere").rename(tmp_path / "artifacts")
        hand.release.set()
        healthy = await record.create()
        await eventually(lambda: record.stands(healthy, Status.COMPLETED))
