"""Audio in and artifacts out over HTTP."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from services.gateway.audio import MAX_BYTES
from services.gateway.rest.rpcs import PREFIX
from tests.gateway.conftest import VIDEO
from tests.gateway.silence import silence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from refrain.job import Job
    from tests.gateway.conftest import Gateway


async def chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1000):
        yield content[start : start + 1000]


async def test_audio_is_taken_in_used_and_given_back(
    browser: httpx.AsyncClient,
) -> None:
    audio = silence(seconds=4)
    answer = await browser.post(f"{PREFIX}/audio", content=chunks(audio))
    uploaded = answer.json()
    uri: str = uploaded["audioUri"]
    song = {"title": "Hm", "instrumental": True, "audioUri": uri}
    created = await browser.post(f"{PREFIX}/jobs", json=song)
    back = await browser.get(f"{PREFIX}/artifacts/{uri.removeprefix('artifact:')}")

    assert (uploaded["duration"], uploaded["sizeBytes"]) == ("4s", str(len(audio)))
    assert created.status_code == 200
    assert back.content == audio
    assert back.headers["content-type"] == "application/octet-stream"
    assert back.headers["content-disposition"].startswith("attachment;")


async def test_what_is_no_audio_is_refused_without_a_word_of_the_server(
    browser: httpx.AsyncClient, tmp_path: Path
) -> None:
    for content in (b"", b"no audio", b"RIFF" + bytes(1000)):
        refused = await browser.post(f"{PREFIX}/audio", content=content)
        error = refused.json()["error"]

        assert refused.status_code == 400
        assert error["details"][1]["fieldViolations"][0]["field"] == "body"
        assert str(tmp_path) not in refused.text
    assert not list((tmp_path / "scratch" / "gateway").rglob("audio"))


async def test_audio_that_is_too_large_is_refused_before_it_is_sent(
    gateway: Gateway, browser: httpx.AsyncClient
) -> None:
    address = urlsplit(gateway.http_url)
    token = browser.headers["X-CSRFToken"]
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(
        f"POST {PREFIX}/audio HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Length: {MAX_BYTES + 1}\r\n"
        f"X-CSRFToken: {token}\r\nCookie: csrftoken={token}\r\n\r\n".encode()
    )
    status = await reader.readline()
    writer.close()

    assert status.split()[1] == b"413"


@pytest.fixture
def video_path(completed: Job) -> str:
    assert completed.video is not None
    key = completed.video["uri"].removeprefix("artifact:")
    return f"{PREFIX}/artifacts/{key}"


async def test_an_artifact_is_shown_and_never_run(
    browser: httpx.AsyncClient, video_path: str
) -> None:
    whole = await browser.get(video_path)
    head = await browser.head(video_path)

    assert whole.content == VIDEO
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'; sandbox" in whole.headers["content-security-policy"]
    assert whole.headers["content-disposition"].startswith("inline;")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(VIDEO))


async def test_a_part_of_an_artifact_is_read_alone(
    browser: httpx.AsyncClient, video_path: str
) -> None:
    size = len(VIDEO)
    parts = {
        "bytes=5-9": (5, 10),
        "bytes=2000000-": (2_000_000, size),
        "bytes=-7": (size - 7, size),
        "bytes=0-99999999": (0, size),
    }
    for asked, (start, stop) in parts.items():
        part = await browser.get(video_path, headers={"Range": asked})
        assert part.status_code == 206
        assert part.content == VIDEO[start:stop]
        assert part.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"


async def test_a_range_that_is_none_is_ignored_and_one_beyond_the_end_refused(
    browser: httpx.AsyncClient, video_path: str
) -> None:
    for asked in ("bytes=9-5", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=\xb2-"):
        header = {"Range": asked.encode("latin-1")}
        whole = await browser.get(video_path, headers=header)  # pyright: ignore[reportArgumentType]
        assert (whole.status_code, len(whole.content)) == (200, len(VIDEO)), asked
    for asked in (f"bytes={len(VIDEO)}-", "bytes=-0"):
        beyond = await browser.get(video_path, headers={"Range": asked})
        assert beyond.status_code == 416
        assert beyond.headers["content-range"] == f"bytes */{len(VIDEO)}"
        assert beyond.json()["error"]["status"] == "OUT_OF_RANGE"
