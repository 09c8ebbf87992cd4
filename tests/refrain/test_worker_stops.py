"""How a worker hears of a stop: each way by itself, the others closed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from refrain.job import (
    EventKind,
    Kind,
    PauseMode,
    Slot,
    Status,
    StopMode,
    TaskStatus,
)
from refrain.stops import StopMemory
from refrain.store import Change
from refrain.v1.stop_event_pb2 import StopEvent
from tests.eventually import eventually
from tests.refrain.record import FAILED
from tests.refrain.workshop import NEVER_POLLS, NO_NATS, POLLS, Hand

if TYPE_CHECKING:
    from refrain.job import Job
    from refrain.timing import Timing
    from tests.refrain.record import Record
    from tests.refrain.workshop import Workshop


async def cancel(record: Record, job: Job) -> Change:
    return await record.jobs.cancel_job(
        job.job_id, "ada", requested_by="user:ada", reason=""
    )


async def test_a_push_aborts_a_task_whose_worker_never_polls(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    async with workshop.bus() as bus, workshop.worker(hand, timing=NEVER_POLLS):
        await eventually(lambda: hand.started)
        await bus.announce([await cancel(record, job)])
        await eventually(lambda: record.stands(job, Status.CANCELLED))
        assert hand.aborted == hand.started
    task = await record.task(job, Kind.PLAN)
    assert task.stop_mode is StopMode.ABORTED
    await record.assert_sound()


async def test_a_poll_aborts_a_task_without_nats(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    async with workshop.worker(hand, nats_url=NO_NATS):
        await eventually(lambda: hand.started)
        await cancel(record, job)
        await eventually(lambda: record.stands(job, Status.CANCELLED))
        assert hand.aborted == hand.started
    assert (await record.task(job, Kind.PLAN)).stop_mode is StopMode.ABORTED
    await record.assert_sound()


async def test_a_stop_of_one_job_leaves_the_others_alone(
    record: Record, workshop: Workshop
) -> None:
    job, other, hand = await record.create(), await record.create(), Hand()
    async with workshop.bus() as bus, workshop.worker(hand):
        await eventually(lambda: len(hand.started) == 2)
        await bus.announce([await cancel(record, job)])
        await eventually(lambda: record.stands(job, Status.CANCELLED))
        assert [task.job_id for task in hand.aborted] == [job.job_id]
        assert (await record.task(other, Kind.PLAN)).status is TaskStatus.RUNNING


@pytest.mark.parametrize(
    ("timing", "nats_url"),
    [(POLLS, NO_NATS), (NEVER_POLLS, "")],
    ids=["by a poll", "by a push"],
)
async def test_a_failure_for_good_aborts_what_else_runs_of_the_job(
    record: Record, workshop: Workshop, timing: Timing, nats_url: str
) -> None:
    elsewhere = await record.register()
    job = await record.at_segments(elsewhere)
    failing, hand = await record.claim(elsewhere), Hand()
    worker = workshop.worker(hand, timing=timing, nats_url=nats_url)
    async with workshop.bus() as bus, worker:
        await eventually(lambda: hand.started)
        change = await record.settle(failing, FAILED)
        assert change is not None
        await bus.announce([change])
        await eventually(lambda: record.stands(job, Status.FAILED))
        assert hand.aborted == hand.started
    await record.assert_sound()


async def test_a_stop_is_remembered_for_a_task_claimed_before_it_and_opened_later(
    record: Record, workshop: Workshop
) -> None:
    """The stop's sequence lies above the first claim's and below the second's."""
    hand = Hand()
    async with workshop.bus() as bus, workshop.worker(hand, timing=NEVER_POLLS):
        await workshop.ring_until_started(hand, await record.create())
        job = await record.create()
        sequence = job.event_sequence + 2
        stopped = replace(job, cancelled=True, event_sequence=sequence)
        await bus.announce([Change(job=stopped, stops=True, queued=(Kind.PLAN,))])
        await eventually(lambda: hand.started[-1].job_id == job.job_id)
    assert [task.attempt for task in hand.started if task.job_id == job.job_id] == [2]
    assert [event.kind for event in await record.events(job)][1:4] == [
        EventKind.TASK_STARTED,
        EventKind.TASK_HANDED_BACK,
        EventKind.TASK_STARTED,
    ]
    await record.assert_sound()


def stop_of(job: Job, sequence: int) -> StopEvent:
    event = StopEvent(kind=StopEvent.CANCEL)
    event.stops.add(job_id=str(job.job_id), event_sequence=sequence)
    return event


async def test_a_stop_is_remembered_for_a_while_and_only_against_older_claims(
    record: Record,
) -> None:
    job = await record.create()
    memory = StopMemory(timedelta(minutes=1))
    assert memory.hear(stop_of(job, 7)) == [job.job_id]
    assert memory.reason_to_abort(job.job_id, claimed_at=6) is not None
    assert memory.reason_to_abort(job.job_id, claimed_at=7) is None
    assert memory.reason_to_abort(job.job_id, claimed_at=8) is None


async def test_a_stop_is_forgotten_after_its_time(record: Record) -> None:
    old, new = await record.create(), await record.create()
    memory = StopMemory(timedelta(0))
    memory.hear(stop_of(old, 7))
    memory.hear(stop_of(new, 7))
    assert memory.reason_to_abort(old.job_id, claimed_at=1) is None
    assert memory.reason_to_abort(new.job_id, claimed_at=1) is not None


async def test_an_abort_without_a_stop_in_the_record_is_a_hand_back(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    async with workshop.bus() as bus, workshop.worker(hand, timing=NEVER_POLLS):
        await eventually(lambda: hand.started)
        later = replace(job, event_sequence=job.event_sequence + 2)
        await bus.announce([Change(job=later, stops=True)])
        await eventually(lambda: len(hand.started) == 2)
        assert hand.aborted == hand.started[:1]
    task = await record.task(job, Kind.PLAN)
    assert (task.attempt, task.failures) == (2, 0)
    await record.assert_sound()


@pytest.mark.parametrize("leg", ["push", "poll"])
async def test_a_pause_with_abort_hands_the_task_back_and_frees_the_slot(
    record: Record, workshop: Workshop, leg: str
) -> None:
    job, hand = await record.create(), Hand()
    nats_url, timing = ("", NEVER_POLLS) if leg == "push" else (NO_NATS, POLLS)
    slots = {Slot.PROVIDER: 1}
    async with (
        workshop.bus() as bus,
        workshop.worker(hand, timing=timing, nats_url=nats_url, slots=slots),
    ):
        await eventually(lambda: hand.started)
        change = await record.jobs.pause_job(
            job.job_id, "ada", PauseMode.ABORT, actor="user:ada"
        )
        await bus.announce([change])
        await eventually(lambda: record.stands(job, Status.PAUSED))
        assert hand.aborted == hand.started
        other = await record.create()
        await bus.announce([Change(job=other, queued=(Kind.PLAN,))])
        await eventually(lambda: len(hand.started) == 2)
        assert hand.started[1].job_id == other.job_id
    task = await record.task(job, Kind.PLAN)
    assert (task.status, task.failures) == (TaskStatus.QUEUED, 0)
    await record.assert_sound()


async def test_a_pause_with_drain_leaves_what_runs_alone(
    record: Record, workshop: Workshop
) -> None:
    job, hand = await record.create(), Hand()
    async with workshop.bus() as bus, workshop.worker(hand):
        await eventually(lambda: hand.started)
        change = await record.jobs.pause_job(
            job.job_id, "ada", PauseMode.DRAIN, actor="user:ada"
        )
        await bus.announce([change])
        hand.release.set()
        await eventually(lambda: record.stands(job, Status.PAUSED))
        assert hand.aborted == []
    assert (await record.task(job, Kind.PLAN)).status is TaskStatus.COMPLETED


async def test_a_stop_that_comes_late_does_not_mean_what_was_claimed_after_it(
    record: Record, workshop: Workshop
) -> None:
    job, other, hand = await record.create(), await record.create(), Hand()
    async with workshop.bus() as bus, workshop.worker(hand, timing=NEVER_POLLS):
        await eventually(lambda: len(hand.started) == 2)
        await bus.announce([Change(job=job, stops=True)])
        # Messages of one connection arrive in their order.
        await bus.announce([await cancel(record, other)])
        await eventually(lambda: hand.aborted)
        assert [task.job_id for task in hand.aborted] == [other.job_id]


async def test_stops_out_of_order_leave_the_newest_in_memory(record: Record) -> None:
    job = await record.create()
    memory = StopMemory(timedelta(minutes=1))
    memory.hear(stop_of(job, 9))
    memory.hear(stop_of(job, 4))
    assert memory.reason_to_abort(job.job_id, claimed_at=8) is not None
    assert memory.reason_to_abort(job.job_id, claimed_at=9) is None
