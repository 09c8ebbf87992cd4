"""Waiting: 200 segments at once in one generator, each of which waits for a picture.

First all wait; what that adds to the process is the memory of a waiting call. Then
pictures of 1 MB come to all of them, and the lag of the event loop is what everything
else in the process has to wait. Then all jobs are cancelled while clips are made, and
no call, connection or row is left open.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import psycopg

from bench.figure import Figure
from bench.system import System
from refrain.local.ports import free_port
from refrain.v1 import job_service_pb2 as v1
from tests.emulators import KEYS
from tests.eventually import eventually

if TYPE_CHECKING:
    from bench.system import Spawned

SEGMENTS = 200
JOBS, IN_FLIGHT = 8, 25
SONG = 5 * IN_FLIGHT
"""Seconds: a segment lasts five."""
MEMORY = 100.0
"""KiB that a waiting call may take."""
LAG = 20.0
"""Milliseconds that the loop may lag, in 99 of 100 turns."""
PICTURE = 1_000_000
LIMITS = "gemini=500,60000 omni=500,60000"
PATIENCE = 120.0
OPEN = "SELECT count(*) FROM provider_calls WHERE status = 'sent'"


async def measure() -> list[Figure]:
    """Returns the memory of a waiting call, and the lag while pictures arrive."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with System(
        REFRAIN_LIMITS=LIMITS,
        REFRAIN_SLOTS="256",
        GEMINI_API_KEY=KEYS["gemini"],
        GOOGLE_GEMINI_BASE_URL=f"{url}/gemini",
    ) as system:
        emulators = await system.spawn("tests.emulators", "--port", str(port))
        await emulators.next()
        generator = await system.spawn("bench.generator")
        async with httpx.AsyncClient(base_url=f"{url}/_emulator") as desk:
            await _turn(desk, image={"hang": "headers"}, image_bytes=PICTURE)
            await _turn(desk, clip={"hold": "processing"})
            await _create(system, jobs=1, segments=1)
            await _seen(desk, "image", 1)
            before = _resident(generator)
            jobs = await _create(system, jobs=JOBS, segments=IN_FLIGHT)
            await _seen(desk, "image", SEGMENTS + 1)
            added = _resident(generator) - before
            os.kill(generator.pid, signal.SIGUSR1)
            await _turn(desk, image={"hang": ""})
            await _seen(desk, "create", SEGMENTS)
            os.kill(generator.pid, signal.SIGUSR2)
            lag, _ = map(float, await generator.next())
            await system.jobs.CancelJobs(v1.CancelJobsRequest(all=True))
            await _nothing_is_open(system, desk, generator, jobs)
    return [
        Figure(
            name=f"memory_of_a_waiting_call_of_{SEGMENTS}",
            value=added / SEGMENTS,
            unit="KiB",
            floor=MEMORY,
            at_most=1,
        ),
        Figure(
            name=f"loop_lag_p99_while_{SEGMENTS}_pictures_of_1_MB_arrive",
            value=lag,
            unit="ms",
            floor=LAG,
            at_most=1,
        ),
    ]


async def _turn(desk: httpx.AsyncClient, **knobs: Any) -> None:
    (await desk.post("/knobs", json={"gemini": knobs})).raise_for_status()


async def _create(system: System, *, jobs: int, segments: int) -> list[str]:
    request = v1.CreateJobRequest(
        title="Waiting",
        instrumental=True,
        max_in_flight=IN_FLIGHT,
        storyboard_provider="local",
        image_provider="gemini",
        clip_provider="omni",
        video=v1.VideoOptions(width=320, height=180, frame_rate=12),
    )
    request.song_duration.FromSeconds(5 * segments)
    return [(await system.jobs.CreateJob(request)).job_id for _ in range(jobs)]


async def _seen(desk: httpx.AsyncClient, purpose: str, calls: int) -> None:
    async def seen() -> bool:
        return len(await _log(desk, purpose)) >= calls

    await eventually(seen, within=PATIENCE)


async def _log(desk: httpx.AsyncClient, *purposes: str) -> list[dict[str, Any]]:
    exchanges: list[dict[str, Any]] = (await desk.get("/log")).json()
    return [each for each in exchanges if each["purpose"] in purposes]


async def _nothing_is_open(
    system: System, desk: httpx.AsyncClient, generator: Spawned, jobs: list[str]
) -> None:
    for job_id in jobs:
        wait = v1.WaitJobRequest(job_id=job_id)
        wait.timeout.FromSeconds(30)
        job = await system.jobs.WaitJob(wait)
        if not job.HasField("finish_time"):
            raise RuntimeError("a cancelled job goes on")

    async def nothing_is_open() -> bool:
        return not await _open_calls(system, desk)

    await eventually(nothing_is_open, within=PATIENCE)


async def _open_calls(system: System, desk: httpx.AsyncClient) -> int:
    """Counts the calls that the emulator, or the record, takes for unfinished."""
    paid = await _log(desk, "image", "create", "look", "download")
    open_calls = [
        each
        for each in paid
        if each["answered_at"] is None and each["disconnected_at"] is None
    ]
    connection = await psycopg.AsyncConnection.connect(system.database_url)
    async with connection:
        (rows,) = await (await connection.execute(OPEN)).fetchone() or (0,)
    return len(open_calls) + rows


def _resident(process: Spawned) -> float:
    """The KiB of the process, without its children, that are in memory."""
    return psutil.Process(process.pid).memory_info().rss / 1024
