"""Runs the gateway: `python -m services.gateway`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from refrain.media import MediaPool
from refrain.scratch import Scratch
from refrain.service import Connections, run
from refrain.timing import TIMING, Timing
from refrain.v1 import job_service_pb2
from refrain.v1.job_service_pb2_grpc import add_JobServiceServicer_to_server
from services.gateway.audio import AudioUploads
from services.gateway.bulk import BulkCancel
from services.gateway.feed import Feed
from services.gateway.interceptor import ErrorInterceptor
from services.gateway.job_service import JobService
from services.gateway.jobs import Jobs
from services.gateway.sweep import FileSweep, Sweep
from services.gateway.web.server import Web

if TYPE_CHECKING:
    from grpc.aio import Server

HOST = "127.0.0.1"
"""There is no authentication yet: only this machine reaches the gateway."""
STOP_GRACE = 3.0
"""Seconds for calls to end after the watches have been ended."""

_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 40_000),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    # A client that pings an idle watch every 20 s is not a nuisance.
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
]


async def serve(to: Connections, shutdown: asyncio.Event) -> None:
    """Serves the API and the page, and sweeps, until `shutdown` is set."""
    with Scratch(Path(to.settings.scratch) / "gateway") as scratch:
        async with MediaPool(1, ["services.gateway.measure", "refrain.cut"]) as media:
            uploads = AudioUploads(to.jobs, to.artifacts, media, scratch)
            await _serve(to, uploads, media, shutdown)


async def _serve(
    to: Connections, uploads: AudioUploads, media: MediaPool, shutdown: asyncio.Event
) -> None:
    async with asyncio.TaskGroup() as group:
        feed = Feed(to.jobs, to.bus)
        jobs = Jobs(to, feed, uploads, media)
        health_servicer = _health_servicer()
        service = JobService(jobs, BulkCancel(to), uploads, to.settings.providers)
        server = _server(service, health_servicer)
        server.add_insecure_port(f"{HOST}:{to.settings.grpc_port}")
        await server.start()
        web = Web(service, jobs, feed, to.settings)
        loops = [
            group.create_task(feed.run()),
            group.create_task(Sweep(to).run()),
            group.create_task(FileSweep(to).run()),
            group.create_task(web.serve(HOST, to.settings.http_port)),
        ]
        await health_servicer.set("", health_pb2.HealthCheckResponse.SERVING)
        await shutdown.wait()
        await health_servicer.enter_graceful_shutdown()
        feed.close()
        web.close()
        await server.stop(STOP_GRACE)
        for loop in loops:
            loop.cancel()


def _health_servicer() -> Any:
    """The stubs of grpc_health lack its asyncio half, here and where it is added."""
    return vars(health)["aio"].HealthServicer()


def _server(service: JobService, health_servicer: Any) -> Server:
    server = grpc.aio.server(interceptors=[ErrorInterceptor()], options=_OPTIONS)
    add_JobServiceServicer_to_server(service, server)
    vars(health_pb2_grpc)["add_HealthServicer_to_server"](health_servicer, server)
    names = [
        job_service_pb2.DESCRIPTOR.services_by_name["JobService"].full_name,
        health.SERVICE_NAME,
        reflection.SERVICE_NAME,
    ]
    reflection.enable_server_reflection(names, server)
    return server


def main(timing: Timing = TIMING) -> None:
    """Serves until SIGTERM."""
    run("gateway", serve, timing)


if __name__ == "__main__":
    main()
