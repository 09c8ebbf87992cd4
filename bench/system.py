"""System: the servers and processes of one benchmark, fsync on, loopback only."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Self

import grpc

from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres, tail
from refrain.local.guardian import Guardian, Stage
from refrain.local.ports import free_port
from refrain.store import migrate
from refrain.v1.job_service_pb2_grpc import JobServiceStub

if TYPE_CHECKING:
    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub

NO_PROVIDERS = {"GEMINI_API_KEY": "", "ODYSSEY_API_KEY": "", "LRCLIB_URL": ""}
"""What is measured costs nothing, whoever runs it."""
TIMEOUT = 20
"""Seconds that a process may take to say its next line, or to serve."""


class System:
    """PostgreSQL, nats-server, the gateway, and what else a benchmark spawns."""

    jobs: JobServiceAsyncStub
    database_url: str
    nats_url: str
    grpc_port: int
    http_port: int
    scratch: Path
    """Where the services put files in the making."""

    def __init__(self, **environment: str) -> None:
        """`environment` is what the services have beside their usual settings."""
        self._stack = AsyncExitStack()
        self._environment = os.environ | NO_PROVIDERS | environment

    async def __aenter__(self) -> Self:
        async with self._stack:
            await self._start()
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def spawn(self, module: str, *arguments: str, **environment: str) -> Spawned:
        """Starts `python -m module`, which ends with the system."""
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, *arguments),
                stdout=PIPE,
                stderr=log,
                env=self._environment | environment,
                start_new_session=True,
            )
        self._guardian.watch(process.pid, Stage.SERVICES, signal.SIGKILL)
        spawned = Spawned(process, self._log)
        self._stack.push_async_callback(self._end, spawned)
        return spawned

    async def dial(self, port: int) -> grpc.aio.Channel:
        """Returns a channel to the port, once something serves there."""
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        await self._stack.enter_async_context(channel)
        async with asyncio.timeout(TIMEOUT):
            await channel.channel_ready()
        return channel

    async def _start(self) -> None:
        folder = Path(
            self._stack.enter_context(TemporaryDirectory(prefix="refrain-bench-"))
        )
        # PostgreSQL may run as another user, who is to reach its own folder.
        folder.chmod(0o711)  # noqa: ASYNC240
        self._log = folder / "log"
        self.scratch = folder / "scratch"
        self._guardian = self._stack.enter_context(Guardian())
        postgres = EmbeddedPostgres(folder / "postgres", self._guardian)
        nats = EmbeddedNats(folder / "nats", self._guardian)
        self.database_url = self._stack.enter_context(postgres).url
        self.nats_url = self._stack.enter_context(nats).url
        await migrate(self.database_url)
        self.grpc_port, self.http_port = free_port(), free_port()
        self._environment |= {
            "REFRAIN_DATABASE_URL": self.database_url,
            "REFRAIN_NATS_URL": self.nats_url,
            "REFRAIN_STORAGE_URL": (folder / "artifacts").as_uri(),
            "REFRAIN_SCRATCH": str(self.scratch),
            "REFRAIN_GRPC_PORT": str(self.grpc_port),
            "REFRAIN_HTTP_PORT": str(self.http_port),
        }
        await self.spawn("services.gateway")
        self.jobs = JobServiceStub(await self.dial(self.grpc_port))

    async def _end(self, spawned: Spawned) -> None:
        await spawned.kill()
        self._guardian.forget(spawned.pid)


class Spawned:
    """A process, and what it prints, a line at a time."""

    def __init__(self, process: Process, log: Path) -> None:
        if process.stdout is None:
            raise ValueError("the process has no pipe")
        self.pid = process.pid
        self._process = process
        self._output = process.stdout
        self._log = log

    async def kill(self) -> None:
        """SIGKILL, unless it has ended; returns once it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def next(self) -> list[str]:
        """Returns the words of the next line; raises RuntimeError if none comes."""
        async with asyncio.timeout(TIMEOUT):
            line = await self._output.readline()
        if not line:
            raise RuntimeError(f"a process ended; the log ends:\n{tail(self._log)}")
        return line.decode().split()
