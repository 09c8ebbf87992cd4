"""JobService over gRPC; protos/refrain/v1/job_service.proto is its manual."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2

from refrain import VERSION
from refrain.artifacts import uri_of
from refrain.errors import InvalidRequest, RefrainError
from refrain.job import PauseMode
from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_service_pb2_grpc import JobServiceServicer
from services.gateway.fields import (
    read_cancel_filter,
    read_filter,
    read_reason,
    read_timeout,
)
from services.gateway.interceptor import status_of
from services.gateway.messages import (
    event_message,
    job_message,
    preview_message,
    segment_message,
    snapshot_message,
    task_message,
)
from services.gateway.paging import (
    cut_page,
    read_event_token,
    read_job_token,
    read_page_size,
    token_after_event,
    token_after_job,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from refrain.job import Job
    from refrain.providers import ProviderSettings
    from services.gateway.audio import AudioUploads
    from services.gateway.bulk import BulkCancel
    from services.gateway.jobs import Jobs

OWNER = "local"
"""Who every caller is until there is authentication."""

_PAUSE_MODES = {
    v1.PauseJobRequest.MODE_UNSPECIFIED: PauseMode.DRAIN,
    v1.PauseJobRequest.DRAIN: PauseMode.DRAIN,
    v1.PauseJobRequest.ABORT: PauseMode.ABORT,
}


class JobService(JobServiceServicer):
    """Reads requests, asks Jobs, writes answers."""

    def __init__(
        self,
        jobs: Jobs,
        bulk: BulkCancel,
        uploads: AudioUploads,
        providers: ProviderSettings,
    ) -> None:
        self._providers = providers
        self._jobs = jobs
        self._bulk = bulk
        self._uploads = uploads

    async def CreateJob(
        self, request: v1.CreateJobRequest, context: object
    ) -> job_pb2.Job:
        return job_message(await self._jobs.create(request, OWNER))

    async def PreviewJob(
        self, request: v1.CreateJobRequest, context: object
    ) -> v1.PreviewJobResponse:
        foreseen = await self._jobs.preview(request, OWNER)
        # Tens of thousands of short lines may sound at once.
        return await asyncio.to_thread(preview_message, foreseen)

    async def GetJob(self, request: v1.GetJobRequest, context: object) -> job_pb2.Job:
        return job_message(await self._jobs.get(request.job_id, OWNER))

    async def ListJobs(
        self, request: v1.ListJobsRequest, context: object
    ) -> v1.ListJobsResponse:
        page_size = read_page_size(request.page_size, default=50)
        before = read_job_token(request.page_token)
        jobs = read_filter(request.filter)
        found = await self._jobs.list(OWNER, jobs, page_size + 1, before)
        page, more = cut_page(map(job_message, found), page_size)
        token = token_after_job(found[len(page) - 1].job_id) if more else ""
        return v1.ListJobsResponse(jobs=page, next_page_token=token)

    async def CancelJob(
        self, request: v1.CancelJobRequest, context: object
    ) -> job_pb2.Job:
        return job_message(
            await self._jobs.cancel(request.job_id, OWNER, request.reason)
        )

    async def BatchCancelJobs(
        self, request: v1.BatchCancelJobsRequest, context: object
    ) -> v1.BatchCancelJobsResponse:
        answers = await self._bulk.by_ids(request.job_ids, OWNER, request.reason)
        return v1.BatchCancelJobsResponse(
            results=map(_result, request.job_ids, answers)
        )

    async def CancelJobs(
        self, request: v1.CancelJobsRequest, context: object
    ) -> v1.CancelJobsResponse:
        jobs = read_cancel_filter(request)
        read_reason(request.reason)
        if request.dry_run:
            cancelled = await self._bulk.preview(OWNER, jobs)
        else:
            cancelled = await self._bulk.by_filter(OWNER, jobs, request.reason)
        return v1.CancelJobsResponse(
            cancelled=cancelled.at_once,
            cancelling=cancelled.stopping,
            remaining=cancelled.remaining,
            sample=map(job_message, cancelled.sample),
            avoidable_usd=float(cancelled.avoidable_usd),
            in_flight_usd=float(cancelled.in_flight_usd),
            unstoppable_usd=float(cancelled.unstoppable_usd),
        )

    async def PauseJob(
        self, request: v1.PauseJobRequest, context: object
    ) -> job_pb2.Job:
        mode = _PAUSE_MODES.get(request.mode)
        if mode is None:
            raise InvalidRequest({"mode": "must be DRAIN or ABORT, or be left unset"})
        return job_message(await self._jobs.pause(request.job_id, OWNER, mode))

    async def ResumeJob(
        self, request: v1.ResumeJobRequest, context: object
    ) -> job_pb2.Job:
        return job_message(await self._jobs.resume(request.job_id, OWNER))

    async def RetryJob(
        self, request: v1.RetryJobRequest, context: object
    ) -> job_pb2.Job:
        return job_message(
            await self._jobs.retry(request.job_id, OWNER, request.request_id)
        )

    async def WatchJob(
        self, request: v1.WatchJobRequest, context: object
    ) -> AsyncGenerator[job_pb2.JobEvent]:
        job = await self._jobs.get(request.job_id, OWNER)
        after = request.after_sequence
        if not request.HasField("after_sequence"):
            yield snapshot_message(job)
            after = job.event_sequence
        async with aclosing(self._jobs.watch(job, after)) as events:
            async for event in events:
                yield event

    async def WaitJob(self, request: v1.WaitJobRequest, context: object) -> job_pb2.Job:
        timeout = read_timeout(request)
        return job_message(await self._jobs.wait(request.job_id, OWNER, timeout))

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

    async def ListJobEvents(
        self, request: v1.ListJobEventsRequest, context: object
    ) -> v1.ListJobEventsResponse:
        page_size = read_page_size(request.page_size, default=100)
        after = read_event_token(request.page_token)
        found = await self._jobs.events(request.job_id, OWNER, page_size + 1, after)
        page, more = cut_page(map(event_message, found), page_size)
        token = token_after_event(page[-1]) if more else ""
        return v1.ListJobEventsResponse(events=page, next_page_token=token)

    async def DeleteJob(
        self, request: v1.DeleteJobRequest, context: object
    ) -> v1.DeleteJobResponse:
        await self._jobs.delete(request.job_id, OWNER)
        return v1.DeleteJobResponse()

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
            storyboard_providers=self._providers.storyboard_providers,
            image_providers=self._providers.image_providers,
            clip_providers=self._providers.clip_providers,
            lyrics_lookup=self._providers.looks_up_lyrics,
        )


def _result(
    job_id: str, answer: Job | RefrainError
) -> v1.BatchCancelJobsResponse.Result:
    if isinstance(answer, RefrainError):
        return v1.BatchCancelJobsResponse.Result(
            job_id=job_id, status=status_of(answer)
        )
    return v1.BatchCancelJobsResponse.Result(
        job_id=job_id, status=status_pb2.Status(), job=job_message(answer)
    )
