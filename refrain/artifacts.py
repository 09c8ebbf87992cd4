"""Artifacts: files by key in a folder or a bucket, whole or absent."""

from __future__ import annotations

import contextlib
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from refrain.errors import ArtifactNotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Generator
    from datetime import timedelta

    from obstore import GetOptions

SCHEME = "artifact:"
NO_ANSWER = "The artifact store does not answer."


def uri_of(key: str) -> str:
    """Returns the URI under which clients know an artifact."""
    return SCHEME + key


def key_of(uri: str) -> str:
    """Returns an artifact's key; raises ArtifactNotFound for any other URI."""
    if not uri.startswith(SCHEME) or ".." in uri:
        raise ArtifactNotFound(uri)
    return uri.removeprefix(SCHEME)


@contextlib.contextmanager
def _reading(uri: str) -> Generator[None]:
    """Raises ArtifactNotFound or Unavailable for what the store raises."""
    try:
        yield
    except FileNotFoundError as err:
        raise ArtifactNotFound(uri) from err
    except (BaseError, OSError) as err:
        raise Unavailable(NO_ANSWER) from err


class ArtifactStore:
    """Keeps artifacts at a storage URL, `file:///…` or `s3://…`."""

    def __init__(self, storage_url: str) -> None:
        parts = urlsplit(storage_url)
        self._folder = None
        if parts.scheme == "file":
            self._folder = Path(url2pathname(parts.path))
            self._store = LocalStore(self._folder, mkdir=True)
        else:
            self._store = from_url(storage_url)

    async def put(self, key: str, path: Path) -> str:
        """Stores the file and returns its URI; nobody sees a part of it."""
        await obstore.put_async(self._store, key, path)
        return uri_of(key)

    async def get(self, uri: str, path: Path) -> Path:
        """Writes the artifact to `path`. Raises ArtifactNotFound."""
        with path.open("wb") as file:
            # Not Unavailable, which hands a task back without counting the attempt.
            async for chunk in self._read(uri, None):
                file.write(chunk)
        return path

    async def size(self, uri: str) -> int:
        """Returns how many bytes it has. Raises ArtifactNotFound, Unavailable."""
        with _reading(uri):
            return (await obstore.head_async(self._store, key_of(uri)))["size"]

    async def stream(self, uri: str, part: range | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes, up to 1 MiB at a time.

        Raises ArtifactNotFound, and Unavailable, also after the first bytes.
        `part` holds the offsets of those that are read: at least one, and no gap.
        """
        with _reading(uri):
            async for chunk in self._read(uri, part):
                yield chunk

    async def _read(self, uri: str, part: range | None) -> AsyncIterator[bytes]:
        """Yields as `stream` does; raises what the store raises, if it fails."""
        options: GetOptions = {"range": (part.start, part.stop)} if part else {}
        try:
            found = await obstore.get_async(self._store, key_of(uri), options=options)
        except FileNotFoundError as err:
            raise ArtifactNotFound(uri) from err
        async for chunk in found.stream(min_chunk_size=1024 * 1024):
            yield bytes(chunk)

    async def delete(self, key: str) -> None:
        """Deletes one artifact, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            await obstore.delete_async(self._store, key)

    async def delete_unnamed(
        self, folder: str, is_named: Callable[[str], Awaitable[bool]]
    ) -> None:
        """Deletes what was put under `<folder>/`, but not what a row names.

        `is_named` is asked for each URI. Raises Unavailable.
        """
        kept = False
        try:
            async for key in self.list(folder):
                if await is_named(uri_of(key)):
                    kept = True
                else:
                    await self.delete(key)
        except (BaseError, OSError) as err:
            raise Unavailable(NO_ANSWER) from err
        if self._folder is not None and not kept:
            # A put that was broken off leaves a file that no listing shows.
            shutil.rmtree(self._folder / folder, ignore_errors=True)

    async def list(
        self, prefix: str, *, older: timedelta | None = None
    ) -> AsyncIterator[str]:
        """Yields the keys under `<prefix>/`, or those put longer ago than `older`."""
        newest = None if older is None else datetime.now(UTC) - older
        listing = obstore.list(self._store, f"{prefix}/")  # pyright: ignore[reportUnknownMemberType]
        async for found in listing:
            for entry in found:
                if newest is None or entry["last_modified"] < newest:
                    yield entry["path"]
