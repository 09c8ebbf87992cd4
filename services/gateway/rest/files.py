"""Audio in and artifacts out over HTTP: bytes, and not JSON."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from refrain.artifacts import uri_of
from refrain.errors import InvalidRequest
from refrain.v1 import job_service_pb2 as v1
from services.gateway.audio import MAX_BYTES
from services.gateway.job_service import OWNER
from services.gateway.web.byte_ranges import answer_file
from services.gateway.web.refusals import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response

    from services.gateway.job_service import JobService
    from services.gateway.jobs import Jobs

MEDIA_TYPES = {".jpg": "image/jpeg", ".mp4": "video/mp4", ".vtt": "text/vtt"}
ANY_TYPE = "application/octet-stream"

# What is stored may come from anyone, and is never changed under its key.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Cache-Control": "private, max-age=31536000, immutable",
}


async def upload_audio(service: JobService, request: Request) -> v1.UploadAudioResponse:
    """Stores the body; raises BodyTooLarge for more than MAX_BYTES."""
    if int(request.headers.get("content-length", "0")) > MAX_BYTES:
        raise BodyTooLarge(MAX_BYTES)
    try:
        return await service.UploadAudio(_parts(request), None)
    except InvalidRequest as err:
        raise InvalidRequest({"body": "; ".join(err.violations.values())}) from err


async def download_artifact(jobs: Jobs, request: Request) -> Response:
    """Answers an artifact, or the part of it that is asked for.

    Raises ArtifactNotFound, RangeBeyondEnd.
    """
    key: str = request.path_params["key"]
    uri = uri_of(key)
    size = await jobs.artifact_size(uri, OWNER)
    path = PurePosixPath(key)
    media_type = MEDIA_TYPES.get(path.suffix, ANY_TYPE)
    shown = "attachment" if media_type == ANY_TYPE else "inline"
    answer = await answer_file(
        lambda part: jobs.open_artifact(uri, OWNER, part),
        size,
        request.headers,
        media_type=media_type,
        disposition=f"{shown}; filename*=UTF-8''{quote(path.name, safe='')}",
    )
    answer.headers.update(_HEADERS)
    return answer


async def _parts(request: Request) -> AsyncIterator[v1.UploadAudioRequest]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_BYTES:
            raise BodyTooLarge(MAX_BYTES)
        yield v1.UploadAudioRequest(chunk=chunk)
