"""Gemini's text and pictures, as the vendor's SDK sees them."""

from __future__ import annotations

import asyncio
import io
import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.genai import errors, types
from PIL import Image

from tests.emulators import State
from tests.emulators.readings import price_of
from tests.emulators.recorded import recorded

if TYPE_CHECKING:
    from google.genai.client import AsyncClient

    from tests.emulators import Emulators

TEXT_MODEL, IMAGE_MODEL = "gemini-3.8-flash", "gemini-3.1-flash-image"
SEGMENTS: Any = [
    {"position": 3, "lines": ["a line", "{"]},
    {"position": 4, "lines": []},
]
PROMPT = f"Write the storyboard.\n{json.dumps({'segments': SEGMENTS})}"
AS_IMAGE = types.GenerateContentConfig(
    response_modalities=["IMAGE"],
    image_config=types.ImageConfig(aspect_ratio="16:9", image_size="1K"),
)


async def test_a_storyboard_has_a_prompt_for_every_segment_asked(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    answer = await gemini.models.generate_content(model=TEXT_MODEL, contents=PROMPT)
    board = json.loads(answer.text or "")
    assert [each["position"] for each in board["segments"]] == [3, 4]
    assert all(each["prompt"] for each in board["segments"])
    usage = answer.usage_metadata
    assert usage
    tokens_out = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
    price = price_of(("0.75", usage.prompt_token_count), ("3.75", tokens_out))
    assert emulators.ledger.total(State.BILLED) == price > 0


async def test_a_storyboard_can_lack_segments_or_break_off(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    knobs = emulators.gemini.knobs
    knobs.partial_storyboards = 1
    answer = await gemini.models.generate_content(model=TEXT_MODEL, contents=PROMPT)
    assert len(json.loads(answer.text or "")["segments"]) == 1
    knobs.bad_storyboards = 1
    answer = await gemini.models.generate_content(model=TEXT_MODEL, contents=PROMPT)
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.text or "")
    answer = await gemini.models.generate_content(model=TEXT_MODEL, contents=PROMPT)
    assert len(json.loads(answer.text or "")["segments"]) == 2


async def test_a_429_says_when_to_come_back_and_is_free(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.storyboard.throttle = 1
    emulators.gemini.knobs.storyboard.retry_after = 34.4
    with pytest.raises(errors.ClientError) as caught:
        await gemini.models.generate_content(model=TEXT_MODEL, contents=PROMPT)
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert cast("Any", caught.value).details == recorded("throttled")
    assert emulators.ledger.charges == []
    await gemini.models.generate_content(model=TEXT_MODEL, contents=PROMPT)


async def test_an_overload_and_a_breakdown_are_errors_of_the_server(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.storyboard.unavailable = 1
    emulators.gemini.knobs.storyboard.broken = 1
    for code in (503, 500):
        with pytest.raises(errors.ServerError) as caught:
            await gemini.models.generate_content(model=TEXT_MODEL, contents=PROMPT)
        assert caught.value.code == code


async def test_a_wrong_key_and_an_unknown_model_are_errors_of_the_client(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    with pytest.raises(errors.ClientError, match="not found") as unknown:
        await gemini.models.generate_content(model="gemini-0", contents=PROMPT)
    assert unknown.value.code == 404
    wrong = types.HttpOptions(headers={"x-goog-api-key": "wrong"})
    with pytest.raises(errors.ClientError, match="API key not valid") as caught:
        await gemini.models.generate_content(
            model=TEXT_MODEL,
            contents=PROMPT,
            config=types.GenerateContentConfig(http_options=wrong),
        )
    assert caught.value.code == 400
    assert emulators.ledger.charges == []


async def test_a_picture_is_a_jpeg_in_a_body_of_about_a_megabyte(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    answer = await gemini.models.generate_content(
        model=IMAGE_MODEL, contents="a cat", config=AS_IMAGE
    )
    [part] = answer.parts or []
    assert part.inline_data
    assert part.inline_data.data
    with Image.open(io.BytesIO(part.inline_data.data)) as picture:
        picture.load()
        assert (picture.format, picture.size) == ("JPEG", (1376, 768))
    assert len(part.inline_data.data) > 330_000
    tokens_in = answer.usage_metadata and answer.usage_metadata.prompt_token_count
    price = price_of(("0.50", tokens_in), ("3", 272), ("60", 1120))
    assert emulators.ledger.total(State.BILLED) == price


@pytest.mark.parametrize("reason", ["NO_IMAGE", "IMAGE_SAFETY"])
async def test_a_refused_picture_gives_a_reason_and_no_parts(
    emulators: Emulators, gemini: AsyncClient, reason: Any
) -> None:
    emulators.gemini.knobs.refused_images = 1
    emulators.gemini.knobs.image_refusal = reason
    answer = await gemini.models.generate_content(
        model=IMAGE_MODEL, contents="a cat", config=AS_IMAGE
    )
    [candidate] = answer.candidates or []
    assert candidate.finish_reason == reason
    assert answer.parts is None


async def test_a_blocked_prompt_has_no_candidates(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.refused_images = 1
    emulators.gemini.knobs.image_refusal = "PROHIBITED_CONTENT"
    answer = await gemini.models.generate_content(
        model=IMAGE_MODEL, contents="a cat", config=AS_IMAGE
    )
    assert answer.candidates is None
    assert answer.prompt_feedback
    assert answer.prompt_feedback.block_reason == "PROHIBITED_CONTENT"


@pytest.mark.parametrize("hang", ["headers", "body"])
async def test_one_who_leaves_a_hanging_answer_is_seen_and_may_have_to_pay(
    emulators: Emulators, gemini: AsyncClient, hang: Any
) -> None:
    emulators.gemini.knobs.image.hang = hang
    async with asyncio.TaskGroup() as tasks:
        painting = tasks.create_task(
            gemini.models.generate_content(
                model=IMAGE_MODEL, contents="a cat", config=AS_IMAGE
            )
        )
        exchange = await emulators.hanging(hang)
        assert emulators.ledger.charges[0].state is State.RUNNING
        left_at = time.monotonic()
        painting.cancel()
    await emulators.until(lambda: not exchange.open)
    assert exchange.answered_at is None
    assert exchange.disconnected_at
    assert 0 < exchange.disconnected_at - left_at < 1
    assert emulators.ledger.total(State.DROPPED) == Decimal("0.0680")
    assert emulators.ledger.total(State.BILLED) == 0


async def test_a_hanging_answer_goes_on_when_the_knob_is_turned_back(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.image.hang = "body"
    async with asyncio.TaskGroup() as tasks:
        painting = tasks.create_task(
            gemini.models.generate_content(
                model=IMAGE_MODEL, contents="a cat", config=AS_IMAGE
            )
        )
        exchange = await emulators.hanging("body")
        emulators.gemini.knobs.image.hang = ""
    assert painting.result().parts
    assert exchange.answered_at
    assert emulators.ledger.total(State.BILLED) == Decimal("0.0680")
