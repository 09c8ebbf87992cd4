"""All emulated providers behind one port, served by a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from typing import TYPE_CHECKING, Self, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.emulators.desk import desk
from tests.emulators.emulator import KEYS
from tests.emulators.gemini import Gemini
from tests.emulators.ledger import Ledger
from tests.emulators.log import Log
from tests.emulators.lrclib import Lrclib
from tests.emulators.odyssey import Odyssey
from tests.emulators.vertex import Vertex
from tests.emulators.wire import Wire
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.emulators.log import Exchange

T = TypeVar("T")

BACKLOG = 1024
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Knows no authority: reading the system's takes longer than most tests."""
IDLE = 3600
"""Seconds until an idle connection is closed: no test is to meet that by chance."""


class Emulators:
    """Gemini, Vertex, Odyssey and LRCLIB; a context manager that serves while entered.

    Every part of it may be read and set from any thread.
    """

    def __init__(self, port: int = 0) -> None:
        """Takes the port at once; 0: any that is free. Raises OSError."""
        self._socket = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.log = Log()
        self.ledger = Ledger()
        self.gemini = Gemini(self.ledger, f"{self.url}/gemini")
        self.vertex = Vertex(self.ledger, f"{self.url}/vertex")
        self.odyssey = Odyssey(self.ledger, f"{self.url}/odyssey")
        self.lrclib = Lrclib(self.ledger, f"{self.url}/lrclib", self.log)
        self._loop = asyncio.new_event_loop()
        self._serving = threading.Thread(target=self._serve, name="emulators")
        self._stopped = asyncio.Event()
        self._server = uvicorn.Server(
            uvicorn.Config(
                Wire(self._app(), self.log),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                timeout_keep_alive=IDLE,
            )
        )

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._serving.join()
        # The server closes it too, unless it was stopped before it had begun.
        self._socket.close()

    def environment(self) -> dict[str, str]:
        """Returns what makes a service use the emulators."""
        return {
            "GEMINI_API_KEY": KEYS["gemini"],
            "GOOGLE_GEMINI_BASE_URL": self.gemini.url,
            "GOOGLE_CLOUD_API_KEY": KEYS["vertex"],
            "GOOGLE_VERTEX_BASE_URL": self.vertex.url,
            "ODYSSEY_API_KEY": KEYS["odyssey"],
            "ODYSSEY_API_URL": self.odyssey.url,
            "LRCLIB_URL": self.lrclib.url,
        }

    async def until(
        self, condition: Callable[[], T | Awaitable[T]], *, within: float = 5.0
    ) -> T:
        """Waits for what the log or the ledger is to show; see `eventually`."""
        return await eventually(condition, within=within)

    async def hanging(self, where: str, *, within: float = 5.0) -> Exchange:
        """Waits for a request that hangs, at its `headers` or in its `body`."""
        await eventually(lambda: self.log.hanging(where), within=within)
        return self.log.hanging(where)[0]

    def _app(self) -> Starlette:
        providers = (self.gemini, self.vertex, self.odyssey, self.lrclib)
        mounts = [Mount(f"/{each.name}", routes=each.routes()) for each in providers]
        return Starlette(routes=[*mounts, desk(self)])

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve_until_stopped())

    async def _serve_until_stopped(self) -> None:
        """Ends as a machine does that is switched off: waits for no one."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        await self._stopped.wait()
        for server in self._server.servers:
            server.close()
        for connection in tuple(self._server.server_state.connections):
            connection.transport.abort()
        serving.cancel()
        await asyncio.wait((serving, *self._server.server_state.tasks))
