"""What the three services do alike: settings, connections, signals, an ordered end."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop

from refrain.artifacts import ArtifactStore
from refrain.bus import Bus
from refrain.settings import Settings, SettingsError, read_settings
from refrain.store import (
    CallStore,
    Database,
    JobStore,
    LyricsStore,
    TaskStore,
    WorkerStore,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from refrain.timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """What a service is connected to."""

    settings: Settings
    timing: Timing
    jobs: JobStore
    tasks: TaskStore
    calls: CallStore
    lyrics: LyricsStore
    workers: WorkerStore
    artifacts: ArtifactStore
    bus: Bus


class Service:
    """A service's name and connections, from its start to its end."""

    def __init__(self, name: str, settings: Settings, timing: Timing) -> None:
        self._name = name
        self._settings = settings
        self._timing = timing
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Connections:
        database = Database(self._settings.database_url)
        # The heartbeat never waits for a connection that other work has taken.
        lease_database = Database(self._settings.database_url, pool_size=1)
        bus = Bus(self._settings.nats_url, self._name)
        for each in (database, lease_database, bus):
            await self._stack.enter_async_context(each)
        return Connections(
            settings=self._settings,
            timing=self._timing,
            jobs=JobStore(database),
            tasks=TaskStore(database, jobs_per_owner=self._settings.jobs_per_owner),
            calls=CallStore(database),
            lyrics=LyricsStore(database),
            workers=WorkerStore(lease_database),
            artifacts=ArtifactStore(self._settings.storage_url),
            bus=bus,
        )

    async def __aexit__(self, *_exc: object) -> None:
        await self._stack.aclose()


def run(
    name: str,
    serve: Callable[[Connections, asyncio.Event], Awaitable[None]],
    timing: Timing,
) -> None:
    """Runs a service until SIGTERM or SIGINT, which set the event that it gets."""
    logging.basicConfig(
        level=logging.INFO,
        format=f"%(asctime)s {name} %(levelname)s %(message)s%(fields)s",
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_add_fields)
    try:
        settings = read_settings()
    except SettingsError as err:
        sys.exit(f"{name}: {err}")
    # What is imported stays, and calls leave few cycles: the collector's usual pace
    # costs a fifth of a busy gateway, and its full passes stop every call.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    uvloop.run(_serve(name, serve, settings, timing))


async def _serve(
    name: str,
    serve: Callable[[Connections, asyncio.Event], Awaitable[None]],
    settings: Settings,
    timing: Timing,
) -> None:
    shutdown = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, shutdown.set)
    async with Service(name, settings, timing) as connections:
        await serve(connections, shutdown)


def _add_fields(record: logging.LogRecord) -> bool:
    """Puts the fields that name a transition behind its line."""
    named = ((name, getattr(record, name, None)) for name in ("job_id", "task"))
    record.fields = "".join(f" {name}={value!s}" for name, value in named if value)
    return True
