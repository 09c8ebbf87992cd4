"""Server-sent events as a browser takes them in."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from tests.refrain.record import Record

OUTAGE = "The record does not answer; try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event of a stream."""

    name: str
    text: str
    event_id: str | None
    retry: str | None

    @property
    def data(self) -> Any:
        """What the event says in JSON."""
        return json.loads(self.text)


class EventStream:
    """Server-sent events, one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self, *names: str) -> ServerEvent:
        """Returns the next event, which has one of the names if any are given.

        Raises EOFError at the end of the stream.
        """
        fields: dict[str, str] = {}
        async for line in self._lines:
            if line and not line.startswith(":"):
                field, _, value = line.partition(": ")
                assert field not in fields
                fields[field] = value
            elif "data" in fields:
                event = ServerEvent(
                    name=fields["event"],
                    text=fields["data"],
                    event_id=fields.get("id"),
                    retry=fields.get("retry"),
                )
                assert not names or event.name in names
                return event
        raise EOFError

    async def until(self, name: str) -> ServerEvent:
        """Skips what comes before an event of the name."""
        while (event := await self.next()).name != name:
            pass
        return event


@asynccontextmanager
async def opened(
    client: httpx.AsyncClient, path: str, last_event_id: str | None = None
) -> AsyncGenerator[EventStream]:
    """A stream that the gateway agrees to."""
    headers = (
        {} if last_event_id is None else {b"Last-Event-ID": last_event_id.encode()}
    )
    async with client.stream("GET", path, headers=headers, timeout=5) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventStream(response)


@asynccontextmanager
async def outage(record: Record, server_url: str) -> AsyncGenerator[None]:
    """Keeps everyone from the record until the block ends."""
    name = record.url.rpartition("/")[2]
    async with await psycopg.AsyncConnection.connect(
        server_url, autocommit=True
    ) as server:
        await server.execute(_allow(name, "false"))
        try:
            await server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s",
                [name],
            )
            yield
        finally:
            await server.execute(_allow(name, "true"))


def _allow(database: str, allowed: LiteralString) -> sql.Composed:
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    return statement.format(sql.Identifier(database), sql.SQL(allowed))
