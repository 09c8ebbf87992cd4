"""JobService over gRPC; protos/refrain/v1/job_service.proto is its manual."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from refrain import VERSION
from refrain.artifacts import uri_of
from refrain.errors import InvalidRequest
from refrain.job import Status
from refrain.store import JobFilter
from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from services.gateway.later import LaterRpcs
from services.gateway.messages import (
    event_message,
    job_message,
    segment_message,
    snapshot_message,
    task_message,
)
from services.gateway.request import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from datetime import datetime

    from services.gateway.audio import AudioUploads
    from services.gateway.jobs import Jobs

OWNER = "local"
"""Who every caller is until there is authentication."""


class JobService(LaterRpcs):
    """Reads requests, asks Jobs, writes answers."""

    def __init__(self, jobs: Jobs, uploads: AudioUploads) -> None:
        self._jobs = jobs
        self._uploads = uploads

    async def CreateJob(
        self, request: v1.CreateJobRequest, context: object
    ) -> job_pb2.Job:
        return job_message(await self._jobs.create(request, OWNER))

    async def GetJob(self, request: v1.GetJobRequest, context: object) -> job_pb2.Job:
        return job_message(await self._jobs.get(request.job_id, OWNER))

    async def ListJobs(
        self, request: v1.ListJobsRequest, context: object
    ) -> v1.ListJobsResponse:
        jobs, token = await self._jobs.list(
            OWNER, _filter(request.filter), request.page_size, request.page_token
        )
        return v1.ListJobsResponse(jobs=map(job_message, jobs), next_page_token=token)

    async def CancelJob(
        self, request: v1.CancelJobRequest, context: object
    ) -> job_pb2.Job:
        return job_message(
            await self._jobs.cancel(request.job_id, OWNER, request.reason)
        )

    async def WatchJob(
        self, request: v1.WatchJobRequest, context: object
    ) -> AsyncGenerator[job_pb2.JobEvent]:
        job = await self._jobs.get(request.job_id, OWNER)
        after = request.after_sequence
        if not request.HasField("after_sequence"):
            yield snapshot_message(job)
            after = job.event_sequence
        async for event in self._jobs.watch(job, after):
            yield event_message(event)

    async def ListSegments(
        self, request: v1.ListSegmentsRequest, context: object
    ) -> v1.ListSegmentsResponse:
        segments = await self._jobs.segments(request.job_id, OWNER)
        return v1.ListSegmentsResponse(segments=map(segment_message, segments))

    async def ListTasks(
        self, request: v1.ListTasksRequest, context: object
    ) -> v1.ListTasksResponse:
        tasks = await self._jobs.tasks(request.job_id, OWNER)
        return v1.ListTasksResponse(tasks=map(task_message, tasks))

    async def DownloadArtifact(
        self, request: v1.DownloadArtifactRequest, context: object
    ) -> AsyncGenerator[v1.DownloadArtifactResponse]:
        async for chunk in self._jobs.open_artifact(request.uri, OWNER):
            yield v1.DownloadArtifactResponse(chunk=chunk)

    async def UploadAudio(
        self, request_iterator: AsyncIterator[v1.UploadAudioRequest], context: object
    ) -> v1.UploadAudioResponse:
        upload = await self._uploads.receive(
            OWNER, (part.chunk async for part in request_iterator)
        )
        duration = Duration()
        duration.FromTimedelta(upload.duration)
        return v1.UploadAudioResponse(
            audio_uri=uri_of(f"uploads/{upload.sha256}"),
            duration=duration,
            size_bytes=upload.size_bytes,
        )

    async def GetServerInfo(
        self, request: v1.GetServerInfoRequest, context: object
    ) -> v1.GetServerInfoResponse:
        return v1.GetServerInfoResponse(
            version=VERSION,
            storyboard_providers=PROVIDERS,
            image_providers=PROVIDERS,
            clip_providers=PROVIDERS,
        )


def _filter(wanted: v1.JobFilter) -> JobFilter:
    names = job_pb2.Job.Status
    try:
        statuses = [Status[names.Name(status)] for status in wanted.statuses]
    except (KeyError, ValueError) as err:
        why = "must each be a status of refrain.v1.Job.Status"
        raise InvalidRequest({"filter.statuses": why}) from err
    if "\0" in wanted.text:
        raise InvalidRequest({"filter.text": "must not hold NUL bytes"})
    return JobFilter(
        statuses=statuses or None,
        text=wanted.text or None,
        created_from=_time(wanted, "create_time_from"),
        created_to=_time(wanted, "create_time_to"),
    )


def _time(wanted: v1.JobFilter, name: str) -> datetime | None:
    if not wanted.HasField(name):  # pyright: ignore[reportArgumentType]
        return None
    try:
        return getattr(wanted, name).ToDatetime(UTC)
    except (ValueError, OverflowError) as err:
        why = "must be a time from the year 1 to 9999"
        raise InvalidRequest({f"filter.{name}": why}) from err
