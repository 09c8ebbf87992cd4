"""Shop: one system with every provider behind it, in which many jobs are cancelled."""

from __future__ import annotations

import logging
import secrets
import statistics
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from google.protobuf.duration_pb2 import Duration

from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping

    from tests.emulators import Charge, Emulators, Exchange, State
    from tests.system.system import System

    Turned = Mapping[str, Mapping[str, Any]]

log = logging.getLogger(__name__)

SECONDS = 12
"""Of a song that is cut into two segments of 6 s, made one after the other."""
GOOGLE = {"storyboard_provider": "gemini", "image_provider": "gemini"}
LOCAL = {"storyboard_provider": "local", "image_provider": "local"}
FIELDS: dict[str, dict[str, Any]] = {
    "gemini": {**GOOGLE, "clip_provider": "omni"},
    "lrclib": {**LOCAL, "clip_provider": "local", "lyrics": "", "artist": "Anyone"},
    **{name: {**LOCAL, "clip_provider": name} for name in ("omni", "odyssey", "veo")},
}
"""What jobs ask for, so that one provider has most to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A job, and what the providers saw of it."""

    job_id: str
    mark: str
    """What its requests hold, and no others."""
    emulators: Emulators

    @property
    def exchanges(self) -> list[Exchange]:
        """Returns what was asked for the job, or of an operation of its own."""
        mark, operations = self.mark.encode(), set[str]()
        found: list[Exchange] = []
        for exchange in tuple(self.emulators.log.exchanges):
            ours = mark in exchange.body or self.mark in exchange.path
            if ours and exchange.operation_id:
                operations.add(exchange.operation_id)
            if ours or exchange.operation_id in operations:
                found.append(exchange)
        return found

    def charges(self, state: State | None = None) -> list[Charge]:
        """Returns what the providers charge, or would if it had come to its end."""
        ours = {id(exchange) for exchange in self.exchanges}
        return [
            charge
            for charge in tuple(self.emulators.ledger.charges)
            if id(charge.exchange) in ours and state in (None, charge.state)
        ]

    def total(self, state: State) -> Decimal:
        return sum((charge.usd for charge in self.charges(state)), Decimal(0))


@dataclass(kw_only=True)
class Shop:
    """A system that is started once, and the emulators behind it."""

    system: System
    emulators: Emulators
    closings: list[float] = field(default_factory=list[float])
    """Seconds from a cancel until a connection of its job was closed."""
    ended: dict[str, tuple[Order, float]] = field(
        default_factory=dict[str, tuple["Order", float]]
    )
    """Orders of which nothing is left to do, by id, and since when."""

    @asynccontextmanager
    async def turned(self, knobs: Turned) -> AsyncGenerator[None]:
        """Turns knobs, and in the end back to what they are at first."""
        self.turn(knobs)
        try:
            yield
        finally:
            for provider, values in knobs.items():
                emulator = getattr(self.emulators, provider)
                emulator.knobs.turn(_at_first(emulator.knobs, values))
            await self.system.query(
                "UPDATE provider_limits "
                "SET held_until = 'epoch', next_call_at = 'epoch' RETURNING provider"
            )

    def turn(self, knobs: Turned) -> None:
        for provider, values in knobs.items():
            getattr(self.emulators, provider).knobs.turn(values)

    async def order(self, provider: str) -> Order:
        """Creates a job whose requests can be told from those of all others."""
        mark = secrets.token_hex(6)
        fields = FIELDS[provider]
        job = await self.system.create(
            title=mark, style=mark, seconds=SECONDS, max_in_flight=1, **fields
        )
        return Order(job_id=job.job_id, mark=mark, emulators=self.emulators)

    async def cancel(self, order: Order) -> Cancelled:
        """Cancels the job, and returns once it is CANCELLED."""
        caught = [exchange for exchange in order.exchanges if exchange.open]
        asked_at = time.monotonic()
        await self.system.cancel(order.job_id)
        job = await self.system.api.WaitJob(
            v1.WaitJobRequest(job_id=order.job_id, timeout=Duration(seconds=5))
        )
        assert job.status == job_pb2.Job.CANCELLED
        return Cancelled(job=job, caught=caught, asked_at=asked_at, at=time.monotonic())

    async def settled(self, order: Order) -> job_pb2.Job:
        """Returns the job once nothing is to be stopped for it any more."""

        async def none_pending() -> job_pb2.Job | None:
            job = await self.system.job(order.job_id)
            pending = job.cancellation.provider_cancels.pending
            return None if pending else job

        job = await eventually(none_pending, within=20)
        assert job is not None
        self.ended[order.job_id] = order, time.monotonic()
        return job

    async def calls(self, order: Order) -> list[dict[str, Any]]:
        """Returns the job's rows in the ledger."""
        return await self.system.query(
            "SELECT * FROM provider_calls WHERE job_id = %s ORDER BY call_id",
            UUID(order.job_id),
        )

    async def age(self, order: Order) -> None:
        """Makes the job's calls look as if they had been sent a minute ago."""
        await self.system.query(
            "UPDATE provider_calls SET created_at = created_at - interval '1 minute' "
            "WHERE job_id = %s RETURNING call_id",
            UUID(order.job_id),
        )

    async def awaits_nothing(self, order: Order) -> bool:
        """True if no call of the job is under way, by the record."""
        return all(call["status"] != "sent" for call in await self.calls(order))

    async def has_tried(self, order: Order) -> bool:
        """True once the duty has had a turn, if there is one."""
        return all(
            call["cancel_attempts"] or call["on_stop"] != "pending"
            for call in await self.calls(order)
        )

    async def kinds(self, order: Order) -> list[int]:
        """Returns the kinds of the job's events."""
        request = v1.ListJobEventsRequest(job_id=order.job_id)
        answer = await self.system.api.ListJobEvents(request)
        return [event.kind for event in answer.events]

    def late(self) -> Iterator[Exchange]:
        """Yields what was asked of a provider for a job that was done with."""
        for order, ended_at in self.ended.values():
            for exchange in order.exchanges:
                if exchange.received_at > ended_at:
                    yield exchange

    def report(self) -> None:
        """Says how long it took until connections were closed."""
        if len(self.closings) > 1:
            log.info(
                "%d connections closed after p50 %.0f ms, p99 %.0f ms",
                len(self.closings),
                statistics.median(self.closings) * 1000,
                statistics.quantiles(self.closings, n=100)[98] * 1000,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancelled:
    """A job that is CANCELLED; times are of time.monotonic()."""

    job: job_pb2.Job
    caught: list[Exchange]
    """What was under way at its providers."""
    asked_at: float
    at: float


def _at_first(knobs: Any, turned: Mapping[str, Any]) -> dict[str, Any]:
    fresh = type(knobs)()
    return {
        name: _at_first(getattr(knobs, name), cast("Turned", value))
        if isinstance(value, dict)
        else getattr(fresh, name)
        for name, value in turned.items()
    }
