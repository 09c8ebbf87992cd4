"""Google's failures: one meaning, in whichever call they come."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from google.auth.exceptions import DefaultCredentialsError, RefreshError

from services.generator.providers.gemini import GeminiImages
from services.generator.providers.google import (
    GEMINI_URL,
    gemini_client,
    nearest_aspect,
    vertex_client,
)
from services.generator.providers.google_errors import (
    GoogleError,
    provider_error,
    translated,
)
from services.generator.providers.omni import OmniClips
from services.generator.providers.provider import (
    ClipRequest,
    ImageRequest,
    ProviderError,
)
from services.generator.providers.veo import VeoClips
from tests.generator.providers.canned import Canned

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    Send = Callable[[httpx.AsyncClient, Path], Awaitable[object]]

KEY = "AIzaSyA-0123456789abcdefghijklmnopqrstuv"

QUOTA: dict[str, Any] = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure"},
            {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": "34.4s",
            },
        ],
    }
}
"""From the fixture google-429-retry-info of vercel/ai (Apache-2.0), shortened."""
BAD_KEY = {
    "error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
            }
        ],
    }
}
BLOCKED_SERVICE = [
    {
        "error": {
            "code": 403,
            "message": f"Consumer 'api_key:{KEY}' may not use this service.",
            "status": "API_KEY_SERVICE_BLOCKED",
        }
    }
]


def _omni(http: httpx.AsyncClient) -> OmniClips:
    return OmniClips(
        http, model="gemini-omni-1.1-flash", api_key=KEY, base_url=GEMINI_URL
    )


def _veo(http: httpx.AsyncClient) -> VeoClips:
    return VeoClips(vertex_client(http, api_key=KEY), model="veo-3.1-generate-001")


def _clip(folder: Path) -> ClipRequest:
    image = folder / "image.jpg"
    image.write_bytes(b"a picture")
    return ClipRequest(
        prompt="slow push in",
        image=image,
        width=1280,
        height=720,
        duration=timedelta(seconds=5),
    )


async def _paint(http: httpx.AsyncClient, folder: Path) -> object:
    images = GeminiImages(
        gemini_client(KEY, GEMINI_URL, http), model="gemini-3.1-flash-image"
    )
    request = ImageRequest(
        prompt="a valley", style="", song_seed=1, seed=2, width=1280, height=720
    )
    return await images.paint(request, folder / "image.png")


async def _start(http: httpx.AsyncClient, folder: Path) -> object:
    return await _omni(http).start(_clip(folder))


async def _look(http: httpx.AsyncClient, _folder: Path) -> object:
    return await _omni(http).look("v1_A")


async def _cancel(http: httpx.AsyncClient, _folder: Path) -> object:
    return await _omni(http).cancel("v1_A")


async def _start_veo(http: httpx.AsyncClient, folder: Path) -> object:
    return await _veo(http).start(_clip(folder))


async def _look_veo(http: httpx.AsyncClient, _folder: Path) -> object:
    model = "projects/p/locations/l/publishers/google/models/veo-3.1-generate-001"
    return await _veo(http).look(f"{model}/operations/o")


CALLS = [_paint, _start, _look, _cancel, _start_veo, _look_veo]


@pytest.fixture(params=CALLS, ids=lambda call: call.__name__)
def send(request: pytest.FixtureRequest) -> Send:
    return request.param


async def fail(send: Send, http: Canned, folder: Path) -> ProviderError:
    """Returns what a call raises that must have been sent once."""
    async with http:
        with pytest.raises(ProviderError) as raised:
            await send(http, folder)
    assert len(http.requests) == 1
    assert KEY not in str(raised.value)
    return raised.value


async def test_too_many_calls_are_told_apart_with_the_wait_that_google_asks_for(
    send: Send, tmp_path: Path
) -> None:
    err = await fail(send, Canned(QUOTA, status=429), tmp_path)
    assert err.throttled
    assert err.retryable
    assert err.retry_after == timedelta(seconds=34.4)
    assert "please check your plan" in str(err)


async def test_the_wait_of_a_header_counts_where_the_body_names_none(
    send: Send, tmp_path: Path
) -> None:
    body = {"error": {"code": 429, "message": "Too many"}}
    http = Canned(body, status=429, headers={"Retry-After": "7"})
    err = await fail(send, http, tmp_path)
    assert err.retry_after == timedelta(seconds=7)


async def test_no_wait_is_made_up(send: Send, tmp_path: Path) -> None:
    body = {"error": {"code": 429, "message": "Too many"}}
    err = await fail(send, Canned(body, status=429), tmp_path)
    assert err.throttled
    assert err.retry_after is None


@pytest.mark.parametrize("status", [408, 500, 503])
async def test_what_may_pass_is_retryable_and_never_sent_twice(
    send: Send, tmp_path: Path, status: int
) -> None:
    err = await fail(send, Canned("<html>Bad gateway</html>", status=status), tmp_path)
    assert err.retryable
    assert not err.throttled
    assert not err.unanswered
    assert "Bad gateway" in str(err)


async def test_a_wrong_key_is_a_400_and_says_what_to_do(
    send: Send, tmp_path: Path
) -> None:
    err = await fail(send, Canned(BAD_KEY, status=400), tmp_path)
    assert not err.retryable
    assert not err.refused
    assert "set a valid one" in str(err)


async def test_an_error_in_an_array_is_read_and_the_key_in_it_is_not_shown(
    send: Send, tmp_path: Path
) -> None:
    err = await fail(send, Canned(BLOCKED_SERVICE, status=403), tmp_path)
    assert not err.retryable
    assert "may not use this service" in str(err)


async def test_an_answer_that_is_not_json_may_have_been_billed(
    send: Send, tmp_path: Path
) -> None:
    err = await fail(send, Canned("<html>Welcome</html>"), tmp_path)
    assert err.retryable
    assert err.unanswered


async def test_a_lost_answer_is_retryable_and_unanswered(
    send: Send, tmp_path: Path
) -> None:
    err = await fail(send, Canned(httpx.ReadTimeout("too slow")), tmp_path)
    assert err.retryable
    assert err.unanswered


async def test_what_was_never_sent_is_not_unanswered(
    send: Send, tmp_path: Path
) -> None:
    err = await fail(send, Canned(httpx.ConnectError("refused")), tmp_path)
    assert err.retryable
    assert not err.unanswered


async def test_every_call_has_a_timeout(send: Send, tmp_path: Path) -> None:
    http = Canned({}, status=500)
    await fail(send, http, tmp_path)
    assert http.requests[0].extensions["timeout"]["read"] >= 30


async def test_a_call_that_takes_too_long_ends() -> None:
    with pytest.raises(GoogleError) as raised:
        async with translated(0.01):
            await asyncio.Event().wait()
    assert raised.value.retryable
    assert raised.value.unanswered


async def test_a_cancelled_call_stays_cancelled() -> None:
    async def call() -> None:
        async with translated():
            await asyncio.Event().wait()

    calling = asyncio.create_task(call())
    await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling


async def test_a_fault_of_our_own_stays_what_it_is() -> None:
    with pytest.raises(KeyError):
        async with translated():
            raise KeyError


def test_missing_credentials_are_for_people_and_lost_ones_for_a_retry() -> None:
    missing = provider_error(DefaultCredentialsError("none found"))
    assert missing is not None
    assert not missing.retryable
    assert "application default credentials" in str(missing)
    refresh = provider_error(RefreshError("try again", retryable=True))
    assert refresh is not None
    assert refresh.retryable


def test_vertex_without_key_and_project_says_what_it_needs() -> None:
    with pytest.raises(ValueError, match="express API key, or a project"):
        vertex_client(Canned())


@pytest.mark.parametrize(
    ("width", "height", "aspect"),
    [
        (1280, 720, "16:9"),
        (720, 1280, "9:16"),
        (1080, 1080, "1:1"),
        (1080, 1350, "4:5"),
        (2560, 1080, "21:9"),
        (1440, 1080, "4:3"),
    ],
)
def test_the_nearest_aspect_is_chosen(width: int, height: int, aspect: str) -> None:
    aspects = ("1:1", "4:3", "4:5", "9:16", "16:9", "21:9")
    assert nearest_aspect(width, height, aspects) == aspect
