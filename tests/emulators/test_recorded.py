"""The emulated bodies against those that the real services answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest

from tests.emulators import KEYS
from tests.emulators.recorded import recorded

if TYPE_CHECKING:
    import httpx

    from tests.emulators import Emulators

ASK: Any = {"segments": [{"position": 0, "lines": ["a line"]}]}
IMAGE: Any = {"responseModalities": ["IMAGE"]}
CLIP: Any = {
    "model": "gemini-omni-1.1-flash",
    "background": True,
    "input": [{"type": "text", "text": "a cat"}],
    "response_format": {"type": "video", "duration": "3s"},
}
OF_STORED_ONES = {"/id"}
"""What an interaction has that runs in the background, and the recorded one not."""


@pytest.fixture
def gemini(emulators: Emulators, http: httpx.AsyncClient) -> httpx.AsyncClient:
    http.base_url = f"{emulators.gemini.url}/v1beta"
    http.headers["x-goog-api-key"] = KEYS["gemini"]
    return http


async def test_a_text_says_nothing_that_a_real_one_does_not(
    gemini: httpx.AsyncClient,
) -> None:
    body = await _generate(gemini, "gemini-3.8-flash", json.dumps(ASK))
    assert _paths(body) <= _paths(recorded("text"))


async def test_a_picture_says_what_a_real_one_says(gemini: httpx.AsyncClient) -> None:
    body = await _generate(gemini, "gemini-3.1-flash-image", "a cat", IMAGE)
    real = recorded("image")
    assert _paths(body) == _paths(real)
    for counts in (body["usageMetadata"], real["usageMetadata"]):
        parts = counts["promptTokenCount"] + counts["candidatesTokenCount"]
        assert counts["totalTokenCount"] == parts


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("no_image", "NO_IMAGE"), ("prompt_blocked", "PROHIBITED_CONTENT")],
)
async def test_a_refusal_says_what_a_real_one_says(
    emulators: Emulators, gemini: httpx.AsyncClient, name: str, refusal: Any
) -> None:
    emulators.gemini.knobs.refused_images = 1
    emulators.gemini.knobs.image_refusal = refusal
    body = await _generate(gemini, "gemini-3.1-flash-image", "a cat", IMAGE)
    assert _paths(body) == _paths(recorded(name))


async def test_a_clip_says_nothing_that_a_real_one_does_not(
    emulators: Emulators, gemini: httpx.AsyncClient
) -> None:
    started = (await gemini.post("/interactions", json=CLIP)).json()

    async def ended() -> Any:
        body = (await gemini.get(f"/interactions/{started['id']}")).json()
        return body if body["status"] == "completed" else None

    body = await emulators.until(ended)
    assert _paths(body) - OF_STORED_ONES <= _paths(recorded("clip"))
    usage = body["usage"]
    assert usage["total_tokens"] == (
        usage["total_input_tokens"]
        + usage["total_output_tokens"]
        + usage["total_thought_tokens"]
    )


async def test_a_bad_interaction_says_what_a_real_one_says(
    gemini: httpx.AsyncClient,
) -> None:
    answer = await gemini.post("/interactions", json={**CLIP, "response_format": {}})
    assert answer.status_code == 400
    assert _paths(answer.json()) == _paths(recorded("bad_interaction"))
    assert answer.json()["error"]["code"] == "invalid_request"


async def _generate(
    gemini: httpx.AsyncClient, model: str, prompt: str, config: Any = None
) -> Any:
    contents: Any = [{"role": "user", "parts": [{"text": prompt}]}]
    body: Any = {"contents": contents, "generation_config": config or {}}
    return (await gemini.post(f"/models/{model}:generateContent", json=body)).json()


def _paths(body: Any, above: str = "") -> set[str]:
    """Returns the names in JSON, each with those that it is below."""
    found: set[str] = set()
    if isinstance(body, list):
        for item in cast("list[Any]", body):
            found |= _paths(item, f"{above}/*")
    elif isinstance(body, dict):
        for name, value in cast("dict[str, Any]", body).items():
            found |= {f"{above}/{name}"} | _paths(value, f"{above}/{name}")
    return found
