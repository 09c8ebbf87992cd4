"""Veo's adapter: clips that nobody can stop."""

from __future__ import annotations

import base64
import json
import statistics
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import pytest
from google.oauth2.credentials import Credentials

from services.generator.providers.google import vertex_client
from services.generator.providers.provider import (
    CancelAnswer,
    Operation,
    OperationStatus,
    ProviderError,
)
from services.generator.providers.veo import VeoClips
from tests.emulators import KEYS, Emulators, State
from tests.generator.leaving import seconds_to_close
from tests.generator.providers.canned import Canned
from tests.generator.providers.odyssey_calls import asked_for, names_in

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from services.generator.providers.provider import ClipProvider, ClipRequest

MODEL = "veo-3.1-generate-001"
NAME = (
    "projects/P/locations/us-central1/publishers/google/models/veo-3.1-generate-001"
    "/operations/op-1"
)
KIND = "type.googleapis.com/cloud.ai.large_models.vision.GenerateVideoResponse"


@pytest.fixture
def veo(emulators: Emulators, http: httpx.AsyncClient) -> VeoClips:
    client = vertex_client(http, api_key=KEYS["vertex"], base_url=emulators.vertex.url)
    return VeoClips(client, model=MODEL)


def adapter(http: httpx.AsyncClient) -> VeoClips:
    return VeoClips(vertex_client(http, api_key="key"), model=MODEL)


async def ended(veo: VeoClips, emulators: Emulators, operation_id: str) -> Operation:
    async def look() -> Operation | None:
        operation = await veo.look(operation_id)
        return None if operation.status is OperationStatus.RUNNING else operation

    operation = await emulators.until(look)
    assert operation is not None
    return operation


async def look(**answer: Any) -> Operation:
    async with Canned({"name": NAME, **answer}) as http:
        return await adapter(http).look(NAME)


async def look_done(**response: Any) -> Operation:
    return await look(done=True, response={"@type": KIND, **response})


def test_it_is_a_clip_provider_that_cannot_cancel(veo: VeoClips) -> None:
    provider: ClipProvider = veo
    assert (provider.name, provider.cancels) == ("veo", False)


async def test_an_operation_becomes_a_clip_at_the_list_price(
    veo: VeoClips, emulators: Emulators, wanted: ClipRequest, tmp_path: Path
) -> None:
    done = await ended(veo, emulators, await veo.start(wanted))
    assert done.status is OperationStatus.COMPLETED
    assert done.price_usd is None
    await veo.fetch(done, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_bytes()[4:8] == b"ftyp"
    assert names_in(tmp_path) == ["clip.mp4", "image.jpg"]
    assert veo.estimate(wanted) == emulators.ledger.total(State.BILLED)


@pytest.mark.parametrize(
    ("size", "seconds", "asked", "price"),
    [
        ((1280, 720), 3.0, ("16:9", "720p", 4), "1.6000"),
        ((720, 1280), 4.1, ("9:16", "720p", 6), "2.4000"),
        ((1920, 1080), 6.5, ("16:9", "1080p", 8), "3.2000"),
        ((3840, 2160), 30.0, ("16:9", "1080p", 8), "3.2000"),
    ],
)
async def test_the_shortest_clip_that_fills_is_asked_for_without_sound(
    size: tuple[int, int],
    seconds: float,
    asked: tuple[str, str, int],
    price: str,
    tmp_path: Path,
) -> None:
    request = asked_for(tmp_path, *size, seconds=seconds)
    async with Canned({"name": NAME}) as http:
        veo = adapter(http)
        assert await veo.start(request) == NAME
    (sent,) = http.requests
    body = json.loads(sent.content)
    wanted = body["parameters"]
    assert (wanted["aspectRatio"], wanted["resolution"], wanted["durationSeconds"]) == (
        asked
    )
    assert wanted["generateAudio"] is False
    image = body["instances"][0]["image"]
    assert base64.b64decode(image["bytesBase64Encoded"]) == request.image.read_bytes()
    assert veo.estimate(request) == Decimal(price)


def test_a_picture_has_the_shape_of_the_clip(veo: VeoClips) -> None:
    assert veo.picture_size(640, 360) == (1280, 720)
    assert veo.picture_size(1080, 1920) == (1080, 1920)


async def test_a_project_is_reached_with_its_credentials(
    emulators: Emulators, http: httpx.AsyncClient, wanted: ClipRequest
) -> None:
    client = vertex_client(
        http,
        project="P",
        location="us-central1",
        credentials=Credentials("a-token"),
        base_url=emulators.vertex.url,
    )
    operation_id = await VeoClips(client, model=MODEL).start(wanted)
    assert operation_id.startswith("projects/P/locations/us-central1/publishers/")
    (exchange,) = emulators.log.exchanges
    assert exchange.headers["authorization"] == "Bearer a-token"


async def test_a_start_without_a_name_may_have_been_billed(
    wanted: ClipRequest,
) -> None:
    async with Canned({}) as http:
        with pytest.raises(ProviderError) as raised:
            await adapter(http).start(wanted)
    assert raised.value.unanswered


async def test_a_prompt_that_google_finds_irresponsible_is_refused(
    wanted: ClipRequest,
) -> None:
    message = (
        "The prompt could not be submitted. It contains sensitive words that violate "
        "Google's Responsible AI practices."
    )
    async with Canned({"error": {"code": 400, "message": message}}, status=400) as http:
        with pytest.raises(ProviderError) as raised:
            await adapter(http).start(wanted)
    assert raised.value.refused
    assert not raised.value.retryable


async def test_an_operation_without_done_is_running() -> None:
    assert (await look()).status is OperationStatus.RUNNING


async def test_a_look_asks_by_the_name_alone() -> None:
    async with Canned({"name": NAME}) as http:
        await adapter(http).look(NAME)
    (sent,) = http.requests
    assert sent.url.path.endswith(f"/{MODEL}:fetchPredictOperation")
    assert json.loads(sent.content) == {"operationName": NAME}


async def test_a_filtered_clip_is_refused_with_the_reasons_and_costs_nothing(
    veo: VeoClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.vertex.knobs.clip.refuse = 1
    operation = await ended(veo, emulators, await veo.start(wanted))
    assert operation.status is OperationStatus.REFUSED
    assert "Support codes: 58061214" in operation.detail
    assert operation.price_usd == emulators.ledger.total(State.BILLED) == 0


@pytest.mark.parametrize(
    ("code", "retryable"), [(8, True), (13, True), (14, True), (3, False), (7, False)]
)
async def test_a_failed_operation_has_googles_words(code: int, retryable: bool) -> None:
    operation = await look(done=True, error={"code": code, "message": "It broke."})
    assert operation.status is OperationStatus.FAILED
    assert (operation.detail, operation.retryable) == ("It broke.", retryable)


async def test_an_operation_that_failed_for_its_content_is_refused() -> None:
    error = {"code": 3, "message": "It violates our usage guidelines."}
    operation = await look(done=True, error=error)
    assert operation.status is OperationStatus.REFUSED
    assert not operation.retryable


async def test_a_clip_in_cloud_storage_says_what_to_unset() -> None:
    operation = await look_done(videos=[{"gcsUri": "gs://bucket/clip.mp4"}])
    assert operation.status is OperationStatus.FAILED
    assert "set no storage" in operation.detail
    assert operation.price_usd is None


async def test_an_end_without_a_clip_may_go_better() -> None:
    operation = await look_done()
    assert operation.status is OperationStatus.FAILED
    assert operation.retryable


async def test_an_operation_that_google_does_not_know_is_gone(veo: VeoClips) -> None:
    assert (await veo.look(NAME)).status is OperationStatus.GONE


async def test_a_cancel_is_unsupported_and_never_sent() -> None:
    async with Canned() as http:
        veo = adapter(http)
        assert await veo.cancel(NAME) is CancelAnswer.UNSUPPORTED
        assert await veo.list_started(datetime.now(UTC)) == []
    assert not http.requests


@pytest.mark.parametrize("hang", ["headers", "body"])
@pytest.mark.parametrize("purpose", ["create", "look"])
async def test_cancelling_a_call_closes_its_connection_within_50_ms(
    veo: VeoClips,
    emulators: Emulators,
    wanted: ClipRequest,
    purpose: Literal["create", "look"],
    hang: Literal["headers", "body"],
) -> None:
    operation_id = await veo.start(wanted)
    calls = {
        "create": lambda: veo.start(wanted),
        "look": lambda: veo.look(operation_id),
    }
    getattr(emulators.vertex.knobs, purpose).hang = hang
    delays = [
        await seconds_to_close(emulators, calls[purpose](), hang) for _ in range(3)
    ]
    assert statistics.median(delays) < 0.05
