"""What a client may ask of jobs, for gRPC and for the page alike."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING

from refrain.artifacts import key_of
from refrain.cancellation import shielded
from refrain.errors import ArtifactNotFound, SequenceOutOfRange
from services.gateway.deletion import delete_job
from services.gateway.fields import read_job_id, read_reason, read_request_id
from services.gateway.preview import preview_of
from services.gateway.request import check_request, new_job

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine, Sequence
    from typing import Any
    from uuid import UUID

    from refrain.job import Job, PauseMode, SegmentState, Task
    from refrain.media import MediaPool
    from refrain.service import Connections
    from refrain.store import Change, JobEvent, JobFilter
    from refrain.v1 import job_pb2
    from refrain.v1.job_service_pb2 import CreateJobRequest
    from services.gateway.audio import AudioUploads
    from services.gateway.feed import Feed
    from services.gateway.preview import Preview

SHORT_LYRICS = 20_000
"""Characters that are read within milliseconds."""
CREATES = 3
"""Jobs that are created at the same time: a cancel overtakes those that wait."""


class Jobs:
    """The jobs of all owners, each call in the name of one.

    All that take a job id raise InvalidRequest for a malformed one, and JobNotFound.
    """

    def __init__(
        self,
        to: Connections,
        feed: Feed,
        uploads: AudioUploads,
        media: MediaPool,
    ) -> None:
        self._to = to
        self._feed = feed
        self._uploads = uploads
        self._media = media
        self._creating = asyncio.Semaphore(CREATES)

    async def create(self, request: CreateJobRequest, owner: str) -> Job:
        """Raises InvalidRequest, RequestIdTaken."""
        async with self._creating:
            new = new_job(request, await self._check(request, owner), owner)
            return await self._commit(self._to.jobs.create_job(new))

    async def preview(self, request: CreateJobRequest, owner: str) -> Preview:
        """Returns what the job would begin with; raises InvalidRequest as create."""
        async with self._creating:
            checked = await self._check(request, owner)
        return await preview_of(checked, self._media, self._to.settings.providers)

    async def get(self, job_id: str, owner: str) -> Job:
        """Returns the job as it stands."""
        return await self._to.jobs.get_job(read_job_id(job_id), owner)

    async def list(
        self, owner: str, jobs: JobFilter, page_size: int, before: UUID | None = None
    ) -> list[Job]:
        """Returns up to page_size jobs older than `before`, newest first."""
        return await self._to.jobs.list_jobs(
            owner, jobs, before=before, page_size=page_size
        )

    async def versions(
        self, owner: str, jobs: JobFilter, page_size: int, before: UUID | None = None
    ) -> dict[str, int]:
        """Returns by id the version of each job that `list` returns, in its order.

        A job that has the same version at two times was the same at both.
        """
        return await self._to.jobs.list_job_versions(
            owner, jobs, before=before, page_size=page_size
        )

    async def versioned(
        self, job_ids: Sequence[str], owner: str
    ) -> Sequence[tuple[Job, int]]:
        """Returns those of the jobs that there are, with their versions."""
        return await self._to.jobs.get_jobs(list(map(read_job_id, job_ids)), owner)

    async def cancel(self, job_id: str, owner: str, reason: str) -> Job:
        """Raises WrongStatus for COMPLETED and FAILED jobs."""
        return await self._commit(
            self._to.jobs.cancel_job(
                read_job_id(job_id),
                owner,
                requested_by=f"user:{owner}",
                reason=read_reason(reason),
            )
        )

    async def pause(self, job_id: str, owner: str, mode: PauseMode) -> Job:
        """Raises WrongStatus for stopping and finished jobs."""
        return await self._commit(
            self._to.jobs.pause_job(
                read_job_id(job_id), owner, mode, actor=f"user:{owner}"
            )
        )

    async def resume(self, job_id: str, owner: str) -> Job:
        """Raises WrongStatus for stopping and finished jobs."""
        return await self._commit(
            self._to.jobs.resume_job(read_job_id(job_id), owner, actor=f"user:{owner}")
        )

    async def retry(self, job_id: str, owner: str, request_id: str) -> Job:
        """Raises RequestIdTaken, and WrongStatus unless CANCELLED or FAILED."""
        return await self._commit(
            self._to.jobs.retry_job(
                read_job_id(job_id), owner, request_id=read_request_id(request_id)
            )
        )

    async def delete(self, job_id: str, owner: str) -> None:
        """Raises WrongStatus for a job that is not finished."""
        await shielded(delete_job(self._to, read_job_id(job_id), owner))

    async def segments(self, job_id: str, owner: str) -> list[SegmentState]:
        """Returns the segments, and how they stand, in the order of the song."""
        job = await self.get(job_id, owner)
        return await self._to.jobs.list_segments(job.job_id)

    async def tasks(self, job_id: str, owner: str) -> list[Task]:
        """Returns the plan, then the segments, then the stitch."""
        job = await self.get(job_id, owner)
        return await self._to.jobs.list_tasks(job.job_id)

    async def events(
        self, job_id: str, owner: str, page_size: int, after: int
    ) -> list[JobEvent]:
        """Returns up to page_size events that follow `after`, oldest first."""
        job = await self.get(job_id, owner)
        return await self._to.jobs.list_events(
            job.job_id, after=after, page_size=page_size
        )

    async def watch(self, job: Job, after: int) -> AsyncGenerator[job_pb2.JobEvent]:
        """Yields the job's events after the sequence, up to the last one.

        Raises SequenceOutOfRange for a sequence that the job has not reached.
        """
        if not 0 <= after <= job.event_sequence:
            raise SequenceOutOfRange(after, job.event_sequence)
        if job.finished and after == job.event_sequence:
            return
        async with aclosing(self._feed.watch(job, after)) as events:
            async for event in events:
                yield event

    async def wait(self, job_id: str, owner: str, seconds: float | None) -> Job:
        """Returns the job once it is finished, or after so many seconds."""
        job = await self.get(job_id, owner)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in self.watch(job, job.event_sequence):
                    pass
        return await self.get(job_id, owner)

    async def artifact_size(self, uri: str, owner: str) -> int:
        """Returns the bytes of what open_artifact opens; raises what it raises."""
        if "\0" in uri or not await self._may_read(uri, owner):
            raise ArtifactNotFound(uri)
        return await self._to.artifacts.size(uri)

    async def open_artifact(
        self, uri: str, owner: str, part: range | None = None
    ) -> AsyncGenerator[bytes]:
        """Yields the bytes of what a job of the owner names, or its own upload.

        Raises ArtifactNotFound for everything else. `part` holds the offsets of the
        bytes that are wanted; None means all.
        """
        if "\0" in uri or not await self._may_read(uri, owner):
            raise ArtifactNotFound(uri)
        async for chunk in self._to.artifacts.stream(uri, part):
            yield chunk

    async def _check(self, request: CreateJobRequest, owner: str) -> CreateJobRequest:
        upload = await self._uploads.find(owner, request.audio_uri)
        providers = self._to.settings.providers
        if len(request.lyrics) <= SHORT_LYRICS:
            return check_request(request, upload, providers)
        # Half a million characters take a third of a second to read.
        return await asyncio.to_thread(check_request, request, upload, providers)

    async def _may_read(self, uri: str, owner: str) -> bool:
        if key_of(uri).startswith("uploads/"):
            return await self._uploads.find(owner, uri) is not None
        return await self._to.jobs.names_artifact(uri, owner)

    async def _commit(self, change: Coroutine[Any, Any, Change]) -> Job:
        """Commits and announces, even if the caller goes away meanwhile."""
        return await shielded(self._announce(change))

    async def _announce(self, change: Coroutine[Any, Any, Change]) -> Job:
        committed = await change
        await self._to.bus.announce([committed])
        return committed.job
