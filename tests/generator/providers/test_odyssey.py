"""Odyssey's adapter: jobs from their start to their clip, or to their cancel."""

from __future__ import annotations

import base64
import json
import statistics
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Literal

import httpx
import pytest
from PIL import Image

from services.generator.providers.provider import (
    CancelAnswer,
    ClipRequest,
    OperationStatus,
)
from tests.emulators import Emulators, State
from tests.generator.leaving import seconds_to_close
from tests.generator.providers.odyssey_calls import (
    LONG_AGO,
    answering,
    answering_always,
    asked_for,
    call_of,
    ended,
    error_of,
    names_in,
    sent,
)

if TYPE_CHECKING:
    from pathlib import Path

    from services.generator.providers.odyssey import OdysseyClips
    from services.generator.providers.provider import ClipProvider


def test_it_is_a_clip_provider_that_can_cancel() -> None:
    provider: ClipProvider = answering_always(200)
    assert (provider.name, provider.cancels) == ("odyssey", True)


async def test_a_job_becomes_a_clip(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest, tmp_path: Path
) -> None:
    operation_id = await odyssey.start(wanted)
    done = await ended(odyssey, operation_id)
    assert done.status is OperationStatus.COMPLETED
    await odyssey.fetch(done, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_bytes()[4:8] == b"ftyp"
    assert names_in(tmp_path) == ["clip.mp4", "image.jpg"]
    assert emulators.ledger.total(State.BILLED) == odyssey.estimate(wanted)


@pytest.mark.parametrize(
    ("size", "portrait"), [((1280, 704), False), ((704, 1280), True)]
)
async def test_a_job_is_a_script_that_starts_from_the_picture_and_ends(
    odyssey: OdysseyClips,
    emulators: Emulators,
    tmp_path: Path,
    size: tuple[int, int],
    portrait: bool,
) -> None:
    wanted = asked_for(tmp_path, *size, seconds=4.0417)
    await odyssey.start(wanted)
    (create,) = sent(emulators, "create")
    body = create.json
    kind, _, data = body["script"][0]["start"].pop("image").partition(",")
    assert body == {
        "portrait": portrait,
        "output_video": True,
        "script": [
            {"timestamp_ms": 0, "start": {"prompt": "slow push in"}},
            {"timestamp_ms": 4042, "end": {}},
        ],
    }
    assert kind == "data:image/jpeg;base64"
    assert Image.open(BytesIO(base64.b64decode(data))).size == size


@pytest.mark.parametrize("size", [0, 1, 2, 3, 48 * 1024 + 1, 1_000_000])
async def test_a_picture_of_any_size_is_sent_whole(
    wanted: ClipRequest, size: int
) -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["content-length"] == str(len(request.content))
        bodies.append(request.content)
        return httpx.Response(201, json={"job_id": "j"})

    picture = bytes(number % 251 for number in range(size))
    wanted.image.write_bytes(picture)
    prompt = 'say "image": "" and "\\'
    await answering(answer).start(replace(wanted, prompt=prompt))
    (start, _) = json.loads(bodies[0])["script"]
    assert start["start"]["prompt"] == prompt
    _, _, data = start["start"]["image"].partition(",")
    assert base64.b64decode(data, validate=True) == picture


@pytest.mark.parametrize(
    ("frame", "picture"),
    [
        ((1920, 1080), (1280, 704)),
        ((640, 360), (1280, 704)),
        ((1080, 1080), (1280, 704)),
        ((1080, 1920), (704, 1280)),
    ],
)
def test_the_picture_has_the_size_of_odyssey_s_own_output(
    frame: tuple[int, int], picture: tuple[int, int]
) -> None:
    assert answering_always(200).picture_size(*frame) == picture


@pytest.mark.parametrize(
    ("seconds", "usd"), [(5, "0.2500"), (4.0417, "0.2021"), (3.001, "0.1501")]
)
def test_the_price_is_of_the_seconds_asked_for_rounded_once(
    tmp_path: Path, seconds: float, usd: str
) -> None:
    estimate = answering_always(200).estimate(asked_for(tmp_path, seconds=seconds))
    assert str(estimate) == usd


@pytest.mark.parametrize("phase", ["pending", "dispatched", "processing"])
async def test_a_job_that_has_not_ended_is_running(
    odyssey: OdysseyClips,
    emulators: Emulators,
    wanted: ClipRequest,
    phase: Literal["pending", "dispatched", "processing"],
) -> None:
    emulators.odyssey.knobs.clip.hold = phase
    operation = await odyssey.look(await odyssey.start(wanted))
    assert operation.status is OperationStatus.RUNNING


async def test_a_failed_job_may_succeed_as_another_one(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.odyssey.knobs.clip.fail = 1
    operation = await ended(odyssey, await odyssey.start(wanted))
    assert (operation.status, operation.retryable) == (OperationStatus.FAILED, True)
    assert operation.detail


async def test_a_refused_job_says_why_and_is_not_tried_again(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.odyssey.knobs.clip.refuse = 1
    operation = await ended(odyssey, await odyssey.start(wanted))
    assert (operation.status, operation.retryable) == (OperationStatus.REFUSED, False)
    assert operation.detail


@pytest.mark.parametrize("phase", ["pending", "dispatched"])
async def test_a_cancelled_job_is_not_billed(
    odyssey: OdysseyClips,
    emulators: Emulators,
    wanted: ClipRequest,
    phase: Literal["pending", "dispatched"],
) -> None:
    emulators.odyssey.knobs.clip.hold = phase
    operation_id = await odyssey.start(wanted)
    assert await odyssey.cancel(operation_id) is CancelAnswer.ACCEPTED
    operation = await odyssey.look(operation_id)
    assert operation.status is OperationStatus.CANCELLED
    assert emulators.ledger.total(State.BILLED) == 0


async def test_a_job_in_process_refuses_to_be_cancelled(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.odyssey.knobs.clip.hold = "processing"
    operation_id = await odyssey.start(wanted)
    assert await odyssey.cancel(operation_id) is CancelAnswer.REFUSED
    emulators.odyssey.knobs.clip.hold = ""
    operation = await ended(odyssey, operation_id)
    assert operation.status is OperationStatus.COMPLETED


async def test_a_job_that_odyssey_does_not_know_is_gone(odyssey: OdysseyClips) -> None:
    assert await odyssey.cancel("00000000-0000") is CancelAnswer.ACCEPTED
    assert (await odyssey.look("00000000-0000")).status is OperationStatus.GONE


async def test_a_cancel_that_is_not_answered_is_an_error(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    operation_id = await odyssey.start(wanted)
    emulators.odyssey.knobs.cancel.unavailable = 1
    error = await error_of(odyssey.cancel(operation_id))
    assert error.retryable


async def test_jobs_under_way_are_listed(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    finished = await odyssey.start(wanted)
    await ended(odyssey, finished)
    emulators.odyssey.knobs.clip.hold = "pending"
    started = {await odyssey.start(wanted) for _ in range(3)}
    assert set(await odyssey.list_started(LONG_AGO)) == started
    assert await odyssey.list_started(datetime.now(UTC) + timedelta(hours=1)) == []


async def test_a_clip_is_fetched_without_our_token(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest, tmp_path: Path
) -> None:
    done = await ended(odyssey, await odyssey.start(wanted))
    await odyssey.fetch(done, tmp_path / "clip.mp4")
    (download,) = sent(emulators, "download")
    assert "authorization" not in download.headers


async def test_a_clip_whose_address_has_expired_is_fetched_from_a_fresh_one(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest, tmp_path: Path
) -> None:
    done = await ended(odyssey, await odyssey.start(wanted))
    looks = len(sent(emulators, "look"))
    emulators.odyssey.knobs.expired_downloads = 1
    await odyssey.fetch(done, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").stat().st_size > 1000
    assert len(sent(emulators, "look")) == looks + 1
    assert len(sent(emulators, "download")) == 2


async def test_a_clip_that_is_nowhere_may_be_asked_for_again_later(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest, tmp_path: Path
) -> None:
    done = await ended(odyssey, await odyssey.start(wanted))
    emulators.odyssey.knobs.expired_downloads = 2
    error = await error_of(odyssey.fetch(done, tmp_path / "clip.mp4"))
    assert error.retryable
    assert names_in(tmp_path) == ["image.jpg"]


@pytest.mark.parametrize("hang", ["headers", "body"])
@pytest.mark.parametrize("purpose", ["token", "create", "look", "list", "cancel"])
async def test_a_cancelled_call_lets_go_of_its_connection_at_once(
    odyssey: OdysseyClips,
    emulators: Emulators,
    wanted: ClipRequest,
    purpose: str,
    hang: str,
) -> None:
    getattr(emulators.odyssey.knobs, purpose).hang = hang
    delays = [
        await seconds_to_close(emulators, call_of(odyssey, purpose, wanted), hang)
        for _ in range(5)
    ]
    assert statistics.median(delays) < 0.05


@pytest.mark.parametrize("hang", ["headers", "body"])
async def test_a_cancelled_download_lets_go_at_once_and_leaves_no_file(
    odyssey: OdysseyClips,
    emulators: Emulators,
    wanted: ClipRequest,
    tmp_path: Path,
    hang: Literal["headers", "body"],
) -> None:
    done = await ended(odyssey, await odyssey.start(wanted))
    emulators.odyssey.knobs.download.hang = hang
    delays = [
        await seconds_to_close(
            emulators, odyssey.fetch(done, tmp_path / "clip.mp4"), hang
        )
        for _ in range(5)
    ]
    assert statistics.median(delays) < 0.05
    assert names_in(tmp_path) == ["image.jpg"]
