"""Gemini Omni's clips, as the vendor's SDK sees them."""

from __future__ import annotations

import asyncio
import base64
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest
from google.genai._gaos.lib import compat_errors

from tests.emulators import State
from tests.emulators.media import jpeg
from tests.emulators.readings import price_of, seen

if TYPE_CHECKING:
    from google.genai.client import AsyncClient

    from tests.emulators import Emulators

OMNI = "gemini-omni-1.1-flash"
PICTURE = base64.b64encode(jpeg((1280, 720), 0, 0)).decode()


async def test_a_clip_is_made_looked_at_and_fetched(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.clip.hold = "processing"
    started: Any = await _start(gemini)
    assert started.status == "in_progress"
    running: Any = await gemini.interactions.get(id=started.id)
    assert (running.status, running.output_video) == ("in_progress", None)
    emulators.gemini.knobs.clip.hold = ""
    done: Any = await _end(emulators, gemini, started.id)
    assert done.status == "completed"
    video = await gemini.files.download(file=done.output_video.uri)
    assert seen(video) == ((1280, 720), 120, 24, 1)
    assert done.usage.output_tokens_by_modality[0].tokens == 28_960
    price = price_of(
        ("1.50", done.usage.total_input_tokens),
        ("17.50", 28_960),
        ("9", done.usage.total_output_tokens - 28_960),
        ("9", done.usage.total_thought_tokens),
    )
    assert emulators.ledger.total(State.BILLED) == price


async def test_a_cancelled_clip_is_not_billed(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.clip.hold = "processing"
    started: Any = await _start(gemini)
    cancelled: Any = await gemini.interactions.cancel(id=started.id)
    assert cancelled.status == "cancelled"
    looked: Any = await gemini.interactions.get(id=started.id)
    assert (looked.status, looked.usage) == ("cancelled", None)
    [charge] = emulators.ledger.charges
    assert (charge.state, charge.usd > 0) == (State.CANCELLED, True)
    [cancel] = emulators.log.of("gemini", "cancel")
    assert cancel.operation_id == started.id


async def test_an_accepted_cancel_may_show_late(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.clip.hold = "processing"
    started: Any = await _start(gemini)
    emulators.gemini.knobs.clip.hold = "cancelling"
    await gemini.interactions.cancel(id=started.id)
    looked: Any = await gemini.interactions.get(id=started.id)
    assert looked.status == "in_progress"
    emulators.gemini.knobs.clip.hold = ""
    ended: Any = await _end(emulators, gemini, started.id)
    assert ended.status == "cancelled"


async def test_an_accepted_cancel_may_change_nothing(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.clip.completes_anyway = True
    emulators.gemini.knobs.clip.hold = "processing"
    started: Any = await _start(gemini)
    cancelled: Any = await gemini.interactions.cancel(id=started.id)
    assert cancelled.status == "cancelled"
    emulators.gemini.knobs.clip.hold = ""
    ended: Any = await _end(emulators, gemini, started.id)
    assert ended.status == "completed"
    assert emulators.ledger.charges[0].state is State.BILLED


async def test_a_cancel_may_be_refused_unknown_or_too_late(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    knobs = emulators.gemini.knobs.clip
    knobs.hold = "processing"
    started: Any = await _start(gemini)
    knobs.cancel = "refuse"
    with pytest.raises(compat_errors.BadRequestError):
        await gemini.interactions.cancel(id=started.id)
    knobs.cancel = "not_found"
    with pytest.raises(compat_errors.NotFoundError, match="Method not found"):
        await gemini.interactions.cancel(id=started.id)
    knobs.cancel, knobs.hold = "accept", ""
    await _end(emulators, gemini, started.id)
    with pytest.raises(compat_errors.BadRequestError, match="already completed"):
        await gemini.interactions.cancel(id=started.id)
    with pytest.raises(compat_errors.BadRequestError, match="Invalid interaction"):
        await gemini.interactions.get(id="v1_gone")


async def test_a_refused_clip_is_completed_with_words_and_costs_them(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.clip.refuse = 1
    started: Any = await _start(gemini)
    ended: Any = await _end(emulators, gemini, started.id)
    assert (ended.status, ended.output_video) == ("completed", None)
    assert ended.output_text.startswith("I can't")
    [charge] = emulators.ledger.charges
    assert (charge.state, charge.usd < Decimal("0.01")) == (State.BILLED, True)


async def test_a_clip_may_fail_and_a_look_be_confused(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.clip.fail = 1
    started: Any = await _start(gemini)
    emulators.gemini.knobs.confused_looks = 1
    with pytest.raises(compat_errors.BadRequestError, match="credentials"):
        await gemini.interactions.get(id=started.id)
    ended: Any = await _end(emulators, gemini, started.id)
    assert ended.status == "failed"
    assert emulators.ledger.charges[0].state is State.FAILED


async def test_a_clip_goes_on_when_its_client_leaves_before_the_id(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.create.hang = "headers"
    async with asyncio.TaskGroup() as tasks:
        starting = tasks.create_task(_start(gemini))
        exchange = await emulators.hanging("headers")
        starting.cancel()
    await emulators.until(lambda: exchange.disconnected_at)
    [charge] = emulators.ledger.charges
    assert charge.exchange is exchange
    await emulators.until(lambda: charge.state is State.BILLED)


async def test_a_429_comes_as_the_other_kind_of_error(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    emulators.gemini.knobs.create.throttle = 1
    with pytest.raises(compat_errors.RateLimitError) as caught:
        await _start(gemini)
    assert caught.value.status_code == 429
    assert "retryDelay" in json.dumps(caught.value.body)
    assert len(emulators.log.of("gemini", "create")) == 1


async def test_a_clip_may_come_in_the_answer(
    emulators: Emulators, gemini: AsyncClient
) -> None:
    started: Any = await _start(gemini, delivery="inline", duration="3s")
    done: Any = await _end(emulators, gemini, started.id)
    assert done.output_video.uri is None
    video = base64.b64decode(done.output_video.data)
    assert seen(video) == ((1280, 720), 72, 24, 1)


async def test_what_omni_does_not_take_is_an_error(gemini: AsyncClient) -> None:
    with pytest.raises(compat_errors.BadRequestError, match="Invalid image"):
        await _start(gemini, picture="c29tZXRoaW5nIGVsc2U=")
    for wrong in ({"duration": "11s"}, {"duration": "2s"}, {"duration": "5"}):
        with pytest.raises(compat_errors.BadRequestError, match="Invalid duration"):
            await _start(gemini, **wrong)


async def _start(gemini: AsyncClient, picture: str = PICTURE, **form: str) -> Any:
    video = {"type": "video", "duration": "5s", "delivery": "uri", **form}
    return await gemini.interactions.create(
        model=OMNI,
        input=[
            {"type": "image", "data": picture, "mime_type": "image/jpeg"},
            {"type": "text", "text": "slow push in"},
        ],
        response_format=cast("Any", video),
        background=True,
    )


async def _end(emulators: Emulators, gemini: AsyncClient, name: str) -> Any:
    async def ended() -> Any:
        looked: Any = await gemini.interactions.get(id=name)
        return looked if looked.status != "in_progress" else None

    return await emulators.until(ended)
