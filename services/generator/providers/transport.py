"""What httpx does for providers: failures in our words, Retry-After, downloads."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx

from services.generator.providers.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

LARGEST_CLIP = 512 * 1024 * 1024
"""Bytes; a clip of a few seconds has some megabytes."""
LONGEST_WAIT = timedelta(hours=1)
"""A provider that asks for more is asked again after an hour."""

_TIMEOUT = httpx.Timeout(30, connect=5)
"""Seconds, also between two pieces of a download."""
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.InvalidURL,
)
_EXPIRED = frozenset({400, 401, 403, 404, 410})
"""What stores answer for a signed URL whose time has passed, or whose file is gone."""


@contextmanager
def answers_of(name: str) -> Generator[None]:
    """Raises a ProviderError that may be retried for whatever httpx raises."""
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as err:
        words = str(err) or type(err).__name__
        raise ProviderError(
            f"{name} did not answer: {words}",
            retryable=True,
            unanswered=was_sent(err),
        ) from err


def was_sent(err: Exception) -> bool:
    """False if the provider cannot have heard of a request that ended so."""
    return not isinstance(
        err,
        httpx.ConnectError
        | httpx.ConnectTimeout
        | httpx.PoolTimeout
        | httpx.InvalidURL,
    )


def wait_seconds(seconds: object) -> timedelta | None:
    """Reads a number of seconds to wait; None for what is none."""
    if not isinstance(seconds, int | float | str):
        return None
    try:
        wanted = float(seconds)
    except ValueError:
        return None
    if not wanted >= 0:
        return None
    return timedelta(seconds=min(wanted, LONGEST_WAIT.total_seconds()))


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Reads Retry-After, seconds or a date (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "")
    wait = wait_seconds(value)
    if wait is not None:
        return wait
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return wait_seconds((date - datetime.now(UTC)).total_seconds())


async def download(
    http: httpx.AsyncClient,
    name: str,
    url: str,
    path: Path,
    *,
    headers: Mapping[str, str] | None = None,
    largest: int = LARGEST_CLIP,
) -> bool:
    """Writes what is at the URL to `path`, whole or not at all.

    Returns False if nothing is there, or not any more. `headers` go to that host
    alone, and not to where it redirects. Raises ProviderError in the words of
    `name`, of which those of a file beyond `largest` bytes are not retryable.
    """
    part = path.with_name(f"{path.name}.part")
    with answers_of(name):
        async with http.stream(
            "GET",
            url,
            headers=headers,
            timeout=_TIMEOUT,
            follow_redirects=not headers,
        ) as answer:
            if answer.next_request is not None:
                moved = str(answer.next_request.url)
                return await download(http, name, moved, path, largest=largest)
            if answer.status_code in _EXPIRED:
                return False
            if answer.status_code != HTTPStatus.OK:
                raise ProviderError(
                    f"{name} answered {answer.status_code} to the download of a clip",
                    retryable=answer.is_server_error
                    or answer.status_code == HTTPStatus.TOO_MANY_REQUESTS,
                    throttled=answer.status_code == HTTPStatus.TOO_MANY_REQUESTS,
                    retry_after=retry_after(answer.headers),
                )
            try:
                await _write(name, answer, part, largest)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
    return True


async def _write(name: str, answer: httpx.Response, part: Path, largest: int) -> None:
    declared = answer.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    _refuse_too_large(name, size, largest)
    size = 0
    with part.open("wb") as file:
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
            _refuse_too_large(name, size, largest)
            file.write(chunk)
    if not size:
        raise ProviderError(f"{name} sent an empty clip", retryable=True)


def _refuse_too_large(name: str, size: int, largest: int) -> None:
    if size > largest:
        raise ProviderError(
            f"{name} sent a clip of more than {largest:,} bytes, which are too many"
        )
