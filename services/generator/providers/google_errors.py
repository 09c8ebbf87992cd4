"""The failures of Google's APIs, in our words.

Those of google-genai, of httpx beneath it and of google-auth become one here.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

import httpx
import pydantic
from google.auth.exceptions import GoogleAuthError, TransportError
from google.genai import errors

from services.generator.providers.provider import ProviderError
from services.generator.providers.transport import retry_after, wait_seconds
from services.generator.providers.untrusted import object_of, objects_of, words_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from datetime import timedelta

TIMEOUT = 120.0
"""Seconds of a call. A picture takes up to one minute; after two none will come."""

_SECRET = re.compile(
    r"AIza[\w-]{10,}|AQ\.[\w-]{10,}|ya29\.[\w.-]+"
    r"|(?<=api_key:)[^\s'\"]+|(?<=key=)[^\s'\"&]+|(?<=Bearer )\S+"
)
"""Keys and tokens: Google names the key in some refusals."""
_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_UNREADABLE = (
    errors.UnknownApiResponseError,
    pydantic.ValidationError,
    json.JSONDecodeError,
    UnicodeDecodeError,
)
_ADVICE = {
    400: "Google does not accept the request",
    401: "Google does not accept the credentials; give others",
    403: "Google denies access; enable the API and billing for the key's project",
    404: "Google does not know this; the model's name may be wrong or retired",
}


class GoogleError(ProviderError):
    """A failure, with what Google answered."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        words: str = "",
        retryable: bool = False,
        retry_after: timedelta | None = None,
        throttled: bool = False,
        unanswered: bool = False,
    ) -> None:
        """`status` is that of HTTP; None: no answer came. `words` are Google's own."""
        super().__init__(
            message,
            retryable=retryable,
            retry_after=retry_after,
            throttled=throttled,
            unanswered=unanswered,
        )
        self.status = status
        self.words = words


@asynccontextmanager
async def translated(seconds: float = TIMEOUT) -> AsyncGenerator[None]:
    """Raises a GoogleError for what a call raises, and if it takes longer than that.

    httpx counts its timeout anew with every piece of an answer; this counts the whole.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except Exception as err:
        error = provider_error(err)
        if error is None:
            raise
        # The SDK's own text may name the key.
        raise error from None


def provider_error(err: Exception) -> GoogleError | None:
    """Says what an exception of a call means; None for one that is not Google's."""
    match err:
        case ProviderError():
            return None
        case errors.APIError():
            failed = cast("Any", err)
            return _answered(err.code, failed.details, failed.response.headers)
        case httpx.HTTPError() | httpx.InvalidURL() | TimeoutError():
            return _unanswered(err)
        case GoogleAuthError():
            return _unauthorised(err)
        case _ if isinstance(err, _UNREADABLE):
            return unreadable()
        case _:
            return None


def answer_error(answer: httpx.Response) -> GoogleError:
    """Says what an answer that is no success means."""
    try:
        body = answer.json()
    except ValueError:
        body = answer.text
    return _answered(answer.status_code, body, answer.headers)


def unreadable() -> GoogleError:
    """Returns the failure of an answer that Google itself would not give."""
    return GoogleError(
        "Google's answer is not what its API answers; see that the base URL is right",
        retryable=True,
        unanswered=True,
    )


def _answered(status: int, body: Any, headers: Mapping[str, str]) -> GoogleError:
    if status < 400:
        return unreadable()
    error = _error_in(body)
    said = error.get("message") or (body if isinstance(body, str) else "")
    words = words_of(_SECRET.sub("…", str(said)))
    details = objects_of(error.get("details"))
    throttled = status == 429
    advice = _ADVICE.get(status, f"Google answered {status}")
    if throttled:
        advice = "Google is called too often, or its quota is used up"
    elif "API_KEY_INVALID" in (detail.get("reason") for detail in details):
        advice = "Google does not know the API key; set a valid one"
    return GoogleError(
        f"{advice}: {words}" if words else advice,
        status=status,
        words=words,
        retryable=throttled or status in (408, 409) or status >= 500,
        throttled=throttled,
        retry_after=_retry_delay(details) or retry_after(headers),
    )


def _unanswered(err: Exception) -> GoogleError:
    words = words_of(_SECRET.sub("…", str(err))) or type(err).__name__
    return GoogleError(
        f"Google did not answer: {words}",
        retryable=True,
        unanswered=not isinstance(err, _NEVER_SENT),
    )


def _unauthorised(err: GoogleAuthError) -> GoogleError:
    words = words_of(_SECRET.sub("…", str(err)))
    return GoogleError(
        "Google's credentials cannot be used; give an express API key, or set up "
        f"application default credentials: {words}",
        retryable=bool(cast("Any", err).retryable) or isinstance(err, TransportError),
    )


def _error_in(body: object) -> dict[str, Any]:
    """The error of a body, which may stand alone in an array."""
    fields = object_of(body)
    for only in objects_of(body):
        fields = only
    return object_of(fields.get("error")) or fields


def _retry_delay(details: Sequence[Mapping[str, Any]]) -> timedelta | None:
    """Reads google.rpc.RetryInfo, whose delay is a Duration such as "34.4s"."""
    for detail in details:
        if str(detail.get("@type")).endswith("google.rpc.RetryInfo"):
            return wait_seconds(str(detail.get("retryDelay")).removesuffix("s"))
    return None
