"""Real servers for the tests: one PostgreSQL and one nats-server a test process."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql

from refrain.local.embedded import EmbeddedNats, EmbeddedPostgres
from refrain.local.guardian import Guardian
from refrain.store import Database
from tests.databases import Databases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

# A PostgreSQL that is started as another user is forked beside gRPC's threads, and
# gRPC's handlers of a fork may kill the child. It reads this when it is imported.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
# No test asks a provider beyond this machine, whatever keys there are.
os.environ |= {"GEMINI_API_KEY": "", "ODYSSEY_API_KEY": "", "LRCLIB_URL": ""}
os.environ |= {"GOOGLE_CLOUD_API_KEY": "", "GOOGLE_CLOUD_PROJECT": ""}

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Else each connection costs its client thousands of rounds of hashing.
    "scram_iterations": "1",
}


class Postgres(EmbeddedPostgres):
    """Ends at once: a last checkpoint would write out a database for every test."""

    stop_signal = signal.SIGQUIT


@pytest.fixture(scope="session")
def guardian() -> Iterator[Guardian]:
    with Guardian() as guardian:
        yield guardian


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can enter; pytest's own are closed to it."""
    with TemporaryDirectory(prefix="refrain-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def postgres(guardian: Guardian, open_folder: Path) -> Iterator[EmbeddedPostgres]:
    settings = {**FAST, "max_connections": "200"}
    folder = open_folder / "postgres"
    with Postgres(folder, guardian, settings=settings) as postgres:
        with psycopg.connect(postgres.url) as connection:
            same = sql.Literal(connection.info.password)
            connection.execute(sql.SQL("ALTER USER refrain PASSWORD {}").format(same))
        yield postgres


@pytest.fixture(scope="session")
def nats_server(guardian: Guardian, open_folder: Path) -> Iterator[EmbeddedNats]:
    with EmbeddedNats(open_folder / "nats", guardian) as nats:
        yield nats


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def databases(postgres: EmbeddedPostgres) -> Databases:
    databases = Databases(postgres.url)
    await databases.prepare()
    return databases


@pytest.fixture
async def database_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated database without a row."""
    url = await databases.take()
    yield url
    databases.give_back(url)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database
