"""Jobs whose lyrics are looked up, and whose pictures and clips are bought."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.emulators import LrcSong, State
from tests.system.buying import completed
from tests.system.shop import GOOGLE

if TYPE_CHECKING:
    from tests.system.shop import Shop

LINES = ["The harbour lights are going down", "One by one, one by one"]
SONG = LrcSong(
    title="Harbour",
    artist="Nobody",
    duration=10,
    synced=f"[00:00.00] {LINES[0]}\n[00:05.00] {LINES[1]}\n[00:10.00]",
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("clip_provider", ["omni", "odyssey", "veo"])
async def test_a_job_is_made_by_providers_and_its_cost_is_what_they_bill(
    shop: Shop, clip_provider: str
) -> None:
    ledger = shop.emulators.ledger
    billed_before = ledger.total(State.BILLED)
    shop.emulators.lrclib.songs = [SONG]
    job = await shop.system.create(
        title=SONG.title,
        artist=SONG.artist,
        lyrics="",
        seconds=10,
        clip_provider=clip_provider,
        **GOOGLE,
    )
    job = await completed(shop.system, job.job_id)
    segments = await shop.system.segments(job.job_id)
    assert [line.text for each in segments for line in each.lines] == LINES
    billed = ledger.total(State.BILLED) - billed_before
    assert billed > 0
    assert Decimal(str(job.cost.spent_usd)) == billed
    assert job.cost.in_flight_usd == job.cost.unknown_usd == job.cost.avoided_usd == 0
