"""What the emulated providers share: the record they write, and how they fail."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from tests.emulators.knobs import Knobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from tests.emulators.knobs import Faults
    from tests.emulators.ledger import Ledger
    from tests.emulators.log import Exchange

KEYS = {
    "gemini": "emulated-gemini-key",
    "vertex": "emulated-express-key",
    "odyssey": "ody_emulated_key",
}
"""The keys that are accepted."""


KnobsT = TypeVar("KnobsT", bound=Knobs)


class Emulator(ABC, Generic[KnobsT]):
    """One provider, below a prefix of its own."""

    name: ClassVar[str]

    def __init__(self, ledger: Ledger, url: str, knobs: KnobsT) -> None:
        self.ledger = ledger
        self.knobs = knobs
        self.url = url
        """What a client is given as the provider's base URL."""

    @abstractmethod
    def routes(self) -> Sequence[BaseRoute]:
        """Returns its endpoints, without the prefix."""

    @abstractmethod
    def throttled(self, seconds: float) -> Response:
        """Returns its 429, which says how long to wait."""

    @abstractmethod
    def failed(self, status: int) -> Response:
        """Returns its 500 or 503."""

    def meet(self, request: Request, purpose: str) -> Response | None:
        """Notes what a request is for; returns the fault that it is to meet."""
        exchange = exchange_of(request)
        faults: Faults = getattr(self.knobs, purpose)
        exchange.purpose, exchange.faults = purpose, faults
        if faults.take("throttle"):
            return self.throttled(faults.retry_after)
        if faults.take("unavailable"):
            return self.failed(503)
        if faults.take("broken"):
            return self.failed(500)
        return None


def exchange_of(request: Request) -> Exchange:
    return request.scope["exchange"]
