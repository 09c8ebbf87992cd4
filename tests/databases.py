"""Databases: an empty one for each test, of those that an earlier test is done with."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import LiteralString

import psycopg
from psycopg import sql

from refrain.store import migrate

TEMPLATE = "refrain_template"
EMPTY = """
DO $$
DECLARE
    providers text[] := ARRAY(SELECT provider FROM provider_limits);
BEGIN
    IF EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database()
            AND backend_type = 'client backend'
            AND pid <> pg_backend_pid()
    ) THEN
        RAISE object_in_use;
    END IF;
    EXECUTE (
        SELECT 'TRUNCATE ' || string_agg(quote_ident(tablename), ', ')
        FROM pg_tables
        WHERE schemaname = 'public' AND tablename <> 'migrations'
    );
    INSERT INTO provider_limits (provider) SELECT unnest(providers);
END
$$
"""
"""Leaves what the migrations leave, where nobody else is connected."""


class Databases:
    """Migrated databases. To empty one takes a sixth of what a new one costs."""

    def __init__(self, server_url: str) -> None:
        self._server_url = server_url
        self._idle: list[str] = []

    async def prepare(self) -> None:
        """Makes the one that all others are copies of; comes before them."""
        await self._run("CREATE DATABASE {}", TEMPLATE)
        await migrate(self._url(TEMPLATE))

    async def take(self) -> str:
        """Returns the URL of one that is empty, and that nobody is connected to."""
        for url in self._idle:
            with suppress(psycopg.Error):
                await _execute(url, sql.SQL(EMPTY))
                self._idle.remove(url)
                return url
        return await self.create()

    def give_back(self, url: str) -> None:
        self._idle.append(url)

    async def create(self) -> str:
        """Returns the URL of a new one."""
        name = f"test_{secrets.token_hex(6)}"
        await self._run("CREATE DATABASE {} TEMPLATE {}", name, TEMPLATE)
        return self._url(name)

    def _url(self, name: str) -> str:
        return f"{self._server_url.rpartition('/')[0]}/{name}"

    async def _run(self, statement: LiteralString, *names: str) -> None:
        identifiers = map(sql.Identifier, names)
        await _execute(self._server_url, sql.SQL(statement).format(*identifiers))


async def _execute(url: str, statement: sql.SQL | sql.Composed) -> None:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as own:
        await own.execute(statement)
