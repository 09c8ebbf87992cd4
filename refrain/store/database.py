"""Connections, transactions and migrations."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, LiteralString, Self, TypeVar, cast

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from refrain.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

T = TypeVar("T")

_NO_ANSWER = "The record does not answer; try again."

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]

# A peer that froze in a transaction gives its locks up after these, so that no
# cancel waits for it longer.
_OPTIONS = (
    "-c statement_timeout=10s -c lock_timeout=5s "
    "-c idle_in_transaction_session_timeout=3s -c TimeZone=UTC"
)
_CONNECT: dict[str, Any] = {
    "autocommit": True,
    "options": _OPTIONS,
    "connect_timeout": 3,
    "tcp_user_timeout": 5000,
    "keepalives_idle": 5,
    "row_factory": dict_row,
}

_ROLLED_BACK = (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)


@cache
def query(name: str) -> LiteralString:
    """Returns the statement `queries/<name>.sql`."""
    path = resources.files("refrain") / "queries" / f"{name}.sql"
    return cast("LiteralString", path.read_text("utf-8"))


class Database:
    """A pool of connections to the record. An async context manager."""

    def __init__(self, url: str, *, pool_size: int = 8, timeout: float = 3.0) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            url,
            kwargs=_CONNECT,
            connection_class=_PatientConnection,
            min_size=min(2, pool_size),
            max_size=pool_size,
            timeout=timeout,
            reconnect_timeout=0.1,
            open=False,
        )

    async def __aenter__(self) -> Self:
        await self._pool.open()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._pool.close()

    async def transact(self, steps: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs steps as one READ COMMITTED transaction.

        Repeats them once, whole, after a deadlock or when a connection turns out
        to be broken before COMMIT was sent. Raises Unavailable when Postgres does
        not answer; whether a COMMIT that was sent took effect is then unknown.
        """
        try:
            return await self._attempt(steps)
        except _BrokenConnection:
            await self._pool.check()
        except _ROLLED_BACK:
            pass
        try:
            return await self._attempt(steps)
        except _ROLLED_BACK as err:
            raise Unavailable("The record is contended; try again.") from err

    async def execute(self, steps: Callable[[Connection], Awaitable[T]]) -> T:
        """Runs steps of which each statement commits by itself, in one round trip.

        Raises Unavailable as `transact` does, and repeats nothing.
        """
        async with self._connection() as connection:
            try:
                return await steps(connection)
            except _ROLLED_BACK as err:
                raise Unavailable("The record is contended; try again.") from err
            except psycopg.OperationalError as err:
                if connection.broken:
                    raise _BrokenConnection from err
                raise

    async def read(self, steps: Callable[[Connection], Awaitable[T]]) -> T:
        """Executes steps that may be done twice: one broken connection is no error."""
        try:
            return await self.execute(steps)
        except _BrokenConnection:
            await self._pool.check()
            return await self.execute(steps)

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        async with _unavailable_when_down(), self._pool.connection() as connection:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                # The pool waits by asyncio.wait_for, which in Python 3.11 may
                # swallow a cancellation that comes as the connection does.
                raise asyncio.CancelledError
            yield connection

    async def _attempt(self, steps: Callable[[Connection], Awaitable[T]]) -> T:
        committing = False
        async with self._connection() as connection:
            try:
                async with connection.transaction():
                    result = await steps(connection)
                    committing = True
            except psycopg.OperationalError as err:
                if connection.broken and not committing:
                    raise _BrokenConnection from err
                raise
            return result


class _PatientConnection(psycopg.AsyncConnection[Row]):
    """Connects as soon as Postgres is there again.

    The pool's own pauses of a second and more would be a good part of the time that
    a worker has until its fence.
    """

    @classmethod
    async def connect(  # pyright: ignore[reportIncompatibleMethodOverride]
        cls, conninfo: str = "", **kwargs: Any
    ) -> Self:
        for _ in range(9):
            try:
                return await super().connect(conninfo, **kwargs)
            except psycopg.OperationalError:
                await asyncio.sleep(0.2)
        return await super().connect(conninfo, **kwargs)


class _BrokenConnection(Unavailable):
    """The connection broke; in a transaction, before COMMIT was sent."""

    def __init__(self) -> None:
        super().__init__(_NO_ANSWER)


@asynccontextmanager
async def _unavailable_when_down() -> AsyncGenerator[None]:
    try:
        yield
    except _ROLLED_BACK:
        raise
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.IdleInTransactionSessionTimeout,
        psycopg.errors.ReadOnlySqlTransaction,
        PoolTimeout,
    ) as err:
        raise Unavailable(_NO_ANSWER) from err


async def migrate(url: str) -> None:
    """Brings the record at `url` to the newest version; safe to run at once."""
    folder = resources.files("refrain") / "migrations"
    files = sorted(
        (entry for entry in folder.iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    async with (
        await psycopg.AsyncConnection.connect(url) as connection,
        connection.transaction(),
    ):
        await connection.execute("SELECT pg_advisory_xact_lock(7238245927364)")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY)"
        )
        cursor = await connection.execute("SELECT name FROM migrations")
        applied = {name for (name,) in await cursor.fetchall()}
        for file in files:
            if file.name not in applied:
                await connection.execute(cast("LiteralString", file.read_text("utf-8")))
                await connection.execute(
                    "INSERT INTO migrations VALUES (%s)", [file.name]
                )
