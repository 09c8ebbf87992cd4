"""How often, how long: the constants of the protocol, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Given at construction; only tests give another than the default."""

    heartbeat: timedelta = timedelta(seconds=1)
    """Between two renewals of a worker's lease; each is also a poll."""
    lease: timedelta = timedelta(seconds=10)
    """After it others may rescue a worker's tasks."""
    fence_abort: timedelta = timedelta(seconds=7)
    """Without a renewal for this long, a worker aborts all and claims nothing."""
    fence_end: timedelta = timedelta(seconds=9)
    """Without one for this long, its process ends: before the lease does."""
    sweep: timedelta = timedelta(seconds=2)
    """Between two sweeps of the gateway."""
    grace: timedelta = timedelta(seconds=5)
    """What an aborted task may take before its process ends."""
    drain: timedelta = timedelta(seconds=20)
    """What running tasks may take on SIGTERM before they are handed back."""
    stop_memory: timedelta = timedelta(minutes=1)
    """How long a stop is remembered for tasks that open later."""


TIMING = Timing()
