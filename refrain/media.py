"""Media processes: encoders and decoders that can be killed at any moment.

A native loop cannot be cancelled and holds the interpreter; a process can be
killed within milliseconds. Each child is warm, runs one function at a time, and
ends itself when its parent does, or is silent for 7 s.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from refrain.cancellation import shielded
from refrain.errors import MediaError, TaskError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

BEAT = 1.0
"""Seconds between two signs of life to each child."""
REPLY_LIMIT = 4 * 1024 * 1024
"""Bytes of the longest reply: what a client of gRPC takes in one message."""


class MediaPool:
    """As many media processes as there are media slots. A context manager."""

    def __init__(self, size: int, modules: Sequence[str]) -> None:
        """`modules` are imported by each child before its first call."""
        self._size = size
        self._modules = list(modules)
        self._idle: asyncio.Queue[MediaProcess] = asyncio.Queue()
        self._processes: set[MediaProcess] = set()
        self._beating: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        for _ in range(self._size):
            process = MediaProcess(self._modules)
            await process.start()
            self._processes.add(process)
            self._idle.put_nowait(process)
        self._beating = asyncio.create_task(self._beat_forever())
        return self

    async def __aexit__(self, *_exc: object) -> None:
        if self._beating is not None:
            self._beating.cancel()
            await asyncio.wait([self._beating])
        for process in self._processes:
            await process.kill()

    async def call(self, function: str, **arguments: Any) -> dict[str, Any]:
        """Calls `<module>:<function>` in an idle child and returns its result.

        Raises MediaError with the function's own message, and TaskError for a child
        that died. A caller that is
        cancelled meanwhile resumes only after the child is dead.
        """
        async with self._process() as process:
            return await process.call(function, arguments)

    @asynccontextmanager
    async def _process(self) -> AsyncGenerator[MediaProcess]:
        process = await self._idle.get()
        try:
            if not process.alive:
                await process.start()
            yield process
        except BaseException:
            await shielded(process.kill())
            raise
        finally:
            self._idle.put_nowait(process)

    async def _beat_forever(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            for process in self._processes:
                process.beat()


class MediaProcess:
    """One child, `python -m refrain.media_child`, in a process group of its own."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules
        self._child: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "refrain.media_child",
            *self._modules,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=REPLY_LIMIT,
            env={**os.environ, "PYAV_LOGGING": "off"},
        )

    def beat(self) -> None:
        """Tells the child that its parent lives."""
        if self._child and self._child.stdin and self.alive:
            self._child.stdin.write(b"\n")

    async def call(self, function: str, arguments: dict[str, Any]) -> dict[str, Any]:
        child = self._child
        if child is None or child.stdin is None or child.stdout is None:
            raise RuntimeError("not started")
        request = json.dumps({"function": function, "arguments": arguments})
        child.stdin.write(request.encode() + b"\n")
        try:
            reply = await child.stdout.readline()
        except ValueError as err:
            raise MediaError(f"{function} had more to say than 4 MiB") from err
        if not reply:
            raise TaskError(
                f"the media process died in {function}",
                reason="MEDIA_PROCESS_DIED",
                retryable=True,
            )
        answer = json.loads(reply)
        if "error" in answer:
            raise MediaError(answer["error"])
        return answer["result"]

    async def kill(self) -> None:
        """Kills the child and waits until it is gone."""
        if self._child is None or self._child.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        await self._child.wait()
