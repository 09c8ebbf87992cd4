"""Calls of Odyssey's adapter: to its emulator, or to a few fixed answers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from PIL import Image

from services.generator.providers.odyssey import OdysseyClips
from services.generator.providers.provider import (
    ClipRequest,
    Operation,
    OperationStatus,
    ProviderError,
)
from tests.emulators import KEYS, Emulators, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


PRICE = Decimal("0.05")
"""US dollars a second, as at the emulator."""
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def adapter(
    http: httpx.AsyncClient, url: str, api_key: str = KEYS["odyssey"]
) -> OdysseyClips:
    return OdysseyClips(http, base_url=url, api_key=api_key, usd_per_second=PRICE)


def answering(answer: Callable[[httpx.Request], httpx.Response]) -> OdysseyClips:
    """An adapter that gets a token, and after it these answers."""

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        return answer(request)

    http = httpx.AsyncClient(transport=httpx.MockTransport(handle))
    return adapter(http, "https://odyssey.example")


def answering_always(status: int, **answer: Any) -> OdysseyClips:
    return answering(lambda _: httpx.Response(status, **answer))


def asked_for(
    folder: Path, width: int = 1280, height: int = 704, seconds: float = 5
) -> ClipRequest:
    path = folder / "image.jpg"
    Image.new("RGB", (width, height), "navy").save(path)
    return ClipRequest(
        prompt="slow push in",
        image=path,
        width=width,
        height=height,
        duration=timedelta(seconds=seconds),
    )


def call_of(
    odyssey: OdysseyClips, purpose: str, wanted: ClipRequest
) -> Coroutine[Any, Any, object]:
    """A call in which a request of this purpose is sent."""
    match purpose:
        case "create":
            return odyssey.start(wanted)
        case "list":
            return odyssey.list_started(LONG_AGO)
        case "cancel":
            return odyssey.cancel("j")
        case _:
            return odyssey.look("j")


async def ended(odyssey: OdysseyClips, operation_id: str) -> Operation:
    """Asks until the job has ended, as often as the answers come."""
    async with asyncio.timeout(10):
        while True:
            operation = await odyssey.look(operation_id)
            if operation.status is not OperationStatus.RUNNING:
                return operation


async def error_of(call: Coroutine[Any, Any, object]) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await call
    return raised.value


def sent(emulators: Emulators, *purposes: str) -> list[Exchange]:
    return emulators.log.of("odyssey", *purposes)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
