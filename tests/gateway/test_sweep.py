"""The sweep ends what no one is at work on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import grpc

from refrain.job import Cause, EventKind, Status, StopMode
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_service_pb2_grpc import JobServiceStub
from services.gateway.sweep import FileSweep, Sweep
from tests.eventually import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record


async def test_a_job_past_its_deadline_is_cancelled(gateway: Gateway) -> None:
    request = v1.CreateJobRequest(title="A song", lyrics="One line")
    request.cancel_after.FromMilliseconds(1)
    async with grpc.aio.insecure_channel(gateway.grpc_address) as channel:
        api: JobServiceAsyncStub = JobServiceStub(channel)
        job = await api.CreateJob(request)
        events = [
            event.job
            async for event in api.WatchJob(
                v1.WatchJobRequest(job_id=job.job_id), timeout=20
            )
        ]
    assert events[-1].message == "Job cancelled: deadline passed"
    assert events[-1].cancellation.requested_by == "sweep"


async def test_the_tasks_of_a_dead_worker_are_taken_back(
    gateway: Gateway, record: Record, tmp_path: Path
) -> None:
    to = gateway.connections
    job = await record.create()
    worker = await record.register()
    task = await record.claim(worker)
    leftover = tmp_path / "artifacts" / task.folder / "half.mp4"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    cancelling = await record.cancel(job)
    assert cancelling.status is Status.CANCELLING
    await to.workers.retire_worker(worker)
    await Sweep(to).sweep()
    await eventually(lambda: record.stands(job, Status.CANCELLED))
    (ended,) = await to.jobs.list_tasks(job.job_id)
    assert ended.stop_mode is StopMode.LEASE_EXPIRED
    assert not leftover.exists()
    events = await to.jobs.list_events(job.job_id, after=0, page_size=100)
    assert events[-1].kind is EventKind.CANCELLED
    assert (await to.jobs.get_job(job.job_id, job.owner)).cancel_cause is Cause.USER


async def test_files_that_no_row_names_are_deleted_when_they_are_old(
    gateway: Gateway, tmp_path: Path, record: Record
) -> None:
    job = await record.create()
    orphan = tmp_path / "artifacts" / f"jobs/{job.job_id}/video/1/video.mp4"
    orphan.parent.mkdir(parents=True)
    orphan.write_bytes(b"whole")
    files = FileSweep(gateway.connections)
    await files.sweep(timedelta(hours=1))
    assert orphan.exists()
    await files.sweep(timedelta(0))
    assert not orphan.exists()
