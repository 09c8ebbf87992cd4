"""What a client may ask of jobs, for gRPC and for the page alike."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from refrain.artifacts import key_of
from refrain.cancellation import shielded
from refrain.errors import (
    ArtifactNotFound,
    InvalidRequest,
    SequenceOutOfRange,
)
from services.gateway.request import check_request

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Coroutine
    from typing import Any

    from refrain.job import Job, SegmentRow, Task
    from refrain.service import Connections
    from refrain.store import Change, JobEvent, JobFilter
    from refrain.v1.job_service_pb2 import CreateJobRequest
    from services.gateway.audio import AudioUploads
    from services.gateway.feed import Feed

T = TypeVar("T")

MAX_REASON = 1024
SHORT_LYRICS = 20_000
"""Characters that are read within milliseconds."""
DEFAULT_PAGE = 50
MAX_PAGE = 1000


class Jobs:
    """The jobs of all owners, each call in the name of one."""

    def __init__(
        self,
        to: Connections,
        feed: Feed,
        uploads: AudioUploads,
    ) -> None:
        self._to = to
        self._feed = feed
        self._uploads = uploads

    async def create(self, request: CreateJobRequest, owner: str) -> Job:
        """Raises InvalidRequest, RequestIdTaken."""
        upload = await self._uploads.find(owner, request.audio_uri)
        if len(request.lyrics) > SHORT_LYRICS:
            # Half a million characters take a third of a second to read.
            new = await asyncio.to_thread(check_request, request, owner, upload)
        else:
            new = check_request(request, owner, upload)
        return await self._commit(self._to.jobs.create_job(new))

    async def get(self, job_id: str, owner: str) -> Job:
        """Raises InvalidRequest for a malformed id, JobNotFound."""
        return await self._to.jobs.get_job(_uuid(job_id), owner)

    async def cancel(self, job_id: str, owner: str, reason: str) -> Job:
        """Raises InvalidRequest, JobNotFound, NotCancellable."""
        if len(reason) > MAX_REASON or "\0" in reason:
            why = f"must be up to {MAX_REASON:,} characters, without NUL"
            raise InvalidRequest({"reason": why})
        return await self._commit(
            self._to.jobs.cancel_job(
                _uuid(job_id), owner, requested_by=f"user:{owner}", reason=reason
            )
        )

    async def list(
        self, owner: str, jobs: JobFilter, page_size: int, page_token: str
    ) -> tuple[list[Job], str]:
        """Returns a page, newest first, and the token of the one that follows."""
        if not 0 <= page_size <= MAX_PAGE:
            raise InvalidRequest({"page_size": f"must be from 0 to {MAX_PAGE:,}"})
        page_size = page_size or DEFAULT_PAGE
        found = await self._to.jobs.list_jobs(
            owner, jobs, before=_read_token(page_token), page_size=page_size + 1
        )
        page = found[:page_size]
        return page, _token(page[-1].job_id) if len(found) > page_size else ""

    async def segments(self, job_id: str, owner: str) -> list[SegmentRow]:
        """Raises InvalidRequest for a malformed id, JobNotFound."""
        job = await self.get(job_id, owner)
        return await self._to.jobs.list_segments(job.job_id)

    async def tasks(self, job_id: str, owner: str) -> list[Task]:
        """Raises InvalidRequest for a malformed id, JobNotFound."""
        job = await self.get(job_id, owner)
        return await self._to.jobs.list_tasks(job.job_id)

    async def watch(self, job: Job, after: int) -> AsyncGenerator[JobEvent]:
        """Yields the job's events after the sequence, up to the last one.

        Raises SequenceOutOfRange for a sequence that the job has not reached.
        """
        if not 0 <= after <= job.event_sequence:
            raise SequenceOutOfRange(after, job.event_sequence)
        if job.finished and after == job.event_sequence:
            return
        async for event in self._feed.watch(job.job_id, after):
            yield event

    async def open_artifact(self, uri: str, owner: str) -> AsyncGenerator[bytes]:
        """Yields the bytes of what a job of the owner names, or its own upload.

        Raises ArtifactNotFound for everything else.
        """
        if "\0" in uri or not await self._may_read(uri, owner):
            raise ArtifactNotFound(uri)
        async for chunk in self._to.artifacts.stream(uri):
            yield chunk

    async def _may_read(self, uri: str, owner: str) -> bool:
        folder, _, rest = key_of(uri).partition("/")
        if folder == "uploads":
            return await self._uploads.find(owner, uri) is not None
        try:
            job = await self.get(rest.partition("/")[0], owner)
        except InvalidRequest as err:
            raise ArtifactNotFound(uri) from err
        return await self._to.jobs.names_artifact(job.job_id, uri)

    async def _commit(self, change: Coroutine[Any, Any, Change]) -> Job:
        """Commits and announces, even if the caller goes away meanwhile."""
        return await shielded(self._announce(change))

    async def _announce(self, change: Coroutine[Any, Any, Change]) -> Job:
        committed = await change
        await self._to.bus.announce([committed])
        return committed.job


def _uuid(job_id: str) -> UUID:
    try:
        return UUID(job_id)
    except ValueError as err:
        why = f"{job_id[:64]!r} is no job id; pass the job_id that CreateJob returned"
        raise InvalidRequest({"job_id": why}) from err


def _token(job_id: UUID) -> str:
    return base64.urlsafe_b64encode(job_id.bytes).decode().rstrip("=")


def _read_token(token: str) -> UUID | None:
    if not token:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(token + "=="))
    except (ValueError, binascii.Error) as err:
        why = "is unknown; pass the next_page_token of the page before, or none"
        raise InvalidRequest({"page_token": why}) from err
