"""What a preview foresees is what the adapters book, whoever makes what."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from refrain.errors import TaskError
from refrain.estimates import estimate_segment, estimate_storyboard
from refrain.media import MediaPool
from refrain.provider_call import FREE
from refrain.providers import ProviderSettings
from refrain.v1.job_service_pb2 import CreateJobRequest, VideoOptions
from services.generator.deployment import Providers, providers_of
from services.generator.providers.local.renderer import LocalRenderer
from services.generator.providers.provider import ClipRequest, ImageRequest, Song

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEYS: dict[str, Any] = {
    "gemini_api_key": "key",
    "vertex_api_key": "key",
    "odyssey_api_key": "key",
}
ALL = ProviderSettings(**KEYS, odyssey_usd_per_second=Decimal("0.05"))
OTHERS = ProviderSettings(
    **KEYS,
    odyssey_usd_per_second=Decimal("0.0123"),
    image_model="gemini-3.1-flash-lite-image",
    omni_model="gemini-omni-1.2-flash",
    veo_model="veo-3.1-lite-generate-001",
)
SIZES = [(128, 128), (640, 360), (720, 1280), (1280, 720), (1402, 720), (3840, 2160)]
SECONDS = [0.5, 3.0001, 4, 5.0417, 8.3, 10, 14]


@pytest.fixture(params=[ALL, OTHERS], ids=["default models", "other models"])
async def providers(request: pytest.FixtureRequest) -> AsyncIterator[Providers]:
    async with providers_of(request.param, LocalRenderer(MediaPool(1, []))) as made:
        yield made


def wanted(image: str, clip: str, size: tuple[int, int]) -> CreateJobRequest:
    return CreateJobRequest(
        storyboard_provider=image,
        image_provider=image,
        clip_provider=clip,
        video=VideoOptions(width=size[0], height=size[1]),
    )


def booked(providers: Providers, request: CreateJobRequest, seconds: float) -> Decimal:
    """What the adapters say of the calls that a segment's attempt sends."""
    width, height = request.video.width, request.video.height
    image = ImageRequest(
        prompt="", style="", song_seed=0, seed=0, width=width, height=height
    )
    usd = providers.image(request.image_provider).estimate(image)
    clips = providers.clip(request.clip_provider)
    if clips is None:
        return usd
    width, height = clips.picture_size(width, height)
    clip = ClipRequest(
        prompt="",
        image=Path(),
        width=width,
        height=height,
        duration=timedelta(seconds=seconds),
    )
    return usd + clips.estimate(clip)


@pytest.mark.parametrize("clip", ["local", "omni", "odyssey", "veo"])
@pytest.mark.parametrize("image", ["local", "gemini"])
async def test_a_segment_is_foreseen_to_cost_what_its_calls_are_booked_at(
    providers: Providers, image: str, clip: str
) -> None:
    for size in SIZES:
        request = wanted(image, clip, size)
        for seconds in SECONDS:
            foreseen = estimate_segment(
                providers.settings, request, timedelta(seconds=seconds)
            )
            assert foreseen == booked(providers, request, seconds)
            assert (foreseen > 0) == ((image, clip) != ("local", "local"))


async def test_a_storyboard_is_foreseen_to_cost_what_its_call_is_booked_at(
    providers: Providers,
) -> None:
    segments = [["One line", "Another"], [], ["A third"]]
    gemini = providers.storyboard("gemini")
    assert gemini is not None
    song = Song(title="", artist="", style="", segments=segments)
    request = wanted("gemini", "local", (1280, 720))
    foreseen = estimate_storyboard(providers.settings, request, segments)
    assert foreseen == gemini.estimate(song) > 0
    request.storyboard_provider = "local"
    assert estimate_storyboard(providers.settings, request, segments) == FREE


async def test_a_plan_begins_only_where_all_that_it_names_are(
    providers: Providers,
) -> None:
    request = wanted("gemini", "veo", (1280, 720))
    providers.check(request)
    without = ProviderSettings(gemini_api_key="key")
    async with providers_of(without, providers.local) as fewer:
        with pytest.raises(TaskError, match="no key for veo") as refused:
            fewer.check(request)
    assert refused.value.retryable
