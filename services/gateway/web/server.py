"""The gateway over HTTP: the pages, what they ask for, cancel, the video."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from refrain.errors import InvalidRequest, RefrainError
from services.gateway.job_service import OWNER
from services.gateway.live.streams import Live
from services.gateway.messages import job_message
from services.gateway.rest.api import Rest
from services.gateway.web.bodies import media_type, read_body
from services.gateway.web.byte_ranges import answer_file
from services.gateway.web.guard import guarded
from services.gateway.web.refusals import (
    PathNotFound,
    headers_of,
    http_status,
    refuse,
    speaks_json_api,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from starlette.requests import Request
    from starlette.responses import Response

    from refrain.settings import Settings
    from services.gateway.feed import Feed
    from services.gateway.job_service import JobService
    from services.gateway.jobs import Jobs

PAGE = Path(__file__).parents[1] / "page"
PAGES = {
    "/": "index.html",
    "/new": "new.html",
    "/jobs/{jobId:id}": "job.html",
}
MAX_BODY = 64 * 1024
"""Bytes of a request: a reason is far shorter."""
STOP_GRACE = 1
"""Seconds that answers under way have when the gateway stops."""


class Web:
    """The page, and what it and scripts ask for."""

    def __init__(
        self, service: JobService, jobs: Jobs, feed: Feed, settings: Settings
    ) -> None:
        self._rest = Rest(service, jobs)
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
                *map(_shell, PAGES, PAGES.values()),
                *self._rest.routes(),
                Mount("/page", StaticFiles(directory=PAGE)),
                *Live(self._jobs, self._feed).routes(),
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
        return await answer_file(
            lambda part: self._jobs.open_artifact(video.uri, OWNER, part),
            video.size_bytes,
            request.headers,
            media_type="video/mp4",
            disposition=f"inline; filename*=UTF-8''{quote(job.title, safe='')}.mp4",
        )


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves signals to the service; uvicorn would raise them again at its end."""
        yield


def _shell(path: str, file: str) -> Route:
    async def shell(_request: Request) -> Response:
        return FileResponse(PAGE / file)

    return Route(path, shell)


async def _read_reason(request: Request) -> str:
    """Returns the `reason` of a JSON object or of a form; empty if there is none."""
    body = await read_body(request, MAX_BODY)
    if not body:
        return ""
    try:
        match media_type(request):
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


@contextmanager
def _not_found_if_malformed() -> Generator[None]:
    """A job id that cannot be one is a page that is not there."""
    try:
        yield
    except InvalidRequest as err:
        if "job_id" not in err.violations:
            raise
        raise HTTPException(404, str(err)) from err


async def _on_error(request: Request, error: Exception) -> Response:
    if speaks_json_api(request):
        missing = isinstance(error, HTTPException) and error.status_code == 404
        return refuse(PathNotFound() if missing else error)
    match error:
        case HTTPException():
            return _answer(error.status_code, error.detail, error.headers)
        case RefrainError():
            return _answer(http_status(error), str(error), headers_of(error))
        case _:
            return _answer(500, "An error on our side.")


def _answer(
    status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    return JSONResponse({"success": False, "message": message}, status, headers)
