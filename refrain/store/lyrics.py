"""Lyrics that were looked up, kept so that a song is not asked for twice."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from psycopg.types.json import Jsonb

from refrain.store.transaction import read_one, write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from refrain.store.database import Database

KEPT = timedelta(days=30)


class LyricsStore:
    """Answers by the digest of their question."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get_answer(self, digest: bytes) -> Mapping[str, Any] | None:
        """Returns what was answered in the last 30 days, if anything."""
        params = {"digest": digest, "kept": KEPT}
        row = await self._database.read(
            partial(read_one, name="get_lyrics_answer", params=params)
        )
        return None if row is None else row["answer"]

    async def keep_answer(self, digest: bytes, answer: Mapping[str, Any]) -> None:
        """Keeps an answer, in place of an older one."""
        params = {"digest": digest, "answer": Jsonb(answer)}
        await self._database.read(
            partial(write, name="keep_lyrics_answer", params=params)
        )
