"""What every request over HTTP must pass, and what every answer carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from refrain.job import Status
from tests.gateway.conftest import serving

if TYPE_CHECKING:
    from pathlib import Path

    from refrain.job import Job
    from refrain.local.embedded import EmbeddedNats
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record


async def test_without_the_token_nothing_is_cancelled(
    browser: httpx.AsyncClient, record: Record, pending: Job
) -> None:
    for token in ("", "forged"):
        browser.headers["X-CSRFToken"] = token
        response = await browser.post(f"/cancel/{pending.job_id}/")

        assert response.status_code == 403
        assert "X-CSRFToken" in response.json()["message"]
    assert (await record.job(pending.job_id)).status is Status.PENDING


async def test_a_token_that_nobody_here_signed_is_no_token(
    gateway: Gateway, record: Record, pending: Job
) -> None:
    async with httpx.AsyncClient(
        base_url=gateway.http_url,
        cookies={"csrftoken": "forged"},
        headers={"X-CSRFToken": "forged"},
    ) as client:
        response = await client.post(f"/cancel/{pending.job_id}/")

    assert response.status_code == 403
    assert (await record.job(pending.job_id)).status is Status.PENDING


async def test_a_cookie_of_another_program_is_replaced(gateway: Gateway) -> None:
    async with httpx.AsyncClient(base_url=gateway.http_url) as client:
        response = await client.get("/", headers={"Cookie": "csrftoken=theirs"})

    cookie = response.headers["set-cookie"]
    assert cookie.startswith("csrftoken=")
    assert "SameSite=strict" in cookie
    assert "HttpOnly" in cookie


async def test_a_page_is_told_the_token_that_its_cookie_hides(
    gateway: Gateway,
) -> None:
    async with httpx.AsyncClient(base_url=gateway.http_url) as client:
        first = await client.get("/api/v1/csrfToken")
        again = await client.get("/api/v1/csrfToken")

    assert first.json() == {"csrfToken": first.cookies["csrftoken"]}
    assert again.json() == first.json()
    assert "set-cookie" not in again.headers


async def test_a_token_of_one_gateway_is_good_at_another(
    gateway: Gateway,
    browser: httpx.AsyncClient,
    pending: Job,
    nats_server: EmbeddedNats,
    tmp_path: Path,
) -> None:
    database_url = gateway.connections.settings.database_url
    async with serving(database_url, nats_server.url, tmp_path / "other") as other:
        response = await browser.post(f"{other.http_url}/cancel/{pending.job_id}/")

    assert response.status_code == 200


async def test_only_names_of_this_machine_are_answered(
    browser: httpx.AsyncClient,
) -> None:
    ours = ["localhost:8000", "127.0.0.1", "[::1]:8000"]
    others = [
        "rebound.example:8000",
        "localhost.rebound.example",
        "127.0.0.1.rebound.example",
        "localhost@rebound.example",
    ]
    answers = {
        host: (await browser.get("/", headers={"Host": host})).status_code
        for host in ours + others
    }

    assert answers == dict.fromkeys(ours, 200) | dict.fromkeys(others, 400)


async def test_every_answer_forbids_script_that_is_not_ours(
    browser: httpx.AsyncClient,
) -> None:
    for path in ("/", "/page/api.js", "/api/v1/jobs", "/nothing", "/video/x"):
        async with browser.stream("GET", path) as response:
            policy = response.headers["content-security-policy"].split("; ")

        assert "default-src 'none'" in policy, path
        assert "script-src 'self'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert response.headers["x-content-type-options"] == "nosniff", path


async def test_a_refused_host_learns_nothing_and_may_do_nothing(
    browser: httpx.AsyncClient,
) -> None:
    response = await browser.get("/", headers={"Host": "rebound.example"})

    assert "set-cookie" not in response.headers
    assert "content-security-policy" in response.headers


async def test_no_file_outside_the_page_is_served(browser: httpx.AsyncClient) -> None:
    for path in (
        "/page/..%2frequest.py",
        "/page/%2e%2e/request.py",
        "/page//etc/passwd",
    ):
        response = await browser.get(path)

        assert response.status_code == 404
        assert response.json() == {"success": False, "message": "Not Found"}
