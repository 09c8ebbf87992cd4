"""Files over HTTP, whole or the part that a player asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from services.gateway.web.refusals import RangeBeyondEnd

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from starlette.datastructures import Headers

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII | re.IGNORECASE)


async def answer_file(
    open_part: Callable[[range | None], AsyncGenerator[bytes]],
    size: int,
    asked: Headers,
    *,
    media_type: str,
    disposition: str,
) -> StreamingResponse:
    """Answers 200 with all `size` bytes, or 206 with the single range asked for.

    Raises what opening the file raises, and RangeBeyondEnd. Other ranges are
    ignored, as RFC 9110 (section 14.2) allows.
    """
    part = _read_range(asked, size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition,
        "Content-Length": str(len(part or range(size))),
    }
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    chunks = await _begin(open_part(part))
    return StreamingResponse(chunks, 206 if part else 200, headers, media_type)


def _read_range(asked: Headers, size: int) -> range | None:
    """Returns the offsets of the bytes asked for; None for all of them."""
    match = _RANGE.fullmatch(asked.get("range", ""))
    # No answer carries a validator, so that no If-Range can hold.
    if match is None or not any(match.groups()) or "if-range" in asked:
        return None
    first, last = match.groups()
    if first and last and int(last) < int(first):
        return None
    if not first:
        part = range(max(0, size - int(last)), size)
    else:
        part = range(int(first), min(int(last or size), size - 1) + 1)
    if not part:
        raise RangeBeyondEnd(size)
    return part


async def _begin(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Reads the first chunk now, while an error can still become the answer."""
    first = await anext(chunks, b"")

    async def rest() -> AsyncGenerator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return rest()
