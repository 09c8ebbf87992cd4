"""Google: how its APIs are reached, and how its files arrive."""

from __future__ import annotations

import asyncio
import base64
import math
from typing import TYPE_CHECKING

import httpx
from google.genai import types
from google.genai.client import Client

from services.generator.providers.google_errors import TIMEOUT
from services.generator.providers.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from google.auth.credentials import Credentials
    from google.genai.client import AsyncClient

GEMINI_URL = "https://generativelanguage.googleapis.com"

_INLINE = "data:video/mp4;base64,"


def gemini_client(
    api_key: str,
    base_url: str,
    http: httpx.AsyncClient,
    *,
    timeout: float = TIMEOUT,
) -> AsyncClient:
    """Returns a client of the Gemini API, which never closes `http`.

    `base_url` is GEMINI_URL but for an emulator or a gateway; `timeout` in seconds.
    """
    options = _options(base_url, "v1beta", http, timeout)
    return Client(enterprise=False, api_key=api_key, http_options=options).aio


def vertex_client(
    http: httpx.AsyncClient,
    *,
    api_key: str | None = None,
    project: str | None = None,
    location: str | None = None,
    credentials: Credentials | None = None,
    base_url: str | None = None,
    timeout: float = TIMEOUT,
) -> AsyncClient:
    """Returns a client of Vertex AI, which never closes `http`.

    With an express API key, or with project and location and the application default
    credentials, unless others are given. Raises ValueError for neither.
    """
    if not api_key and not (project and location):
        raise ValueError(
            "Vertex AI needs an express API key, or a project and a location"
        )
    return Client(
        enterprise=True,
        api_key=api_key,
        project=None if api_key else project,
        location=None if api_key else location,
        credentials=None if api_key else credentials,
        http_options=_options(base_url, "v1beta1", http, timeout),
    ).aio


def nearest_aspect(width: int, height: int, aspects: Sequence[str]) -> str:
    """Returns which aspect, such as "16:9", is nearest to that of the frame."""

    def distance(aspect: str) -> float:
        across, up = map(int, aspect.split(":"))
        return abs(math.log(width * up / (height * across)))

    return min(aspects, key=distance)


def inline(data: str) -> str:
    """Returns the address of a clip that came in an answer, in base64."""
    return f"{_INLINE}{data}"


def is_inline(url: str) -> bool:
    """Returns whether the clip is in its address."""
    return url.startswith(_INLINE)


async def save_inline(url: str, path: Path) -> None:
    """Writes a clip that is in its address. Raises ProviderError."""
    await save_base64(url.removeprefix(_INLINE), path)


async def save_base64(data: str, path: Path) -> None:
    """Writes what is encoded, outside of the loop, whole or not at all.

    Raises ProviderError if it is not base64.
    """
    try:
        await asyncio.to_thread(_decode, data, path)
    except ValueError:
        raise ProviderError(
            "Google's file came damaged: it is not base64", retryable=True
        ) from None


def _options(
    base_url: str | None, version: str, http: httpx.AsyncClient, timeout: float
) -> types.HttpOptions:
    """One attempt, since retries are ours; both clients, lest the SDK makes its own."""
    return types.HttpOptions(
        base_url=base_url,
        api_version=version,
        timeout=math.ceil(timeout * 1000),
        retry_options=types.HttpRetryOptions(attempts=1),
        httpx_client=httpx.Client(transport=httpx.MockTransport(_refuse)),
        httpx_async_client=http,
    )


def _refuse(request: httpx.Request) -> httpx.Response:
    raise NotImplementedError("A blocking call to Google cannot be cancelled")


def _decode(data: str, path: Path) -> None:
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(base64.b64decode(data, validate=True))
    part.replace(path)
