"""Omni's clips, fetched: from where, with which key, and what is written."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import httpx
import pytest

from services.generator.providers.google import GEMINI_URL
from services.generator.providers.provider import (
    Operation,
    OperationStatus,
    ProviderError,
)
from tests.generator.providers.canned import Canned
from tests.generator.providers.odyssey_calls import names_in
from tests.generator.providers.omni_calls import KEY, adapter, look, output_of

if TYPE_CHECKING:
    from pathlib import Path


def completed(video: str) -> Operation:
    return Operation(operation_id="v1_A", status=OperationStatus.COMPLETED, video=video)


async def test_the_key_goes_to_the_base_url_and_to_no_other_host(
    tmp_path: Path,
) -> None:
    async with Canned("a clip") as http:
        omni = adapter(http, "https://gateway.example/gemini/")
        for uri in (f"{GEMINI_URL}/v1beta/files/a", "https://store.example/gemini/a"):
            await omni.fetch(completed(uri), tmp_path / "clip.mp4")
    ours, other = http.requests
    assert ours.url == "https://gateway.example/gemini/v1beta/files/a"
    assert ours.headers["x-goog-api-key"] == KEY
    assert "x-goog-api-key" not in other.headers


async def test_the_key_does_not_follow_a_redirect(tmp_path: Path) -> None:
    elsewhere = {"Location": "https://elsewhere.example/clip"}
    async with Canned("", status=302, headers=elsewhere) as http:
        with pytest.raises(ProviderError):
            await adapter(http).fetch(
                completed(f"{GEMINI_URL}/v1beta/files/a"), tmp_path / "clip.mp4"
            )
    assert all(
        "x-goog-api-key" not in request.headers
        for request in http.requests
        if request.url.host != httpx.URL(GEMINI_URL).host
    )


@pytest.mark.parametrize("status", [403, 404])
async def test_an_expired_address_is_to_be_looked_for_again(
    status: int, tmp_path: Path
) -> None:
    async with Canned({}, status=status) as http:
        with pytest.raises(ProviderError, match="look for a new one") as raised:
            await adapter(http).fetch(
                completed(f"{GEMINI_URL}/v1beta/files/a"), tmp_path / "clip.mp4"
            )
    assert raised.value.retryable
    assert not names_in(tmp_path)


async def test_a_clip_in_the_answer_is_written_too(tmp_path: Path) -> None:
    data = base64.b64encode(b"a clip").decode()
    done = await look(output_of({"type": "video", "data": data}))
    async with Canned() as http:
        await adapter(http).fetch(done, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.mp4").read_bytes() == b"a clip"
    assert not http.requests


async def test_a_damaged_clip_in_the_answer_is_retryable(tmp_path: Path) -> None:
    done = await look(output_of({"type": "video", "data": "a"}))
    async with Canned() as http:
        with pytest.raises(ProviderError, match="not base64") as raised:
            await adapter(http).fetch(done, tmp_path / "clip.mp4")
    assert raised.value.retryable
    assert not names_in(tmp_path)


async def test_a_clip_in_cloud_storage_is_not_ours_to_read(tmp_path: Path) -> None:
    async with Canned() as http:
        with pytest.raises(ProviderError, match="gs://"):
            await adapter(http).fetch(
                completed("gs://bucket/clip.mp4"), tmp_path / "clip.mp4"
            )
    assert not http.requests
