"""Estimates: what calls will cost by list prices, in US dollars, before they are sent.

The record books them, budgets count them, and a preview adds them up.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from refrain.prices import (
    clip_price,
    image_price,
    price_by_second,
    storyboard_estimate,
)
from refrain.provider_call import FREE
from refrain.providers import LOCAL
from refrain.shapes import (
    OMNI_HEIGHTS,
    VEO_HEIGHTS,
    covering_height,
    gemini_size,
    odyssey_milliseconds,
    omni_seconds,
    veo_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import timedelta

    from refrain.providers import ProviderSettings
    from refrain.v1.job_service_pb2 import CreateJobRequest

_TOKENS_2K = 1680
"""Of a picture of 2K; 1120 are of one of 1K."""


def estimate_storyboard(
    settings: ProviderSettings,
    request: CreateJobRequest,
    segments: Iterable[Sequence[object]],
) -> Decimal:
    """Returns what the storyboard costs of segments with these lines.

    Here and below the request is one with its defaults filled in.
    """
    if request.storyboard_provider == LOCAL:
        return FREE
    return estimate_gemini_storyboard(settings.storyboard_model, segments)


def estimate_segment(
    settings: ProviderSettings, request: CreateJobRequest, duration: timedelta
) -> Decimal:
    """Returns what a segment's image and clip cost."""
    return _estimate_image(settings, request) + _estimate_clip(
        settings, request, duration
    )


def estimate_gemini_storyboard(
    model: str, segments: Iterable[Sequence[object]]
) -> Decimal:
    """Returns about what a storyboard costs of segments with these lines."""
    lines = sum(max(1, len(lines)) for lines in segments)
    return storyboard_estimate(model, lines=lines)


def estimate_gemini_image(model: str, width: int, height: int) -> Decimal:
    """Returns what a picture for a frame costs."""
    if gemini_size(model, width, height) == "2K":
        return image_price(model, image_tokens=_TOKENS_2K)
    return image_price(model)


def estimate_omni_clip(
    model: str, width: int, height: int, duration: timedelta
) -> Decimal:
    """Returns what a clip costs that covers a frame and a span."""
    return clip_price(
        model,
        seconds=Decimal(omni_seconds(model, duration)),
        height=covering_height(width, height, OMNI_HEIGHTS),
    )


def estimate_veo_clip(
    model: str, width: int, height: int, duration: timedelta
) -> Decimal:
    """Returns what a clip costs that covers a frame and a span."""
    return clip_price(
        model,
        seconds=Decimal(veo_seconds(duration)),
        height=covering_height(width, height, VEO_HEIGHTS),
    )


def estimate_odyssey_clip(usd_per_second: Decimal, duration: timedelta) -> Decimal:
    """Returns what a clip costs that fills a span; its size is always the same."""
    seconds = Decimal(odyssey_milliseconds(duration)) / 1000
    return price_by_second(usd_per_second, seconds=seconds)


def _estimate_image(settings: ProviderSettings, request: CreateJobRequest) -> Decimal:
    if request.image_provider == LOCAL:
        return FREE
    video = request.video
    return estimate_gemini_image(settings.image_model, video.width, video.height)


def _estimate_clip(
    settings: ProviderSettings, request: CreateJobRequest, duration: timedelta
) -> Decimal:
    size = request.video.width, request.video.height
    match request.clip_provider:
        case "omni":
            return estimate_omni_clip(settings.omni_model, *size, duration)
        case "veo":
            return estimate_veo_clip(settings.veo_model, *size, duration)
        case "odyssey":
            return estimate_odyssey_clip(settings.odyssey_usd_per_second, duration)
        case "local":
            return FREE
        case name:
            raise ValueError(f"{name!r} has no price")
