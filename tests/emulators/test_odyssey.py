"""Odyssey, whose own SDK cannot be installed: by the notes of its wire, with httpx."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulators import KEYS, State
from tests.emulators.readings import seen

if TYPE_CHECKING:
    import httpx

    from tests.emulators import Emulators

JOBS = "/simulation-jobs"
SCRIPT: Any = [
    {"timestamp_ms": 0, "start": {"prompt": "a cat"}},
    {"timestamp_ms": 5000, "end": {}},
]


@pytest.fixture
async def odyssey(emulators: Emulators, http: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client that has a token."""
    http.base_url = emulators.odyssey.url
    answer = await http.post("/auth/token", json={"api_key": KEYS["odyssey"]})
    assert answer.json()["expires_in"] == 3600
    http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    return http


async def test_a_job_passes_its_phases_and_has_a_video(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    knobs = emulators.odyssey.knobs.clip
    knobs.hold = "pending"
    name = await _start(odyssey)
    for phase in ("pending", "dispatched", "processing"):
        knobs.hold = phase
        job = await emulators.until(lambda at=phase: _job(odyssey, name, at))
        assert job["streams"] == []
    knobs.hold = ""
    job = await emulators.until(lambda: _job(odyssey, name, "completed"))
    [stream] = job["streams"]
    assert (stream["frame_count"], stream["duration_seconds"]) == (120, 5.0)
    del odyssey.headers["Authorization"]
    video = await odyssey.get(stream["video_url"])
    assert seen(video.content) == ((1280, 704), 120, 24, 0)
    assert emulators.ledger.total(State.BILLED, "odyssey") == Decimal("0.2500")


async def test_a_clip_has_the_rate_and_the_sound_that_are_set(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    emulators.odyssey.knobs.frame_rate = 30
    emulators.odyssey.knobs.audio = True
    name = await _start(odyssey)
    job = await emulators.until(lambda: _job(odyssey, name, "completed"))
    del odyssey.headers["Authorization"]
    video = await odyssey.get(job["streams"][0]["video_url"])
    assert seen(video.content) == ((1280, 704), 150, 30, 1)


@pytest.mark.parametrize("phase", ["pending", "dispatched"])
async def test_a_queued_job_can_be_cancelled_and_is_not_billed(
    emulators: Emulators, odyssey: httpx.AsyncClient, phase: Any
) -> None:
    emulators.odyssey.knobs.clip.hold = phase
    name = await _start(odyssey)
    await emulators.until(lambda: _job(odyssey, name, phase))
    answer = await odyssey.delete(f"{JOBS}/{name}")
    assert answer.json() == {"job_id": name, "status": "cancelled"}
    assert (await _job(odyssey, name, "cancelled"))["completed_at"]
    assert emulators.ledger.charges[0].state is State.CANCELLED


async def test_a_job_in_the_making_cannot_be_cancelled(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    emulators.odyssey.knobs.clip.hold = "processing"
    name = await _start(odyssey)
    await emulators.until(lambda: _job(odyssey, name, "processing"))
    answer = await odyssey.delete(f"{JOBS}/{name}")
    assert answer.status_code == 400
    assert answer.json() == {"detail": "Job cannot be cancelled: it is processing"}
    emulators.odyssey.knobs.clip.hold = ""
    await emulators.until(lambda: _job(odyssey, name, "completed"))
    assert emulators.ledger.charges[0].state is State.BILLED


async def test_a_refused_job_fails_with_a_message_and_is_free(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    emulators.odyssey.knobs.clip.refuse = 1
    name = await _start(odyssey)
    job = await emulators.until(lambda: _job(odyssey, name, "failed"))
    assert "moderation" in job["error_message"]
    assert emulators.ledger.charges[0].state is State.FAILED


async def test_the_active_jobs_are_listed_newest_first(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    emulators.odyssey.knobs.clip.hold = "pending"
    gone, *names = [await _start(odyssey) for _ in range(3)]
    await odyssey.delete(f"{JOBS}/{gone}")
    listed = (await odyssey.get(JOBS, params={"active": "true"})).json()
    assert [job["job_id"] for job in listed["jobs"]] == names[::-1]
    listed = (await odyssey.get(JOBS, params={"active": "true", "limit": 1})).json()
    assert (len(listed["jobs"]), listed["total"], listed["limit"]) == (1, 2, 1)
    listed = (await odyssey.get(JOBS, params={"status": "cancelled"})).json()
    assert [job["job_id"] for job in listed["jobs"]] == [gone]


async def test_an_address_expires_and_a_new_one_is_given(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    name = await _start(odyssey)
    first = await emulators.until(lambda: _job(odyssey, name, "completed"))
    second = await _job(odyssey, name, "completed")
    urls = [job["streams"][0]["video_url"] for job in (first, second)]
    assert urls[0] != urls[1]
    assert (await odyssey.get(urls[0])).status_code == 400, "two ways to authorise"
    del odyssey.headers["Authorization"]
    emulators.odyssey.knobs.expired_downloads = 1
    answers = [(await odyssey.get(url)).status_code for url in urls]
    assert answers == [403, 200]


async def test_a_token_expires_or_is_revoked(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    emulators.odyssey.knobs.revoked_tokens = 1
    answers = [(await odyssey.get(JOBS)).status_code for _ in range(2)]
    assert answers == [401, 200]
    emulators.odyssey.knobs.token_seconds = 0
    answer = await odyssey.post("/auth/token", json={"api_key": KEYS["odyssey"]})
    odyssey.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    assert (await odyssey.get(JOBS)).status_code == 401
    answer = await odyssey.post("/auth/token", json={"api_key": "wrong"})
    assert answer.status_code == 401


async def test_limits_are_429_and_say_which(
    emulators: Emulators, odyssey: httpx.AsyncClient
) -> None:
    knobs = emulators.odyssey.knobs
    knobs.clip.hold = "pending"
    knobs.active_limit = 1
    await _start(odyssey)
    full = await odyssey.post(JOBS, json={"script": SCRIPT})
    knobs.create.throttle = 1
    fast = await odyssey.post(JOBS, json={"script": SCRIPT})
    details = [answer.json()["detail"] for answer in (full, fast)]
    assert [each["error"] for each in details] == [
        "CONCURRENT_LIMIT_REACHED",
        "RATE_LIMITED",
    ]
    assert details[1]["details"] == {"retry_after_seconds": 1.0}
    assert (full.status_code, fast.status_code) == (429, 429)
    assert len(emulators.ledger.charges) == 1


async def _start(odyssey: httpx.AsyncClient) -> str:
    body = {"portrait": False, "output_video": True, "script": SCRIPT}
    answer = await odyssey.post(JOBS, json=body)
    assert answer.is_success, answer.text
    assert answer.json()["status"] == "pending"
    return answer.json()["job_id"]


async def _job(odyssey: httpx.AsyncClient, name: str, status: str) -> Any:
    """Returns the job once it has the status."""
    job = (await odyssey.get(f"{JOBS}/{name}")).json()
    return job if job["status"] == status else None
