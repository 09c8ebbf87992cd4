"""What the providers bill, worked out here and not by the product."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.emulators.operation import Operation, Phase

if TYPE_CHECKING:
    from tests.emulators.log import Exchange


class State(StrEnum):
    """What becomes of a charge; only BILLED ones are paid for sure."""

    RUNNING = "running"
    BILLED = "billed"
    CANCELLED = "cancelled"
    DROPPED = "dropped"
    """The client left a call without an operation: nobody says what it costs."""
    FAILED = "failed"
    """The provider made nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """The price of one paid call, and whether it is due."""

    provider: str
    purpose: str
    model: str
    usd: Decimal
    """Of the whole call, whatever becomes of it; four decimals."""
    exchange: Exchange
    operation: Operation | None = None
    """Of a call that only starts one; it goes on without its client."""
    refusal: State = State.FAILED
    """What becomes of it, if the operation is refused."""

    @property
    def state(self) -> State:
        if self.operation is not None:
            return _STATES.get(self.operation.phase, self.refusal)
        if self.exchange.answered_at is not None:
            return State.BILLED
        return State.RUNNING if self.exchange.open else State.DROPPED


class Ledger:
    """The charges, in the order in which they arose."""

    def __init__(self) -> None:
        self.charges: list[Charge] = []

    def add(self, charge: Charge) -> None:
        self.charges.append(charge)

    def total(self, state: State, provider: str | None = None) -> Decimal:
        """Returns US dollars."""
        return sum(
            (
                charge.usd
                for charge in tuple(self.charges)
                if charge.state == state and provider in (None, charge.provider)
            ),
            Decimal(0),
        )


_STATES = {
    Phase.PENDING: State.RUNNING,
    Phase.DISPATCHED: State.RUNNING,
    Phase.PROCESSING: State.RUNNING,
    Phase.CANCELLING: State.RUNNING,
    Phase.COMPLETED: State.BILLED,
    Phase.CANCELLED: State.CANCELLED,
    Phase.FAILED: State.FAILED,
}
