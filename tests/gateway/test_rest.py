"""The JSON API: each call once for real."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from refrain.job import Status
from refrain.outcome import Aborted
from services.gateway.rest.rpcs import PREFIX
from tests.eventually import eventually
from tests.gateway.conftest import NO_JOB

if TYPE_CHECKING:
    import httpx

    from refrain.job import Job
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record

SONG = {"title": "Söng", "lyrics": "Row, row, row your boat\nGently down the stream"}


async def test_a_job_is_created_found_and_listed(browser: httpx.AsyncClient) -> None:
    created = await browser.post(f"{PREFIX}/jobs", json=SONG)
    job = created.json()
    found = await browser.get(f"{PREFIX}/jobs/{job['jobId']}")
    listed = await browser.get(f"{PREFIX}/jobs")

    assert created.status_code == 200
    assert (job["title"], job["status"], job["segmentsTotal"]) == ("Söng", "PENDING", 0)
    assert (job["labels"], job["eventSequence"]) == ({}, "1")
    assert found.json() == job
    assert listed.json() == {"jobs": [job], "nextPageToken": ""}


async def test_a_list_is_filtered_and_cut_by_its_query(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    for title in ("Boat one", "Boat two"):
        await record.create(owner="local", title=title)
    asked = (
        "filter.text=boat&filter.statuses=PENDING&filter.statuses=PAUSED"
        "&filter.createTimeFrom=2020-01-31T12:00:00Z&pageSize=1"
    )
    first = (await browser.get(f"{PREFIX}/jobs?{asked}")).json()
    token = first["nextPageToken"]
    second = (await browser.get(f"{PREFIX}/jobs?{asked}&pageToken={token}")).json()

    assert [job["title"] for job in first["jobs"]] == ["Boat two"]
    assert [job["title"] for job in second["jobs"]] == ["Boat one"]
    assert second["nextPageToken"] == ""


async def test_a_job_is_paused_resumed_cancelled_retried_and_deleted(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    path = f"{PREFIX}/jobs/{pending.job_id}"
    paused = await browser.post(f"{path}:pause", json={"mode": "ABORT"})
    resumed = await browser.post(f"{path}:resume")
    cancelled = await browser.post(f"{path}:cancel", json={"reason": "too löng"})
    retried = await browser.post(f"{path}:retry", json={"requestId": "again"})
    deleted = await browser.delete(path)
    gone = await browser.get(path)

    assert paused.json()["status"] == "PAUSED"
    assert resumed.json()["status"] == "PENDING"
    assert cancelled.json()["cancellation"]["reason"] == "too löng"
    assert retried.json()["retriedFrom"] == str(pending.job_id)
    assert (deleted.status_code, deleted.json()) == (200, {})
    assert gone.status_code == 404


async def test_a_preview_stores_nothing(browser: httpx.AsyncClient) -> None:
    preview = await browser.post(f"{PREFIX}/jobs:preview", json=SONG)

    assert preview.status_code == 200
    assert preview.json()["songDuration"] == "6s"
    assert (await browser.get(f"{PREFIX}/jobs")).json()["jobs"] == []


async def test_many_jobs_are_cancelled_by_filter_and_by_id(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    other = await record.create(owner="local", title="Other")
    matching = {"filter": {"text": "song title"}}
    foreseen = await browser.post(
        f"{PREFIX}/jobs:cancel", json={**matching, "dryRun": True}
    )
    done = await browser.post(f"{PREFIX}/jobs:cancel", json=matching)
    ids = [str(other.job_id), NO_JOB]
    batch = await browser.post(f"{PREFIX}/jobs:batchCancel", json={"jobIds": ids})

    assert (foreseen.json()["cancelled"], done.json()["cancelled"]) == (1, 1)
    assert (await record.job(pending.job_id)).status is Status.CANCELLED
    results = batch.json()["results"]
    assert [result["status"]["code"] for result in results] == [0, 5]
    assert results[0]["job"]["status"] == "CANCELLED"


async def test_what_a_job_consists_of_is_listed(
    browser: httpx.AsyncClient, completed: Job
) -> None:
    path = f"{PREFIX}/jobs/{completed.job_id}"
    segments = (await browser.get(f"{path}/segments")).json()["segments"]
    tasks = (await browser.get(f"{path}/tasks")).json()["tasks"]
    page = (await browser.get(f"{path}/events", params={"pageSize": 2})).json()
    rest = await browser.get(
        f"{path}/events", params={"pageToken": page["nextPageToken"]}
    )

    assert [segment["startOffset"] for segment in segments] == ["0s"]
    assert [task["kind"] for task in tasks] == ["PLAN", "SEGMENT", "STITCH"]
    assert [event["sequence"] for event in page["events"]] == ["1", "2"]
    assert rest.json()["events"][-1]["kind"] == "COMPLETED"


async def test_a_wait_ends_with_the_job_or_at_its_timeout(
    browser: httpx.AsyncClient, record: Record, completed: Job, pending: Job
) -> None:
    finished = await browser.get(f"{PREFIX}/jobs/{completed.job_id}:wait")
    path = f"{PREFIX}/jobs/{pending.job_id}:wait"
    unfinished = await browser.get(path, params={"timeout": "0.01s"})

    assert finished.json()["status"] == "COMPLETED"
    assert unfinished.json()["status"] == "PENDING"


async def test_a_wait_ends_when_its_client_leaves_or_the_gateway_stops(
    gateway: Gateway, browser: httpx.AsyncClient, pending: Job
) -> None:
    def waits() -> bool:
        return any("WaitJob" in repr(task) for task in asyncio.all_tasks())

    path = f"{PREFIX}/jobs/{pending.job_id}:wait"
    leaves = asyncio.create_task(browser.get(path))
    await eventually(waits)
    leaves.cancel()
    await eventually(lambda: not waits())
    stays = asyncio.create_task(browser.get(path))
    await eventually(waits)
    gateway.shutdown.set()

    assert (await stays).json()["error"]["status"] == "UNAVAILABLE"


async def test_a_deployment_says_what_it_can(browser: httpx.AsyncClient) -> None:
    info = (await browser.get(f"{PREFIX}/serverInfo")).json()

    assert info["clipProviders"] == ["local"]
    assert info["lyricsLookup"] is False


async def read_events(
    browser: httpx.AsyncClient, url: str, **options: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Returns the ids and the data of a stream's events, once it has ended."""
    text = (await browser.get(url, **options)).text
    found: list[tuple[str, dict[str, Any]]] = []
    for event in text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in event.splitlines())
        found.append((fields["id"], json.loads(fields["data"])))
    return found


async def test_a_watch_streams_what_happens_and_goes_on_where_it_broke_off(
    browser: httpx.AsyncClient, completed: Job
) -> None:
    url = f"{PREFIX}/jobs/{completed.job_id}:watch"
    newest = completed.event_sequence
    events = await read_events(browser, f"{url}?afterSequence=0")
    header = {"Last-Event-ID": str(newest - 1)}
    rest = await read_events(browser, f"{url}?afterSequence=0", headers=header)
    over = await browser.get(f"{url}?afterSequence={newest}")
    beyond = await browser.get(f"{url}?afterSequence={newest + 1}")

    assert [id for id, _ in events] == [str(n + 1) for n in range(newest)]
    assert events[-1][1]["job"]["status"] == "COMPLETED"
    assert rest == events[-1:]
    assert (over.status_code, over.content) == (204, b"")
    assert beyond.json()["error"]["status"] == "OUT_OF_RANGE"


async def test_a_watch_without_a_sequence_begins_with_a_snapshot(
    browser: httpx.AsyncClient, record: Record
) -> None:
    worker_id = await record.register()
    job = await record.create(owner="local")
    task = await record.claim(worker_id)
    url = f"{PREFIX}/jobs/{job.job_id}:watch"
    kinds: list[str] = []
    async with browser.stream("GET", url) as response:
        async for line in response.aiter_lines():
            if not line.startswith("data: "):
                continue
            kinds.append(json.loads(line.removeprefix("data: "))["kind"])
            if len(kinds) == 1:
                await browser.post(f"{PREFIX}/jobs/{job.job_id}:cancel")
                await record.settle(task, Aborted())

    assert kinds == ["SNAPSHOT", "CANCEL_REQUESTED", "TASK_ABORTED", "CANCELLED"]
