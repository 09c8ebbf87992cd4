"""Preview: how a song would be cut and what it would cost, with nothing stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from refrain.cut import cut_request, lacks_lyrics, locally_prompted
from refrain.errors import InvalidRequest, MediaError, TaskError, Unavailable
from refrain.estimates import estimate_storyboard
from refrain.provider_call import FREE
from refrain.providers import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from decimal import Decimal

    from refrain.job import SegmentRow
    from refrain.media import MediaPool
    from refrain.providers import ProviderSettings
    from refrain.v1.job_service_pb2 import CreateJobRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a job would begin with, as far as the request tells."""

    segments: Sequence[SegmentRow]
    estimate_usd: Decimal
    song_duration: timedelta | None
    """None while only the lyrics, which are looked up, will tell."""
    lyrics_looked_up: bool


async def preview_of(
    request: CreateJobRequest, media: MediaPool, settings: ProviderSettings
) -> Preview:
    """Cuts the song of a checked request as the generator will.

    Only a storyboard that no provider writes has its prompts, and only if the lyrics
    are here. Raises InvalidRequest, Unavailable.
    """
    looked_up = lacks_lyrics(request)
    if not request.HasField("song_duration"):
        return Preview(
            segments=(),
            estimate_usd=FREE,
            song_duration=None,
            lyrics_looked_up=looked_up,
        )
    segments = await _cut(request, media, settings)
    storyboard = estimate_storyboard(
        settings, request, [segment.lines for segment in segments]
    )
    if request.storyboard_provider == LOCAL and not looked_up:
        segments = locally_prompted(segments, request.style)
    return Preview(
        segments=segments,
        estimate_usd=sum((segment.estimate_usd for segment in segments), storyboard),
        song_duration=request.song_duration.ToTimedelta(),
        lyrics_looked_up=looked_up,
    )


async def _cut(
    request: CreateJobRequest, media: MediaPool, settings: ProviderSettings
) -> Sequence[SegmentRow]:
    try:
        return await cut_request(media, request, settings)
    except MediaError as err:
        raise InvalidRequest({"lyrics": f"cannot be cut: {err}"}) from err
    except TaskError as err:
        raise Unavailable(str(err)) from err
