"""Histories of one job's calls: the sums of its row are those of its calls."""

from __future__ import annotations

from asyncio import Runner
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from refrain.errors import CallRefused, WrongStatus
from refrain.job import EventKind, Job, Kind, PauseMode, Slot, Task
from refrain.outcome import Aborted
from refrain.provider_call import FREE, CallStatus, CancelState, ProviderCall, Purpose
from refrain.store import Database
from refrain.store.rows import call_from
from tests.refrain.ledger import avoided, costs, counted
from tests.refrain.record import (
    CLIP_USD,
    FAILED,
    IMAGE_USD,
    RETRY,
    Record,
    clip_call,
    clip_of,
    image_call,
    local_call,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from uuid import UUID

CALLS = [
    image_call(),
    clip_call(),
    clip_call(provider="veo", on_stop=CancelState.UNSUPPORTED),
    clip_call(provider="odyssey", estimate_usd=FREE),
    local_call("image"),
    local_call("clip"),
]
PRICES = [FREE, Decimal("0.0001"), IMAGE_USD, CLIP_USD, 2 * CLIP_USD]
RESOLUTIONS = [state for state in CancelState if state is not CancelState.PENDING]
BUDGETS = [None, None, 3 * CLIP_USD]
DEEDS = [
    *3 * ["claim"],
    *5 * ["call"],
    "operation",
    *2 * ["answer"],
    "fail_call",
    "abandon",
    "take_up",
    "complete",
    "hand_back",
    "retry",
    "fail",
    "rescue",
    "pause",
    "resume",
    "cancel",
    "resolve",
]

MAY_END = {"complete", "fail", "hand_back", "retry", "rescue", "cancel", "call"}

Deed = tuple[str, int, int]
"""What is done, to which of those there are, and in which way."""


class Ledger:
    """A job of three segments, and all that may happen to its calls."""

    def __init__(self, record: Record, job: Job, worker_id: UUID) -> None:
        self.record = record
        self.job = job
        self.worker_id = worker_id
        self.tasks: list[Task] = []
        self.calls: list[ProviderCall] = []
        self.resolved = 0
        self.in_the_end: Decimal | None = None

    async def do(self, deed: str, which: int, way: int) -> None:
        task = self.tasks[-1 - which % len(self.tasks)] if self.tasks else None
        call = self.calls[-1 - which % len(self.calls)] if self.calls else None
        if deed in OF_JOBS:
            await OF_JOBS[deed](self, way)
        elif deed in OF_TASKS and task is not None:
            await OF_TASKS[deed](self, task, way)
        elif deed in OF_CALLS and call is not None:
            await OF_CALLS[deed](self, call, way)

    async def check(self) -> None:
        rows = await self.record.read(
            "SELECT * FROM provider_calls WHERE job_id = %s", self.job.job_id
        )
        calls = [call_from(row) for row in rows]
        self.job = await self.record.jobs.get_job(self.job.job_id, self.job.owner)
        said = costs(self.job)
        said.pop("avoided_usd", None)
        assert said == counted(calls)
        for state in await self.record.jobs.list_segments(self.job.job_id):
            own = counted([c for c in calls if c.position == state.segment.position])
            assert state.spent_usd == own.get("spent_usd", FREE)
            assert state.in_flight_usd == own.get("in_flight_usd", FREE)
        if self.in_the_end is not None:
            assert self.job.avoided_usd == self.in_the_end
        elif self.job.finished:
            self.in_the_end = self.job.avoided_usd
            assert self.in_the_end == avoided(self.job, calls)
        if self.job.finished:
            assert all(call.status is not CallStatus.SENT for call in calls)

    async def come_to_an_end(self) -> None:
        await self.cancel(0)
        await self.check()
        for task in self.tasks:
            await self.record.settle(task, Aborted())
            await self.check()
        while await self.resolve(0):
            pass
        await self.check()
        assert self.job.finished
        assert self.job.cancels_pending == 0
        events = await self.record.events(self.job)
        assert [event.sequence for event in events] == [*range(1, len(events) + 1)]
        told = [event for event in events if event.kind is EventKind.PROVIDER_CANCEL]
        assert len(told) == self.resolved

    async def claim(self, _way: int) -> None:
        claimed = await self.record.tasks.claim_task(
            self.worker_id, (Kind.SEGMENT,), tuple(Slot)
        )
        if claimed is not None:
            self.tasks.append(claimed[1])

    async def cancel(self, _way: int) -> None:
        with suppress(WrongStatus):
            await self.record.cancel(self.job)

    async def pause(self, way: int) -> None:
        with suppress(WrongStatus):
            await self.record.pause(self.job, list(PauseMode)[way % 2])

    async def resume(self, _way: int) -> None:
        with suppress(WrongStatus):
            await self.record.resume(self.job)

    async def rescue(self, _way: int) -> None:
        await self.record.die(self.worker_id)
        await self.record.tasks.rescue_tasks(self.job.job_id, "sweep")
        self.worker_id = await self.record.register()

    async def resolve(self, way: int) -> int:
        claimed = await self.record.calls.claim_cancels(
            ["omni", "odyssey", "gemini", "veo"], timedelta(), 1
        )
        state = RESOLUTIONS[way % len(RESOLUTIONS)]
        price = None if state is CancelState.UNKNOWN else PRICES[way % len(PRICES)]
        for call in claimed:
            change = await self.record.calls.resolve_cancel(call, state, price)
            assert change is not None
            self.resolved += 1
        return len(claimed)

    async def call(self, task: Task, way: int) -> None:
        new = CALLS[way % len(CALLS)]
        with suppress(CallRefused):
            begun = await self.record.calls.begin_provider_call(task, new)
            if isinstance(begun, ProviderCall):
                self.calls.append(begun)

    async def take_up(self, task: Task, way: int) -> None:
        provider = CALLS[1 + way % 3].provider
        taken_up = await self.record.calls.take_up_call(
            task, provider=provider, purpose=Purpose.CLIP
        )
        if taken_up is not None:
            ids = [call.call_id for call in self.calls]
            self.calls[ids.index(taken_up.call_id)] = taken_up

    async def complete(self, task: Task, _way: int) -> None:
        await self.record.settle(task, clip_of(task))

    async def hand_back(self, task: Task, _way: int) -> None:
        await self.record.settle(task, Aborted())

    async def retry(self, task: Task, _way: int) -> None:
        await self.record.settle(task, RETRY)

    async def fail(self, task: Task, _way: int) -> None:
        await self.record.settle(task, FAILED)

    async def operation(self, call: ProviderCall, _way: int) -> None:
        await self.record.calls.record_operation(call.call_id, str(call.call_id))

    async def answer(self, call: ProviderCall, way: int) -> None:
        price = PRICES[way % len(PRICES)]
        await self.record.calls.finish_call(call, CallStatus.ANSWERED, price)

    async def fail_call(self, call: ProviderCall, way: int) -> None:
        price = PRICES[way % 2]
        await self.record.calls.finish_call(call, CallStatus.FAILED, price)

    async def abandon(self, call: ProviderCall, _way: int) -> None:
        await self.record.calls.abandon_call(call)


OF_JOBS: Mapping[str, Callable[[Ledger, int], Awaitable[object]]] = {
    "claim": Ledger.claim,
    "cancel": Ledger.cancel,
    "pause": Ledger.pause,
    "resume": Ledger.resume,
    "rescue": Ledger.rescue,
    "resolve": Ledger.resolve,
}
OF_TASKS: Mapping[str, Callable[[Ledger, Task, int], Awaitable[None]]] = {
    "call": Ledger.call,
    "take_up": Ledger.take_up,
    "complete": Ledger.complete,
    "hand_back": Ledger.hand_back,
    "retry": Ledger.retry,
    "fail": Ledger.fail,
}
OF_CALLS: Mapping[str, Callable[[Ledger, ProviderCall, int], Awaitable[None]]] = {
    "operation": Ledger.operation,
    "answer": Ledger.answer,
    "fail_call": Ledger.fail_call,
    "abandon": Ledger.abandon,
}


@pytest.fixture
def runner() -> Iterator[Runner]:
    with Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture
def record(database_url: str, runner: Runner) -> Iterator[Record]:
    database = Database(database_url, pool_size=1)
    runner.run(database.__aenter__())
    yield Record(database, database_url)
    runner.run(database.__aexit__())


async def tell(record: Record, budget: Decimal | None, deeds: list[Deed]) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=3, max_cost_usd=budget)
    ledger = Ledger(record, job, worker_id)
    for deed in (("claim", 0, 0), ("claim", 0, 0), *deeds):
        await ledger.do(*deed)
        if deed[0] in MAY_END:
            await ledger.check()
    await ledger.come_to_an_end()


@pytest.mark.parametrize("examples", [10, pytest.param(500, marks=pytest.mark.long)])
def test_the_sums_of_a_job_are_those_of_its_calls(
    record: Record, runner: Runner, examples: int
) -> None:
    @settings(
        backend="hypothesis-urandom",
        max_examples=examples,
        deadline=None,
        database=None,
        print_blob=True,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(
        st.sampled_from(BUDGETS),
        st.lists(
            st.tuples(st.sampled_from(DEEDS), st.integers(0, 3), st.integers(0, 29)),
            min_size=5,
            max_size=12,
        ),
    )
    def history(budget: Decimal | None, deeds: list[Deed]) -> None:
        runner.run(tell(record, budget, deeds))

    history()
