"""Audio that clients upload: received, measured, stored under its digest."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from refrain.errors import InvalidRequest, TaskError
from refrain.store import Upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refrain.artifacts import ArtifactStore
    from refrain.media import MediaPool
    from refrain.scratch import Scratch
    from refrain.store import JobStore

DIGEST = re.compile("[0-9a-f]{64}")
MAX_BYTES = 200 * 1024 * 1024


class AudioUploads:
    """Takes audio in, and gives its owner a URI for it."""

    def __init__(
        self,
        jobs: JobStore,
        artifacts: ArtifactStore,
        media: MediaPool,
        scratch: Scratch,
    ) -> None:
        self._scratch = scratch
        self._jobs = jobs
        self._artifacts = artifacts
        self._media = media

    async def receive(self, owner: str, chunks: AsyncIterator[bytes]) -> Upload:
        """Stores the audio; raises InvalidRequest if it is none, or too long."""
        with TemporaryDirectory(dir=self._scratch.path) as folder:
            path = Path(folder) / "audio"
            digest, size = await _write(path, chunks)
            seconds = await self._measure(path)
            upload = Upload(
                sha256=digest, duration=timedelta(seconds=seconds), size_bytes=size
            )
            await self._artifacts.put(f"uploads/{digest}", path)
        await self._jobs.insert_upload(owner, upload)
        return upload

    async def find(self, owner: str, audio_uri: str) -> Upload | None:
        """Returns what the owner uploaded under this URI, if anything."""
        prefix, _, digest = audio_uri.rpartition("/")
        if prefix != "artifact:uploads" or not DIGEST.fullmatch(digest):
            return None
        return await self._jobs.get_upload(owner, digest)

    async def _measure(self, path: Path) -> float:
        try:
            found = await self._media.call(
                "services.gateway.measure:measure_audio", path=str(path)
            )
        except TaskError as err:
            raise InvalidRequest({"chunk": str(err)}) from err
        return found["seconds"]


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > MAX_BYTES:
                raise InvalidRequest({"chunk": "the audio has more than 200 MiB"})
            digest.update(chunk)
            file.write(chunk)
    if not size:
        raise InvalidRequest({"chunk": "the audio is empty; send its bytes"})
    return digest.hexdigest(), size
