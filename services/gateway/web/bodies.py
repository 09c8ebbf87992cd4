"""The bodies of requests, as far as they are read into memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.gateway.web.refusals import BodyTooLarge

if TYPE_CHECKING:
    from starlette.requests import Request


async def read_body(request: Request, most: int) -> bytes:
    """Raises BodyTooLarge for more than `most` bytes, without reading the others."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLarge(most)
    return bytes(body)


def media_type(request: Request) -> str:
    """Returns what the body is said to be, without parameters; empty if nothing is."""
    content_type = request.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower()
