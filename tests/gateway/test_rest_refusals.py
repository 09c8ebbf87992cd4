"""What the JSON API refuses, and how it says so."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from refrain.job import Status
from services.gateway.rest.rpcs import PREFIX, RPCS
from tests.gateway.conftest import NO_JOB

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from refrain.job import Job
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record

SONG = {"title": "Song", "lyrics": "la"}
WRITES = [rpc for rpc in RPCS if rpc.writes]
NO_SONGS: dict[str, tuple[object, set[str]]] = {
    "nothing": ({}, {"title"}),
    "a blank title": ({"title": " "}, {"title"}),
    "wrong types": (
        {"title": 5, "instrumental": "true", "labels": {"a": 1}, "video": []},
        {"title", "instrumental", "labels", "video"},
    ),
    "wrong numbers": (
        {"priority": 1.5, "maxInFlight": 2**40, "maxCostUsd": "1"},
        {"priority", "maxInFlight", "maxCostUsd"},
    ),
    "wrong texts": (
        {"onRefusal": "NEVER", "songDuration": "5", "title": None},
        {"onRefusal", "songDuration", "title"},
    ),
    "unknown fields": (
        {"song_duration": "5s", "video": {"size": 1}, "\ud800": 1},
        {"song_duration", "video.size", "?"},
    ),
    "half a character": ({"title": "\ud800"}, {"title"}),
    "half a character as a label": ({"labels": {"\ud800": ""}}, {"labels"}),
    "what the checks find": (
        {"title": "\0", "video": {"frameRate": 99}, "songDuration": "0s"},
        {"title", "video.frameRate", "songDuration"},
    ),
}


def path_of(path: str, job_id: object = NO_JOB) -> str:
    """The path of a rpc with its fields filled in."""
    return PREFIX + re.sub("{key.*?}", "none", re.sub("{jobId.*?}", str(job_id), path))


def violations(response: httpx.Response) -> dict[str, str]:
    """What is wrong with each field of a request that was refused for them."""
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    found = error["details"][1]["fieldViolations"]
    return {violation["field"]: violation["description"] for violation in found}


async def test_a_wrong_song_is_refused_by_the_names_of_its_fields(
    browser: httpx.AsyncClient,
) -> None:
    headers = {"Content-Type": "application/json"}
    for body, fields in NO_SONGS.values():
        for path in (f"{PREFIX}/jobs", f"{PREFIX}/jobs:preview"):
            content = json.dumps(body)
            refused = await browser.post(path, content=content, headers=headers)
            assert violations(refused).keys() >= fields
    assert (await browser.get(f"{PREFIX}/jobs")).json()["jobs"] == []


NO_OBJECTS = [
    b"[]",
    b"null",
    b"{",
    b'{"title": NaN}',
    b'{"title": "a", "title": "b"}',
    b"\xff",
    b'{"maxCostUsd": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"video":' * 50_000,
]


async def test_a_body_that_is_no_object_is_refused(browser: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    for content in NO_OBJECTS:
        path = f"{PREFIX}/jobs"
        refused = await browser.post(path, content=content, headers=headers)
        assert violations(refused).keys() == {"body"}, content[:20]


async def test_a_body_of_another_type_or_size_is_refused(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    path = f"{PREFIX}/jobs/{pending.job_id}:cancel"
    form = await browser.post(path, data={"reason": "x"})
    large = await browser.post(path, json={"reason": "x" * 5_000_000})

    assert (form.status_code, large.status_code) == (415, 413)
    assert "application/json" in form.json()["error"]["message"]
    assert "4,194,304 bytes" in large.json()["error"]["message"]


NO_QUERIES = {
    "pageSize=5000": "pageSize",
    "pageSize=x": "pageSize",
    "pageSize=": "pageSize",
    "pageSize=1&pageSize=2": "pageSize",
    "pageToken=x": "pageToken",
    "filter=x": "filter",
    "filter.text.a=x": "filter.text.a",
    "filter.text=%00": "filter.text",
    "filter.statuses=DONE": "filter.statuses",
    "filter.createTimeTo=yesterday": "filter.createTimeTo",
    "filter.createTimeTo=2026-02-30T00:00:00Z": "filter.createTimeTo",
    "page_size=5": "page_size",
    "%ff=1": "\ufffd",
}


async def test_a_wrong_parameter_is_named(browser: httpx.AsyncClient) -> None:
    for query, field in NO_QUERIES.items():
        refused = await browser.get(f"{PREFIX}/jobs?{query}")
        assert violations(refused).keys() == {field}, query


async def test_a_field_of_the_path_is_in_no_body_and_in_no_query(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    path = f"{PREFIX}/jobs/{pending.job_id}"
    refused = [
        await browser.post(f"{path}:cancel", json={"jobId": NO_JOB}),
        await browser.post(f"{path}:cancel?reason=x"),
        await browser.get(f"{path}?jobId={NO_JOB}"),
    ]

    assert [*map(violations, refused)] == [
        {"jobId": "stands in the path already"},
        {"reason": "is no parameter of this path"},
        {"jobId": "stands in the path already"},
    ]


async def test_a_write_without_the_token_is_refused(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    del browser.headers["X-CSRFToken"]
    for rpc in WRITES:
        path = path_of(rpc.path, pending.job_id)
        refused = await browser.request(rpc.method, path, json={"all": True})
        error = refused.json()["error"]
        assert (refused.status_code, error["status"]) == (403, "PERMISSION_DENIED")
        assert error["details"][0]["reason"] == "CSRF_TOKEN_MISSING"
    assert (await record.job(pending.job_id)).status is Status.PENDING


async def test_a_path_says_which_methods_it_has(browser: httpx.AsyncClient) -> None:
    for path in {rpc.path for rpc in RPCS}:
        refused = await browser.patch(path_of(path))
        methods = {rpc.method for rpc in RPCS if rpc.path == path}

        assert refused.status_code == 405
        assert set(refused.headers["allow"].split(", ")) - {"HEAD"} == methods
        assert refused.json()["error"]["code"] == 405


async def test_nothing_else_is_served_and_it_says_so_as_the_api_does(
    browser: httpx.AsyncClient,
) -> None:
    for path in ("", "/", "/job", f"/jobs/{NO_JOB}:stop", f"/jobs/{NO_JOB}/", "/jobs/"):
        missing = await browser.get(PREFIX + path)

        assert missing.status_code == 404, path
        assert missing.json()["error"]["status"] == "NOT_FOUND"


async def test_what_cannot_be_done_is_a_conflict(
    browser: httpx.AsyncClient, completed: Job
) -> None:
    path = f"{PREFIX}/jobs/{completed.job_id}"
    for verb in ("cancel", "pause", "resume", "retry"):
        error = (await browser.post(f"{path}:{verb}")).json()["error"]
        assert (error["code"], error["status"]) == (409, "FAILED_PRECONDITION")
        assert error["message"] == f"Cannot {verb} job with status: completed"
    taken = [{**SONG, "requestId": "one"}, {**SONG, "requestId": "one", "title": "x"}]
    answers = [await browser.post(f"{PREFIX}/jobs", json=song) for song in taken]
    assert [answer.status_code for answer in answers] == [200, 409]


async def test_a_malformed_id_is_a_wrong_field_and_an_unknown_one_not_found(
    browser: httpx.AsyncClient, record: Record
) -> None:
    hers = await record.create(owner="ada")
    for rpc in RPCS:
        if "jobId" in rpc.bound:
            malformed = await browser.request(rpc.method, path_of(rpc.path, "x"))
            assert violations(malformed).keys() == {"jobId"}
            for job_id in (NO_JOB, hers.job_id):
                path = path_of(rpc.path, job_id)
                unknown = await browser.request(rpc.method, path)
                assert unknown.status_code == 404
                reason = unknown.json()["error"]["details"][0]["reason"]
                assert reason == "JOB_NOT_FOUND"


async def test_no_answer_holds_a_path_of_the_server(
    gateway: Gateway, browser: httpx.AsyncClient, completed: Job, tmp_path: Path
) -> None:
    assert completed.video is not None
    key = completed.video["uri"].removeprefix("artifact:")
    await gateway.connections.artifacts.delete(key)
    answers = [
        await browser.get(f"{PREFIX}/artifacts/{key}"),
        await browser.get(f"{PREFIX}/artifacts/..%2f..%2fetc%2fpasswd"),
        await browser.get(f"{PREFIX}/artifacts/{tmp_path}"),
        await browser.get(f"/video/{completed.job_id}/"),
        await browser.get("/page/..%2frequest.py"),
        await browser.post(f"{PREFIX}/audio", content=b"no audio"),
        await browser.post(f"{PREFIX}/jobs", content=b"{" * 70_000),
    ]

    assert [answer.status_code for answer in answers] == [*[404] * 5, 400, 415]
    for answer in answers[:2] + answers[3:]:
        assert str(tmp_path.parent) not in answer.text
        assert ".py" not in answer.text
