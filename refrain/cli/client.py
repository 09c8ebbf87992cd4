"""A client of the API: what the command line speaks, and other programs may."""

from __future__ import annotations

import asyncio
import time
from math import inf
from typing import TYPE_CHECKING, Self
from uuid import uuid4

import grpc.aio

from refrain.cli.calls import DEADLINE, FIRST_PAUSE, call, insist
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job
from refrain.v1.job_service_pb2_grpc import JobServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from refrain.v1.job_pb2 import JobEvent, Segment, Task

BULK_DEADLINE = 120.0
"""Seconds for one attempt to cancel 10,000 jobs."""
TRANSFER_DEADLINE = 600.0
"""Seconds for one attempt to send or to fetch a file."""
WAIT = 30.0
"""Seconds that one call waits for a job at most."""
PAGE = 1000
CHUNK = 256 * 1024
FINISHED = frozenset({Job.CANCELLED, Job.COMPLETED, Job.FAILED})

_OPTIONS = [
    # A batch of a thousand jobs may well be larger than the usual 4 MiB.
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]


class Client:
    """One gateway's API, each call with a deadline and repeated while UNAVAILABLE.

    Errors are grpc.aio.AioRpcError; `explain` puts them into words. Made and closed
    inside a running event loop, by `async with`.
    """

    def __init__(self, server: str) -> None:
        self.server = server
        self._channel = grpc.aio.insecure_channel(server, options=_OPTIONS)
        self._jobs = JobServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def create_job(self, request: v1.CreateJobRequest) -> Job:
        """Creates one job, however often the request has to be sent."""
        named = v1.CreateJobRequest(request_id=str(uuid4()))
        named.MergeFrom(request)
        return await call(self._jobs.CreateJob, named)

    async def preview_job(self, request: v1.CreateJobRequest) -> v1.PreviewJobResponse:
        """Returns how the song would be cut and what it would cost."""
        return await call(self._jobs.PreviewJob, request)

    async def get_job(self, job_id: str) -> Job:
        """Returns the job as it stands."""
        return await call(self._jobs.GetJob, v1.GetJobRequest(job_id=job_id))

    async def list_jobs(self, wanted: v1.JobFilter, limit: int) -> list[Job]:
        """Returns up to `limit` jobs, newest first."""
        jobs: list[Job] = []
        request = v1.ListJobsRequest(filter=wanted)
        while len(jobs) < limit:
            request.page_size = min(limit - len(jobs), PAGE)
            page = await call(self._jobs.ListJobs, request)
            jobs += page.jobs
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        return jobs

    async def cancel_job(self, job_id: str, reason: str = "") -> Job:
        """Returns the job CANCELLED, or CANCELLING as long as a task of it runs."""
        request = v1.CancelJobRequest(job_id=job_id, reason=reason)
        return await call(self._jobs.CancelJob, request)

    async def cancel_each(
        self, job_ids: Sequence[str], reason: str = ""
    ) -> list[v1.BatchCancelJobsResponse.Result]:
        """Returns what became of each job, in the order of the ids."""
        results: list[v1.BatchCancelJobsResponse.Result] = []
        for start in range(0, len(job_ids), PAGE):
            named = job_ids[start : start + PAGE]
            request = v1.BatchCancelJobsRequest(job_ids=named, reason=reason)
            results += (await call(self._jobs.BatchCancelJobs, request)).results
        return results

    async def cancel_matching(
        self, request: v1.CancelJobsRequest
    ) -> v1.CancelJobsResponse:
        """Cancels all jobs that match; a dry run only foresees it."""
        total = v1.CancelJobsResponse()
        while True:
            done = await call(self._jobs.CancelJobs, request, BULK_DEADLINE)
            total.cancelled += done.cancelled
            total.cancelling += done.cancelling
            total.remaining = done.remaining
            total.avoidable_usd += done.avoidable_usd
            total.in_flight_usd += done.in_flight_usd
            total.unstoppable_usd += done.unstoppable_usd
            total.sample.extend(done.sample[: 20 - len(total.sample)])
            if request.dry_run or not (done.remaining and done.sample):
                return total

    async def pause_job(
        self, job_id: str, mode: v1.PauseJobRequest.Mode.ValueType
    ) -> Job:
        """Returns the job PAUSED, or PAUSING as long as a task of it runs."""
        request = v1.PauseJobRequest(job_id=job_id, mode=mode)
        return await call(self._jobs.PauseJob, request)

    async def resume_job(self, job_id: str) -> Job:
        """Returns the job PENDING or PROCESSING."""
        return await call(self._jobs.ResumeJob, v1.ResumeJobRequest(job_id=job_id))

    async def retry_job(self, job_id: str, request_id: str = "") -> Job:
        """Creates one job, however often the request has to be sent."""
        named = request_id or str(uuid4())
        request = v1.RetryJobRequest(job_id=job_id, request_id=named)
        return await call(self._jobs.RetryJob, request)

    async def delete_job(self, job_id: str) -> None:
        """Deletes a finished job and its files."""
        await call(self._jobs.DeleteJob, v1.DeleteJobRequest(job_id=job_id))

    async def wait_job(self, job_id: str, seconds: float = inf) -> Job:
        """Returns the job once it is finished, or as it stands after the seconds."""
        end = time.monotonic() + seconds
        request = v1.WaitJobRequest(job_id=job_id)
        while True:
            left = max(end - time.monotonic(), 0)
            request.timeout.FromMilliseconds(round(min(left, WAIT) * 1000))
            job = await call(self._jobs.WaitJob, request, WAIT + DEADLINE)
            if job.status in FINISHED or left <= WAIT:
                return job

    async def list_segments(self, job_id: str) -> list[Segment]:
        """Returns the segments in the order of the song."""
        request = v1.ListSegmentsRequest(job_id=job_id)
        return list((await call(self._jobs.ListSegments, request)).segments)

    async def list_tasks(self, job_id: str) -> list[Task]:
        """Returns the plan, then the segments, then the stitch."""
        request = v1.ListTasksRequest(job_id=job_id)
        return list((await call(self._jobs.ListTasks, request)).tasks)

    async def list_events(self, job_id: str) -> list[JobEvent]:
        """Returns all that has happened to the job, oldest first."""
        events: list[JobEvent] = []
        request = v1.ListJobEventsRequest(job_id=job_id, page_size=PAGE)
        while True:
            page = await call(self._jobs.ListJobEvents, request)
            events += page.events
            request.page_token = page.next_page_token
            if not page.next_page_token:
                return events

    async def watch(
        self, job_id: str, after: int | None = None
    ) -> AsyncGenerator[JobEvent]:
        """Yields what happens to the job, up to its end: nothing twice, no gap.

        It begins with a snapshot, or with what follows the sequence `after`. A stream
        that breaks is taken up again once the gateway answers.
        """
        request = v1.WatchJobRequest(job_id=job_id, after_sequence=after)
        while True:
            stream = self._jobs.WatchJob(request)
            try:
                async for event in stream:
                    request.after_sequence = event.sequence
                    yield event
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                return
            finally:
                stream.cancel()
            await asyncio.sleep(FIRST_PAUSE)
            await self.get_job(job_id)

    async def upload_audio(self, path: Path) -> str:
        """Sends the file and returns its URI for CreateJobRequest.audio_uri."""
        with path.open("rb") as file:
            stored = await insist(
                lambda: self._jobs.UploadAudio(_parts(file), timeout=TRANSFER_DEADLINE)
            )
        return stored.audio_uri

    async def download(self, uri: str, path: Path) -> None:
        """Writes the artifact to `path`, which appears when it is whole."""
        part = path.with_name(f"{path.name}.part")
        try:
            await insist(lambda: self._fetch(uri, part))
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)

    async def _fetch(self, uri: str, path: Path) -> None:
        request = v1.DownloadArtifactRequest(uri=uri)
        with path.open("wb") as file:
            async for part in self._jobs.DownloadArtifact(
                request, timeout=TRANSFER_DEADLINE
            ):
                file.write(part.chunk)


def _parts(file: BinaryIO) -> Iterator[v1.UploadAudioRequest]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield v1.UploadAudioRequest(chunk=chunk)
