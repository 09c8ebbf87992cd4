"""The one place where tests wait: until a condition holds, and no longer."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

POLL = 0.01
"""Seconds between two looks."""


async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, timeout: float = 10.0
) -> T:
    """Returns the first true value of the condition, an ordinary or async function.

    Raises AssertionError after `timeout` seconds; an AssertionError of the
    condition itself counts as not yet, and is the one raised in the end.
    """
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() > deadline
        try:
            value = condition()
            held = await value if inspect.isawaitable(value) else value
        except AssertionError:
            if late:
                raise
        else:
            if held:
                return held
            if late:
                raise AssertionError(f"not within {timeout} s, last: {held!r}")
        await asyncio.sleep(POLL)
