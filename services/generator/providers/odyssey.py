"""Odyssey: clips as simulation jobs of its REST API.

There is no public reference; the wire format is that of its own SDKs, odyssey-python
1.3.0 and @odysseyml/odyssey 1.3.1. A job can be cancelled until its processing begins.
"""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from refrain.estimates import estimate_odyssey_clip
from refrain.shapes import odyssey_milliseconds
from services.generator.providers.odyssey_answers import (
    NAME,
    error_of,
    fields_of,
    objects_in,
    operation_of,
)
from services.generator.providers.odyssey_token import OdysseyToken
from services.generator.providers.provider import (
    CancelAnswer,
    Operation,
    OperationStatus,
    ProviderError,
)
from services.generator.providers.transport import answers_of, download

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from decimal import Decimal
    from io import BufferedReader
    from pathlib import Path

    from services.generator.providers.provider import ClipRequest

PAGE = 100
"""Jobs in one page of the list, the most that it gives."""

_LANDSCAPE = (1280, 704)
_PORTRAIT = (704, 1280)
_TIMEOUT = httpx.Timeout(30, connect=5)
_PIECE = 48 * 1024
"""Bytes of a picture that are sent together, which base64 takes by threes."""


class OdysseyClips:
    """Makes clips of 1280x704 or 704x1280, one simulation job each."""

    name = "odyssey"
    model = "odyssey"
    cancels = True

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        base_url: str,
        api_key: str,
        usd_per_second: Decimal,
    ) -> None:
        """`usd_per_second` of clip; Odyssey publishes no price."""
        self._http = http
        self._url = base_url.rstrip("/")
        self._token = OdysseyToken(http, base_url=self._url, api_key=api_key)
        self._usd_per_second = usd_per_second

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """Returns width and height of the picture that a frame's clip starts from.

        Odyssey makes no other sizes, and would cut a picture down to them itself.
        """
        return _PORTRAIT if height > width else _LANDSCAPE

    def estimate(self, request: ClipRequest) -> Decimal:
        """Returns the price of what is asked for, in US dollars, to 4 decimals."""
        return estimate_odyssey_clip(self._usd_per_second, request.duration)

    async def prepare(self) -> None:
        """Gets a token, if there is none that is good. Raises ProviderError."""
        await self._token.get()

    async def start(self, request: ClipRequest) -> str:
        """Creates a job and returns its id. Raises ProviderError.

        The picture is read while it is sent.
        """
        # Whoever gave it may have deleted it by then.
        with request.image.open("rb") as picture:
            script = _Script(request, picture)
            answer = await self._call("POST", "/simulation-jobs", script=script)
        if not answer.is_success:
            raise error_of(answer)
        return _id_of(fields_of(answer))

    async def look(self, operation_id: str) -> Operation:
        """Says where the job stands. Raises ProviderError."""
        answer = await self._call("GET", f"/simulation-jobs/{operation_id}")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return Operation(operation_id=operation_id, status=OperationStatus.GONE)
        if not answer.is_success:
            raise error_of(answer)
        return operation_of(operation_id, fields_of(answer))

    async def fetch(self, operation: Operation, path: Path) -> None:
        """Writes the clip of a COMPLETED job. Raises ProviderError.

        Its address lasts an hour; once it has expired, the job is asked for another.
        """
        if await self._download(operation, path):
            return
        fresh = await self.look(operation.operation_id)
        if not await self._download(fresh, path):
            raise ProviderError(
                f"{NAME} does not have the clip of job {operation.operation_id}, "
                f"which is {fresh.status}",
                retryable=True,
            )

    async def cancel(self, operation_id: str) -> CancelAnswer:
        """Asks to stop the job, which a job under way refuses. Raises ProviderError."""
        answer = await self._call("DELETE", f"/simulation-jobs/{operation_id}")
        if answer.is_success or answer.status_code == HTTPStatus.NOT_FOUND:
            return CancelAnswer.ACCEPTED
        if answer.status_code == HTTPStatus.BAD_REQUEST:
            return CancelAnswer.REFUSED
        raise error_of(answer)

    async def list_started(self, since: datetime) -> list[str]:
        """Returns the ids of active jobs created since then, by Odyssey's clock.

        Those of others who use the same key are among them. Raises ProviderError.
        """
        started: dict[str, None] = {}
        seen, total = 0, 1
        while seen < total:
            page = await self._page(seen)
            jobs = objects_in(page, "jobs")
            if not jobs:
                break
            started.update((_id_of(job), None) for job in jobs if _start(job) >= since)
            seen += len(jobs)
            total = int(page.get("total") or 0)
        return list(started)

    async def _page(self, offset: int) -> dict[str, Any]:
        answer = await self._call(
            "GET",
            "/simulation-jobs",
            params={"active": "true", "limit": PAGE, "offset": offset},
        )
        if not answer.is_success:
            raise error_of(answer)
        return fields_of(answer)

    async def _download(self, operation: Operation, path: Path) -> bool:
        url = operation.video
        if not isinstance(url, str) or not url:
            return False
        return await download(self._http, NAME, url, path)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        script: _Script | None = None,
        params: dict[str, str | int] | None = None,
    ) -> httpx.Response:
        """Sends one request, and once more if its token has been revoked."""
        token = await self._token.get()
        request = self._http.build_request(
            method,
            f"{self._url}{path}",
            content=script,
            params=params,
            headers=script.headers if script else None,
            timeout=_TIMEOUT,
        )
        answer = await self._send(request, token)
        if answer.status_code == HTTPStatus.UNAUTHORIZED:
            answer = await self._send(request, await self._token.renew(token))
        return answer

    async def _send(self, request: httpx.Request, token: str) -> httpx.Response:
        request.headers["authorization"] = f"Bearer {token}"
        with answers_of(NAME):
            return await self._http.send(request)


class _Script:
    """The body of a job, made piece by piece each time that it is sent.

    So hundreds of pictures on their way fill no memory and hold up no event loop.
    """

    def __init__(self, request: ClipRequest, picture: BufferedReader) -> None:
        body: dict[str, Any] = {
            "portrait": request.height > request.width,
            "output_video": True,
            "script": [
                {"timestamp_ms": 0, "start": {"prompt": request.prompt, "image": ""}},
                {"timestamp_ms": odyssey_milliseconds(request.duration), "end": {}},
            ],
        }
        # No prompt can hold these quotes: JSON escapes them.
        head, _, tail = json.dumps(body).partition('"image": ""')
        self._head = f'{head}"image": "data:image/jpeg;base64,'.encode()
        self._tail = f'"{tail}'.encode()
        self._picture = picture

    @property
    def headers(self) -> dict[str, str]:
        encoded = -(-os.fstat(self._picture.fileno()).st_size // 3) * 4
        length = len(self._head) + encoded + len(self._tail)
        return {"content-type": "application/json", "content-length": str(length)}

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._head
        self._picture.seek(0)
        while piece := self._picture.read(_PIECE):
            yield base64.b64encode(piece)
        yield self._tail


def _id_of(job: dict[str, Any]) -> str:
    job_id = job.get("job_id")
    if not isinstance(job_id, str) or not job_id:
        raise ProviderError(f"{NAME} spoke of a job and did not say which")
    return job_id


def _start(job: dict[str, Any]) -> datetime:
    try:
        created = datetime.fromisoformat(str(job.get("created_at")))
    except ValueError as err:
        raise ProviderError(f"{NAME} did not say when a job was created") from err
    return created if created.tzinfo else created.replace(tzinfo=UTC)
