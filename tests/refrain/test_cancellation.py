"""CancelScope, and work that is not to be torn in two."""

from __future__ import annotations

import asyncio

import pytest

from refrain.cancellation import CANCEL_AGAIN, CancelScope, end, shielded
from refrain.job import AbortReason
from tests.eventually import eventually


class Work:
    """A coroutine to abort, and what it went through."""

    def __init__(self, *, swallows: int = 0) -> None:
        self.started = asyncio.Event()
        self.release = asyncio.Event()
        self.cancellations = 0
        self._swallows = swallows

    async def __call__(self) -> str:
        self.started.set()
        while True:
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.cancellations += 1
                if self.cancellations > self._swallows:
                    raise
            else:
                return "made"


async def test_a_scope_returns_what_its_work_returned() -> None:
    scope, work = CancelScope(), Work()
    work.release.set()
    assert await scope.run(work()) == "made"
    assert not scope.cancel_called
    assert not scope.cancelled_caught
    assert scope.ended


async def test_a_scope_raises_what_its_work_raised() -> None:
    async def fail() -> None:
        raise LookupError("no such voice")

    with pytest.raises(LookupError, match="no such voice"):
        await CancelScope().run(fail())


async def test_cancel_aborts_the_work_at_its_await() -> None:
    scope, work = CancelScope(), Work()
    running = asyncio.ensure_future(scope.run(work()))
    await work.started.wait()
    assert not scope.ended
    scope.cancel(AbortReason.CANCELLED)
    assert await running is None
    assert scope.cancelled_caught
    assert scope.ended
    assert scope.reason is AbortReason.CANCELLED


async def test_the_first_reason_stays() -> None:
    scope = CancelScope()
    scope.cancel(AbortReason.FAILED)
    scope.cancel(AbortReason.SHUTDOWN)
    assert scope.reason is AbortReason.FAILED


async def test_a_scope_cancelled_before_its_work_never_begins_it() -> None:
    scope, work = CancelScope(), Work()
    scope.cancel(AbortReason.CANCELLED)
    assert await scope.run(work()) is None
    assert not work.started.is_set()
    assert scope.cancelled_caught


async def test_work_that_swallows_a_cancellation_is_cancelled_again() -> None:
    scope, work = CancelScope(), Work(swallows=2)
    running = asyncio.ensure_future(scope.run(work()))
    await work.started.wait()
    scope.cancel(AbortReason.CANCELLED)
    async with asyncio.timeout(CANCEL_AGAIN * 50):
        assert await running is None
    assert work.cancellations == 3


async def test_work_that_ends_while_it_is_cancelled_keeps_its_result() -> None:
    scope, work = CancelScope(), Work(swallows=1)
    running = asyncio.ensure_future(scope.run(work()))
    await work.started.wait()
    scope.cancel(AbortReason.CANCELLED)
    await eventually(lambda: work.cancellations == 1)
    work.release.set()
    assert await running == "made"
    assert scope.cancel_called
    assert not scope.cancelled_caught


async def test_a_scope_whose_caller_is_cancelled_ends_its_work_first() -> None:
    scope, work = CancelScope(), Work(swallows=2)
    running = asyncio.ensure_future(scope.run(work()))
    await work.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert scope.ended
    assert not scope.cancel_called
    assert work.cancellations == 3


async def test_work_that_cancels_itself_is_an_error() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="cancelled itself"):
        await CancelScope().run(give_up())


async def test_shielded_work_ends_before_its_caller_is_cancelled() -> None:
    work = Work()
    caller = asyncio.ensure_future(shielded(work()))
    await work.started.wait()
    for _ in range(3):
        caller.cancel()
        await asyncio.sleep(0)
        assert not caller.done()
    work.release.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert work.cancellations == 0


async def test_shielded_work_returns_or_raises_what_it_made() -> None:
    async def fail() -> None:
        raise LookupError("no such voice")

    work = Work()
    work.release.set()
    assert await shielded(work()) == "made"
    with pytest.raises(LookupError):
        await shielded(fail())


async def test_all_tasks_have_ended_also_those_that_swallow_a_cancellation() -> None:
    works = [Work(), Work(swallows=2)]
    tasks = [asyncio.create_task(work()) for work in works]
    for work in works:
        await work.started.wait()
    await end(*tasks)
    assert all(task.cancelled() for task in tasks)
    assert [work.cancellations for work in works] == [1, 3]


async def test_an_end_leaves_what_a_task_has_made() -> None:
    work = Work()
    work.release.set()
    task = asyncio.create_task(work())
    await task
    await end(task)
    assert task.result() == "made"
