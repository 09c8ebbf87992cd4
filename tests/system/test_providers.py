"""Jobs whose lyrics are looked up, and whose pictures and clips are bought."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from refrain.v1 import job_pb2
from tests.emulators import LrcSong, State

if TYPE_CHECKING:
    from tests.emulators import Emulators
    from tests.system.system import System

LINES = ["The harbour lights are going down", "One by one, one by one"]
SONG = LrcSong(
    title="Harbour",
    artist="Nobody",
    duration=10,
    synced=f"[00:00.00] {LINES[0]}\n[00:05.00] {LINES[1]}\n[00:10.00]",
)
GOOGLE = {"storyboard_provider": "gemini", "image_provider": "gemini"}


@pytest.mark.parametrize("clip_provider", ["omni", "odyssey", "veo"])
async def test_a_job_is_made_by_providers_and_its_cost_is_what_they_bill(
    bought: System, emulators: Emulators, clip_provider: str
) -> None:
    emulators.lrclib.songs = [SONG]
    await bought.start()
    job = await bought.create(
        title=SONG.title,
        artist=SONG.artist,
        lyrics="",
        seconds=10,
        clip_provider=clip_provider,
        **GOOGLE,
    )
    await bought.until(job.job_id, lambda event: event.job.finish_time.seconds > 0)
    job = await bought.job(job.job_id)
    assert job.status == job_pb2.Job.COMPLETED, job.error
    segments = await bought.segments(job.job_id)
    assert [line.text for each in segments for line in each.lines] == LINES
    billed = emulators.ledger.total(State.BILLED)
    assert billed > 0
    assert Decimal(str(job.cost.spent_usd)) == billed
    assert job.cost.in_flight_usd == job.cost.unknown_usd == job.cost.avoided_usd == 0
