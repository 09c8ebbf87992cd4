"""The generator, with a probe in its event loop.

Run as `python -m bench.generator`. SIGUSR1 begins a measurement and SIGUSR2 ends it,
by printing the 99th percentile and the longest of the loop's lags, in milliseconds.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from typing import TYPE_CHECKING

from bench.figure import percentile
from refrain.service import Connections, run
from refrain.timing import TIMING
from services.generator.__main__ import serve

if TYPE_CHECKING:
    from typing import NoReturn

STEP = 0.002
"""Seconds that the probe sleeps; what it sleeps longer is the lag."""


class Probe:
    """Sleeps, and notes how much longer that took."""

    def __init__(self) -> None:
        self._lags: list[float] = []

    async def run(self) -> NoReturn:
        """Measures until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._lags.clear)
        loop.add_signal_handler(signal.SIGUSR2, self._tell)
        while True:
            started = time.perf_counter()
            await asyncio.sleep(STEP)
            self._lags.append((time.perf_counter() - started - STEP) * 1e3)

    def _tell(self) -> None:
        sys.stdout.write(f"{percentile(self._lags, 99)} {max(self._lags)}\n")
        sys.stdout.flush()


async def _serve(to: Connections, shutdown: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        probe = group.create_task(Probe().run())
        await serve(to, shutdown)
        probe.cancel()


if __name__ == "__main__":
    run("generator", _serve, TIMING)
