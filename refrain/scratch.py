"""Scratch: a folder for files in the making, gone with the process that made them."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Generator

    from refrain.job import Task


class Scratch:
    """One process's folder under `root`; it clears those of dead processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __enter__(self) -> Self:
        self._root.mkdir(parents=True, exist_ok=True)
        one_at_a_time = os.open(self._root, os.O_RDONLY)
        try:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            _clear(self._root)
            self.path = Path(tempfile.mkdtemp(dir=self._root))
            self._lock = _lock(self.path)
        finally:
            os.close(one_at_a_time)
        return self

    def __exit__(self, *_exc: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)

    @contextmanager
    def folder(self, task: Task) -> Generator[Path]:
        """Makes a folder for one attempt, and removes it with all it holds."""
        folder = self.path / task.folder.replace("/", "-")
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _clear(root: Path) -> None:
    for folder in root.iterdir():
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """Locks the folder until the process ends; None if another holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
