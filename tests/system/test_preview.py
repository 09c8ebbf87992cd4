"""A preview shows what the job then has."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration

from refrain.prices import storyboard_estimate
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Segment
from tests.system.shop import GOOGLE

if TYPE_CHECKING:
    from tests.system.shop import Shop
    from tests.system.system import System

SAMPLE = Path(__file__).parents[2] / "samples/greensleeves.lrc"


def song(**fields: Any) -> v1.CreateJobRequest:
    return v1.CreateJobRequest(
        title="Greensleeves", style="dusk", lyrics=SAMPLE.read_text(), **fields
    )


async def planned(system: System, request: v1.CreateJobRequest) -> list[Segment]:
    """The segments of a job of this request, which is cancelled."""
    job = await system.api.CreateJob(request)
    await system.until(job.job_id, lambda event: event.job.segments_total > 0)
    await system.api.CancelJob(v1.CancelJobRequest(job_id=job.job_id))
    return await system.segments(job.job_id)


def foreseen(segment: Segment) -> Segment:
    """What of a segment is known before its job is."""
    return Segment(
        position=segment.position,
        start_offset=segment.start_offset,
        end_offset=segment.end_offset,
        lines=segment.lines,
        estimate_usd=segment.estimate_usd,
    )


async def test_a_preview_shows_the_segments_that_the_job_then_has(
    system: System,
) -> None:
    await system.start()
    shown = await system.api.PreviewJob(song())
    segments = await planned(system, song())
    assert [foreseen(segment) for segment in segments] == [
        foreseen(segment) for segment in shown.segments
    ]
    assert [segment.prompt for segment in segments] == [
        segment.prompt for segment in shown.segments
    ]
    assert shown.song_duration == Duration(seconds=122, nanos=860_000_000)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("clip_provider", ["omni", "odyssey", "veo"])
async def test_a_preview_asks_no_provider_and_says_what_the_job_is_booked_at(
    shop: Shop, clip_provider: str
) -> None:
    asked_before = len(shop.emulators.log.exchanges)
    request = song(clip_provider=clip_provider, **GOOGLE)
    shown = await shop.system.api.PreviewJob(request)
    assert len(shop.emulators.log.exchanges) == asked_before
    segments = await planned(shop.system, request)
    assert list(map(foreseen, segments)) == list(map(foreseen, shown.segments))
    lines = sum(max(1, len(segment.lines)) for segment in segments)
    storyboard = storyboard_estimate("gemini-3.8-flash", lines=lines)
    cost = sum((Decimal(str(each.estimate_usd)) for each in segments), storyboard)
    assert Decimal(str(shown.estimate_usd)) == cost > storyboard
