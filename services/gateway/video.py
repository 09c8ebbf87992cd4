"""A job's video over HTTP, whole or the part that a player asks for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.datastructures import Headers

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def answer_video(
    chunks: AsyncGenerator[bytes], size: int, title: str, asked: Headers
) -> StreamingResponse:
    """Answers 200 with all `size` bytes, or 206 with the single range asked for.

    Raises what opening the video raises, and HTTPException 416 for a range beyond
    its end. Other ranges are ignored, as RFC 9110 (section 14.2) allows.
    """
    part = _read_range(asked, size)
    sent = part or range(size)
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(title, safe='')}.mp4",
        "Content-Length": str(len(sent)),
    }
    if part:
        headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{size}"
    return StreamingResponse(
        await _begin(_cut(chunks, sent)),
        206 if part else 200,
        headers,
        "video/mp4",
    )


def _read_range(asked: Headers, size: int) -> range | None:
    """Returns the offsets of the bytes asked for; None for all of them."""
    match = _RANGE.fullmatch(asked.get("range", ""))
    # No answer carries a validator, so that no If-Range can hold.
    if match is None or match[0] == "bytes=-" or "if-range" in asked:
        return None
    first, last = match.groups()
    if not first:
        part = range(max(0, size - int(last)), size)
    else:
        part = range(int(first), min(int(last or size), size - 1) + 1)
    if not part:
        headers = {"Content-Range": f"bytes */{size}"}
        raise HTTPException(416, "The video ends before this range.", headers)
    return part


async def _cut(chunks: AsyncGenerator[bytes], part: range) -> AsyncGenerator[bytes]:
    """Yields the bytes of the part; what comes before it is read and left out."""
    offset = 0
    async for chunk in chunks:
        start, stop = max(0, part.start - offset), max(0, part.stop - offset)
        if chunk[start:stop]:
            yield chunk[start:stop]
        offset += len(chunk)
        if offset >= part.stop:
            return


async def _begin(chunks: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Reads the first chunk now, while an error can still become the answer."""
    first = await anext(chunks, b"")

    async def rest() -> AsyncGenerator[bytes]:
        yield first
        async for chunk in chunks:
            yield chunk

    return rest()
