"""Transactions when Postgres deadlocks, drops connections, stops and returns."""

from __future__ import annotations

import asyncio
from importlib import resources
from typing import TYPE_CHECKING

import psycopg
import pytest

from refrain.errors import Unavailable
from refrain.job import Status
from refrain.local.embedded import EmbeddedPostgres
from refrain.store import Database, migrate
from refrain.store.transaction import lock_job
from tests.eventually import eventually
from tests.refrain.record import Record

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from refrain.local.guardian import Guardian
    from refrain.store.database import Connection
    from tests.proxy import Proxy


@pytest.fixture
async def far_record(
    proxy: Proxy, database: Database, database_url: str
) -> AsyncIterator[Record]:
    """The record as seen through the proxy."""
    url = proxy.before(database_url)
    async with Database(url, timeout=1) as far:
        yield Record(far, database_url, own=database)


class Locks:
    """Locks two jobs, one and then the other, and deadlocks at its first attempt."""

    def __init__(self, one: UUID, other: UUID, meet: asyncio.Barrier) -> None:
        self._job_ids = (one, other)
        self._meet = meet
        self.attempts = 0
        self.rival_is_done = asyncio.Event()

    async def __call__(self, connection: Connection) -> None:
        self.attempts += 1
        if self.attempts > 1:
            await self.rival_is_done.wait()
        one, other = self._job_ids
        await lock_job(connection, one)
        if self.attempts == 1:
            await self._meet.wait()
        await lock_job(connection, other)


async def test_a_deadlocked_transaction_is_repeated_once_whole(
    record: Record, database: Database
) -> None:
    one, other = (await record.create()).job_id, (await record.create()).job_id
    meet = asyncio.Barrier(2)
    both = Locks(one, other, meet), Locks(other, one, meet)

    async def transact(locks: Locks, rival: Locks) -> None:
        await database.transact(locks)
        rival.rival_is_done.set()

    await asyncio.gather(transact(*both), transact(*both[::-1]))
    assert sorted(locks.attempts for locks in both) == [1, 2]


async def test_a_transaction_that_deadlocks_twice_is_unavailable(
    database: Database,
) -> None:
    attempts = 0

    async def deadlock(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        await connection.execute(
            "DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40P01'; END $$"
        )

    with pytest.raises(Unavailable):
        await database.transact(deadlock)
    assert attempts == 2


async def test_a_transaction_whose_connection_broke_is_repeated(
    proxy: Proxy, far_record: Record
) -> None:
    job = await far_record.create()
    proxy.cut()
    proxy.mend()
    assert (await far_record.cancel(job)).status is Status.CANCELLED


async def test_a_transaction_whose_commit_may_have_happened_is_not_repeated(
    proxy: Proxy, far_record: Record
) -> None:
    job = await far_record.create()
    proxy.lose_reply_to(b"COMMIT")
    with pytest.raises(Unavailable):
        await far_record.cancel(job)
    rows = await far_record.read("SELECT status, event_sequence FROM jobs")
    assert rows == [{"status": "cancelled", "event_sequence": 3}]


async def test_a_statement_that_may_have_committed_is_not_repeated(
    proxy: Proxy, far_record: Record
) -> None:
    proxy.lose_reply_to(b"INSERT INTO jobs")
    with pytest.raises(Unavailable):
        await far_record.create()
    rows = await far_record.read("SELECT job_id FROM jobs")
    assert len(rows) == 1


async def test_a_row_that_stays_locked_is_unavailable(
    record: Record, database_url: str
) -> None:
    job = await record.create()
    hasty = f"{database_url}?options=-clock_timeout%3D50ms"
    async with (
        record.holding("SELECT FROM jobs FOR UPDATE"),
        await psycopg.AsyncConnection.connect(hasty) as connection,
    ):
        with pytest.raises(psycopg.errors.LockNotAvailable) as refused:
            await connection.execute("SELECT FROM jobs FOR UPDATE")
    assert isinstance(refused.value, psycopg.OperationalError)
    assert (await record.cancel(job)).status is Status.CANCELLED


async def test_a_peer_that_freezes_in_a_transaction_gives_its_locks_up(
    record: Record, database: Database
) -> None:
    job = await record.create()
    frozen, thawed = asyncio.Event(), asyncio.Event()

    async def freeze(connection: Connection) -> None:
        await lock_job(connection, job.job_id)
        frozen.set()
        await thawed.wait()
        await lock_job(connection, job.job_id)

    peer = asyncio.ensure_future(database.transact(freeze))
    await frozen.wait()
    assert (await record.cancel(job)).status is Status.CANCELLED
    thawed.set()
    with pytest.raises(Unavailable):
        await peer


async def test_a_store_without_postgres_is_unavailable_and_then_recovers(
    guardian: Guardian, open_folder: Path
) -> None:
    folder = open_folder / "mortal"
    with EmbeddedPostgres(folder, guardian, settings={"fsync": "off"}) as postgres:
        await migrate(postgres.url)
        async with Database(postgres.url, timeout=0.5) as database:
            record = Record(database, postgres.url)
            job = await record.create()
            await asyncio.to_thread(postgres.stop)
            with pytest.raises(Unavailable):
                await record.cancel(job)
            await asyncio.to_thread(postgres.start)

            async def cancelled() -> bool:
                try:
                    return (await record.cancel(job)).status is Status.CANCELLED
                except Unavailable:
                    return False

            assert await eventually(cancelled)
            await record.assert_sound()


async def test_the_record_is_migrated_once_however_many_begin(
    postgres: EmbeddedPostgres, record: Record
) -> None:
    await record.read("DROP SCHEMA public CASCADE")
    await record.read("CREATE SCHEMA public")
    await asyncio.gather(*(migrate(record.url) for _ in range(4)))
    assert await record.create()
    rows = await record.read("SELECT name FROM migrations ORDER BY name")
    folder = resources.files("refrain") / "migrations"
    files = sorted(file.name for file in folder.iterdir())
    assert [row["name"] for row in rows] == files


async def test_a_day_of_the_record_has_24_hours(record: Record) -> None:
    """In a zone with summer time `now() + 2 days` may be 49 hours away."""
    assert await record.read("SHOW TimeZone") == [{"TimeZone": "UTC"}]
