"""Veo, as the vendor's SDK sees it."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from google.genai import errors, types

from tests.emulators import State
from tests.emulators.media import jpeg
from tests.emulators.readings import seen

if TYPE_CHECKING:
    from google.genai.client import AsyncClient

    from tests.emulators import Emulators

VEO = "veo-3.1-generate-001"
PICTURE = types.Image(image_bytes=jpeg((1280, 720), 0, 0), mime_type="image/jpeg")


async def test_a_clip_comes_with_the_answer_once_it_is_done(
    emulators: Emulators, vertex: AsyncClient
) -> None:
    emulators.vertex.knobs.clip.hold = "processing"
    name = await _start(vertex)
    assert (await _look(vertex, name)).done is None
    assert emulators.ledger.total(State.RUNNING) == Decimal("1.60")
    emulators.vertex.knobs.clip.hold = ""
    done = await _end(emulators, vertex, name)
    assert done.response
    [made] = done.response.generated_videos or []
    assert made.video
    assert seen(made.video.video_bytes or b"") == ((1280, 720), 96, 24, 0)
    assert emulators.ledger.total(State.BILLED) == Decimal("1.60")
    [create] = emulators.log.of("vertex", "create")
    assert create.operation_id == name


async def test_a_filtered_clip_has_reasons_and_is_free(
    emulators: Emulators, vertex: AsyncClient
) -> None:
    emulators.vertex.knobs.clip.refuse = 1
    done = await _end(emulators, vertex, await _start(vertex))
    assert done.response
    assert done.response.generated_videos is None
    assert done.response.rai_media_filtered_count == 1
    [reason] = done.response.rai_media_filtered_reasons or []
    assert "Support codes" in reason
    assert emulators.ledger.charges[0].state is State.FAILED


async def test_a_failed_clip_has_an_error(
    emulators: Emulators, vertex: AsyncClient
) -> None:
    emulators.vertex.knobs.clip.fail = 1
    done = await _end(emulators, vertex, await _start(vertex))
    assert done.error == {"code": 13, "message": "Video generation failed."}


async def test_a_length_that_veo_does_not_make_is_an_error(vertex: AsyncClient) -> None:
    with pytest.raises(errors.ClientError, match="4, 6 or 8") as caught:
        await _start(vertex, seconds=5)
    assert caught.value.code == 400


async def test_a_429_says_when_to_come_back(
    emulators: Emulators, vertex: AsyncClient
) -> None:
    emulators.vertex.knobs.create.throttle = 1
    with pytest.raises(errors.ClientError) as caught:
        await _start(vertex)
    assert caught.value.code == 429
    assert emulators.ledger.charges == []


async def test_nobody_knows_an_operation_of_another_name(vertex: AsyncClient) -> None:
    name = f"projects/p/locations/l/publishers/google/models/{VEO}/operations/gone"
    with pytest.raises(errors.ClientError) as caught:
        await _look(vertex, name)
    assert caught.value.code == 404


async def _start(vertex: AsyncClient, seconds: int = 4) -> str:
    operation = await vertex.models.generate_videos(
        model=VEO,
        source=types.GenerateVideosSource(prompt="slow push in", image=PICTURE),
        config=types.GenerateVideosConfig(
            number_of_videos=1,
            duration_seconds=seconds,
            aspect_ratio="16:9",
            resolution="720p",
            generate_audio=False,
        ),
    )
    assert operation.name
    return operation.name


async def _look(vertex: AsyncClient, name: str) -> types.GenerateVideosOperation:
    named = types.GenerateVideosOperation.model_validate({"name": name})
    return await vertex.operations.get(named)


async def _end(
    emulators: Emulators, vertex: AsyncClient, name: str
) -> types.GenerateVideosOperation:
    async def ended() -> types.GenerateVideosOperation | None:
        operation = await _look(vertex, name)
        return operation if operation.done else None

    operation = await emulators.until(ended)
    assert operation
    return operation
