"""Callers: 64 clients that create jobs as fast as the gateway lets them.

Run as `python -m bench.callers PORT`; prints how many were created in each second.
"""

from __future__ import annotations

import asyncio
import sys

import grpc

from bench.tasks_in_flight import SONG
from refrain.v1.job_service_pb2_grpc import JobServiceStub

CALLERS = 64


async def _create(port: str) -> None:
    created = 0

    async def keep_creating() -> None:
        nonlocal created
        while True:
            await jobs.CreateJob(SONG)
            created += 1

    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
        asyncio.TaskGroup() as group,
    ):
        jobs = JobServiceStub(channel)
        for _ in range(CALLERS):
            group.create_task(keep_creating())
        while True:
            await asyncio.sleep(1)
            print(created, flush=True)  # noqa: T201
            created = 0


if __name__ == "__main__":
    asyncio.run(_create(sys.argv[1]))
