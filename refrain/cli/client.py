"""A client of the API: what the command line speaks, and other programs may."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Self, TypeVar
from uuid import uuid4

import grpc.aio

from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job
from refrain.v1.job_service_pb2_grpc import JobServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from refrain.v1.job_pb2 import JobEvent, Segment, Task

Answer = TypeVar("Answer")

DEADLINE = 10.0
"""Seconds for one attempt of a call."""
TRANSFER_DEADLINE = 600.0
"""Seconds for one attempt to send or to fetch a file."""
RETRY_FOR = 10.0
"""Seconds for which a call that is answered UNAVAILABLE is repeated."""
FIRST_PAUSE, LAST_PAUSE = 0.1, 1.0
"""Seconds between attempts, doubled from one to the next."""
CHUNK = 256 * 1024
FINISHED = frozenset({Job.CANCELLED, Job.COMPLETED, Job.FAILED})

_OPTIONS = [
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
        return await _insist(lambda: self._jobs.CreateJob(named, timeout=DEADLINE))

    async def get_job(self, job_id: str) -> Job:
        """Returns the job as it stands."""
        request = v1.GetJobRequest(job_id=job_id)
        return await _insist(lambda: self._jobs.GetJob(request, timeout=DEADLINE))

    async def list_jobs(self, wanted: v1.JobFilter, limit: int) -> list[Job]:
        """Returns up to `limit` jobs, newest first."""
        jobs: list[Job] = []
        request = v1.ListJobsRequest(filter=wanted)
        while len(jobs) < limit:
            request.page_size = min(limit - len(jobs), 1000)
            page = await _insist(lambda: self._jobs.ListJobs(request, timeout=DEADLINE))
            jobs += page.jobs
            request.page_token = page.next_page_token
            if not page.next_page_token:
                break
        return jobs

    async def cancel_job(self, job_id: str, reason: str = "") -> Job:
        """Returns the job CANCELLED, or CANCELLING as long as a task of it runs."""
        request = v1.CancelJobRequest(job_id=job_id, reason=reason)
        return await _insist(lambda: self._jobs.CancelJob(request, timeout=DEADLINE))

    async def list_segments(self, job_id: str) -> list[Segment]:
        """Returns the segments in the order of the song."""
        request = v1.ListSegmentsRequest(job_id=job_id)
        listed = await _insist(
            lambda: self._jobs.ListSegments(request, timeout=DEADLINE)
        )
        return list(listed.segments)

    async def list_tasks(self, job_id: str) -> list[Task]:
        """Returns the plan, then the segments, then the stitch."""
        request = v1.ListTasksRequest(job_id=job_id)
        listed = await _insist(lambda: self._jobs.ListTasks(request, timeout=DEADLINE))
        return list(listed.tasks)

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
            stored = await _insist(
                lambda: self._jobs.UploadAudio(_parts(file), timeout=TRANSFER_DEADLINE)
            )
        return stored.audio_uri

    async def download(self, uri: str, path: Path) -> None:
        """Writes the artifact to `path`, which appears when it is whole."""
        part = path.with_name(f"{path.name}.part")
        try:
            await _insist(lambda: self._fetch(uri, part))
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


def explain(error: grpc.aio.AioRpcError, server: str) -> str:
    """Returns in one line what went wrong, and what to do about it."""
    answered = "grpc-status-details-bin" in dict(error.trailing_metadata() or ())
    if error.code() is grpc.StatusCode.UNAVAILABLE and not answered:
        hint = "start it with `refrain up`, or name another with --server"
        return f"nothing answers at {server}; {hint}"
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"no answer from {server} in time; try again"
    return " ".join((error.details() or error.code().name).split())


async def _insist(attempt: Callable[[], Awaitable[Answer]]) -> Answer:
    give_up = time.monotonic() + RETRY_FOR
    pause = FIRST_PAUSE
    while True:
        try:
            return await attempt()
        except grpc.aio.AioRpcError as error:
            late = time.monotonic() + pause > give_up
            if late or error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        await asyncio.sleep(pause)
        pause = min(2 * pause, LAST_PAUSE)


def _parts(file: BinaryIO) -> Iterator[v1.UploadAudioRequest]:
    file.seek(0)
    while chunk := file.read(CHUNK):
        yield v1.UploadAudioRequest(chunk=chunk)
