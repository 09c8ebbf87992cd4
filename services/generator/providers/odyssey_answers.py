"""What Odyssey answers: the states of a job, and its errors in FastAPI's shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from services.generator.providers.provider import (
    Operation,
    OperationStatus,
    ProviderError,
)
from services.generator.providers.transport import retry_after, wait_seconds

if TYPE_CHECKING:
    import httpx

NAME = "Odyssey"

_LONGEST_WORDS = 500
"""Characters of what Odyssey says that go into a message."""

_STATUSES = {
    "completed": OperationStatus.COMPLETED,
    "failed": OperationStatus.FAILED,
    "cancelled": OperationStatus.CANCELLED,
}
"""Any other, such as pending, dispatched or processing, is not an end."""

_REFUSAL = re.compile(
    r"moderat|content[ _-]*(?:polic|filter|violat|guideline|block)|safety|policy"
    r"|prohibited|inappropriate|nsfw",
    re.IGNORECASE,
)

_FOR_GOOD = {
    "MONTHLY_LIMIT_REACHED": "wait until the month's limit is reset, or raise it",
    "ACCOUNT_SUSPENDED": "ask Odyssey to lift the suspension of the account",
    "STREAM_DURATION_EXCEEDED": "ask for shorter clips",
}
"""What to do about the limits that no waiting of ours gets over."""


def fields_of(answer: httpx.Response) -> dict[str, Any]:
    """Returns the JSON object that was answered; raises ProviderError for none."""
    fields = _json(answer)
    if not isinstance(fields, dict):
        raise ProviderError(
            f"{NAME} answered {answer.status_code} without a JSON object; "
            "see that ODYSSEY_API_URL is right",
            retryable=True,
        )
    return cast("dict[str, Any]", fields)


def objects_in(fields: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Returns the JSON objects in a list of the answer; none if it is no list."""
    return [found for value in _list(fields.get(key)) if (found := _object(value))]


def operation_of(operation_id: str, job: dict[str, Any]) -> Operation:
    """Reads where a job stands."""
    status = _STATUSES.get(str(job.get("status")), OperationStatus.RUNNING)
    detail = _cut(str(job.get("error_message") or ""))
    if status is OperationStatus.FAILED and _REFUSAL.search(detail):
        status = OperationStatus.REFUSED
    urls = [stream.get("video_url") for stream in objects_in(job, "streams")]
    return Operation(
        operation_id=operation_id,
        status=status,
        detail=detail,
        retryable=status is OperationStatus.FAILED,
        video=next((url for url in urls if isinstance(url, str)), ""),
    )


def error_of(answer: httpx.Response) -> ProviderError:
    """Says what an answer that is no success means."""
    words = _words(answer)
    match answer.status_code:
        case 429:
            return _limit(answer, words)
        case 401:
            return ProviderError(
                f"{NAME} refused its own token: {words}; see that ODYSSEY_API_KEY "
                "has not been withdrawn"
            )
        case 403:
            return ProviderError(
                f"{NAME} does not allow this with this ODYSSEY_API_KEY: {words}",
                refused=bool(_REFUSAL.search(words)),
            )
        case status:
            retryable = status >= 500 or status == 408
    return ProviderError(
        f"{NAME} answered {answer.status_code}: {words}",
        retryable=retryable,
        retry_after=retry_after(answer.headers),
        refused=not retryable and bool(_REFUSAL.search(words)),
    )


def _limit(answer: httpx.Response, words: str) -> ProviderError:
    limit = _object(_detail(answer))
    code = str(limit.get("error"))
    if code in _FOR_GOOD:
        return ProviderError(f"{NAME}: {words}: {_FOR_GOOD[code]}")
    asked = _object(limit.get("details")).get("retry_after_seconds")
    return ProviderError(
        f"{NAME}: {words}",
        retryable=True,
        throttled=True,
        retry_after=wait_seconds(asked) or retry_after(answer.headers),
    )


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _object(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", value) if isinstance(value, list) else []


def _detail(answer: httpx.Response) -> Any:
    """The error itself: the JavaScript SDK finds it in `detail`, the Python one not."""
    error = _json(answer)
    return _object(error).get("detail", error)


def _words(answer: httpx.Response) -> str:
    """What Odyssey says for people; of a refused field not its value, maybe a key."""
    detail = _detail(answer)
    said = _object(detail)
    if isinstance(detail, str):
        words = detail
    elif said.get("message"):
        parts = (said.get(key) for key in ("message", "action", "action_url"))
        words = " ".join(str(part) for part in parts if part)
    elif fields := [_object(field) for field in _list(detail)]:
        words = "; ".join(f"{field.get('loc')}: {field.get('msg')}" for field in fields)
    else:
        words = answer.text
    return _cut(words) or answer.reason_phrase


def _cut(words: str) -> str:
    words = " ".join(words.split())
    return words if len(words) <= _LONGEST_WORDS else f"{words[:_LONGEST_WORDS]}…"
