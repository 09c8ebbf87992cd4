"""The one place where tests wait: until a condition holds, and no longer."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

POLL = 0.01
"""Seconds between two looks."""


async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, within: float = 10.0
) -> T:
    """Returns the first true value of the condition, an ordinary or async function.

    Raises AssertionError after `within` seconds; an AssertionError of the
    condition itself counts as not yet, and is the one raised in the end.
    """
    deadline = time.monotonic() + within
    while True:
        late = time.monotonic() > deadline
        try:
            value = condition()
            held = cast("T", await value if inspect.isawaitable(value) else value)
        except AssertionError:
            if late:
                raise
        else:
            if held:
                return held
            if late:
                raise AssertionError(f"not within {within} s, last: {held!r}")
        await asyncio.sleep(POLL)
