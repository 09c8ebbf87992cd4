"""The fault matrix: each fault strikes a job in every stage, with and without a cancel.

Timing is scaled by RATIO, outages with it, unless the table says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from refrain.v1 import job_pb2
from tests.system.faults import strikes
from tests.system.faults.site import (
    GATEWAY,
    GATEWAY_NATS,
    RATIO,
    SCALED,
    STUDIO,
    STUDIO_NATS,
    STUDIO_POSTGRES,
    Link,
    Site,
    Stage,
)
from tests.system.faults.strikes import PostgresDown
from tests.system.faults.studio import SEGMENTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from tests.system.faults.strikes import Meanwhile

    Strike = Callable[[Site, Meanwhile], AbstractAsyncContextManager[None]]

pytestmark = pytest.mark.faults

PUSH, POLL, RESCUE = 0.05, 1.5, 15.0
"""Seconds: the bounds of the legs by the real Timing."""
SLACK = 2.0
"""Seconds for a busy machine; a stop that needed a rescue still fails, for the scaled
lease alone is 4 s."""
REAL: dict[str, float] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A row of the matrix."""

    strike: Strike
    bound: float
    """Seconds from the request, as it is recorded, to CANCELLED."""
    seconds: dict[str, float] = field(default_factory=lambda: SCALED)
    links: tuple[Link, ...] = ()
    stop_mode: str = "aborted"
    """What the receipt says of a task that was cancelled in flight."""
    attempts: int = 1
    """How often a task is begun that is not cancelled: 2 where it is interrupted."""
    failures: int = 0
    """How often that counts as a failure: a rescue does, a hand-back does not."""


FAULTS = {
    "nats_down": Fault(strike=strikes.nats_down, bound=POLL * RATIO),
    "nats_restarted": Fault(strike=strikes.nats_restarted, bound=POLL * RATIO),
    # With its recovery 5 s. More than RATIO can scale is in it: recovery, connects.
    "postgres_down_5_s": Fault(
        strike=PostgresDown(4.0, outlived=True), bound=POLL, seconds=REAL
    ),
    "postgres_down_15_s": Fault(
        strike=PostgresDown(15.0 * RATIO, outlived=False),
        bound=RESCUE * RATIO,
        stop_mode="lease_expired",
        attempts=2,
        failures=1,
    ),
    "postgres_restarted": Fault(strike=strikes.postgres_restarted, bound=POLL * RATIO),
    "gateway_killed_before_it_published": Fault(
        strike=strikes.gateway_killed_before_it_published,
        bound=POLL * RATIO,
        links=(GATEWAY_NATS,),
    ),
    "gateway_terminated": Fault(strike=strikes.gateway_terminated, bound=PUSH),
    "studio_killed": Fault(
        strike=strikes.studio_killed,
        bound=RESCUE * RATIO,
        stop_mode="lease_expired",
        attempts=2,
        failures=1,
    ),
    "studio_frozen": Fault(
        strike=strikes.studio_frozen,
        bound=RESCUE,
        seconds=REAL,
        stop_mode="lease_expired",
        attempts=2,
        failures=1,
    ),
    "studio_terminated": Fault(
        strike=strikes.studio_terminated,
        bound=PUSH,
        seconds={**SCALED, "drain": 3.0},
        attempts=2,
    ),
    "studio_cut_from_nats": Fault(
        strike=strikes.studio_cut_from_nats, bound=POLL * RATIO, links=(STUDIO_NATS,)
    ),
    "studio_cut_from_postgres": Fault(
        strike=strikes.studio_cut_from_postgres,
        bound=RESCUE * RATIO,
        links=(STUDIO_POSTGRES,),
        stop_mode="lease_expired",
        attempts=2,
        failures=1,
    ),
    "stops_forged_and_repeated": Fault(
        strike=strikes.stops_forged_and_repeated, bound=PUSH, attempts=2
    ),
    "a_thousand_cancels": Fault(strike=strikes.a_thousand_cancels, bound=PUSH),
}


@pytest.fixture(params=FAULTS.values(), ids=list(FAULTS))
def fault(request: pytest.FixtureRequest) -> Fault:
    return request.param


async def test_a_cancel_stops_a_job_in_every_stage(
    site: Site, fault: Fault, subtests: pytest.Subtests
) -> None:
    await site.start(fault.seconds, fault.links)
    async with fault.strike(site, site.cancel_all):
        await site.all_cancelled()
        assert site.overstated == []
        account = await site.account()
        await site.is_alive()
    assert await site.account() == account
    for stage, job_id in site.jobs.items():
        with subtests.test(stage.value):
            await _assert_stopped(site, stage, job_id, fault)
    assert await site.system.stop() == {GATEWAY: 0, STUDIO: 0}
    assert await site.account() == account


async def test_without_a_cancel_a_job_in_every_stage_completes_once(
    site: Site, fault: Fault, subtests: pytest.Subtests
) -> None:
    await site.start(fault.seconds, fault.links)
    async with fault.strike(site, _do_nothing):
        await site.all_completed()
        account = await site.account()
    await site.is_alive()
    assert await site.account() == account
    for stage, job_id in site.jobs.items():
        with subtests.test(stage.value):
            await _assert_completed_once(site, job_id)
            await _assert_attempts(site, stage, job_id, fault)
    assert await site.system.stop() == {GATEWAY: 0, STUDIO: 0}
    assert await site.account() == account


async def _assert_stopped(site: Site, stage: Stage, job_id: str, fault: Fault) -> None:
    (job,) = await site.rows("jobs", [job_id])
    took = job["stopped_at"] - job["cancel_requested_at"]
    assert took < timedelta(seconds=fault.bound + SLACK)
    assert job["message"] == "Job cancelled by user"
    held = [] if stage is Stage.QUEUED else [fault.stop_mode]
    tasks = await site.rows("tasks", [job_id])
    open_tasks = [task for task in tasks if task["status"] != "completed"]
    modes = sorted(task["stop_mode"] for task in open_tasks)
    assert modes == sorted([*held, *["never_started"] * _queued_beside(stage)])
    assert all(task["ended_at"] <= job["stopped_at"] for task in tasks)
    requested_at = job["cancel_requested_at"]
    assert all(task["started_at"] <= requested_at for task in tasks if task["attempt"])
    paid = await site.rows("provider_calls", [job_id])
    assert all(call["created_at"] <= requested_at for call in paid)
    calls = [call for call in site.witness.calls if call.job_id == job_id]
    assert all(call.arrived_at < job["stopped_at"].timestamp() for call in calls)


def _queued_beside(stage: Stage) -> int:
    """Tasks that wait while one is held: what is queued, or a second segment."""
    return int(stage in {Stage.QUEUED, Stage.CALLING, Stage.RENDERING})


async def _assert_completed_once(site: Site, job_id: str) -> None:
    events = await site.system.events(job_id)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    kinds = [event.kind for event in events]
    assert kinds.count(job_pb2.JobEvent.COMPLETED) == 1
    made = [
        event.position
        for event in events
        if event.kind == job_pb2.JobEvent.TASK_COMPLETED
        and event.task_kind == job_pb2.Task.SEGMENT
    ]
    assert sorted(made) == list(range(SEGMENTS))
    artifacts = site.system.artifacts
    (video,) = site.system.videos(job_id)
    assert events[-1].job.video.uri == f"artifact:{video.relative_to(artifacts)}"
    clips = list((artifacts / "jobs" / job_id).rglob("clip.mp4"))
    assert len(clips) == SEGMENTS


async def _assert_attempts(site: Site, stage: Stage, job_id: str, fault: Fault) -> None:
    tasks = await site.rows("tasks", [job_id])
    backoff = int(stage is Stage.QUEUED)
    interrupted = fault.attempts > 1 and stage is not Stage.QUEUED
    assert (max(task["attempt"] for task in tasks) > 1 + backoff) == interrupted
    failures = sum(task["failures"] for task in tasks)
    assert failures == backoff + fault.failures * interrupted


async def _do_nothing() -> None:
    """The control: the fault strikes, and nobody cancels."""
