"""LRCLIB's emulator, and a client that speaks to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from services.generator.lyrics.lrclib import LrclibClient
from tests.emulators import NO_TLS, Emulators

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


@pytest.fixture
def emulators() -> Iterator[Emulators]:
    with Emulators() as emulators:
        yield emulators


@pytest.fixture
async def lrclib(emulators: Emulators) -> AsyncIterator[LrclibClient]:
    async with httpx.AsyncClient(verify=NO_TLS) as http:
        yield LrclibClient(http, emulators.lrclib.url)
