"""Emulated providers, and adapters that speak to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.emulators import NO_TLS, Emulators
from tests.generator.providers import odyssey_calls, omni_calls
from tests.generator.providers.odyssey_calls import asked_for

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from services.generator.providers.odyssey import OdysseyClips
    from services.generator.providers.omni import OmniClips
    from services.generator.providers.provider import ClipRequest


@pytest.fixture
def emulators() -> Iterator[Emulators]:
    with Emulators() as emulators:
        yield emulators


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=NO_TLS) as http:
        yield http


@pytest.fixture
def odyssey(emulators: Emulators, http: httpx.AsyncClient) -> OdysseyClips:
    return odyssey_calls.adapter(http, emulators.odyssey.url)


@pytest.fixture
def omni(emulators: Emulators, http: httpx.AsyncClient) -> OmniClips:
    return omni_calls.adapter(http, emulators.gemini.url)


@pytest.fixture
def wanted(tmp_path: Path) -> ClipRequest:
    """A clip of 5 s from a landscape."""
    return asked_for(tmp_path)
