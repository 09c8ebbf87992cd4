"""Fence: a worker that cannot renew its lease stops itself before others step in."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from refrain.timing import Timing

log = logging.getLogger(__name__)

EXIT_FENCED = 75
"""The exit code of a process that its fence ended (EX_TEMPFAIL)."""


def boottime() -> float:
    """Seconds since boot; unlike a monotonic clock it runs on in suspension."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fence:
    """Counts from the moment the last successful renewal was sent.

    Its end is enforced by a thread, so that a blocked event loop, or a process
    that was frozen and wakes, ends too.
    """

    def __init__(self, timing: Timing, holds_tasks: Callable[[], bool]) -> None:
        self._abort_after = timing.fence_abort.total_seconds()
        self._end_after = timing.fence_end.total_seconds()
        self._holds_tasks = holds_tasks
        self._renewed_at = boottime()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="fence")

    @property
    def stands(self) -> bool:
        """False once the worker may neither claim nor run anything."""
        return boottime() - self._renewed_at < self._abort_after

    def renewed(self, sent_at: float) -> None:
        """Tells of a renewal that succeeded, and when it was sent."""
        self._renewed_at = sent_at

    def open(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(0.1):
            if boottime() - self._renewed_at > self._end_after and self._holds_tasks():
                end_process("its lease is over and tasks still run")


def end_process(why: str) -> None:
    """Ends this process at once; its media children follow by themselves."""
    log.critical("this process ends: %s", why)
    os._exit(EXIT_FENCED)
