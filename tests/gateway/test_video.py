"""The video over HTTP, whole and in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.gateway.conftest import VIDEO

if TYPE_CHECKING:
    import httpx

    from refrain.job import Job


async def test_the_video_is_streamed_whole(
    browser: httpx.AsyncClient, completed: Job
) -> None:
    response = await browser.get(f"/video/{completed.job_id}/")

    assert response.status_code == 200
    assert response.content == VIDEO
    assert response.headers["content-type"] == "video/mp4"
    assert response.headers["content-length"] == str(len(VIDEO))
    assert "Ein%20Lied%20%2F%20eins.mp4" in response.headers["content-disposition"]


async def test_a_player_gets_the_part_it_asks_for(
    browser: httpx.AsyncClient, completed: Job
) -> None:
    size = len(VIDEO)
    parts = {
        "bytes=0-": (0, size),
        "bytes=5-9": (5, 10),
        "bytes=1048570-1048585": (1048570, 1048586),
        "bytes=2000000-99999999": (2000000, size),
        "bytes=-7": (size - 7, size),
    }
    for asked, (start, stop) in parts.items():
        response = await browser.get(
            f"/video/{completed.job_id}/", headers={"Range": asked}
        )

        assert response.status_code == 206
        assert response.content == VIDEO[start:stop], asked
        assert response.headers["content-range"] == f"bytes {start}-{stop - 1}/{size}"


async def test_a_range_beyond_the_video_is_refused_with_its_size(
    browser: httpx.AsyncClient, completed: Job
) -> None:
    response = await browser.get(
        f"/video/{completed.job_id}/", headers={"Range": f"bytes={len(VIDEO)}-"}
    )

    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(VIDEO)}"


async def test_a_job_without_a_video_says_so(
    browser: httpx.AsyncClient, pending: Job
) -> None:
    response = await browser.get(f"/video/{pending.job_id}/")

    assert response.status_code == 404
    assert response.json()["message"] == "Job 'Song Title' has no video."
