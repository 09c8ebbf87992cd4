"""Leaving: how long a provider sees the connection of a call that was cancelled."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tests.emulators import Emulators


async def seconds_to_close(
    emulators: Emulators, call: Coroutine[Any, Any, object], hang: str
) -> float:
    """Cancels a call that hangs at its `headers` or in its `body`."""
    task = asyncio.create_task(call)
    exchange = await emulators.hanging(hang)
    cancelled_at = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    closed_at = await emulators.until(lambda: exchange.disconnected_at)
    return (closed_at or math.inf) - cancelled_at
