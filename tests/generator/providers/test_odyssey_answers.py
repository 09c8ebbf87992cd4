"""Odyssey's answers: limits, errors, refusals, and what is none of its API's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from services.generator.providers.odyssey import PAGE, OdysseyClips
from services.generator.providers.provider import (
    ClipRequest,
    OperationStatus,
)
from tests.generator.providers.odyssey_calls import (
    LONG_AGO,
    answering,
    answering_always,
    call_of,
    error_of,
    sent,
)

if TYPE_CHECKING:
    from tests.emulators import Emulators


FULL = {
    "error": "CONCURRENT_LIMIT_REACHED",
    "message": "Too many jobs.",
    "action": "Upgrade at",
    "action_url": "https://odyssey.example/plans",
    "details": {"active_count": 5, "limit": 5},
}


@pytest.mark.parametrize("status", ["archiving", "", None])
async def test_a_status_that_is_not_known_is_no_end(status: str | None) -> None:
    operation = await answering_always(200, json={"status": status}).look("j")
    assert operation.status is OperationStatus.RUNNING


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("Rejected by content moderation", OperationStatus.REFUSED),
        ("The prompt violates our Content Policy.", OperationStatus.REFUSED),
        ("Blocked: NSFW", OperationStatus.REFUSED),
        ("GPU worker lost", OperationStatus.FAILED),
        ("could not read the content of the image", OperationStatus.FAILED),
        (None, OperationStatus.FAILED),
    ],
)
async def test_the_words_of_a_failure_tell_a_refusal(
    words: str | None, status: OperationStatus
) -> None:
    job = {"status": "failed", "error_message": words, "streams": None}
    assert (await answering_always(200, json=job).look("j")).status is status


async def test_a_list_is_read_to_its_last_page() -> None:
    jobs = [
        {"job_id": f"j{number}", "created_at": "2026-11-22T10:00:00Z"}
        for number in range(PAGE + 1)
    ]
    pages: list[dict[str, str]] = []

    def page(request: httpx.Request) -> httpx.Response:
        pages.append(dict(request.url.params))
        offset = int(request.url.params["offset"])
        listed = {"jobs": jobs[offset : offset + PAGE], "total": len(jobs)}
        return httpx.Response(200, json=listed)

    assert len(await answering(page).list_started(LONG_AGO)) == PAGE + 1
    assert pages == [
        {"active": "true", "limit": "100", "offset": "0"},
        {"active": "true", "limit": "100", "offset": "100"},
    ]


@pytest.mark.parametrize(
    ("created_at", "listed"),
    [
        ("2026-11-22T10:00:00Z", True),
        ("2026-11-22T10:00:00.5", True),
        ("2026-11-22T11:59:59+02:00", False),
    ],
)
async def test_a_list_is_of_what_was_created_since_then(
    created_at: str, listed: bool
) -> None:
    jobs = [{"job_id": "j", "created_at": created_at}]
    clips = answering_always(200, json={"jobs": jobs, "total": 1})
    since = datetime(2026, 11, 22, 10, tzinfo=UTC)
    assert bool(await clips.list_started(since)) is listed


@pytest.mark.parametrize("purpose", ["token", "create", "look", "list", "cancel"])
async def test_a_throttled_call_says_for_how_long(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest, purpose: str
) -> None:
    faults = getattr(emulators.odyssey.knobs, purpose)
    faults.throttle, faults.retry_after = 1, 7.5
    error = await error_of(call_of(odyssey, purpose, wanted))
    assert (error.throttled, error.retryable) == (True, True)
    assert error.retry_after == timedelta(seconds=7.5)
    assert len(sent(emulators, purpose)) == 1


@pytest.mark.parametrize("fault", ["unavailable", "broken"])
async def test_a_call_that_odyssey_cannot_answer_now_may_be_tried_again(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest, fault: str
) -> None:
    setattr(emulators.odyssey.knobs.create, fault, 1)
    error = await error_of(odyssey.start(wanted))
    assert (error.retryable, error.throttled) == (True, False)


async def test_a_full_queue_holds_everyone_back(
    odyssey: OdysseyClips, emulators: Emulators, wanted: ClipRequest
) -> None:
    emulators.odyssey.knobs.clip.hold = "pending"
    emulators.odyssey.knobs.active_limit = 1
    await odyssey.start(wanted)
    error = await error_of(odyssey.start(wanted))
    assert (error.throttled, error.retryable) == (True, True)


@pytest.mark.parametrize("body", [{"detail": FULL}, FULL])
async def test_a_limit_is_understood_wrapped_in_detail_or_not(
    body: dict[str, Any],
) -> None:
    error = await error_of(answering_always(429, json=body).look("j"))
    assert error.throttled
    assert "Too many jobs. Upgrade at https://odyssey.example/plans" in str(error)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("MONTHLY_LIMIT_REACHED", "or raise it"),
        ("ACCOUNT_SUSPENDED", "lift the suspension"),
        ("STREAM_DURATION_EXCEEDED", "shorter clips"),
    ],
)
async def test_a_limit_that_no_wait_gets_over_says_what_to_do(
    code: str, advice: str
) -> None:
    body = {"detail": {"error": code, "message": "No more."}}
    error = await error_of(answering_always(429, json=body).look("j"))
    assert (error.retryable, error.throttled) == (False, False)
    assert "No more." in str(error)
    assert advice in str(error)


@pytest.mark.parametrize(
    ("seconds", "wait"),
    [(30, 30), ("2.5", 2.5), (10**12, 3600), (-1, 9), ("soon", 9), (None, 9)],
)
async def test_a_wait_that_makes_no_sense_is_that_of_the_header(
    seconds: object, wait: float
) -> None:
    details = {"retry_after_seconds": seconds}
    limit = {"error": "RATE_LIMITED", "message": "Slow.", "details": details}
    answer = answering_always(429, json=limit, headers={"retry-after": "9"})
    error = await error_of(answer.look("j"))
    assert error.retry_after == timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, {"detail": "Not your job."}, "ODYSSEY_API_KEY: Not your job."),
        (400, {"detail": "script: too long"}, "script: too long"),
        (404, {"detail": "Not Found"}, "Not Found"),
        (307, "", "307"),
    ],
)
async def test_an_error_of_ours_is_not_tried_again(
    wanted: ClipRequest, status: int, body: Any, words: str
) -> None:
    error = await error_of(answering_always(status, json=body).start(wanted))
    assert (error.retryable, error.throttled, error.refused) == (False, False, False)
    assert words in str(error)


async def test_a_job_that_is_not_taken_for_its_content_is_refused(
    wanted: ClipRequest,
) -> None:
    answer = answering_always(400, json={"detail": "Blocked by moderation."})
    error = await error_of(answer.start(wanted))
    assert (error.refused, error.retryable) == (True, False)


async def test_a_refused_field_is_named_and_its_value_is_not(
    wanted: ClipRequest,
) -> None:
    field = {"loc": ["body", "script"], "msg": "too short", "input": "secret"}
    error = await error_of(
        answering_always(422, json={"detail": [field]}).start(wanted)
    )
    assert "script" in str(error)
    assert "too short" in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"", b"\xff\xfe"])
async def test_an_answer_that_is_no_json_object_is_an_error(
    wanted: ClipRequest, body: bytes
) -> None:
    clips = answering_always(200, content=body)
    for call in (clips.start(wanted), clips.look("j"), clips.list_started(LONG_AGO)):
        assert "ODYSSEY_API_URL" in str(await error_of(call))


@pytest.mark.parametrize("body", [{}, {"job_id": None}, {"job_id": 5}])
async def test_a_job_without_an_id_is_an_error(
    wanted: ClipRequest, body: dict[str, object]
) -> None:
    error = await error_of(answering_always(201, json=body).start(wanted))
    assert not error.retryable


@pytest.mark.parametrize(
    "failure", [httpx.ConnectError(""), httpx.ReadTimeout(""), httpx.ReadError("reset")]
)
async def test_a_line_that_fails_may_be_tried_again(failure: Exception) -> None:
    def fail(_request: httpx.Request) -> httpx.Response:
        raise failure

    error = await error_of(answering(fail).look("j"))
    assert error.retryable
    assert str(error).endswith((type(failure).__name__, "reset"))
