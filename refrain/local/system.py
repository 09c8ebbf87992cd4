"""The whole of Refrain on one machine: what `refrain up` runs.

The three services are processes of their own over an embedded PostgreSQL and
nats-server, or over those that REFRAIN_DATABASE_URL, REFRAIN_NATS_URL and
REFRAIN_STORAGE_URL name. What ends unasked is started again.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres, tail
from refrain.local.guardian import Guardian, Program, Stage, StartError
from refrain.local.home import Home
from refrain.local.ports import asked_port

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from pathlib import Path

Result = TypeVar("Result")

SERVICES: Mapping[str, Sequence[str]] = {
    name: (sys.executable, "-m", f"services.{name}")
    for name in ("gateway", "generator", "stitcher")
}
GRPC_PORT = 50051
HTTP_PORT = 8000

START_TIMEOUT = 20.0
"""Seconds the gateway may take to answer."""

FIRST_RESTART_DELAY, LAST_RESTART_DELAY = 0.2, 5.0
"""Seconds; doubled from end to end, and forgotten after a minute's run."""


class Service(Program):
    """One of the three services, told all it needs through its environment."""

    stage = Stage.SERVICES
    stop_grace = 25.0

    def __init__(
        self,
        argv: Sequence[str],
        guardian: Guardian,
        log: Path,
        environment: Mapping[str, str],
    ) -> None:
        super().__init__(guardian, log)
        self._argv = argv
        self._environment = environment

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._launch(self._argv, env=self._environment)


class LocalSystem:
    """A running Refrain; `async with` starts it, and stops it whatever happens.

    `migrate` brings the database at a URL up to date; `say` gets one line for each
    thing worth knowing, a taken port or a restart. Raises StartError, which says what
    to do, when it cannot start.
    """

    def __init__(
        self,
        home: Path,
        *,
        migrate: Callable[[str], Awaitable[None]],
        say: Callable[[str], object] = print,
        services: Mapping[str, Sequence[str]] = SERVICES,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self.programs: dict[str, Program] = {}
        """By name: `postgres` and `nats` where embedded, and the services."""
        self.grpc_port = self.http_port = 0
        self._home = Home(home)
        self._migrate = migrate
        self._say = say
        self._argv = services
        self._environment = environment
        self._stack = AsyncExitStack()
        # Each program has a thread that waits for its end and one that stops it.
        self._threads = ThreadPoolExecutor(2 * (len(services) + 2))

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._start(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def grpc_address(self) -> str:
        """host:port of the API."""
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def page_url(self) -> str:
        """URL of the page."""
        return f"http://127.0.0.1:{self.http_port}"

    def kill(self) -> None:
        """Kill the services where they stand, to shorten a stop that takes too long."""
        for program in self.programs.values():
            if program.stage is Stage.SERVICES:
                program.kill()

    async def _start(self, stack: AsyncExitStack) -> None:
        stack.callback(self._threads.shutdown)
        lock = stack.enter_context(self._home.open_lock())
        await self._whole(partial(self._home.acquire, lock))
        guardian = stack.enter_context(Guardian(held=[lock]))
        self._choose_ports()
        environment = await self._start_servers(stack, guardian)
        await self._migrate(environment["REFRAIN_DATABASE_URL"])
        await self._start_services(stack, guardian, environment)
        stack.enter_context(self._home.announced(self.grpc_address, self.page_url))
        supervision = await stack.enter_async_context(asyncio.TaskGroup())
        for name, program in self.programs.items():
            keeping = supervision.create_task(self._keep(name, program))
            stack.callback(keeping.cancel)

    def _choose_ports(self) -> None:
        self.grpc_port = asked_port(self._environment, "REFRAIN_GRPC_PORT", GRPC_PORT)
        self.http_port = asked_port(self._environment, "REFRAIN_HTTP_PORT", HTTP_PORT)
        moved = [
            f"{what} is on {port} because {usual} is taken"
            for what, name, port, usual in (
                ("gRPC", "REFRAIN_GRPC_PORT", self.grpc_port, GRPC_PORT),
                ("the page", "REFRAIN_HTTP_PORT", self.http_port, HTTP_PORT),
            )
            if port != usual and not self._environment.get(name)
        ]
        if moved:
            self._say(f"Ports: {', '.join(moved)}.")

    async def _start_servers(
        self, stack: AsyncExitStack, guardian: Guardian
    ) -> dict[str, str]:
        """Start what is not given from outside; return the services' environment."""
        given = self._environment.get
        home = self._home.folder
        if not (database_url := given("REFRAIN_DATABASE_URL")):
            postgres = EmbeddedPostgres(home / "postgres", guardian)
            await self._start_server(stack, "postgres", postgres)
            database_url = postgres.url
        if not (nats_url := given("REFRAIN_NATS_URL")):
            nats = EmbeddedNats(home / "nats", guardian)
            await self._start_server(stack, "nats", nats)
            nats_url = nats.url
        if not (storage_url := given("REFRAIN_STORAGE_URL")):
            (home / "artifacts").mkdir(exist_ok=True)
            storage_url = (home / "artifacts").as_uri()
        return {
            **self._environment,
            "REFRAIN_DATABASE_URL": database_url,
            "REFRAIN_NATS_URL": nats_url,
            "REFRAIN_STORAGE_URL": storage_url,
            "REFRAIN_SCRATCH": str(self._home.folder / "scratch"),
            "REFRAIN_GRPC_PORT": str(self.grpc_port),
            "REFRAIN_HTTP_PORT": str(self.http_port),
        }

    async def _start_server(
        self, stack: AsyncExitStack, name: str, server: Program
    ) -> None:
        stack.push_async_callback(self._whole, server.stop)
        await self._whole(server.start)
        self.programs[name] = server

    async def _start_services(
        self, stack: AsyncExitStack, guardian: Guardian, environment: Mapping[str, str]
    ) -> None:
        stack.push_async_callback(self._stop_services)
        for name, argv in self._argv.items():
            log = self._home.folder / f"logs/{name}.log"
            service = Service(argv, guardian, log, environment)
            self.programs[name] = service
            service.start()
        await self._await_gateway(self.programs["gateway"])

    async def _stop_services(self) -> None:
        services = [self.programs[name] for name in self._argv if name in self.programs]
        await asyncio.gather(*(self._whole(service.stop) for service in services))

    async def _await_gateway(self, gateway: Program) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while not await _answers(self.grpc_port):
            if gateway.exit_code() is not None or time.monotonic() > deadline:
                raise StartError(
                    f"The gateway does not answer; {gateway.log} ends with:\n"
                    f"{tail(gateway.log)}"
                )
            await asyncio.sleep(0.02)

    async def _keep(self, name: str, program: Program) -> None:
        """Start a program again whenever it ends."""
        delay = FIRST_RESTART_DELAY
        loop = asyncio.get_running_loop()
        while True:
            started = time.monotonic()
            code = await loop.run_in_executor(self._threads, program.wait)
            if time.monotonic() - started > 60:
                delay = FIRST_RESTART_DELAY
            how = f"code {code}" if code >= 0 else signal.Signals(-code).name
            self._say(f"{name} ended ({how}) and is started again; see {program.log}")
            await asyncio.sleep(delay)
            delay = min(2 * delay, LAST_RESTART_DELAY)
            try:
                await self._whole(program.start)
            except StartError as error:
                self._say(f"{name}: {error}")

    async def _whole(self, function: Callable[[], Result]) -> Result:
        """Run it in a thread, to its end: a cancel waits, for no thread hears it."""
        loop = asyncio.get_running_loop()
        running = loop.run_in_executor(self._threads, function)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            await asyncio.wait([running])
            raise


async def up(
    home: Path,
    *,
    migrate: Callable[[str], Awaitable[None]],
    say: Callable[[str], object] = print,
    services: Mapping[str, Sequence[str]] = SERVICES,
) -> int:
    """Run Refrain on `home` until Ctrl-C or SIGTERM; return the exit code."""
    system = LocalSystem(home, migrate=migrate, say=say, services=services)

    async def serve() -> None:
        async with system:
            say(
                f"Refrain is up: page {system.page_url}, gRPC {system.grpc_address}. "
                "Ctrl-C stops it."
            )
            await asyncio.Event().wait()

    interrupted = asyncio.Event()
    serving = asyncio.create_task(serve())

    def interrupt() -> None:
        if interrupted.is_set():
            system.kill()
            return
        interrupted.set()
        say("Stopping: tasks under way get a moment. Ctrl-C again ends all at once.")
        serving.cancel()

    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop_signal, interrupt)
    try:
        await serving
    except StartError as error:
        say(str(error))
        return 1
    except asyncio.CancelledError:
        if not interrupted.is_set():
            raise
    return 0


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
