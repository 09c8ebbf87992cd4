"""A gateway that serves in the test's own loop, over real servers."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest

from refrain.outcome import VideoMade
from refrain.service import Connections, Service
from refrain.settings import Settings
from refrain.timing import TIMING
from refrain.v1.job_service_pb2_grpc import JobServiceStub
from services.gateway.__main__ import serve
from tests.emulators import NO_TLS
from tests.eventually import eventually
from tests.ports import own_port
from tests.refrain.record import Record

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator
    from pathlib import Path

    from refrain.job import Job
    from refrain.local.embedded import EmbeddedNats
    from refrain.store import Database
    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub

OWNER = "local"
NO_JOB = "019b0000-0000-7000-8000-000000000000"
VIDEO = bytes(range(256)) * 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """Where a running gateway is, and what it is connected to."""

    grpc_address: str
    http_url: str
    connections: Connections
    shutdown: asyncio.Event
    """Set, it ends the gateway as SIGTERM does."""
    serving: asyncio.Task[None]


@pytest.fixture
async def gateway(
    database_url: str, nats_server: EmbeddedNats, tmp_path: Path
) -> AsyncIterator[Gateway]:
    async with serving(database_url, nats_server.url, tmp_path) as gateway:
        yield gateway


@pytest.fixture
async def api(gateway: Gateway) -> AsyncIterator[JobServiceAsyncStub]:
    async with grpc.aio.insecure_channel(gateway.grpc_address) as channel:
        yield JobServiceStub(channel)


@asynccontextmanager
async def serving(
    database_url: str, nats_url: str, folder: Path, *, http_port: int | None = None
) -> AsyncGenerator[Gateway]:
    """A gateway on ports of its own, until the block ends."""
    settings = Settings(
        database_url=database_url,
        nats_url=nats_url,
        storage_url=f"file://{folder}/artifacts",
        grpc_port=own_port(),
        http_port=http_port or own_port(),
        provider_slots=1,
        media_slots=1,
        jobs_per_owner=None,
        scratch=str(folder / "scratch"),
    )
    async with Service("gateway", settings, TIMING) as connections:
        shutdown = asyncio.Event()
        gateway = Gateway(
            grpc_address=f"127.0.0.1:{settings.grpc_port}",
            http_url=f"http://127.0.0.1:{settings.http_port}",
            connections=connections,
            shutdown=shutdown,
            serving=asyncio.create_task(serve(connections, shutdown)),
        )
        await eventually(lambda: _serves(gateway))
        yield gateway
        shutdown.set()
        await gateway.serving


@pytest.fixture
def record(database: Database, database_url: str) -> Record:
    """The gateway's record, as workers see it."""
    return Record(database, database_url)


@pytest.fixture
async def browser(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client that has opened the page, and sends its token along."""
    async with httpx.AsyncClient(base_url=gateway.http_url, verify=NO_TLS) as client:
        answer = await client.get("/api/v1/csrfToken")
        client.headers["X-CSRFToken"] = answer.json()["csrfToken"]
        yield client


@pytest.fixture
async def pending(record: Record) -> Job:
    return await record.create(owner=OWNER, title="Song Title")


@pytest.fixture
async def completed(gateway: Gateway, record: Record, tmp_path: Path) -> Job:
    """A job whose video is VIDEO."""
    worker_id = await record.register()
    await record.at_stitch(worker_id, owner=OWNER, title="Ein Lied / eins")
    stitch = await record.claim(worker_id)
    file = tmp_path / "video.mp4"
    file.write_bytes(VIDEO)
    uri = await gateway.connections.artifacts.put(f"{stitch.folder}/video.mp4", file)
    made = VideoMade(video={"uri": uri, "sizeBytes": str(len(VIDEO))})
    change = await record.settle(stitch, made)
    assert change is not None
    return change.job


async def _serves(gateway: Gateway) -> bool:
    if gateway.serving.done():
        gateway.serving.result()
    # The page is the last that the gateway opens.
    host, _, port = gateway.http_url.removeprefix("http://").partition(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True
