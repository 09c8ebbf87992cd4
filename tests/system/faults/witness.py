"""Witness: the one HTTP server that all work of the studio waits on.

It sees from outside what runs: each step of a task is a request to it, and a request
whose connection is closed is work that has ended, whichever process did it.
"""

from __future__ import annotations

import asyncio
import select
import time
from dataclasses import dataclass, field
from typing import Self

ANSWER = b"HTTP/1.1 %d\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
BUSY = 503


@dataclass(slots=True)
class Call:
    """A request `/<title of the job>/<step>/<job id>/<task>/<attempt>`."""

    title: str
    step: str
    job_id: str
    task: str
    attempt: int
    arrived_at: float
    """By the clock that Postgres reads too."""
    transport: asyncio.Transport

    @property
    def key(self) -> tuple[str, str, str]:
        """The step of the task that it is for, whichever the attempt."""
        return self.job_id, self.step, self.task

    @property
    def open(self) -> bool:
        """Whether the caller still waits, by the word of the kernel."""
        if self.transport.is_closing():
            return False
        ends = select.poll()
        ends.register(self.transport.get_extra_info("socket"), select.POLLRDHUP)
        return not ends.poll(0)

    def answer(self, status: int = 200) -> None:
        self.transport.write(ANSWER % status)
        self.transport.close()


@dataclass(slots=True)
class Witness:
    """Holds the answer to a job's request for the step that is the job's title."""

    calls: list[Call] = field(default_factory=list[Call])
    released: bool = False
    _server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: _Connection(self), "127.0.0.1", 0, backlog=1000
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._server is not None:
            self._server.close()
            for call in self.calls:
                call.transport.abort()
            await self._server.wait_closed()

    @property
    def url(self) -> str:
        if self._server is None:
            raise RuntimeError("not entered")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def held(self, title: str) -> list[Call]:
        """The calls for this job that wait at this moment."""
        return [call for call in self.calls if call.title == title and call.open]

    def release(self) -> None:
        """Answers what is held, and holds nothing any more."""
        self.released = True
        for call in self.calls:
            if call.open:
                call.answer()

    def hear(self, path: str, transport: asyncio.Transport) -> None:
        title, step, job_id, task, attempt = path.strip("/").split("/")
        call = Call(title, step, job_id, task, int(attempt), time.time(), transport)
        self.calls.append(call)
        if not self.released and (title, step) == ("queued", "lyrics"):
            call.answer(BUSY)
        elif self.released or title != step:
            call.answer()


class _Connection(asyncio.Protocol):
    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._head += data
        if self._head.endswith(b"\r\n\r\n"):
            path = self._head.split(b" ", 2)[1].decode()
            self._witness.hear(path, self._transport)
