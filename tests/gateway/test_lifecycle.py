"""Pause, resume, retry, delete: what each answers wherever the job stands."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from refrain.job import Job, PauseMode
from refrain.outcome import Aborted, ClipMade
from refrain.reuse import input_digest
from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.stop_event_pb2 import StopEvent
from tests.gateway.answers import reason, refusal, violations
from tests.gateway.conftest import OWNER
from tests.refrain.record import FAILED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from refrain.job import Task
    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record

ACTOR = "user:local"


class Stand:
    """Makes a job stand where it is wanted."""

    def __init__(self, record: Record) -> None:
        self._record = record

    async def at(self, where: str) -> Job:
        """Returns the only job of the record, as it stands now."""
        await self._record.read("DELETE FROM jobs")
        job: Job = await getattr(self, f"_{where}")()
        return await self._record.job(job.job_id)

    async def _pending(self) -> Job:
        return await self._record.create(owner=OWNER)

    async def _running(self) -> Job:
        job = await self._pending()
        await self._claim()
        return job

    async def _between_tasks(self) -> Job:
        return await self._record.at_segments(await self._worker(), owner=OWNER)

    async def _pausing(self) -> Job:
        return await self._pause(await self._running())

    async def _paused(self) -> Job:
        return await self._pause(await self._pending())

    async def _cancelling(self) -> Job:
        return await self._cancel(await self._running())

    async def _cancelled(self) -> Job:
        return await self._cancel(await self._pending())

    async def _failing(self) -> Job:
        job = await self._between_tasks()
        task, _ = await self._claim(), await self._claim()
        await self._record.settle(task, FAILED)
        return job

    async def _failed(self) -> Job:
        job = await self._pending()
        await self._record.settle(await self._claim(), FAILED)
        return job

    async def _completed(self) -> Job:
        job = await self._record.at_stitch(await self._worker(), owner=OWNER)
        await self._record.settle(await self._claim())
        return job

    async def _worker(self) -> Any:
        return await self._record.register()

    async def _claim(self) -> Task:
        return await self._record.claim(await self._worker())

    async def _pause(self, job: Job) -> Job:
        change = await self._record.jobs.pause_job(
            job.job_id, OWNER, PauseMode.DRAIN, actor=ACTOR
        )
        return change.job

    async def _cancel(self, job: Job) -> Job:
        change = await self._record.jobs.cancel_job(
            job.job_id, OWNER, requested_by=ACTOR, reason=""
        )
        return change.job


STANDS = [
    "pending",
    "running",
    "between_tasks",
    "pausing",
    "paused",
    "cancelling",
    "cancelled",
    "failing",
    "failed",
    "completed",
]
ANSWERS: dict[str, dict[str, str]] = {
    "cancel": {
        "pending": "CANCELLED",
        "running": "CANCELLING",
        "between_tasks": "CANCELLED",
        "pausing": "CANCELLING",
        "paused": "CANCELLED",
        "cancelling": "CANCELLING",
        "cancelled": "CANCELLED",
        "failing": "CANCELLING",
    },
    "pause": {
        "pending": "PAUSED",
        "running": "PAUSING",
        "between_tasks": "PAUSED",
        "pausing": "PAUSING",
        "paused": "PAUSED",
    },
    "resume": {
        "pending": "PENDING",
        "running": "PROCESSING",
        "between_tasks": "PROCESSING",
        "pausing": "PROCESSING",
        "paused": "PENDING",
    },
    "retry": {"cancelled": "PENDING", "failed": "PENDING"},
    "delete": {"cancelled": "", "failed": "", "completed": ""},
}


def call(api: JobServiceAsyncStub, verb: str, job: Job) -> Awaitable[Any]:
    calls: dict[str, Callable[[str], Awaitable[Any]]] = {
        "cancel": lambda it: api.CancelJob(v1.CancelJobRequest(job_id=it)),
        "pause": lambda it: api.PauseJob(v1.PauseJobRequest(job_id=it)),
        "resume": lambda it: api.ResumeJob(v1.ResumeJobRequest(job_id=it)),
        "retry": lambda it: api.RetryJob(v1.RetryJobRequest(job_id=it)),
        "delete": lambda it: api.DeleteJob(v1.DeleteJobRequest(job_id=it)),
    }
    return calls[verb](str(job.job_id))


@pytest.mark.parametrize("verb", ANSWERS)
async def test_each_call_has_its_answer_wherever_the_job_stands(
    api: JobServiceAsyncStub, record: Record, verb: str
) -> None:
    stand = Stand(record)
    for where in STANDS:
        job = await stand.at(where)
        if where in ANSWERS[verb]:
            answer = await call(api, verb, job)
            if verb != "delete":
                named = job_pb2.Job.Status.Name(answer.status)
                assert (where, named) == (where, ANSWERS[verb][where])
            continue
        error = await refusal(call(api, verb, job))
        assert (where, error.code()) == (where, grpc.StatusCode.FAILED_PRECONDITION)
        assert (error.details() or "").startswith(f"Cannot {verb} job with status: ")
        assert reason(error).startswith("JOB_NOT_")
        assert await record.job(job.job_id) == job


async def test_a_pause_and_its_end_are_idempotent(
    api: JobServiceAsyncStub, pending: Job
) -> None:
    job_id = str(pending.job_id)
    paused = await api.PauseJob(v1.PauseJobRequest(job_id=job_id))
    assert await api.PauseJob(v1.PauseJobRequest(job_id=job_id)) == paused
    resumed = await api.ResumeJob(v1.ResumeJobRequest(job_id=job_id))
    assert await api.ResumeJob(v1.ResumeJobRequest(job_id=job_id)) == resumed
    odd = v1.PauseJobRequest(job_id=job_id)
    odd.mode = 7  # pyright: ignore[reportAttributeAccessIssue]
    assert "DRAIN or ABORT" in violations(await refusal(api.PauseJob(odd)))["mode"]


async def test_only_a_pause_that_aborts_tells_the_workers(
    api: JobServiceAsyncStub, gateway: Gateway, record: Record
) -> None:
    heard: list[StopEvent] = []
    await gateway.connections.bus.on_stop(heard.append)
    job = await Stand(record).at("running")
    pause = v1.PauseJobRequest(job_id=str(job.job_id), mode=v1.PauseJobRequest.DRAIN)
    await api.PauseJob(pause)
    assert heard == []
    pause.mode = v1.PauseJobRequest.ABORT
    await api.PauseJob(pause)
    (event,) = heard
    assert event.kind == StopEvent.PAUSE
    assert [stop.job_id for stop in event.stops] == [str(job.job_id)]


async def test_one_request_id_makes_one_retry(
    api: JobServiceAsyncStub, record: Record
) -> None:
    old = await Stand(record).at("failed")
    retry = v1.RetryJobRequest(job_id=str(old.job_id), request_id="again")
    new = await api.RetryJob(retry)
    assert await api.RetryJob(retry) == new
    assert new.retried_from == str(old.job_id)
    assert new.job_id != new.retried_from
    other = await record.create(owner=OWNER)
    await api.CancelJob(v1.CancelJobRequest(job_id=str(other.job_id)))
    retry.job_id = str(other.job_id)
    error = await refusal(api.RetryJob(retry))
    assert error.code() == grpc.StatusCode.ALREADY_EXISTS
    assert reason(error) == "REQUEST_ID_TAKEN"
    retry.request_id = "r" * 129
    assert "128" in violations(await refusal(api.RetryJob(retry)))["request_id"]


async def test_a_deleted_job_takes_its_files_along_but_not_those_that_its_retry_took(
    api: JobServiceAsyncStub, gateway: Gateway, record: Record, tmp_path: Path
) -> None:
    worker = await record.register()
    old = await record.at_segments(worker, owner=OWNER)
    made, dropped = await record.claim(worker), await record.claim(worker)
    clip = await _make_clip(gateway, record, made, tmp_path)
    await _put(gateway, f"{dropped.folder}/image.jpg", tmp_path)
    await api.CancelJob(v1.CancelJobRequest(job_id=str(old.job_id)))
    await record.settle(dropped, Aborted())
    new = await api.RetryJob(v1.RetryJobRequest(job_id=str(old.job_id)))
    assert (new.segments_completed, new.segments_total) == (1, 2)
    # The store's clock may be ahead of ours.
    tomorrow = time.time() + 24 * 3600
    for path in (tmp_path / "artifacts" / made.folder).iterdir():
        os.utime(path, (tomorrow, tomorrow))

    await api.DeleteJob(v1.DeleteJobRequest(job_id=str(old.job_id)))
    error = await refusal(api.GetJob(v1.GetJobRequest(job_id=str(old.job_id))))
    assert error.code() == grpc.StatusCode.NOT_FOUND
    folder = tmp_path / "artifacts" / "jobs" / str(old.job_id)
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {"image.jpg", "clip.mp4"}
    assert not (tmp_path / "artifacts" / dropped.folder / "image.jpg").exists()
    download = api.DownloadArtifact(v1.DownloadArtifactRequest(uri=clip))
    assert b"".join([part.chunk async for part in download]) == b"made"

    await api.CancelJob(v1.CancelJobRequest(job_id=new.job_id))
    await _put(gateway, f"jobs/{new.job_id}/video/1/video.mp4", tmp_path)
    await api.DeleteJob(v1.DeleteJobRequest(job_id=new.job_id))
    assert not (tmp_path / "artifacts" / "jobs" / new.job_id).exists()


async def _make_clip(gateway: Gateway, record: Record, task: Task, folder: Path) -> str:
    """Settles the segment with files that a retry would make just so again."""
    request = await record.tasks.get_request(task.job_id)
    segment = await record.tasks.get_segment(task)
    image, clip = [
        await _put(gateway, f"{task.folder}/{name}", folder)
        for name in ("image.jpg", "clip.mp4")
    ]
    digest = input_digest(request, segment)
    await record.settle(
        task, ClipMade(image_uri=image, clip_uri=clip, input_digest=digest)
    )
    return clip


async def _put(gateway: Gateway, key: str, folder: Path) -> str:
    made = folder / "made"
    made.write_bytes(b"made")
    return await gateway.connections.artifacts.put(key, made)
