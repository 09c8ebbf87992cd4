"""Downloads are whole or leave nothing, and failures of the line are said in words."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from services.generator.providers.transport import download, retry_after
from tests.generator.providers.odyssey_calls import error_of, names_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

URL = "https://store.example/clip.mp4"
CLIP = b"clip" * 1000


def store(answer: Callable[[httpx.Request], httpx.Response]) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


async def pieces(*sent: bytes | Exception) -> AsyncIterator[bytes]:
    for piece in sent:
        if isinstance(piece, Exception):
            raise piece
        yield piece


async def test_a_download_is_written_whole(tmp_path: Path) -> None:
    http = store(lambda _: httpx.Response(200, content=pieces(CLIP, CLIP)))
    assert await download(http, "It", URL, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_bytes() == CLIP * 2
    assert names_in(tmp_path) == ["clip.mp4"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_an_address_that_has_expired_gives_nothing(
    status: int, tmp_path: Path
) -> None:
    http = store(lambda _: httpx.Response(status))
    assert not await download(http, "It", URL, tmp_path / "clip.mp4")
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "sent", "retryable"),
    [
        (200, [b""], True),
        (200, [CLIP, httpx.ReadError("reset")], True),
        (200, [CLIP, CLIP, CLIP], False),
        (206, [CLIP], False),
        (405, [], False),
        (429, [], True),
        (503, [], True),
    ],
)
async def test_a_download_that_fails_leaves_no_file(
    status: int, sent: list[bytes | Exception], retryable: bool, tmp_path: Path
) -> None:
    http = store(lambda _: httpx.Response(status, content=pieces(*sent)))
    path = tmp_path / "clip.mp4"
    error = await error_of(download(http, "It", URL, path, largest=2 * len(CLIP)))
    assert error.retryable is retryable
    assert error.throttled is (status == 429)
    assert names_in(tmp_path) == []


async def test_a_clip_that_says_it_is_too_large_is_not_begun(tmp_path: Path) -> None:
    begun: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        begun.append(CLIP)
        yield CLIP

    headers = {"content-length": "600000000"}
    http = store(lambda _: httpx.Response(200, headers=headers, content=body()))
    error = await error_of(download(http, "It", URL, tmp_path / "clip.mp4"))
    assert not error.retryable
    assert "536,870,912 bytes" in str(error)
    assert begun == []


async def test_a_download_that_is_cancelled_leaves_no_file(tmp_path: Path) -> None:
    halfway = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield CLIP
        halfway.set()
        await asyncio.Event().wait()

    http = store(lambda _: httpx.Response(200, content=body()))
    path = tmp_path / "clip.mp4"
    task = asyncio.create_task(download(http, "It", URL, path))
    await halfway.wait()
    assert names_in(tmp_path) == ["clip.mp4.part"]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("headers", [None, {"key": "k"}])
async def test_a_redirect_is_followed_without_our_headers(
    headers: dict[str, str] | None, tmp_path: Path
) -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.url.host == "store.example":
            there = {"location": "https://other.example/clip.mp4"}
            return httpx.Response(302, headers=there)
        return httpx.Response(200, content=CLIP)

    path = tmp_path / "clip.mp4"
    assert await download(store(answer), "It", URL, path, headers=headers)
    assert path.read_bytes() == CLIP
    assert [each.headers.get("key") for each in asked] == [headers and "k", None]


@pytest.mark.parametrize("url", ["http://[", "clip.mp4", "ftp://store.example/clip"])
async def test_an_address_that_is_none_is_an_error(url: str, tmp_path: Path) -> None:
    async with httpx.AsyncClient() as http:
        error = await error_of(download(http, "It", url, tmp_path / "clip.mp4"))
    assert "It did not answer" in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("2", 2), ("2.5", 2.5), ("99999", 3600), ("inf", 3600)],
)
def test_retry_after_is_read_in_seconds(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value}) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "Mon, 99 Foo 2026"])
def test_a_retry_after_that_makes_no_sense_is_none(value: str) -> None:
    assert retry_after({"retry-after": value}) is None


def test_retry_after_is_read_as_a_date() -> None:
    date = datetime.now(UTC) + timedelta(seconds=100)
    wait = retry_after({"retry-after": format_datetime(date, usegmt=True)})
    assert wait is not None
    assert timedelta(seconds=90) < wait <= timedelta(seconds=100)


def test_a_date_that_has_passed_asks_for_no_wait_of_its_own() -> None:
    headers: dict[str, Any] = {"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}
    assert retry_after(headers) is None
