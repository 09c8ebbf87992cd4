"""Live: the list of jobs and each job as streams of server-sent events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sse_starlette import EventSourceResponse
from starlette.routing import Route

from refrain.errors import InvalidRequest, JobNotFound
from refrain.v1.job_service_pb2 import ListJobsRequest
from services.gateway.job_service import OWNER
from services.gateway.live.job_list import LiveList, read_page
from services.gateway.live.one_job import LiveJob
from services.gateway.live.sse import stream
from services.gateway.live.texts import JobTexts
from services.gateway.rest.transcoding import fill, names_as_in_json, read_query

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from services.gateway.feed import Feed
    from services.gateway.jobs import Jobs

READS = 2
"""Looks at the same time: streams leave the other connections to other calls."""


class Live:
    """What the page shows as it happens."""

    def __init__(self, jobs: Jobs, feed: Feed) -> None:
        self._jobs = jobs
        self._feed = feed
        self._texts = JobTexts(jobs)
        self._reads = asyncio.Semaphore(READS)

    def routes(self) -> list[Route]:
        """Returns the routes of the streams."""
        return [
            Route("/live/jobs", self._list),
            Route("/live/jobs/{job_id}", self._job),
        ]

    async def _list(self, request: Request) -> Response:
        asked = ListJobsRequest()
        fill(asked, read_query(asked.DESCRIPTOR, request.query_params.multi_items()))
        with names_as_in_json(asked.DESCRIPTOR):
            page = read_page(asked)
        view = LiveList(page, self._jobs, self._texts, self._reads)
        return EventSourceResponse(stream(view, self._feed.changes()))

    async def _job(self, request: Request) -> Response:
        try:
            job = await self._jobs.get(request.path_params["job_id"], OWNER)
        except InvalidRequest as err:
            raise JobNotFound(request.path_params["job_id"]) from err
        after = _resumed_after(request, job.event_sequence)
        view = LiveJob(job.job_id, after, self._jobs, self._feed, self._reads)
        return EventSourceResponse(stream(view, self._feed.changes(job.job_id)))


def _resumed_after(request: Request, newest: int) -> int:
    """Returns the sequence of the last event that a lost stream brought, or 0."""
    last = request.headers.get("last-event-id", "")
    if not (last.isascii() and last.isdecimal() and len(last) < 19):
        return 0
    return int(last) if int(last) <= newest else 0
