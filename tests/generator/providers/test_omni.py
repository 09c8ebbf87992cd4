"""Omni's adapter: clips that are made, refused, stopped, or lost on the way."""

from __future__ import annotations

import base64
import statistics
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

from services.generator.providers.google import GEMINI_URL
from services.generator.providers.provider import (
    CancelAnswer,
    OperationStatus,
    ProviderError,
)
from tests.emulators import Emulators, State
from tests.generator.leaving import seconds_to_close
from tests.generator.providers.canned import Canned
from tests.generator.providers.odyssey_calls import asked_for, names_in
from tests.generator.providers.omni_calls import MODEL, adapter, ended, look, output_of

if TYPE_CHECKING:
    from pathlib import Path

    from services.generator.providers.omni import OmniClips
    from services.generator.providers.provider import ClipProvider, ClipRequest

RECORDED: dict[str, Any] = {
    "id": "v1_ABC",
    "status": "completed",
    "steps": [
        {"type": "thought"},
        {
            "type": "model_output",
            "content": [
                {
                    "type": "video",
                    "mime_type": "video/mp4",
                    "uri": f"{GEMINI_URL}/v1beta/files/vid123:download?alt=media",
                }
            ],
        },
    ],
    "usage": {
        "total_input_tokens": 18,
        "total_output_tokens": 6166,
        "total_thought_tokens": 281,
        "total_tokens": 6465,
        "output_tokens_by_modality": [{"modality": "video", "tokens": 5793}],
    },
}
"""From the fixture interactions/video-response-format of vercel/ai (Apache-2.0)."""


def test_it_is_a_clip_provider_that_can_cancel(omni: OmniClips) -> None:
    provider: ClipProvider = omni
    assert (provider.name, provider.model, provider.cancels) == ("omni", MODEL, True)


async def test_an_interaction_becomes_a_clip_at_its_price(
    omni: OmniClips, emulators: Emulators, wanted: ClipRequest, tmp_path: Path
) -> None:
    done = await ended(omni, emulators, await omni.start(wanted))
    assert done.status is OperationStatus.COMPLETED
    await omni.fetch(done, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_bytes()[4:8] == b"ftyp"
    assert names_in(tmp_path) == ["clip.mp4", "image.jpg"]
    assert done.price_usd == emulators.ledger.total(State.BILLED)
    assert omni.estimate(wanted) == Decimal("0.5000")


async def test_what_is_asked_for_is_a_clip_in_the_background_from_its_first_frame(
    omni: OmniClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    await omni.start(wanted)
    (exchange,) = emulators.log.of("gemini", "create")
    sent = exchange.json
    assert (sent["model"], sent["background"], sent["store"]) == (MODEL, True, True)
    image, text = sent["input"][0]["content"]
    assert base64.b64decode(image["data"]) == wanted.image.read_bytes()
    assert text["text"] == "<FIRST_FRAME> slow push in"
    assert sent["generation_config"]["video_config"]["task"] == "image_to_video"
    assert sent["response_format"]["delivery"] == "uri"
    assert exchange.headers["api-revision"] == "2026-05-20"


@pytest.mark.parametrize(
    ("size", "seconds", "model", "asked"),
    [
        ((1280, 720), 5.0, MODEL, ("16:9", "720p", "5s")),
        ((720, 1280), 5.1, MODEL, ("9:16", "720p", "6s")),
        ((640, 360), 0.5, MODEL, ("16:9", "360p", "3s")),
        ((1920, 1080), 30, MODEL, ("16:9", "1080p", "10s")),
        ((1920, 1080), 30, "gemini-omni-1.2-flash", ("16:9", "1080p", "15s")),
        ((3840, 2160), 4, MODEL, ("16:9", "4k", "4s")),
    ],
)
async def test_the_clip_covers_the_frame_and_the_time(
    size: tuple[int, int],
    seconds: float,
    model: str,
    asked: tuple[str, str, str],
    tmp_path: Path,
) -> None:
    request = asked_for(tmp_path, *size, seconds=seconds)
    async with Canned({"id": "v1_A", "status": "in_progress"}) as http:
        assert await adapter(http, model=model).start(request) == "v1_A"
    form = json_of(http)["response_format"]
    assert (form["aspect_ratio"], form["resolution"], form["duration"]) == asked


def json_of(http: Canned) -> dict[str, Any]:
    (request,) = http.requests
    return httpx.Response(200, content=request.content).json()


@pytest.mark.parametrize(
    ("frame", "picture"),
    [
        ((1280, 720), (1280, 720)),
        ((720, 1280), (720, 1280)),
        ((1080, 1080), (1920, 1080)),
        ((1000, 500), (1280, 720)),
    ],
)
def test_a_picture_has_the_shape_of_the_clip_and_covers_the_frame(
    omni: OmniClips, frame: tuple[int, int], picture: tuple[int, int]
) -> None:
    assert omni.picture_size(*frame) == picture
    assert omni.picture_size(*picture) == picture


async def test_a_start_without_an_id_may_have_been_billed(
    wanted: ClipRequest,
) -> None:
    async with Canned({"status": "in_progress"}) as http:
        with pytest.raises(ProviderError) as raised:
            await adapter(http).start(wanted)
    assert raised.value.unanswered


async def test_the_recorded_answer_is_a_clip_with_the_price_of_its_usage() -> None:
    done = await look(RECORDED)
    assert done.status is OperationStatus.COMPLETED
    assert done.video == f"{GEMINI_URL}/v1beta/files/vid123:download?alt=media"
    # 18 in at $1.50, 5793 of video at $17.50, 373 and 281 of text at $9, a million.
    assert done.price_usd == Decimal("0.1073")


@pytest.mark.parametrize(
    ("status", "meaning", "retryable"),
    [
        ("queued", OperationStatus.RUNNING, False),
        ("in_progress", OperationStatus.RUNNING, False),
        ("requires_continuation", OperationStatus.RUNNING, False),
        ("a_status_of_tomorrow", OperationStatus.RUNNING, False),
        ("cancelled", OperationStatus.CANCELLED, False),
        ("failed", OperationStatus.FAILED, True),
        ("incomplete", OperationStatus.FAILED, True),
        ("budget_exceeded", OperationStatus.FAILED, False),
        ("requires_action", OperationStatus.FAILED, False),
    ],
)
async def test_every_status_has_a_meaning(
    status: str, meaning: OperationStatus, retryable: bool
) -> None:
    operation = await look({"id": "v1_ABC", "status": status})
    assert (operation.status, operation.retryable) == (meaning, retryable)
    running = meaning is OperationStatus.RUNNING
    assert operation.price_usd == (None if running else Decimal(0))


async def test_a_failure_has_googles_words_and_is_final_if_the_request_was_wrong() -> (
    None
):
    errors = [{"code": "invalid_request", "message": "The image is too small."}]
    operation = await look({"status": "failed", "errors": errors})
    assert operation.detail == "The image is too small."
    assert not operation.retryable


async def test_words_without_a_clip_are_a_refusal() -> None:
    text = {"type": "text", "text": "I can't make a video of that."}
    operation = await look(output_of(text))
    assert operation.status is OperationStatus.REFUSED
    assert operation.detail == "I can't make a video of that."


async def test_a_billed_clip_that_is_not_there_has_failed_and_is_paid() -> None:
    text = {"type": "text", "text": "Here it is."}
    operation = await look(output_of(text, usage=RECORDED["usage"]))
    assert operation.status is OperationStatus.FAILED
    assert operation.price_usd == Decimal("0.1073")
    assert not operation.retryable


async def test_an_end_without_clip_and_words_may_go_better() -> None:
    operation = await look(output_of())
    assert operation.status is OperationStatus.FAILED
    assert operation.retryable


async def test_a_clip_without_usage_has_the_list_price() -> None:
    video = {"type": "video", "uri": "https://example.com/clip"}
    assert (await look(output_of(video))).price_usd is None


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, {"message": "Invalid interaction name: interactions/v1_ABC"}),
        (404, {"code": 404, "message": "Not found.", "status": "NOT_FOUND"}),
    ],
)
async def test_an_interaction_that_google_does_not_know_is_gone(
    status: int, error: dict[str, object]
) -> None:
    assert (await look({"error": error}, status)).status is OperationStatus.GONE


async def test_a_confused_look_is_retryable(
    omni: OmniClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    operation_id = await omni.start(wanted)
    emulators.gemini.knobs.confused_looks = 1
    with pytest.raises(ProviderError, match="Multiple authentication") as raised:
        await omni.look(operation_id)
    assert raised.value.retryable
    await ended(omni, emulators, operation_id)


async def test_a_refusal_is_paid_as_far_as_it_is_billed(
    omni: OmniClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.gemini.knobs.clip.refuse = 1
    operation = await ended(omni, emulators, await omni.start(wanted))
    assert operation.status is OperationStatus.REFUSED
    assert "I can't help" in operation.detail
    assert operation.price_usd == emulators.ledger.total(State.BILLED)


async def test_a_cancelled_clip_ends_cancelled_and_costs_nothing(
    omni: OmniClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.gemini.knobs.clip.hold = "processing"
    operation_id = await omni.start(wanted)
    assert await omni.cancel(operation_id) is CancelAnswer.ACCEPTED
    operation = await ended(omni, emulators, operation_id)
    assert operation.status is OperationStatus.CANCELLED
    assert operation.price_usd == 0
    assert emulators.ledger.total(State.BILLED) == 0


async def test_a_cancel_that_comes_too_late_leaves_a_clip_to_be_found(
    omni: OmniClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    operation_id = await omni.start(wanted)
    await ended(omni, emulators, operation_id)
    assert await omni.cancel(operation_id) is CancelAnswer.ACCEPTED
    assert (await omni.look(operation_id)).status is OperationStatus.COMPLETED


@pytest.mark.parametrize(
    ("cancel", "answer"),
    [
        ("refuse", CancelAnswer.REFUSED),
        ("not_found", CancelAnswer.UNSUPPORTED),
    ],
)
async def test_what_google_will_not_stop_is_said(
    omni: OmniClips,
    emulators: Emulators,
    wanted: ClipRequest,
    cancel: Literal["refuse", "not_found"],
    answer: CancelAnswer,
) -> None:
    emulators.gemini.knobs.clip.hold = "processing"
    emulators.gemini.knobs.clip.cancel = cancel
    operation_id = await omni.start(wanted)
    assert await omni.cancel(operation_id) is answer
    assert (await omni.look(operation_id)).status is OperationStatus.RUNNING


async def test_a_cancel_of_what_google_does_not_know_leaves_it_to_a_look(
    omni: OmniClips,
) -> None:
    assert await omni.cancel("v1_gone") is CancelAnswer.ACCEPTED
    assert (await omni.look("v1_gone")).status is OperationStatus.GONE


async def test_a_cancel_without_an_answer_is_an_error(
    omni: OmniClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    operation_id = await omni.start(wanted)
    emulators.gemini.knobs.cancel.unavailable = 1
    with pytest.raises(ProviderError) as raised:
        await omni.cancel(operation_id)
    assert raised.value.retryable


async def test_google_has_no_list(omni: OmniClips) -> None:
    assert await omni.list_started(datetime.now(UTC) - timedelta(days=1)) == []


Purpose = Literal["create", "look", "cancel", "download"]


@pytest.mark.parametrize("hang", ["headers", "body"])
@pytest.mark.parametrize("purpose", ["create", "look", "cancel", "download"])
async def test_cancelling_a_call_closes_its_connection_within_50_ms(
    omni: OmniClips,
    emulators: Emulators,
    wanted: ClipRequest,
    tmp_path: Path,
    purpose: Purpose,
    hang: Literal["headers", "body"],
) -> None:
    done = await ended(omni, emulators, await omni.start(wanted))
    calls = {
        "create": lambda: omni.start(wanted),
        "look": lambda: omni.look(done.operation_id),
        "cancel": lambda: omni.cancel(done.operation_id),
        "download": lambda: omni.fetch(done, tmp_path / "clip.mp4"),
    }
    getattr(emulators.gemini.knobs, purpose).hang = hang
    delays = [
        await seconds_to_close(emulators, calls[purpose](), hang) for _ in range(3)
    ]
    assert statistics.median(delays) < 0.05
    assert names_in(tmp_path) == ["image.jpg"]
