"""Every request that the emulators received, and how it ended."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.emulators.knobs import Faults

if TYPE_CHECKING:
    from starlette.types import Scope


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request and its answer; times are of time.monotonic()."""

    provider: str
    """`gemini`, `vertex`, `odyssey` or `lrclib`."""
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    received_at: float
    """When the whole request had come."""
    purpose: str = ""
    """`image`, `create`, `look`, `cancel` and so on: the name of its knobs."""
    operation_id: str = ""
    status: int = 0
    """Of HTTP; 0 before there is an answer."""
    answered_at: float | None = None
    """Just before the last byte of the answer went out."""
    disconnected_at: float | None = None
    """When the client left, or was left, without the whole answer."""
    hanging: str = ""
    """`headers` or `body`, while a fault keeps it there."""
    faults: Faults = field(default_factory=Faults, repr=False)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def open(self) -> bool:
        """Whether the client still waits."""
        return self.answered_at is None and self.disconnected_at is None


class Log:
    """The exchanges, in the order in which they came."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.keeps_bodies = True

    def add(self, scope: Scope, body: bytes) -> Exchange:
        """Notes a request that has just come."""
        path: str = scope["path"]
        provider, _, rest = path.lstrip("/").partition("/")
        query = scope["query_string"].decode()
        exchange = Exchange(
            provider=provider,
            method=scope["method"],
            path=f"/{rest}?{query}" if query else f"/{rest}",
            headers={name.decode(): value.decode() for name, value in scope["headers"]},
            body=body if self.keeps_bodies else b"",
            received_at=time.monotonic(),
        )
        if not provider.startswith("_"):
            self.exchanges.append(exchange)
        return exchange

    def of(self, provider: str, *purposes: str) -> list[Exchange]:
        """Returns those of a provider, and of the purposes if there are any."""
        return [
            exchange
            for exchange in tuple(self.exchanges)
            if exchange.provider == provider
            and (not purposes or exchange.purpose in purposes)
        ]

    def open(self, provider: str | None = None) -> list[Exchange]:
        """Returns those whose client still waits."""
        return [
            exchange
            for exchange in tuple(self.exchanges)
            if exchange.open and provider in (None, exchange.provider)
        ]

    def hanging(self, where: str) -> list[Exchange]:
        """Returns those that hang, at their `headers` or in their `body`."""
        return [exchange for exchange in self.open() if exchange.hanging == where]
