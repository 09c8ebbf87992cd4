"""Media processes: warm, killed at any moment, and never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from refrain.cancellation import CancelScope
from refrain.errors import MediaError, TaskError
from refrain.job import AbortReason
from refrain.local.guardian import runs
from refrain.media import MediaPool
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Generator

ROOT = Path(__file__).parents[2]

ENDLESS = {"pattern": "(a+)+$", "string": "a" * 64 + "b"}
"""For `re:match`: a native loop that never lets go of the interpreter."""

PARENT = """
import asyncio, sys
from refrain.media import MediaPool

async def main():
    async with MediaPool(1, []) as pool:
        print(await pool.call("os:getpid"), flush=True)
        await pool.call("signal:pause")

asyncio.run(main())
"""


@pytest.fixture
async def pool() -> AsyncIterator[MediaPool]:
    async with MediaPool(1, ["re"]) as pool:
        yield pool


async def child_of(pool: MediaPool) -> int:
    """The process id of the child that serves the next call."""
    pid: Any = await pool.call("os:getpid")
    return int(pid)


@contextmanager
def parent() -> Generator[tuple[subprocess.Popen[str], int]]:
    """Another process whose child is busy, and the id of that child."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            child = int(process.stdout.readline())
            assert runs(child)
            yield process, child
        finally:
            process.kill()


async def test_a_call_returns_what_its_function_returned(
    pool: MediaPool, tmp_path: Path
) -> None:
    (tmp_path / "clip.mp4").touch()
    assert await pool.call("os:listdir", path=str(tmp_path)) == ["clip.mp4"]


async def test_a_child_stays_warm_from_call_to_call(pool: MediaPool) -> None:
    assert await child_of(pool) == await child_of(pool)


async def test_what_a_function_prints_does_not_garble_its_result(
    pool: MediaPool,
) -> None:
    assert await pool.call("builtins:print") is None
    assert await child_of(pool)


async def test_an_error_of_a_function_is_its_message_and_final(pool: MediaPool) -> None:
    with pytest.raises(TaskError, match="No such file or directory") as failed:
        await pool.call("os:listdir", path="/no/such/folder")
    assert not failed.value.retryable
    assert failed.value.reason == "MEDIA_FAILED"
    assert await child_of(pool)


async def test_a_child_that_dies_in_a_call_may_be_tried_again(pool: MediaPool) -> None:
    with pytest.raises(TaskError, match="died in os:_exit") as failed:
        await pool.call("os:_exit", status=1)
    assert failed.value.retryable
    assert await child_of(pool)


async def test_a_reply_that_is_too_long_is_an_error_of_its_call_alone(
    pool: MediaPool,
) -> None:
    with pytest.raises(MediaError, match="4 MiB"):
        await pool.call("json:dumps", obj=[1], indent=5_000_000)
    assert await child_of(pool)


async def test_a_cancelled_call_resumes_when_its_child_is_dead(pool: MediaPool) -> None:
    child = await child_of(pool)
    call = asyncio.ensure_future(pool.call("re:match", **ENDLESS))
    await eventually(lambda: cpu_seconds(child) > 0.2)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not runs(child)
    assert await child_of(pool) != child


async def test_a_call_cancelled_again_and_again_still_leaves_no_child(
    pool: MediaPool,
) -> None:
    child = await child_of(pool)
    call = asyncio.ensure_future(pool.call("re:match", **ENDLESS))
    await eventually(lambda: cpu_seconds(child) > 0.1)
    while not call.done():
        call.cancel()
        await asyncio.sleep(0)
    assert not runs(child)
    assert await child_of(pool) != child


async def test_a_scope_aborts_a_call(pool: MediaPool) -> None:
    child = await child_of(pool)
    scope = CancelScope()
    running = asyncio.ensure_future(scope.run(pool.call("re:match", **ENDLESS)))
    await eventually(lambda: cpu_seconds(child) > 0.1)
    scope.cancel(AbortReason.CANCELLED)
    assert await running is None
    assert not runs(child)


async def test_a_pool_runs_as_many_calls_as_it_has_children() -> None:
    async with MediaPool(2, []) as pool, asyncio.TaskGroup() as group:
        busy = [start(group, pool.call("signal:pause")) for _ in range(2)]
        waiting = start(group, child_of(pool))
        idle = asyncio.ensure_future(asyncio.wait([*busy, waiting], timeout=0.3))
        assert (await idle)[0] == set()
        busy[0].cancel()
        assert await waiting
        busy[1].cancel()


async def test_a_call_cancelled_in_the_queue_takes_no_child(pool: MediaPool) -> None:
    child = await child_of(pool)
    busy = asyncio.ensure_future(pool.call("signal:pause"))
    waiting = asyncio.ensure_future(child_of(pool))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert runs(child)
    busy.cancel()
    await asyncio.wait([busy])
    assert await child_of(pool)


async def test_no_child_outlives_its_pool() -> None:
    async with MediaPool(2, []) as pool, asyncio.TaskGroup() as group:
        children = [start(group, child_of(pool)) for _ in range(2)]
    pids = [child.result() for child in children]
    assert len(set(pids)) == 2
    assert not any(map(runs, pids))


async def test_a_child_ends_when_its_parent_is_killed() -> None:
    with parent() as (process, child):
        process.kill()
        await eventually(lambda: not runs(child))


async def test_a_child_ends_when_its_parent_is_frozen_and_only_then(
    pool: MediaPool,
) -> None:
    beaten = await child_of(pool)
    with parent() as (process, child):
        process.send_signal(signal.SIGSTOP)
        await eventually(lambda: not runs(child), within=20)
    assert await child_of(pool) == beaten


def start(
    group: asyncio.TaskGroup, work: Coroutine[Any, Any, Any]
) -> asyncio.Task[Any]:
    return group.create_task(work)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
