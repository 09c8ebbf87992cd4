"""A clip in the making: its phases by the clock, and what a cancel does to it.

Nothing runs: where an operation stands is worked out when someone looks, from the time
that has passed and the knobs as they are.
"""

from __future__ import annotations

import threading
import time
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.emulators.knobs import ClipKnobs


class Phase(StrEnum):
    """Where an operation stands; the last four are ends."""

    PENDING = "pending"
    DISPATCHED = "dispatched"
    PROCESSING = "processing"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    REFUSED = "refused"


QUEUED = frozenset((Phase.PENDING, Phase.DISPATCHED))
STARTED = QUEUED | {Phase.PROCESSING}
ENDED = frozenset(Phase) - STARTED - {Phase.CANCELLING}


class Operation:
    """One of them; any thread may ask it."""

    def __init__(self, operation_id: str, knobs: ClipKnobs, seconds: float) -> None:
        self.operation_id = operation_id
        self.seconds = seconds
        """The length of the clip."""
        self.created_at = time.time()
        self._knobs = knobs
        self.end = Phase.COMPLETED
        """Where it gets to, unless it is cancelled."""
        if knobs.take("refuse"):
            self.end = Phase.REFUSED
        elif knobs.take("fail"):
            self.end = Phase.FAILED
        self._phase = Phase.PENDING
        self._since = time.monotonic()
        self._before_cancel: Phase | None = None
        self._lock = threading.Lock()

    @property
    def phase(self) -> Phase:
        """Where it really stands."""
        with self._lock:
            self._advance()
            return self._phase

    @property
    def shown(self) -> Phase:
        """What the provider says: an accepted cancel may take a while to show."""
        phase = self.phase
        if phase is Phase.CANCELLING and self._before_cancel is not None:
            return self._before_cancel
        return phase

    @property
    def ended(self) -> bool:
        return self.phase in ENDED

    def cancel(self, phases: frozenset[Phase] = STARTED) -> bool:
        """Accepts a cancel in one of the phases, whether or not it will do anything."""
        with self._lock:
            self._advance()
            if self._phase is Phase.CANCELLING:
                return True
            if self._phase not in phases:
                return False
            if not self._knobs.completes_anyway:
                self._before_cancel = self._phase
                self._phase, self._since = Phase.CANCELLING, time.monotonic()
            return True

    def _advance(self) -> None:
        while self._phase not in ENDED and self._knobs.hold != self._phase:
            ends_at = self._since + self._seconds_in_phase()
            if ends_at > time.monotonic():
                return
            self._since = max(ends_at, min(self._knobs.released_at, time.monotonic()))
            self._phase = self._next_phase()

    def _seconds_in_phase(self) -> float:
        match self._phase:
            case Phase.PENDING:
                return self._knobs.pending
            case Phase.DISPATCHED:
                return self._knobs.dispatched
            case Phase.CANCELLING:
                return self._knobs.cancel_lag
            case _:
                return self._knobs.processing

    def _next_phase(self) -> Phase:
        match self._phase:
            case Phase.PENDING:
                return Phase.DISPATCHED
            case Phase.DISPATCHED:
                return Phase.PROCESSING
            case Phase.CANCELLING:
                return Phase.CANCELLED
            case _:
                return self.end
