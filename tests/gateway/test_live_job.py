"""The live view of a job: itself, its segments and its events."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, LiteralString

import pytest

from refrain.outcome import Aborted
from refrain.store import Change
from tests.gateway.conftest import NO_JOB, OWNER
from tests.gateway.event_stream import OUTAGE, opened, outage

if TYPE_CHECKING:
    import httpx

    from refrain.job import Job
    from refrain.local.embedded import EmbeddedPostgres
    from tests.gateway.conftest import Gateway
    from tests.gateway.event_stream import EventStream
    from tests.refrain.record import Record

MANY = 120
MANY_EVENTS: LiteralString = """
WITH job AS (
    UPDATE jobs SET event_sequence = %s WHERE job_id = %s RETURNING *
)
INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
SELECT job_id, sequence, 'task_retried', 'worker', '', to_jsonb(job)
FROM job CROSS JOIN generate_series(2, %s) AS sequence
"""


def live(job: Job) -> str:
    """The path of the job's stream."""
    return f"/live/jobs/{job.job_id}"


async def sequences(stream: EventStream, last: int) -> list[int]:
    """Returns those of the events up to the last one."""
    found: list[int] = []
    while not found or found[-1] < last:
        event = await stream.until("event")
        assert event.event_id == event.data["sequence"]
        found.append(int(event.data["sequence"]))
    return found


async def test_a_job_comes_with_its_segments_and_events_as_the_api_has_them(
    browser: httpx.AsyncClient, record: Record
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=2, owner=OWNER)
    async with opened(browser, live(job)) as stream:
        first, segments = await stream.next("job"), await stream.next("segments")
        events = [await stream.next("event") for _ in range(job.event_sequence)]

    api = f"/api/v1/jobs/{job.job_id}"
    assert first.retry == "1000"
    assert first.data == (await browser.get(api)).json()
    assert segments.data == (await browser.get(f"{api}/segments")).json()
    listed = (await browser.get(f"{api}/events")).json()["events"]
    for event in listed:
        del event["job"]
    assert [event.data for event in events] == listed
    assert [event.event_id for event in events] == [
        event["sequence"] for event in listed
    ]


async def test_a_cancel_shows_step_by_step(
    browser: httpx.AsyncClient, record: Record
) -> None:
    worker_id = await record.register()
    job = await record.at_segments(worker_id, segments=2, owner=OWNER)
    task = await record.claim(worker_id)
    newest = (await record.job(job.job_id)).event_sequence
    async with opened(browser, live(job)) as stream:
        await sequences(stream, newest)
        await browser.post(f"/cancel/{job.job_id}/")
        asked = [await stream.next() for _ in range(3)]
        await record.settle(task, Aborted())
        ended = [await stream.next() for _ in range(4)]

    assert [event.name for event in asked] == ["job", "segments", "event"]
    assert asked[0].data["status"] == "CANCELLING"
    (skipped,) = asked[1].data["segments"]
    assert (skipped["position"], skipped["status"]) == (1, "SKIPPED")
    assert asked[2].data["kind"] == "CANCEL_REQUESTED"
    assert [event.name for event in ended] == ["job", "segments", "event", "event"]
    assert ended[0].data["status"] == "CANCELLED"
    (aborted,) = ended[1].data["segments"]
    assert (aborted["position"], aborted["status"]) == (0, "CANCELLED")
    assert [event.data["kind"] for event in ended[2:]] == ["TASK_ABORTED", "CANCELLED"]


async def test_a_stream_that_is_lost_goes_on_without_gap_or_repeat(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    await record.read(MANY_EVENTS, MANY, pending.job_id, MANY)
    async with opened(browser, live(pending)) as stream:
        found = await sequences(stream, 70)
    async with opened(browser, live(pending), last_event_id="70") as stream:
        assert [(await stream.next()).name for _ in range(2)] == ["job", "segments"]
        found += await sequences(stream, MANY)
        await browser.post(f"/cancel/{pending.job_id}/")
        found += await sequences(stream, MANY + 1)

    assert found == list(range(1, MANY + 2))


async def test_a_stream_goes_on_after_the_newest_event(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    newest = str(pending.event_sequence)
    async with opened(browser, live(pending), last_event_id=newest) as stream:
        await stream.until("segments")
        await browser.post(f"/cancel/{pending.job_id}/")
        assert (await stream.next("job")).data["status"] == "CANCELLED"
        assert (await stream.next("event")).data["kind"] == "CANCEL_REQUESTED"


@pytest.mark.parametrize("last", ["", "two", "-1", "0", "9", "9" * 5000, "²", "1.0"])
async def test_what_is_no_sequence_of_the_job_begins_with_its_first_event(
    browser: httpx.AsyncClient, pending: Job, last: str
) -> None:
    async with opened(browser, live(pending), last_event_id=last) as stream:
        assert (await stream.until("event")).event_id == "1"


async def test_changes_that_record_no_event_show_even_after_the_end(
    browser: httpx.AsyncClient, record: Record, completed: Job
) -> None:
    newest = completed.event_sequence
    async with opened(browser, live(completed)) as stream:
        await sequences(stream, newest)
        await record.read("UPDATE jobs SET spent_usd = 0.25")
        job = (await stream.next("job")).data
        await record.read("UPDATE segments SET prompt = 'else' WHERE position = 0")
        (segment,) = (await stream.next("segments")).data["segments"]

    assert (job["status"], job["cost"]["spentUsd"]) == ("COMPLETED", 0.25)
    assert (segment["position"], segment["prompt"]) == (0, "else")


async def test_a_job_is_not_sent_again_while_nothing_changes(
    gateway: Gateway, browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    async with opened(browser, live(pending)) as stream:
        await stream.until("event")
        for _ in range(100):
            # Not even if its row is written, as it was.
            await record.read("UPDATE jobs SET title = title")
            await gateway.connections.bus.announce([Change(job=pending)])
        await browser.post(f"/cancel/{pending.job_id}/")
        assert (await stream.next("job")).data["status"] == "CANCELLED"


async def test_a_stream_ends_once_its_job_is_deleted(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    await browser.post(f"/cancel/{pending.job_id}/")
    async with opened(browser, live(pending)) as stream:
        await stream.next("job")
        await browser.delete(f"/api/v1/jobs/{pending.job_id}")
        assert (await stream.until("deleted")).data == {}
        with pytest.raises(EOFError):
            await stream.next()


async def test_there_is_no_stream_of_a_job_that_is_not_there(
    browser: httpx.AsyncClient, record: Record
) -> None:
    hers = await record.create(owner="ada")
    for job_id in (NO_JOB, "no-uuid", "%00", "%F0%9F%8E%B5", hers.job_id):
        response = await browser.get(f"/live/jobs/{job_id}")
        assert response.status_code == 404
        error = response.json()["error"]
        assert (error["code"], error["status"]) == (404, "NOT_FOUND")
        assert error["details"][0]["reason"] == "JOB_NOT_FOUND"


async def test_after_an_outage_the_job_comes_again_but_no_event(
    browser: httpx.AsyncClient,
    record: Record,
    pending: Job,
    postgres: EmbeddedPostgres,
) -> None:
    async with opened(browser, live(pending)) as stream:
        before = [await stream.next("job"), await stream.next("segments")]
        await stream.next("event")
        async with outage(record, postgres.url):
            assert (await stream.next("outage")).text == OUTAGE
        assert [await stream.next("job"), await stream.next("segments")] == before
        await browser.post(f"/cancel/{pending.job_id}/")
        await stream.next("job")
        assert (await stream.next("event")).event_id == str(pending.event_sequence + 1)


async def test_a_stopping_gateway_ends_its_streams(
    gateway: Gateway, browser: httpx.AsyncClient, pending: Job
) -> None:
    async with opened(browser, live(pending)) as stream:
        await stream.until("event")
        gateway.shutdown.set()
        with pytest.raises(EOFError):
            await stream.next()
    async with asyncio.timeout(3):
        await gateway.serving
