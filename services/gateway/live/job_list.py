"""LiveList: one page of the list of jobs, and then what differs of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import UUID

from services.gateway.fields import read_filter
from services.gateway.job_service import OWNER
from services.gateway.live.sse import sent_event
from services.gateway.paging import read_job_token, read_page_size, token_after_job

if TYPE_CHECKING:
    from asyncio import Semaphore
    from collections.abc import AsyncGenerator, Iterable, Mapping

    from refrain.store import JobFilter
    from refrain.v1.job_service_pb2 import ListJobsRequest
    from services.gateway.jobs import Jobs
    from services.gateway.live.texts import JobText, JobTexts

PAGE_SIZE = 50
"""Jobs on a page, unless the client says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """Which jobs are shown."""

    filter: JobFilter
    size: int
    before: UUID | None


def read_page(request: ListJobsRequest) -> ListPage:
    """Raises InvalidRequest for what no page could be."""
    return ListPage(
        filter=read_filter(request.filter),
        size=read_page_size(request.page_size, PAGE_SIZE),
        before=read_job_token(request.page_token),
    )


class LiveList:
    """What one client has of a page; each look yields what it lacks."""

    def __init__(
        self, page: ListPage, jobs: Jobs, texts: JobTexts, reads: Semaphore
    ) -> None:
        self._page = page
        self._jobs = jobs
        self._texts = texts
        self._reads = reads
        self._shown: dict[str, JobText] | None = None
        """By id, in the order of the page; None before the first look."""
        self._token = ""

    async def look(self) -> AsyncGenerator[bytes]:
        """Yields the whole page, or what differs of it."""
        known, token = self._shown, self._token
        async with self._reads:
            shown = await self._read(known or {})
        if known is None:
            jobs = [text.json for text in shown.values()]
            yield sent_event("list", _data(jobs, nextPageToken=self._token))
            return
        # What is written again as it was has another version, but no other text.
        jobs = [
            text.json
            for job_id, text in shown.items()
            if job_id not in known or known[job_id].json != text.json
        ]
        # The order is that of the ids: it differs exactly when the set does.
        if known.keys() != shown.keys() or token != self._token:
            page = {"jobIds": list(shown), "nextPageToken": self._token}
            yield sent_event("changes", _data(jobs, **page))
        elif jobs:
            yield sent_event("changes", _data(jobs))

    def forget(self) -> None:
        """Makes the next look yield the whole page."""
        self._shown = None

    async def _read(self, known: Mapping[str, JobText]) -> Mapping[str, JobText]:
        """Takes the page as it is."""
        page = self._page
        found = await self._jobs.versions(
            OWNER, page.filter, page.size + 1, page.before
        )
        versions = dict(islice(found.items(), page.size))
        differing = {
            job_id: version
            for job_id, version in versions.items()
            if job_id not in known or known[job_id].version != version
        }
        texts = {**known, **await self._texts.of(differing)}
        # One that is new may have been deleted since its version was read.
        self._shown = {job_id: texts[job_id] for job_id in versions if job_id in texts}
        more = len(found) > page.size and self._shown
        self._token = token_after_job(UUID(next(reversed(self._shown)))) if more else ""
        return self._shown


def _data(jobs: Iterable[str], **others: Any) -> str:
    """Returns a JSON object of the jobs, each in JSON already, and other fields."""
    rest = "".join(f', "{name}": {json.dumps(value)}' for name, value in others.items())
    return f'{{"jobs": [{", ".join(jobs)}]{rest}}}'
