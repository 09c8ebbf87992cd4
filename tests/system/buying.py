"""Buying: how a shop is opened for the tests of a module, and what they order there."""

from __future__ import annotations

import asyncio
import secrets
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from google.rpc import error_details_pb2

from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job
from tests.emulators import Emulators
from tests.eventually import eventually
from tests.system.shop import GOOGLE, Order, Shop
from tests.system.system import System

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from refrain.local.embedded import EmbeddedNats
    from tests.databases import Databases

SEGMENT_SECONDS = 5
DRAIN = 0.2
"""Seconds that a generator has after SIGTERM, so that it hands back what it runs."""


@asynccontextmanager
async def open_shop(
    folder: Path,
    databases: Databases,
    nats_server: EmbeddedNats,
    **variables: str,
) -> AsyncGenerator[Shop]:
    """Starts all services over the emulators; `variables` are the generator's."""
    with Emulators() as emulators:
        async with System(
            folder=folder,
            database_url=await databases.create(),
            nats_url=nats_server.url,
            seconds={"drain": DRAIN},
            variables=environments(emulators, **variables),
        ) as system:
            await system.start()
            yield Shop(system=system, emulators=emulators)


def environments(emulators: Emulators, **variables: str) -> dict[str, dict[str, str]]:
    """Returns what differs in the environments of the services that need keys."""
    price = str(emulators.odyssey.knobs.usd_per_second)
    keys = {**emulators.environment(), "REFRAIN_ODYSSEY_USD_PER_SECOND": price}
    return {"gateway": keys, "generator": {**keys, **variables}}


async def order(
    system: System, emulators: Emulators, segments: int = 1, **fields: Any
) -> Order:
    """Creates a job, made by Gemini and Omni unless `fields` say otherwise."""
    mark = secrets.token_hex(6)
    starts = range(0, segments * SEGMENT_SECONDS, SEGMENT_SECONDS)
    job = await system.create(
        **{
            "title": mark,
            "style": mark,
            "lyrics": "\n".join(f"[00:{at:02}.00] {mark} {at}" for at in starts),
            "seconds": segments * SEGMENT_SECONDS,
            "clip_provider": "omni",
            **GOOGLE,
            **fields,
        }
    )
    return Order(job_id=job.job_id, mark=mark, emulators=emulators)


async def finished(system: System, job_id: str) -> Job:
    """Returns the job once it is finished."""
    return await system.api.WaitJob(v1.WaitJobRequest(job_id=job_id), timeout=60)


async def completed(system: System, job_id: str) -> Job:
    job = await finished(system, job_id)
    assert job.status == Job.COMPLETED, job.error
    return job


async def receipt(system: System, job_id: str) -> dict[str, int]:
    """Returns what the providers answered to a cancel, once all have."""

    async def answered() -> Job | None:
        job = await system.job(job_id)
        cancelled = job.status == Job.CANCELLED
        return job if cancelled and not _counts(job).get("pending") else None

    job = await eventually(answered, within=20)
    assert job
    return _counts(job)


@asynccontextmanager
async def generator_restarted(system: System) -> AsyncGenerator[None]:
    """SIGTERM; while none runs, what is within; then another in its place."""
    old = system.processes.pop("generator")
    old.terminate()
    yield
    await system.start("generator")
    assert await asyncio.to_thread(old.wait, 15) == 0


async def start_another_generator(system: System) -> None:
    """The one that ran before is `older` from then on."""
    system.processes["older"] = system.processes.pop("generator")
    await system.start("generator")


def purposes(order: Order) -> dict[str, int]:
    """Counts what was paid for the order, or would have been, by its purpose."""
    paid = [charge.purpose for charge in order.charges()]
    return {purpose: paid.count(purpose) for purpose in sorted(set(paid))}


def usd(amount: float) -> Decimal:
    """Reads an amount of the API, to a hundredth of a cent."""
    return Decimal(str(round(amount, 4)))


def reason(job: Job) -> str:
    """Returns the reason that a failed job's ErrorInfo gives."""
    info = error_details_pb2.ErrorInfo()
    assert job.error.details[0].Unpack(info)
    return info.reason


def _counts(job: Job) -> dict[str, int]:
    cancels = job.cancellation.provider_cancels
    return {field.name: value for field, value in cancels.ListFields()}
