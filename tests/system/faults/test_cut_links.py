"""A link of a worker is silent for 5 s, less than its fence: nothing gets lost."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from refrain.v1 import job_pb2
from tests.eventually import eventually
from tests.system.faults.site import (
    STUDIO,
    STUDIO_NATS,
    STUDIO_POSTGRES,
    Link,
    Site,
    Stage,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Collection

    from tests.system.faults.witness import Call

pytestmark = pytest.mark.faults

CUT = 5.0
"""Seconds; the fence of the real Timing, which these tests run by, is at 7."""
DELIVERED = 3.5
"""Seconds: a poll, 1.5, and 2 for a busy machine."""
RUNNING = tuple(stage for stage in Stage if stage is not Stage.QUEUED)


async def test_a_cancel_while_nats_is_cut_off_is_delivered_by_the_poll(
    site: Site,
) -> None:
    await site.start({}, [STUDIO_NATS])
    async with _cut(site):
        await site.cancel_all()
        async with asyncio.timeout(DELIVERED):
            await site.all_cancelled()
    await _assert_stopped_by_itself(site)


async def test_a_cancel_while_postgres_is_cut_off_is_confirmed_after_it(
    site: Site,
) -> None:
    await site.start({}, [STUDIO_POSTGRES])
    async with _cut(site):
        await site.cancel_all()
        await eventually(lambda: not _held(site), within=DELIVERED)
        assert await _statuses(site) == {job_pb2.Job.CANCELLING}
    async with asyncio.timeout(DELIVERED):
        await site.all_cancelled()
    await _assert_stopped_by_itself(site)


async def test_a_cancel_while_both_are_cut_off_is_delivered_after_it(
    site: Site,
) -> None:
    await site.start({}, [STUDIO_POSTGRES, STUDIO_NATS])
    held = _held(site)
    async with _cut(site):
        await site.cancel_all()
    assert await _statuses(site) <= {job_pb2.Job.CANCELLING, job_pb2.Job.CANCELLED}
    async with asyncio.timeout(DELIVERED):
        await site.all_cancelled()
    assert len(held) == len(RUNNING)
    await _assert_stopped_by_itself(site)


@pytest.mark.parametrize(
    "links",
    [[STUDIO_NATS], [STUDIO_POSTGRES], [STUDIO_POSTGRES, STUDIO_NATS]],
    ids=["nats", "postgres", "both"],
)
async def test_a_cut_without_a_cancel_aborts_nothing(
    site: Site, links: Collection[Link]
) -> None:
    await site.start({}, links)
    held = _held(site)
    async with _cut(site):
        assert await _statuses(site) == {job_pb2.Job.PROCESSING}
    await eventually(lambda: _renewed(site))
    assert _held(site) == held
    await site.all_completed()
    tasks = await site.rows("tasks", [site.jobs[stage] for stage in RUNNING])
    assert {task["attempt"] for task in tasks} == {1}
    calls = [call for call in site.witness.calls if call.title != Stage.QUEUED]
    assert len(calls) == len({call.key for call in calls})


@asynccontextmanager
async def _cut(site: Site) -> AsyncGenerator[None]:
    """For CUT seconds, whatever is done meanwhile; a held call is never CANCELLED."""
    for proxy in site.proxies.values():
        proxy.silence()
    mended = asyncio.get_running_loop().time() + CUT
    yield
    while asyncio.get_running_loop().time() < mended:
        await _assert_no_false_answer(site)
    for proxy in site.proxies.values():
        proxy.mend()


async def _assert_no_false_answer(site: Site) -> None:
    """Reads the answer first: what it says has then been so."""
    for stage in RUNNING:
        job = await site.system.job(site.jobs[stage])
        assert job.status != job_pb2.Job.CANCELLED or not site.witness.held(stage)


def _held(site: Site) -> list[Call]:
    return [call for stage in RUNNING for call in site.witness.held(stage)]


async def _statuses(site: Site) -> set[job_pb2.Job.Status.ValueType]:
    return {(await site.system.job(site.jobs[stage])).status for stage in RUNNING}


async def _renewed(site: Site) -> bool:
    """Whether the lease has been renewed since this began."""
    (worker,) = await site.system.query(
        "SELECT expires_at > now() + interval '9 s' AS renewed FROM workers"
    )
    return worker["renewed"]


async def _assert_stopped_by_itself(site: Site) -> None:
    assert site.overstated == []
    assert site.system.processes[STUDIO].poll() is None
    tasks = await site.rows("tasks", [site.jobs[stage] for stage in RUNNING])
    stopped = {task["stop_mode"] for task in tasks if task["status"] == "cancelled"}
    assert stopped == {"aborted"}
    assert {task["attempt"] for task in tasks} <= {0, 1}
    await site.is_alive()
