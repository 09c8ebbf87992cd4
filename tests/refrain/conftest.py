"""What the tests of the record and of the protocol stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.proxy import Proxy
from tests.refrain.record import Record
from tests.refrain.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres
    from refrain.store import Database


@pytest.fixture
def record(database: Database, database_url: str) -> Record:
    return Record(database, database_url)


@pytest.fixture
def workshop(database_url: str, nats_server: EmbeddedNats, tmp_path: Path) -> Workshop:
    return Workshop(database_url, nats_server.url, tmp_path / "artifacts")


@pytest.fixture
async def proxy(postgres: EmbeddedPostgres) -> AsyncIterator[Proxy]:
    """Before Postgres; connections that do not take it are not touched by it."""
    async with Proxy(postgres.port) as proxy:
        yield proxy
