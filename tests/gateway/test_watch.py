"""Watches: every event once and in order, whoever else watches and however fast."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, LiteralString

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_service_pb2_grpc import JobServiceStub
from tests.eventually import eventually
from tests.gateway.answers import refusal, violations
from tests.gateway.conftest import OWNER, serving

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.job import Job
    from refrain.local.embedded import EmbeddedNats
    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record

SONG = v1.CreateJobRequest(title="A song", lyrics="One line")
PAGE = 50
"""Events that the gateway reads at once."""
WATCHES = 500
LARGE_EVENTS: LiteralString = """
WITH job AS (
    UPDATE jobs SET event_sequence = 200 WHERE job_id = %s RETURNING *
)
INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
SELECT job_id, sequence, 'task_retried', 'worker', repeat('x', 50000), to_jsonb(job)
FROM job CROSS JOIN generate_series(2, 200) AS sequence
"""


def watching(job_id: object, after: int | None = None) -> v1.WatchJobRequest:
    return v1.WatchJobRequest(job_id=str(job_id), after_sequence=after)


async def pause_and_resume(api: JobServiceAsyncStub, job_id: str) -> None:
    """Adds three events to a PENDING job."""
    await api.PauseJob(v1.PauseJobRequest(job_id=job_id))
    await api.ResumeJob(v1.ResumeJobRequest(job_id=job_id))


async def test_a_watch_starts_with_a_snapshot_and_ends_with_the_last_event(
    api: JobServiceAsyncStub,
) -> None:
    job = await api.CreateJob(SONG)
    watch = aiter(api.WatchJob(watching(job.job_id)))
    snapshot = await anext(watch)
    assert (snapshot.kind, snapshot.sequence) == (job_pb2.JobEvent.SNAPSHOT, 1)
    await api.CancelJob(v1.CancelJobRequest(job_id=job.job_id))
    kinds = [event.kind async for event in watch]
    assert kinds == [job_pb2.JobEvent.CANCEL_REQUESTED, job_pb2.JobEvent.CANCELLED]


async def test_a_watch_resumes_after_any_sequence_however_long_the_history(
    api: JobServiceAsyncStub,
) -> None:
    job = await api.CreateJob(SONG)
    while (await api.GetJob(v1.GetJobRequest(job_id=job.job_id))).event_sequence < 120:
        await pause_and_resume(api, job.job_id)
    last = (await api.CancelJob(v1.CancelJobRequest(job_id=job.job_id))).event_sequence
    for after in (0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE, last - 1, last, 5):
        watch = api.WatchJob(watching(job.job_id, after), timeout=10)
        seen = [event.sequence async for event in watch]
        assert seen == list(range(after + 1, last + 1))
    beyond = api.WatchJob(watching(job.job_id, last + 1))
    assert (await refusal(beyond.read())).code() == grpc.StatusCode.OUT_OF_RANGE


async def test_a_client_that_leaves_its_watch_does_not_cancel_the_job(
    api: JobServiceAsyncStub,
) -> None:
    job = await api.CreateJob(SONG)
    watch = api.WatchJob(watching(job.job_id))
    await watch.read()
    watch.cancel()
    after = await api.GetJob(v1.GetJobRequest(job_id=job.job_id))
    assert after.status == job_pb2.Job.PENDING


async def test_a_gateway_that_stops_ends_its_watches_and_waits(
    api: JobServiceAsyncStub, gateway: Gateway
) -> None:
    job = await api.CreateJob(SONG)
    watch = api.WatchJob(watching(job.job_id))
    await watch.read()
    waiting = api.WaitJob(v1.WaitJobRequest(job_id=job.job_id))
    await api.GetServerInfo(v1.GetServerInfoRequest())
    gateway.shutdown.set()
    assert (await refusal(watch.read())).code() == grpc.StatusCode.UNAVAILABLE
    assert (await refusal(waiting)).code() == grpc.StatusCode.UNAVAILABLE
    await eventually(gateway.serving.done)


async def test_a_watch_goes_on_at_another_gateway_without_gap_or_repeat(
    database_url: str, nats_server: EmbeddedNats, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        gateways: list[Gateway] = []
        apis: list[JobServiceAsyncStub] = []
        for _ in range(3):
            started = serving(database_url, nats_server.url, tmp_path)
            gateways.append(await stack.enter_async_context(started))
            channel = grpc.aio.insecure_channel(gateways[-1].grpc_address)
            apis.append(JobServiceStub(await stack.enter_async_context(channel)))
        job = await apis[2].CreateJob(SONG)
        writing = asyncio.create_task(_keep_writing(apis[2], job.job_id))
        seen = [0]
        for gateway, api in zip(gateways[:2], apis[:2], strict=True):
            stopping = asyncio.create_task(_stop_after(gateway, seen, len(seen) + 20))
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await _watch_on(api, job.job_id, seen)
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE
            await stopping
        writing.cancel()
        await apis[2].CancelJob(v1.CancelJobRequest(job_id=job.job_id))
        await _watch_on(apis[2], job.job_id, seen)
        last = await apis[2].GetJob(v1.GetJobRequest(job_id=job.job_id))
    assert seen == list(range(last.event_sequence + 1))


async def _watch_on(api: JobServiceAsyncStub, job_id: str, seen: list[int]) -> None:
    async for event in api.WatchJob(watching(job_id, seen[-1])):
        seen.append(event.sequence)  # noqa: PERF401 others look on


async def _keep_writing(api: JobServiceAsyncStub, job_id: str) -> None:
    while True:
        await pause_and_resume(api, job_id)


async def _stop_after(gateway: Gateway, seen: list[int], count: int) -> None:
    await eventually(lambda: len(seen) >= count)
    gateway.shutdown.set()


async def test_a_thousand_watches_all_see_every_event_in_order(
    api: JobServiceAsyncStub, record: Record, pending: Job
) -> None:
    copies = await record.clone(pending, WATCHES)
    seen: dict[int, list[int]] = {}

    async def watch(number: int, job_id: object) -> None:
        async for event in api.WatchJob(watching(job_id)):
            seen.setdefault(number, []).append(event.sequence)

    every = [pending.job_id] * WATCHES + copies
    watches = [asyncio.create_task(watch(*pair)) for pair in enumerate(every)]
    await eventually(lambda: len(seen) == len(every))
    await pause_and_resume(api, str(pending.job_id))
    await api.CancelJobs(v1.CancelJobsRequest(all=True))
    async with asyncio.timeout(20):
        await asyncio.gather(*watches)
    for number in range(len(every)):
        assert seen[number] == list(range(1, 7 if number < WATCHES else 4))


async def test_watches_that_do_not_read_hold_up_neither_calls_nor_other_watches(
    api: JobServiceAsyncStub, record: Record, pending: Job
) -> None:
    await record.read(LARGE_EVENTS, pending.job_id)
    # More than there are connections to the record.
    slow = [aiter(api.WatchJob(watching(pending.job_id, 0))) for _ in range(20)]
    for watch in slow:
        await anext(watch)
    cancel = v1.CancelJobRequest(job_id=str(pending.job_id))
    await api.CancelJob(cancel, timeout=3)
    quick = api.WatchJob(watching(pending.job_id, 0), timeout=20)
    assert [event.sequence async for event in quick] == list(range(1, 203))
    assert [event.sequence async for event in slow[0]] == list(range(2, 203))


async def test_a_watch_and_a_wait_end_when_the_job_is_deleted(
    api: JobServiceAsyncStub, record: Record, pending: Job
) -> None:
    watch = api.WatchJob(watching(pending.job_id), timeout=10)
    await watch.read()
    waiting = api.WaitJob(v1.WaitJobRequest(job_id=str(pending.job_id)), timeout=10)
    await record.read("DELETE FROM jobs")
    assert (await refusal(watch.read())).code() == grpc.StatusCode.NOT_FOUND
    assert (await refusal(waiting)).code() == grpc.StatusCode.NOT_FOUND


async def test_a_wait_returns_at_the_finish_or_at_the_timeout(
    api: JobServiceAsyncStub,
) -> None:
    job = await api.CreateJob(SONG)
    for timeout in (Duration(), Duration(nanos=20_000_000)):
        asked = v1.WaitJobRequest(job_id=job.job_id, timeout=timeout)
        assert (await api.WaitJob(asked)).status == job_pb2.Job.PENDING
    waiting = api.WaitJob(v1.WaitJobRequest(job_id=job.job_id))
    await pause_and_resume(api, job.job_id)
    assert not waiting.done()
    cancelled = await api.CancelJob(v1.CancelJobRequest(job_id=job.job_id))
    assert await waiting == cancelled
    assert await api.WaitJob(v1.WaitJobRequest(job_id=job.job_id)) == cancelled


async def test_a_timeout_that_cannot_be_meant_is_an_invalid_argument(
    api: JobServiceAsyncStub,
) -> None:
    job = await api.CreateJob(SONG)
    month = 31 * 24 * 3600
    for wrong in Duration(seconds=-1), Duration(nanos=-1), Duration(seconds=month):
        asked = v1.WaitJobRequest(job_id=job.job_id, timeout=wrong)
        assert "30 days" in violations(await refusal(api.WaitJob(asked)))["timeout"]


async def test_pages_hold_every_event_once_oldest_first(
    api: JobServiceAsyncStub, record: Record
) -> None:
    job = await record.create(owner=OWNER, labels={"k" * 60: "v" * 60})
    await record.read(LARGE_EVENTS, job.job_id)
    request = v1.ListJobEventsRequest(job_id=str(job.job_id), page_size=1000)
    sequences: list[int] = []
    pages = 0
    while True:
        page = await api.ListJobEvents(request)
        pages += 1
        sequences += [event.sequence for event in page.events]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
    assert sequences == list(range(1, 201))
    # Ten megabytes are more than a client takes in one message.
    assert pages > 3


async def test_an_unknown_token_of_events_is_an_invalid_argument(
    api: JobServiceAsyncStub,
) -> None:
    job = await api.CreateJob(SONG)
    for token in ("x", "-1", "1.5", "9" * 19):
        asked = v1.ListJobEventsRequest(job_id=job.job_id, page_token=token)
        error = await refusal(api.ListJobEvents(asked))
        assert "next_page_token" in violations(error)["page_token"]
