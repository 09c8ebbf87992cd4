"""A system of services for each test, over a database of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
import pytest_asyncio

from tests.emulators import Emulators
from tests.system.buying import open_shop
from tests.system.system import System

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from refrain.local.embedded import EmbeddedNats
    from tests.databases import Databases
    from tests.system.shop import Shop


@pytest.fixture
async def system(
    tmp_path: Path, database_url: str, nats_server: EmbeddedNats
) -> AsyncIterator[System]:
    """Nothing of it runs yet; a test starts what it needs."""
    async with System(
        folder=tmp_path, database_url=database_url, nats_url=nats_server.url
    ) as system:
        yield system


@pytest.fixture
def emulators() -> Iterator[Emulators]:
    """The providers, on this machine."""
    with Emulators() as emulators:
        yield emulators


@pytest.fixture
def bought(system: System, emulators: Emulators) -> System:
    """A system with a key for every provider, and the emulators behind them."""
    for service in ("gateway", "generator"):
        system.variables[service] = {
            **emulators.environment(),
            "REFRAIN_ODYSSEY_USD_PER_SECOND": str(
                emulators.odyssey.knobs.usd_per_second
            ),
        }
    return system


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    databases: Databases,
    nats_server: EmbeddedNats,
) -> AsyncIterator[Shop]:
    """A running system with every provider; its limits are the module's LIMITS."""
    async with open_shop(
        tmp_path_factory.mktemp("shop"),
        databases,
        nats_server,
        REFRAIN_LIMITS=getattr(cast("object", request.module), "LIMITS", ""),  # pyright: ignore[reportUnknownMemberType]
    ) as shop:
        yield shop
