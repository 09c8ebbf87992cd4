"""The live list of jobs: a page of it, and then only what differs."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any

import pytest

from refrain.outcome import Aborted
from refrain.store import Change
from services.gateway.live.job_list import LiveList
from services.gateway.live.one_job import LiveJob
from tests.eventually import eventually
from tests.gateway.conftest import OWNER
from tests.gateway.event_stream import OUTAGE, opened, outage

if TYPE_CHECKING:
    import httpx

    from refrain.job import Job
    from refrain.local.embedded import EmbeddedPostgres
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record

LIST = "/live/jobs"
REFUSED = {
    "filter.statuses=DONE": "filter.statuses",
    "filter.statuses=STATUS_UNSPECIFIED": "filter.statuses",
    "filter.text=%00": "filter.text",
    "pageToken=7": "pageToken",
    "pageSize=1001": "pageSize",
    "pageSize=-1": "pageSize",
    "pageSize=many": "pageSize",
    "status=PENDING": "status",
}
"""Queries that no list can have, and what of them is wrong."""


def titles(page: dict[str, Any]) -> list[str]:
    """Of the jobs that an event has."""
    return [job["title"] for job in page["jobs"]]


def streaming() -> list[str]:
    """The tasks that serve streams."""
    names = [task.get_name() for task in asyncio.all_tasks()]
    return [name for name in names if "EventSourceResponse" in name]


def alive(view: type) -> list[Any]:
    """Returns those views that someone still holds."""
    gc.collect()
    return [each for each in gc.get_objects() if isinstance(each, view)]


async def test_the_list_comes_newest_first_and_as_the_api_has_it(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    title = "<script>alert('1')</script>\n\ndata: \u2028 \u202eevil"
    newer = await record.create(owner=OWNER, title=title)
    await record.create(owner="ada", title="hers")
    async with opened(browser, LIST) as stream:
        page = await stream.next("list")

    assert page.retry == "1000"
    assert page.data == (await browser.get("/api/v1/jobs")).json()
    job_ids = [job["jobId"] for job in page.data["jobs"]]
    assert job_ids == [str(newer.job_id), str(pending.job_id)]
    assert page.data["jobs"][0]["title"] == title
    assert page.data["nextPageToken"] == ""


async def test_a_list_has_what_the_api_lists_for_the_same_query(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    worker_id = await record.register()
    await record.at_segments(worker_id, owner=OWNER, title="Aria")
    ended = await record.create(owner=OWNER, title="Aria", artist="Choir")
    await browser.post(f"/cancel/{ended.job_id}/")
    since = ended.created_at.isoformat().replace("+00:00", "Z")
    queries = {
        "": 3,
        "pageSize=2": 2,
        "filter.text=choir": 1,
        "filter.text=aria&filter.statuses=PROCESSING&filter.statuses=PENDING": 1,
        f"filter.createTimeFrom={since}": 1,
        f"filter.createTimeTo={since}": 2,
    }
    for query, count in queries.items():
        async with opened(browser, f"{LIST}?{query}") as stream:
            page = (await stream.next("list")).data
        assert len(page["jobs"]) == count
        assert page == (await browser.get(f"/api/v1/jobs?{query}")).json()


async def test_a_cancel_shows_on_the_list_as_it_happens(
    browser: httpx.AsyncClient, record: Record
) -> None:
    worker_id = await record.register()
    job = await record.create(owner=OWNER)
    task = await record.claim(worker_id)
    async with opened(browser, LIST) as stream:
        shown = [await stream.next("list")]
        await browser.post(f"/cancel/{job.job_id}/")
        shown.append(await stream.next("changes"))
        await record.settle(task, Aborted())
        shown.append(await stream.next("changes"))

    jobs = [event.data["jobs"][0] for event in shown]
    statuses = [job["status"] for job in jobs]
    assert statuses == ["PROCESSING", "CANCELLING", "CANCELLED"]
    assert jobs[-1]["message"] == "Job cancelled by user"


async def test_only_what_differs_is_sent(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    await record.create(owner=OWNER, title="unchanged")
    async with opened(browser, LIST) as stream:
        assert len((await stream.next("list")).data["jobs"]) == 2
        await browser.post(f"/cancel/{pending.job_id}/")
        changes = (await stream.next("changes")).data

    assert changes.keys() == {"jobs"}
    assert titles(changes) == ["Song Title"]
    job = await browser.get(f"/api/v1/jobs/{pending.job_id}")
    assert changes["jobs"] == [job.json()]


async def test_the_list_is_not_sent_again_while_nothing_changes(
    gateway: Gateway, browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    bus = gateway.connections.bus
    async with opened(browser, LIST) as stream:
        assert len((await stream.next("list")).data["jobs"]) == 1
        await eventually(lambda: bus.connected)
        for _ in range(100):
            # Not even if its row is written, as it was.
            await record.read("UPDATE jobs SET title = title")
            await bus.announce([Change(job=pending)])
        await browser.post(f"/cancel/{pending.job_id}/")
        changes = (await stream.next("changes")).data
        assert [job["status"] for job in changes["jobs"]] == ["CANCELLED"]


async def test_a_change_that_records_no_event_shows(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    async with opened(browser, LIST) as stream:
        await stream.next("list")
        await record.read("UPDATE jobs SET spent_usd = 0.25")
        (job,) = (await stream.next("changes")).data["jobs"]

    assert job["jobId"] == str(pending.job_id)
    assert job["cost"]["spentUsd"] == 0.25
    assert job["eventSequence"] == str(pending.event_sequence)


async def test_a_new_job_comes_with_the_order_and_a_deleted_one_goes(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    older = str(pending.job_id)
    async with opened(browser, LIST) as stream:
        await stream.next("list")
        newer = str((await record.create(owner=OWNER, title="newer")).job_id)
        created = (await stream.next("changes")).data
        await browser.post(f"/cancel/{older}/")
        await stream.next("changes")
        await browser.delete(f"/api/v1/jobs/{older}")
        deleted = (await stream.next("changes")).data

    assert titles(created) == ["newer"]
    assert created["jobIds"] == [newer, older]
    assert deleted == {"jobs": [], "jobIds": [newer], "nextPageToken": ""}


async def test_a_job_that_leaves_the_filter_leaves_the_list(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    await record.create(owner=OWNER, title="stays")
    wanted = f"{LIST}?filter.statuses=PENDING&filter.statuses=PROCESSING"
    async with opened(browser, wanted) as stream:
        shown = (await stream.next("list")).data
        await browser.post(f"/cancel/{pending.job_id}/")
        changes = (await stream.next("changes")).data

    assert titles(shown) == ["stays", "Song Title"]
    assert changes["jobs"] == []
    assert changes["jobIds"] == [shown["jobs"][0]["jobId"]]


async def test_a_search_shows_a_job_that_matches_as_soon_as_it_is_there(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    async with opened(browser, f"{LIST}?filter.text=FRAI") as stream:
        assert titles((await stream.next("list")).data) == []
        await record.create(owner=OWNER, title="sunshine")
        found = await record.create(owner=OWNER, title="Refrain")
        changes = (await stream.next("changes")).data

    assert titles(changes) == ["Refrain"]
    assert changes["jobIds"] == [str(found.job_id)]


async def test_a_page_holds_fifty_jobs_unless_it_is_to_hold_more(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    await record.clone(pending, 60)
    async with opened(browser, LIST) as stream:
        assert len((await stream.next("list")).data["jobs"]) == 50
    async with opened(browser, f"{LIST}?pageSize=1000") as stream:
        assert len((await stream.next("list")).data["jobs"]) == 61


async def test_pages_follow_each_other_and_older_ones_do_not_move(
    browser: httpx.AsyncClient, record: Record
) -> None:
    jobs = [await record.create(owner=OWNER, title=str(i)) for i in range(5)]
    async with opened(browser, f"{LIST}?pageSize=2") as newest:
        shown = [(await newest.next("list")).data]
        while token := shown[-1]["nextPageToken"]:
            path = f"{LIST}?pageSize=2&pageToken={token}"
            async with opened(browser, path) as stream:
                shown.append((await stream.next("list")).data)
        middle = f"{LIST}?pageSize=2&pageToken={shown[0]['nextPageToken']}"
        async with opened(browser, middle) as stream:
            await stream.next("list")
            created = await record.create(owner=OWNER, title="new")
            moved = (await newest.next("changes")).data
            await browser.post(f"/cancel/{jobs[2].job_id}/")
            unmoved = (await stream.next("changes")).data

    assert [titles(page) for page in shown] == [["4", "3"], ["2", "1"], ["0"]]
    assert titles(moved) == ["new"]
    assert moved["jobIds"] == [str(created.job_id), str(jobs[4].job_id)]
    assert moved["nextPageToken"] != shown[0]["nextPageToken"]
    assert unmoved.keys() == {"jobs"}
    assert titles(unmoved) == ["2"]


async def test_the_first_job_beyond_the_page_brings_its_token(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    newer = await record.create(owner=OWNER)
    async with opened(browser, f"{LIST}?pageSize=1") as stream:
        token = (await stream.next("list")).data["nextPageToken"]
        assert token
        await browser.post(f"/cancel/{pending.job_id}/")
        await browser.delete(f"/api/v1/jobs/{pending.job_id}")
        assert (await stream.next("changes")).data == {
            "jobs": [],
            "jobIds": [str(newer.job_id)],
            "nextPageToken": "",
        }


async def test_of_a_thousand_jobs_the_fifty_that_change_are_sent(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    job_ids = await record.clone(pending, 999)
    changed = sorted(map(str, job_ids[::20]), reverse=True)
    async with opened(browser, f"{LIST}?pageSize=1000") as stream:
        page = await stream.next("list")
        for step in range(1, 4):
            await record.read(
                "UPDATE jobs SET spent_usd = %s WHERE job_id = ANY(%s::uuid[])",
                step,
                changed,
            )
            event = await stream.next("changes")
            jobs = event.data["jobs"]
            assert event.data.keys() == {"jobs"}
            assert [job["jobId"] for job in jobs] == changed
            assert {job["cost"]["spentUsd"] for job in jobs} == {step}
            assert len(event.text) < len(page.text) / 15

    assert len(page.data["jobs"]) == 1000


@pytest.mark.parametrize("query", REFUSED)
async def test_a_list_that_cannot_be_is_refused_before_it_begins(
    browser: httpx.AsyncClient, query: str
) -> None:
    response = await browser.get(f"{LIST}?{query}")

    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    violations = error["details"][1]["fieldViolations"]
    assert [violation["field"] for violation in violations] == [REFUSED[query]]


async def test_an_outage_of_the_record_shows_and_passes(
    browser: httpx.AsyncClient,
    record: Record,
    pending: Job,
    postgres: EmbeddedPostgres,
) -> None:
    async with opened(browser, LIST) as stream:
        before = (await stream.next("list")).data
        async with outage(record, postgres.url):
            shown, cancel = await asyncio.gather(
                stream.next("outage"), browser.post(f"/cancel/{pending.job_id}/")
            )
        assert shown.text == OUTAGE
        assert cancel.status_code == 503
        assert cancel.json() == {"success": False, "message": OUTAGE}
        assert (await stream.next("list")).data == before


async def test_a_client_that_leaves_leaves_nothing_behind(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    for path, view in ((LIST, LiveList), (f"{LIST}/{pending.job_id}", LiveJob)):
        async with opened(browser, path) as stream:
            await stream.next("list", "job")
            assert streaming()
            assert alive(view)
        await eventually(lambda: not streaming())
        assert not alive(view)


async def test_a_stopping_gateway_ends_its_streams(
    gateway: Gateway, browser: httpx.AsyncClient
) -> None:
    async with opened(browser, LIST) as stream:
        assert (await stream.next("list")).data["jobs"] == []
        gateway.shutdown.set()
        with pytest.raises(EOFError):
            await stream.next()
    async with asyncio.timeout(3):
        await gateway.serving
