"""Watch: when a client learns that its job is CANCELLED."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING

from refrain.v1.job_pb2 import Job
from refrain.v1.job_service_pb2 import CancelJobRequest, WatchJobRequest

if TYPE_CHECKING:
    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub

TIMEOUT = 30


async def cancel_and_watch(jobs: JobServiceAsyncStub, job_id: str) -> float:
    """Returns the seconds from the call of CancelJob to CANCELLED, as a watch says it.

    Infinite if the job ends otherwise, or not within 30 s.
    """
    watch = jobs.WatchJob(WatchJobRequest(job_id=job_id))
    events = aiter(watch)
    # The snapshot shows that the watch stands before the cancel comes.
    await anext(events)
    called = time.monotonic()
    await jobs.CancelJob(CancelJobRequest(job_id=job_id))
    try:
        async with asyncio.timeout(TIMEOUT):
            async for event in events:
                if event.job.status == Job.CANCELLED:
                    return time.monotonic() - called
    except TimeoutError:
        watch.cancel()
    return math.inf
