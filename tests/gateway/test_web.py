"""The gateway over HTTP: POST /cancel/, and what is not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from refrain.job import Job, Status
from tests.gateway.conftest import NO_JOB

if TYPE_CHECKING:
    import httpx

    from tests.refrain.record import Record

OWNER = "local"
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
