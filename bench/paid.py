"""Paid: calls that cost money, of jobs that are cancelled at random moments.

Each call's row is older than its job's cancel, by the one clock of PostgreSQL; no job
has sent more calls than it has rows. What the providers receive after a cancel was on
its way when it was committed, and comes soon.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from bench.figure import Figure, percentile
from bench.system import System
from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from tests.emulators import Emulators

if TYPE_CHECKING:
    from tests.emulators import Exchange

TRIALS = 500
AT_ONCE = 20
LATEST = 2.0
"""Seconds after its creation until which a job is cancelled."""
BOUND = 50.0
"""Milliseconds from a cancel to the last call that is received for its job."""
PAID = ("storyboard", "image", "create")
LIMITS = "gemini=500,30000 omni=500,30000"
LATE = """
    SELECT count(*) AS calls
    FROM provider_calls JOIN jobs USING (job_id)
    WHERE provider_calls.created_at > jobs.cancel_requested_at"""
ROWS = "SELECT job_id::text, count(*) FROM provider_calls GROUP BY job_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A cancelled job, and what its requests hold and no others."""

    job: job_pb2.Job
    mark: bytes

    @property
    def cancelled_at(self) -> float:
        """When the cancel was committed, in seconds since 1970."""
        return self.job.cancellation.request_time.ToNanoseconds() / 1e9


async def measure() -> list[Figure]:
    """Returns how late the last call of a job is received after its cancel."""
    with Emulators() as emulators:
        emulators.gemini.knobs.clip.processing = 0.3
        async with System(REFRAIN_LIMITS=LIMITS, **emulators.environment()) as system:
            await system.spawn("services.generator")
            await _create(system, "Warm-up ")
            await emulators.until(lambda: emulators.log.of("gemini"), within=60)
            one_at_a_time = asyncio.Semaphore(AT_ONCE)
            trials = await asyncio.gather(
                *(_trial(system, number, one_at_a_time) for number in range(TRIALS))
            )
            rows = await _count_rows(system.database_url)
        sent = [
            exchange for exchange in emulators.log.exchanges if exchange.purpose in PAID
        ]
    delays = [_last_send(trial, sent, rows) for trial in trials]
    if len(sent) < TRIALS:
        raise RuntimeError(f"only {len(sent)} calls were sent, which proves little")
    return [
        Figure(
            name=f"last_send_after_cancel_p99_of_{TRIALS}",
            value=percentile(delays, 99),
            unit="ms",
            floor=BOUND,
            at_most=1,
        )
    ]


async def _trial(system: System, number: int, turn: asyncio.Semaphore) -> Trial:
    mark = f"Trial {number:03} "
    async with turn:
        job_id = await _create(system, mark)
        await asyncio.sleep(random.uniform(0, LATEST))  # noqa: S311
        await system.jobs.CancelJob(v1.CancelJobRequest(job_id=job_id))
        wait = v1.WaitJobRequest(job_id=job_id)
        wait.timeout.FromSeconds(30)
        job = await system.jobs.WaitJob(wait)
    if job.status != job_pb2.Job.CANCELLED:
        raise RuntimeError(f"the job is not cancelled, but {job.status}")
    return Trial(job=job, mark=mark.encode())


async def _create(system: System, mark: str) -> str:
    request = v1.CreateJobRequest(
        title=mark,
        lyrics="\n".join(f"{mark} goes down, line {line}" for line in range(5)),
        storyboard_provider="gemini",
        image_provider="gemini",
        clip_provider="omni",
        video=v1.VideoOptions(width=256, height=144, frame_rate=12),
    )
    return (await system.jobs.CreateJob(request)).job_id


async def _count_rows(database_url: str) -> dict[str, int]:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        (late,) = await (await connection.execute(LATE)).fetchone() or (0,)
        if late:
            raise RuntimeError(f"{late} calls were let go after their job's cancel")
        return dict(await (await connection.execute(ROWS)).fetchall())


def _last_send(trial: Trial, sent: list[Exchange], rows: dict[str, int]) -> float:
    """Returns after how many milliseconds the last call came; 0 if before."""
    ours = [exchange for exchange in sent if trial.mark in exchange.body]
    if len(ours) > rows.get(trial.job.job_id, 0):
        raise RuntimeError("a call was sent that has no row")
    clocks = time.time() - time.monotonic()
    last = max((exchange.received_at + clocks for exchange in ours), default=0)
    return max(0.0, (last - trial.cancelled_at) * 1e3)
