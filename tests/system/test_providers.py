"""Jobs whose storyboard, images and clips are bought, from emulated providers."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from refrain.v1 import job_pb2
from tests.emulators import State

if TYPE_CHECKING:
    from tests.emulators import Emulators
    from tests.system.system import System

LYRICS = """[00:00.00] The harbour lights are going down
[00:05.00] One by one, one by one
[00:10.00]"""
GOOGLE = {"storyboard_provider": "gemini", "image_provider": "gemini"}


@pytest.mark.parametrize("clip_provider", ["omni", "odyssey", "veo"])
async def test_a_job_is_made_by_providers_and_its_cost_is_what_they_bill(
    bought: System, emulators: Emulators, clip_provider: str
) -> None:
    await bought.start()
    job = await bought.create(
        lyrics=LYRICS, seconds=10, clip_provider=clip_provider, **GOOGLE
    )
    await bought.until(job.job_id, lambda event: event.job.finish_time.seconds > 0)
    job = await bought.job(job.job_id)
    assert job.status == job_pb2.Job.COMPLETED, job.error
    billed = emulators.ledger.total(State.BILLED)
    assert billed > 0
    assert Decimal(str(job.cost.spent_usd)) == billed
    assert job.cost.in_flight_usd == job.cost.unknown_usd == job.cost.avoided_usd == 0
