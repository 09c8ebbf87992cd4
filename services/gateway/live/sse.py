"""Server-sent events: views that say what differs from what they said before."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from refrain.errors import JobNotFound, Unavailable
from services.gateway.rest.answers import RETRY_MS, json_text

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable

    from google.protobuf.message import Message

QUIET = 0.1
"""Seconds from one look to the next, however busy the jobs are."""
WRITTEN = 4
"""Messages that are written as JSON before others have their turn: 0.3 ms."""


class View(Protocol):
    """What one client is shown."""

    def look(self) -> AsyncGenerator[bytes]:
        """Yields what differs; raises Unavailable, and JobNotFound at its end."""
        ...

    def forget(self) -> None:
        """Makes the next look yield everything."""
        ...


async def stream(view: View, changes: AsyncGenerator[None]) -> AsyncGenerator[bytes]:
    """Looks after each change until there are no more, or nothing more to see."""
    out = False
    async with aclosing(changes):
        async for _ in changes:
            try:
                async with aclosing(view.look()) as events:
                    async for event in events:
                        yield event
                out = False
            except Unavailable as err:
                # An EventSource gives up for good when it is answered 503.
                if not out:
                    yield sent_event("outage", str(err))
                out = True
                view.forget()
            except JobNotFound:
                yield sent_event("deleted", "{}")
                return
            await asyncio.sleep(QUIET)


def sent_event(name: str, data: str, sequence: int | None = None) -> bytes:
    """Returns an event as it is sent; a stream is resumed after its `sequence`.

    The data is one line, and not empty: a browser would not dispatch it.
    """
    event_id = "" if sequence is None else f"id: {sequence}\n"
    return f"{event_id}event: {name}\ndata: {data}\nretry: {RETRY_MS}\n\n".encode()


async def json_texts(messages: Iterable[Message]) -> list[str]:
    """Returns what json_text does of each, with turns for other calls in between."""
    texts: list[str] = []
    for message in messages:
        texts.append(json_text(message))
        if len(texts) % WRITTEN == 0:
            await asyncio.sleep(0)
    return texts
