"""The folder that one Refrain on this machine lives in, and who runs on it.

`lock` is held by the running system and holds its process id; `up.json` says where it
answers, while it does.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from refrain.local.guardian import StartError, runs

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

LOCK_TIMEOUT = 10.0
"""Seconds a guardian may take to end what a killed owner left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """Where the system that runs on a home answers."""

    pid: int
    grpc: str
    """host:port of the API."""
    page: str
    """URL of the page."""


class Home:
    """One home folder, made when it is first locked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def whereabouts(self) -> Whereabouts | None:
        """Return where the system on this home answers, or None when none is up."""
        try:
            found = json.loads((self.folder / "up.json").read_text())
        except FileNotFoundError:
            return None
        return Whereabouts(**found)

    @contextmanager
    def open_lock(self) -> Generator[int]:
        """Open the lock file and return its descriptor; nobody holds it yet."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StartError(
                f"{self.folder} cannot be used: {error.strerror}; "
                "choose another REFRAIN_HOME"
            ) from error
        try:
            yield lock
        finally:
            os.close(lock)

    def acquire(self, lock: int) -> None:
        """Hold the lock; StartError when another system does."""
        deadline = time.monotonic() + LOCK_TIMEOUT
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                owner = int(os.pread(lock, 20, 0) or b"0")
                # A dead owner's guardian keeps the lock until it has cleaned up.
                if (owner and runs(owner)) or time.monotonic() > deadline:
                    raise StartError(self._taken_by(owner)) from None
                time.sleep(0.02)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        (self.folder / "up.json").unlink(missing_ok=True)

    @contextmanager
    def announced(self, grpc: str, page: str) -> Generator[None]:
        """Say in `up.json` where the system answers, as long as it does."""
        record = self.folder / "up.json"
        where = Whereabouts(pid=os.getpid(), grpc=grpc, page=page)
        unfinished = record.with_suffix(".new")
        unfinished.write_text(json.dumps(asdict(where)))
        unfinished.rename(record)
        try:
            yield
        finally:
            record.unlink(missing_ok=True)

    def _taken_by(self, owner: int) -> str:
        if where := self.whereabouts():
            return (
                f"Refrain is already up on {self.folder} (process {owner}): "
                f"page {where.page}, gRPC {where.grpc}."
            )
        return (
            f"Refrain is just starting or stopping on {self.folder} (process {owner})."
        )
