"""The JSON API: the RPCs of JobService under the paths of RPCS."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message_factory import GetMessageClass
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from refrain.cancellation import end
from refrain.errors import InvalidRequest, RefrainError, SequenceOutOfRange
from refrain.v1 import job_service_pb2 as v1
from services.gateway.rest.answers import RETRY_MS, json_object, json_text
from services.gateway.rest.files import download_artifact, upload_audio
from services.gateway.rest.openapi import openapi
from services.gateway.rest.rpcs import PREFIX, RPCS
from services.gateway.rest.transcoding import (
    fill,
    names_as_in_json,
    read_json,
    read_query,
)
from services.gateway.web.guard import current_token
from services.gateway.web.refusals import (
    DeadlineExceeded,
    MethodNotAllowed,
    error_body,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        Awaitable,
        Callable,
        Coroutine,
        Mapping,
    )
    from typing import TypeAlias

    from google.protobuf.message import Message
    from starlette.types import Receive, Scope, Send

    from services.gateway.job_service import JobService
    from services.gateway.jobs import Jobs
    from services.gateway.rest.rpcs import Rpc

    Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

DEADLINE = 60
"""Seconds that a call may take: proxies close a connection that is silent for long."""
LARGE = 8 * 1024
"""Bytes of a message that takes more than some milliseconds to write as JSON."""


class _IdConvertor(Convertor[str]):
    """Part of a path up to a verb: `/jobs/{jobId:id}:cancel`."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("id", _IdConvertor())


class Rest:
    """Answers the calls, and what a page needs beside them."""

    def __init__(self, service: JobService, jobs: Jobs) -> None:
        self._service = service
        self._jobs = jobs
        self._document = JSONResponse(openapi()).body

    def routes(self) -> list[Route]:
        """Returns one route a path, with all the methods it has."""
        paths: dict[str, dict[str, Endpoint]] = {
            "/csrfToken": {"GET": _csrf_token},
            "/openapi.json": {"GET": self._openapi},
        }
        for rpc in RPCS:
            paths.setdefault(rpc.path, {})[rpc.method] = self._endpoint(rpc)
        return [Route(PREFIX + path, _Methods(paths[path])) for path in paths]

    def _endpoint(self, rpc: Rpc) -> Endpoint:
        match rpc.name:
            case "WatchJob":
                return self._watched(rpc)
            case "UploadAudio":
                return self._upload
            case "DownloadArtifact":
                return self._download
            case _:
                return self._transcoded(rpc)

    def _transcoded(self, rpc: Rpc) -> Endpoint:
        behavior = getattr(self._service, rpc.name)

        async def answer(request: Request) -> Response:
            message = await _read(rpc, request)
            with names_as_in_json(rpc.request):
                answer = await _unless_left(request, behavior(message, None))
            if answer.ByteSize() > LARGE:
                return JSONResponse(await asyncio.to_thread(json_object, answer))
            return JSONResponse(json_object(answer))

        return answer

    def _watched(self, rpc: Rpc) -> Endpoint:
        async def watch(request: Request) -> Response:
            message = await _read(rpc, request)
            if last := request.headers.get("last-event-id"):
                # An EventSource that lost its connection goes on from here.
                fill(message, {"afterSequence": last})
            with names_as_in_json(rpc.request):
                job = await self._service.GetJob(
                    v1.GetJobRequest(job_id=message.job_id), None
                )
            if message.HasField("after_sequence"):
                after = message.after_sequence
                if not 0 <= after <= job.event_sequence:
                    raise SequenceOutOfRange(after, job.event_sequence)
                if after == job.event_sequence and job.HasField("finish_time"):
                    # To an EventSource this says that nothing more will come.
                    return Response(status_code=204)
            if request.method == "HEAD":
                return Response(media_type="text/event-stream")
            return EventSourceResponse(self._events(message))

        return watch

    async def _events(
        self, message: v1.WatchJobRequest
    ) -> AsyncGenerator[ServerSentEvent]:
        try:
            async with aclosing(self._service.WatchJob(message, None)) as events:
                async for event in events:
                    yield ServerSentEvent(
                        json_text(event), id=str(event.sequence), retry=RETRY_MS
                    )
        except RefrainError as err:
            yield ServerSentEvent(json.dumps(error_body(err)), event="failure")

    async def _openapi(self, _request: Request) -> Response:
        return Response(self._document, media_type="application/json")

    async def _upload(self, request: Request) -> Response:
        return JSONResponse(json_object(await upload_audio(self._service, request)))

    async def _download(self, request: Request) -> Response:
        return await download_artifact(self._jobs, request)


class _Methods:
    """The endpoints of one path; the one supervisor of what they raise."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = dict(endpoints)
        if "GET" in endpoints:
            self._endpoints["HEAD"] = endpoints["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            answer = await self._answer(Request(scope, receive))
        except ClientDisconnect:
            return
        except Exception as err:  # noqa: BLE001 the one supervisor of all calls
            answer = refuse(err)
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        endpoint = self._endpoints.get(request.method)
        if endpoint is None:
            raise MethodNotAllowed(self._endpoints)
        return await endpoint(request)


async def _read(rpc: Rpc, request: Request) -> Any:
    """Returns the message that the request makes up."""
    asked = Empty.DESCRIPTOR if rpc.has_body else rpc.request
    fields = read_query(asked, request.query_params.multi_items())
    if rpc.has_body:
        fields = await read_json(request)
    bound = request.path_params
    if twice := bound.keys() & fields.keys():
        raise InvalidRequest(dict.fromkeys(twice, "stands in the path already"))
    message: Message = GetMessageClass(rpc.request)()
    fill(message, {**fields, **bound})
    return message


async def _unless_left(request: Request, call: Coroutine[Any, Any, Message]) -> Message:
    """Returns what the call does; it is cancelled when the client leaves.

    Raises ClientDisconnect then, and DeadlineExceeded.
    """
    answer, left = asyncio.create_task(call), asyncio.create_task(_left(request))
    try:
        await asyncio.wait(
            (answer, left), timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED
        )
        if answer.done():
            return answer.result()
        if left.done():
            raise ClientDisconnect
        raise DeadlineExceeded(f"Not done within {DEADLINE} s; ask again.")
    finally:
        await end(answer, left)
        if not answer.cancelled():
            # Nobody is left who could be told.
            answer.exception()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _csrf_token(_request: Request) -> Response:
    return JSONResponse({"csrfToken": current_token()})
