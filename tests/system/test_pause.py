"""A pause outlives every process, and a retry makes only what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job
from tests.eventually import eventually
from tests.system.system import SERVICES, System, assert_nothing_runs

if TYPE_CHECKING:
    from collections.abc import Callable

DRAIN, ABORT = v1.PauseJobRequest.DRAIN, v1.PauseJobRequest.ABORT
CLIP = "SELECT count(*) FROM provider_calls WHERE job_id = %s AND purpose = 'clip'"


def clips_made(count: int) -> Callable[[job_pb2.JobEvent], bool]:
    return lambda event: event.job.segments_completed >= count


async def restart_everything(system: System) -> None:
    for name in SERVICES:
        system.kill(name)
    await system.start()


async def stands(system: System, job_id: str, status: Job.Status.ValueType) -> bool:
    return (await system.job(job_id)).status == status


async def test_paused_jobs_stay_so_across_restarts_of_everything_and_then_go_on(
    system: System,
) -> None:
    await system.start()
    jobs = [await system.create(seconds=30, max_in_flight=1) for _ in range(3)]
    drained, aborted, cancelled = (job.job_id for job in jobs)
    for job_id, mode in ((drained, DRAIN), (aborted, ABORT), (cancelled, ABORT)):
        await system.until(job_id, clips_made(1))
        await system.api.PauseJob(v1.PauseJobRequest(job_id=job_id, mode=mode))
        await eventually(lambda job_id=job_id: stands(system, job_id, Job.PAUSED))
    assert (await system.cancel(cancelled)).status == Job.CANCELLED
    await restart_everything(system)
    other = await system.create()
    assert (await system.events(other.job_id))[-1].kind == job_pb2.JobEvent.COMPLETED
    await assert_nothing_runs(system, cancelled)
    for job_id in (drained, aborted):
        paused = await system.job(job_id)
        assert paused.status == Job.PAUSED
        assert 1 <= paused.segments_completed < paused.segments_total
        await system.api.ResumeJob(v1.ResumeJobRequest(job_id=job_id))
        events = await system.events(job_id)
        assert events[-1].kind == job_pb2.JobEvent.COMPLETED
        completed = [e for e in events if e.kind == job_pb2.JobEvent.TASK_COMPLETED]
        assert len(completed) == paused.segments_total + 2, "each task ended once"


async def test_a_retry_makes_only_the_clips_that_a_cancel_left_unmade(
    system: System,
) -> None:
    await system.start()
    old = await system.create(
        seconds=140, width=128, height=128, frame_rate=6, max_in_flight=2
    )
    at_15 = await system.until(old.job_id, clips_made(15))
    total = at_15.job.segments_total
    assert total > 20
    await system.cancel(old.job_id, "the bridge is wrong")
    await eventually(lambda: stands(system, old.job_id, Job.CANCELLED))
    cancelled = await system.job(old.job_id)
    kept = cancelled.segments_completed
    assert 15 <= kept < total
    new = await system.api.RetryJob(v1.RetryJobRequest(job_id=old.job_id))
    assert new.segments_completed == kept
    events = await system.events(new.job_id)
    assert events[-1].kind == job_pb2.JobEvent.COMPLETED
    (calls,) = await system.query(CLIP, UUID(new.job_id))
    assert calls["count"] == total - kept
    assert await system.job(old.job_id) == cancelled
    reused = set(await system.clips(old.job_id))
    assert reused <= set(await system.clips(new.job_id))
