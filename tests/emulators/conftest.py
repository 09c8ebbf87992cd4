"""The emulators, and the vendor's SDK set up to use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
from google.genai import types
from google.genai.client import Client

from tests.emulators import KEYS, NO_TLS, Emulators

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from google.genai.client import AsyncClient


@pytest.fixture
def emulators() -> Iterator[Emulators]:
    with Emulators() as emulators:
        yield emulators


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20, verify=NO_TLS) as http:
        yield http


@pytest.fixture
def gemini(emulators: Emulators, http: httpx.AsyncClient) -> AsyncClient:
    options = _options(emulators.gemini.url, http)
    return Client(api_key=KEYS["gemini"], http_options=options).aio


@pytest.fixture
def vertex(emulators: Emulators, http: httpx.AsyncClient) -> AsyncClient:
    options = _options(emulators.vertex.url, http)
    return Client(vertexai=True, api_key=KEYS["vertex"], http_options=options).aio


def _options(url: str, http: httpx.AsyncClient) -> types.HttpOptions:
    """One attempt, and no client but ours: see its `HttpOptions`."""
    return types.HttpOptions(
        base_url=url,
        timeout=20_000,
        retry_options=types.HttpRetryOptions(attempts=1),
        httpx_client=httpx.Client(verify=NO_TLS),
        httpx_async_client=http,
    )
