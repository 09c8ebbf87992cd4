"""The gateway over HTTP: the page, its live list of jobs, cancel, the video."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

import uvicorn
from google.protobuf.json_format import MessageToDict
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from refrain.errors import Code, InvalidRequest, RefrainError, Unavailable
from refrain.store import JobFilter
from services.gateway.job_service import OWNER
from services.gateway.messages import job_message
from services.gateway.video import answer_video
from services.gateway.web_guard import guarded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
    from typing import Any

    from starlette.requests import Request
    from starlette.responses import Response

    from refrain.job import Job
    from refrain.settings import Settings
    from services.gateway.feed import Feed
    from services.gateway.jobs import Jobs

PAGE = Path(__file__).parent / "page"
MAX_JOBS = 50
"""Jobs on the list."""
MAX_BODY = 64 * 1024
"""Bytes of a request: a reason is far shorter."""
QUIET = 0.1
"""Seconds from one look at the jobs to the next, however busy they are."""
STOP_GRACE = 1
"""Seconds that answers under way have when the gateway stops."""

_HTTP_CODES: dict[Code.ValueType, int] = {
    Code.INVALID_ARGUMENT: 400,
    Code.NOT_FOUND: 404,
    Code.FAILED_PRECONDITION: 409,
    Code.UNAVAILABLE: 503,
}


class Web:
    """The page, and what it and scripts ask for."""

    def __init__(self, jobs: Jobs, feed: Feed, settings: Settings) -> None:
        self._jobs = jobs
        self._feed = feed
        self._server = _Server(
            uvicorn.Config(
                guarded(self._app(), settings.database_url),
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=STOP_GRACE,
            )
        )

    async def serve(self, host: str, port: int) -> None:
        """Serves until closed or cancelled; raises OSError if the port is taken."""
        with socket.create_server((host, port)) as listener:
            serving = asyncio.create_task(self._server.serve([listener]))
            try:
                await asyncio.shield(serving)
            except asyncio.CancelledError:
                self.close()
                await serving
                raise

    def close(self) -> None:
        """Takes no more requests, and ends those under way within two seconds."""
        self._server.should_exit = True

    def _app(self) -> Starlette:
        app = Starlette(
            routes=[
                Route("/", _index),
                Mount("/page", StaticFiles(directory=PAGE)),
                Route("/events", self._events),
                Route("/cancel/{job_id}", self._cancel, methods=["POST"]),
                Route("/cancel/{job_id}/", self._cancel, methods=["POST"]),
                Route("/video/{job_id}", self._video),
                Route("/video/{job_id}/", self._video),
            ],
            exception_handlers=dict.fromkeys(
                (HTTPException, RefrainError, Exception), _on_error
            ),
        )
        # A POST that is redirected arrives as a GET.
        app.router.redirect_slashes = False
        return app

    async def _events(self, _request: Request) -> Response:
        return EventSourceResponse(self._lists())

    async def _lists(self) -> AsyncGenerator[ServerSentEvent]:
        """Yields the list of jobs, and again whenever it differs."""
        sent: list[Job] | None = None
        async with aclosing(self._feed.changes()) as changes:
            async for _ in changes:
                if self._server.should_exit:
                    return
                try:
                    jobs = await self._jobs.list(OWNER, JobFilter(), MAX_JOBS)
                    if jobs != sent:
                        yield ServerSentEvent(_as_json(jobs), event="jobs", retry=1000)
                    sent = jobs
                except Unavailable as err:
                    # An EventSource gives up for good when it is answered 503.
                    yield ServerSentEvent(str(err), event="outage")
                    sent = None
                await asyncio.sleep(QUIET)

    async def _cancel(self, request: Request) -> Response:
        job_id = request.path_params["job_id"]
        reason = await _read_reason(request)
        with _not_found_if_malformed():
            job = await self._jobs.cancel(job_id, OWNER, reason)
        message = f"Job '{job.title}' has been cancelled."
        return JSONResponse({"success": True, "message": message})

    async def _video(self, request: Request) -> Response:
        job_id = request.path_params["job_id"]
        with _not_found_if_malformed():
            job = await self._jobs.get(job_id, OWNER)
        video = job_message(job).video
        if not video.uri:
            raise HTTPException(404, f"Job '{job.title}' has no video.")
        chunks = self._jobs.open_artifact(video.uri, OWNER)
        return await answer_video(chunks, video.size_bytes, job.title, request.headers)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves signals to the service; uvicorn would raise them again at its end."""
        yield


async def _index(_request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


async def _read_reason(request: Request) -> str:
    """Returns the `reason` of a JSON object or of a form; empty if there is none."""
    body = await _read_body(request)
    if not body:
        return ""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    try:
        match content_type:
            case "application/json":
                reason = _reason_of(json.loads(body))
            case "application/x-www-form-urlencoded":
                reason = parse_qs(body.decode()).get("reason", [""])[0]
            case _:
                raise HTTPException(415, "Send the reason as JSON or as a form.")
        # JSON can name half a character, which no database stores.
        reason.encode()
    except (ValueError, RecursionError) as err:
        why = 'must be text: {"reason": "…"} as JSON, or reason=… as a form'
        raise InvalidRequest({"reason": why}) from err
    return reason


def _reason_of(body: Any) -> str:
    match body:
        case {"reason": str(reason)}:
            return reason
        case {"reason": _}:
            raise ValueError
        case {}:
            return ""
        case _:
            raise ValueError


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            raise HTTPException(413, f"Send at most {MAX_BODY:,} bytes.")
    return bytes(body)


@contextmanager
def _not_found_if_malformed() -> Generator[None]:
    """A job id that cannot be one is a page that is not there."""
    try:
        yield
    except InvalidRequest as err:
        if "job_id" not in err.violations:
            raise
        raise HTTPException(404, str(err)) from err


def _as_json(jobs: Sequence[Job]) -> str:
    """Returns refrain.v1.Job messages in their JSON form, as a list."""
    return json.dumps(
        [
            MessageToDict(job_message(job), always_print_fields_with_no_presence=True)
            for job in jobs
        ]
    )


async def _on_error(_request: Request, error: Exception) -> Response:
    match error:
        case HTTPException():
            return _refuse(error.status_code, error.detail, error.headers)
        case RefrainError():
            return _refuse(_HTTP_CODES.get(error.code, 500), str(error))
        case _:
            return _refuse(500, "An error on our side.")


def _refuse(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse({"success": False, "message": message}, status, headers)
