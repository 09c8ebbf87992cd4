"""A site for each test: every server that it breaks is its own, or is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql

from refrain.local.embedded import EmbeddedNats
from tests.system.faults.site import Site
from tests.system.faults.witness import Witness
from tests.system.system import System

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from refrain.local.embedded import EmbeddedPostgres
    from refrain.local.guardian import Guardian


@pytest.fixture
async def site(
    tmp_path: Path,
    guardian: Guardian,
    postgres: EmbeddedPostgres,
    database_url: str,
) -> AsyncIterator[Site]:
    await _survive_crashes(database_url)
    with EmbeddedNats(tmp_path / "nats", guardian) as nats:
        system = System(folder=tmp_path, database_url=database_url, nats_url=nats.url)
        async with Site(
            system=system, witness=Witness(), nats=nats, postgres=postgres
        ) as site:
            yield site


async def _survive_crashes(database_url: str) -> None:
    """The tests' server is fast because a crash may cost it its last commits."""
    name = sql.Identifier(database_url.rpartition("/")[2])
    statement = sql.SQL("ALTER DATABASE {} SET synchronous_commit = on").format(name)
    connect = psycopg.AsyncConnection.connect(database_url, autocommit=True)
    async with await connect as connection:
        await connection.execute(statement)
