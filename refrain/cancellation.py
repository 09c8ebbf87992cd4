"""Work that can be aborted for a reason, and work that must come to its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from refrain.job import AbortReason

T = TypeVar("T")

CANCEL_AGAIN = 0.2
"""Seconds until a coroutine that swallowed its cancellation is cancelled again."""


class CancelScope:
    """Runs one coroutine, which `cancel` aborts at its next await."""

    def __init__(self) -> None:
        self.reason: AbortReason | None = None
        """Why the scope was cancelled; the first reason stays."""
        self.cancelled_caught = False
        """True once the coroutine has ended by its cancellation."""
        self._task: asyncio.Task[Any] | None = None

    @property
    def cancel_called(self) -> bool:
        return self.reason is not None

    @property
    def ended(self) -> bool:
        """True if the coroutine does not run: it has ended, or never began."""
        return self._task is None or self._task.done()

    def cancel(self, reason: AbortReason) -> None:
        """Aborts the coroutine, now or as soon as it runs. Never raises or waits."""
        if self.reason is None:
            self.reason = reason
            self._cancel()

    async def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Returns what the coroutine returned; None if its cancellation ended it.

        Raises what it raised. Does not return before it has ended, not even when
        the caller is itself cancelled.
        """
        self._task = asyncio.create_task(work)
        if self.cancel_called:
            self._cancel()
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            await end(self._task)
            raise
        if self._task.cancelled():
            if not self.cancel_called:
                raise RuntimeError("the coroutine cancelled itself")
            self.cancelled_caught = True
            return None
        return self._task.result()

    def _cancel(self) -> None:
        if self._task is not None and not self._task.done():
            self._task.cancel()
            asyncio.get_running_loop().call_later(CANCEL_AGAIN, self._cancel)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels the tasks, also those that swallow it, until all have ended."""
    while open_tasks := [task for task in tasks if not task.done()]:
        for task in open_tasks:
            task.cancel()
        await asyncio.wait(open_tasks, timeout=CANCEL_AGAIN)


async def shielded(work: Coroutine[Any, Any, T]) -> T:
    """Awaits short work that is not to be torn in two.

    A caller that is cancelled meanwhile stays until the work has ended, and is
    cancelled then.
    """
    task = asyncio.create_task(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            cancelled = True
    if cancelled:
        if not task.cancelled():
            task.exception()
        raise asyncio.CancelledError
    return task.result()
