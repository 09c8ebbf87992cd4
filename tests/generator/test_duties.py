"""Duties: what goes wrong with one, however unforeseen, keeps no other from its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from refrain.bus import Bus
from refrain.outcome import Aborted
from refrain.provider_call import FREE, CancelState
from services.generator.duties import Duties
from services.generator.providers.provider import (
    CancelAnswer,
    Operation,
    OperationStatus,
)
from tests.eventually import eventually
from tests.refrain.record import Record

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from refrain.local.embedded import EmbeddedNats
    from refrain.store import Database
    from services.generator.providers.provider import ClipRequest


class Clips:
    """Stops operations at once, but for one whose answer it cannot read."""

    name, model, cancels = "omni", "mover", True
    unreadable: str | None = None

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        return width, height

    def estimate(self, request: ClipRequest) -> Decimal:
        return FREE

    async def prepare(self) -> None: ...

    async def start(self, request: ClipRequest) -> str:
        raise NotImplementedError

    async def look(self, operation_id: str) -> Operation:
        return Operation(operation_id=operation_id, status=OperationStatus.CANCELLED)

    async def fetch(self, operation: Operation, path: Path) -> None:
        raise NotImplementedError

    async def cancel(self, operation_id: str) -> CancelAnswer:
        if operation_id == self.unreadable:
            raise KeyError("status")
        return CancelAnswer.ACCEPTED

    async def list_started(self, since: datetime) -> list[str]:
        return []


@pytest.fixture
def record(database: Database, database_url: str) -> Record:
    return Record(database, database_url)


async def test_a_duty_that_fails_keeps_no_other_from_its_end(
    record: Record, nats_server: EmbeddedNats
) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=2)
    tasks = [await record.claim(worker_id) for _ in range(2)]
    first, second = [await record.start_clip(task) for task in tasks]
    await record.cancel(job)
    for task in tasks:
        await record.settle(task, Aborted())
    clips = Clips()
    clips.unreadable = first.operation_id

    async def confirmed() -> bool:
        call = await record.calls.get_call(second.call_id)
        return call.cancel_state is CancelState.CONFIRMED

    async with Bus(nats_server.url, "test") as bus, asyncio.TaskGroup() as group:
        duties = Duties(record.calls, bus, {clips.name: clips})
        running = group.create_task(duties.run())
        await eventually(confirmed)
        assert not running.done()
        running.cancel()
    left = await record.calls.get_call(first.call_id)
    assert left.cancel_state is CancelState.PENDING
