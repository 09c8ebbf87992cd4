"""The gateway over HTTP: cancel, and the live list of jobs."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
import pytest
from psycopg import sql

from refrain.job import Job, Status
from refrain.outcome import Aborted
from refrain.store import Change
from tests.eventually import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    import httpx

    from refrain.local.embedded import EmbeddedPostgres
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record

OWNER = "local"
NO_JOB = "019b0000-0000-7000-8000-000000000000"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
NO_REASONS: dict[str, tuple[str, str | bytes]] = {
    "too long": (JSON, json.dumps({"reason": "x" * 1025})),
    "NUL": (JSON, json.dumps({"reason": "\0"})),
    "a number": (JSON, json.dumps({"reason": 5})),
    "a list": (JSON, json.dumps(["reason"])),
    "half a character": (JSON, json.dumps({"reason": "\ud800"})),
    "deep": (JSON, "[" * 60_000),
    "no UTF-8": (JSON, b"\xff"),
    "large": (JSON, " " * 70_000),
    "too long a form": (FORM, "reason=" + "x" * 1025),
    "a form that is no UTF-8": (FORM, b"reason=\xff"),
    "plain text": ("text/plain", "enough"),
}


class EventStream:
    """Server-sent events, one by one."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, str]:
        """Returns the next event's name and data."""
        event: dict[str, str] = {}
        async for line in self._lines:
            if line and not line.startswith(":"):
                field, _, value = line.partition(": ")
                event[field] = value
            elif "data" in event:
                return event["event"], event["data"]
        raise EOFError

    async def jobs(self) -> list[dict[str, Any]]:
        """Returns the next list of jobs."""
        name, data = await self.next()
        assert name == "jobs"
        return json.loads(data)


def _allow(database: str, allowed: LiteralString) -> sql.Composed:
    statement = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    return statement.format(sql.Identifier(database), sql.SQL(allowed))


@asynccontextmanager
async def events(client: httpx.AsyncClient) -> AsyncGenerator[EventStream]:
    async with client.stream("GET", "/events", timeout=5) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield EventStream(response)


@pytest.mark.parametrize("slash", ["/", ""])
async def test_cancel_answers_with_the_title_and_stops_the_job(
    browser: httpx.AsyncClient, record: Record, pending: Job, slash: str
) -> None:
    response = await browser.post(f"/cancel/{pending.job_id}{slash}")

    assert response.status_code == 200
    assert response.json() == {
        "success": True,
        "message": "Job 'Song Title' has been cancelled.",
    }
    job = await record.job(pending.job_id)
    assert job.status is Status.CANCELLED
    assert job.message == "Job cancelled by user"
    assert job.cancel_requested_by == "user:local"


async def test_cancelling_a_cancelled_job_again_succeeds(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    first = await browser.post(f"/cancel/{pending.job_id}/")
    again = await browser.post(f"/cancel/{pending.job_id}/")

    assert (again.status_code, again.json()) == (200, first.json())


@pytest.mark.parametrize(
    "body", [{"json": {"reason": "too löng"}}, {"data": {"reason": "too löng"}}]
)
async def test_the_reason_comes_as_json_or_as_a_form(
    browser: httpx.AsyncClient, record: Record, pending: Job, body: dict[str, Any]
) -> None:
    await browser.post(f"/cancel/{pending.job_id}/", **body)

    assert (await record.job(pending.job_id)).cancel_reason == "too löng"


async def test_a_body_that_holds_no_reason_is_refused_and_cancels_nothing(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    answers: dict[str, int] = {}
    for name, (content_type, body) in NO_REASONS.items():
        response = await browser.post(
            f"/cancel/{pending.job_id}/",
            content=body,
            headers={"Content-Type": content_type},
        )
        answers[name] = response.status_code
        assert response.json()["success"] is False

    special = {"large": 413, "plain text": 415}
    assert answers == {name: special.get(name, 400) for name in NO_REASONS}
    assert (await record.job(pending.job_id)).status is Status.PENDING


async def test_a_completed_job_cannot_be_cancelled(
    browser: httpx.AsyncClient, completed: Job
) -> None:
    response = await browser.post(f"/cancel/{completed.job_id}/")

    assert response.status_code == 409
    assert response.json() == {
        "success": False,
        "message": "Cannot cancel job with status: completed",
    }


async def test_no_job_of_this_id_is_not_found_and_the_gateway_lives_on(
    browser: httpx.AsyncClient,
) -> None:
    for job_id in (NO_JOB, "no-uuid", "%00", "%F0%9F%8E%B5"):
        for response in (
            await browser.post(f"/cancel/{job_id}/"),
            await browser.get(f"/video/{job_id}/"),
            await browser.get(f"/{job_id}"),
        ):
            assert response.status_code == 404
            assert response.json()["success"] is False
    assert (await browser.get("/")).status_code == 200


async def test_another_owners_job_is_not_found(
    browser: httpx.AsyncClient, record: Record
) -> None:
    job = await record.create(owner="ada")
    response = await browser.post(f"/cancel/{job.job_id}/")

    assert response.status_code == 404
    assert (await record.job(job.job_id)).status is Status.PENDING


async def test_the_list_comes_newest_first_and_as_the_api_has_it(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    title = "<script>alert('1')</script>\n\ndata: \u2028 \u202eevil"
    newer = await record.create(owner=OWNER, title=title)
    await record.create(owner="ada", title="hers")
    async with events(browser) as stream:
        jobs = await stream.jobs()

    assert [job["jobId"] for job in jobs] == [str(newer.job_id), str(pending.job_id)]
    assert jobs[0]["title"] == title
    assert jobs[0]["status"] == "PENDING"
    assert jobs[0]["segmentsTotal"] == 0


async def test_a_cancel_shows_on_the_list_as_it_happens(
    browser: httpx.AsyncClient, record: Record
) -> None:
    worker_id = await record.register()
    job = await record.create(owner=OWNER)
    task = await record.claim(worker_id)
    async with events(browser) as stream:
        shown = [await stream.jobs()]
        await browser.post(f"/cancel/{job.job_id}/")
        shown.append(await stream.jobs())
        await record.settle(task, Aborted())
        shown.append(await stream.jobs())

    assert [jobs[0]["status"] for jobs in shown] == [
        "PROCESSING",
        "CANCELLING",
        "CANCELLED",
    ]
    assert shown[-1][0]["message"] == "Job cancelled by user"


async def test_the_list_is_not_sent_again_while_nothing_changes(
    gateway: Gateway, browser: httpx.AsyncClient, pending: Job
) -> None:
    bus = gateway.connections.bus
    async with events(browser) as stream:
        assert len(await stream.jobs()) == 1
        await eventually(lambda: bus.connected)
        for _ in range(20):
            await bus.announce([Change(job=pending)])
        await browser.post(f"/cancel/{pending.job_id}/")
        assert (await stream.jobs())[0]["status"] == "CANCELLED"


async def test_an_outage_of_the_record_shows_and_passes(
    browser: httpx.AsyncClient,
    pending: Job,
    postgres: EmbeddedPostgres,
    database_url: str,
) -> None:
    name = database_url.rpartition("/")[2]
    async with events(browser) as stream:
        await stream.jobs()
        async with await psycopg.AsyncConnection.connect(
            postgres.url, autocommit=True
        ) as server:
            await server.execute(_allow(name, "false"))
            await server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s",
                [name],
            )
            shown, cancel = await asyncio.gather(
                stream.next(), browser.post(f"/cancel/{pending.job_id}/")
            )
            await server.execute(_allow(name, "true"))
        message = "The record does not answer; try again."
        assert shown == ("outage", message)
        assert cancel.status_code == 503
        assert cancel.json() == {"success": False, "message": message}
        while (shown := await stream.next()) == ("outage", message):
            pass
        assert shown[0] == "jobs"


async def test_fifty_jobs_are_listed_at_most(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    await record.clone(pending, 60)
    async with events(browser) as stream:
        assert len(await stream.jobs()) == 50


async def test_a_stopping_gateway_ends_its_streams(
    gateway: Gateway, browser: httpx.AsyncClient
) -> None:
    async with events(browser) as stream:
        assert await stream.jobs() == []
        gateway.shutdown.set()
        with pytest.raises(EOFError):
            await stream.next()
    async with asyncio.timeout(3):
        await gateway.serving
