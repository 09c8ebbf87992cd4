"""Errors as answers of the JSON API, in the form of AIP-193.

RefrainError
└── HttpError             what only HTTP can ask wrongly
    ├── TokenMissing        403
    ├── PathNotFound        404
    ├── MethodNotAllowed    405  with Allow
    ├── BodyTooLarge        413
    ├── NoJson              415
    ├── RangeBeyondEnd      416  with Content-Range
    └── DeadlineExceeded    504
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from google.protobuf.json_format import MessageToDict
from starlette.responses import JSONResponse

from refrain.errors import Code, RefrainError
from services.gateway.interceptor import status_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

HTTP_STATUSES: dict[Code.ValueType, int] = {
    Code.INVALID_ARGUMENT: 400,
    Code.OUT_OF_RANGE: 400,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.FAILED_PRECONDITION: 409,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
}
"""What google.rpc.Code says of each code, but 409 and not 400 for what cannot be
done to a job as it stands."""


class HttpError(RefrainError):
    """An error that has a status of HTTP of its own."""

    http_status: ClassVar[int]
    headers: Mapping[str, str] | None = None


class TokenMissing(HttpError):
    """A write came without the token that shows that it comes from the page."""

    http_status = 403
    code = Code.PERMISSION_DENIED
    reason = "CSRF_TOKEN_MISSING"


class PathNotFound(HttpError):
    """Nothing is served under this path."""

    http_status = 404
    code = Code.NOT_FOUND
    reason = "PATH_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("There is nothing here; see /api/v1/openapi.json.")


class MethodNotAllowed(HttpError):
    """The path is served, but not by this method."""

    http_status = 405
    code = Code.UNIMPLEMENTED
    reason = "METHOD_NOT_ALLOWED"

    def __init__(self, allowed: Iterable[str]) -> None:
        methods = ", ".join(allowed)
        super().__init__(f"Use {methods} here.")
        self.headers = {"Allow": methods}


class BodyTooLarge(HttpError):
    """The body has more bytes than are read."""

    http_status = 413
    code = Code.INVALID_ARGUMENT
    reason = "BODY_TOO_LARGE"

    def __init__(self, most: int) -> None:
        super().__init__(f"Send at most {most:,} bytes.")


class NoJson(HttpError):
    """The body is of another media type."""

    http_status = 415
    code = Code.INVALID_ARGUMENT
    reason = "UNSUPPORTED_MEDIA_TYPE"

    def __init__(self) -> None:
        super().__init__("Send JSON, with Content-Type: application/json.")


class RangeBeyondEnd(HttpError):
    """The range of bytes that is asked for begins after the last one."""

    http_status = 416
    code = Code.OUT_OF_RANGE
    reason = "RANGE_BEYOND_END"

    def __init__(self, size: int) -> None:
        super().__init__(f"The file ends before this range; it has {size:,} bytes.")
        self.headers = {"Content-Range": f"bytes */{size}"}


class DeadlineExceeded(HttpError):
    """The call took longer than calls over HTTP may."""

    http_status = 504
    code = Code.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


def speaks_json_api(request: Request) -> bool:
    """True where errors have this form, and not the short one of POST /cancel/."""
    return request.url.path.startswith(("/api/", "/live/"))


def refuse(error: Exception) -> Response:
    """Returns the error as the answer of the JSON API; unforeseen ones are 500."""
    return JSONResponse(error_body(error), http_status(error), headers_of(error))


def http_status(error: Exception) -> int:
    """Returns the status of HTTP that tells of the error."""
    if isinstance(error, HttpError):
        return error.http_status
    code = error.code if isinstance(error, RefrainError) else Code.INTERNAL
    return HTTP_STATUSES[code]


def headers_of(error: Exception) -> Mapping[str, str] | None:
    """Returns the headers that go with this status."""
    return error.headers if isinstance(error, HttpError) else None


def error_body(error: Exception) -> dict[str, Any]:
    """Returns the body that tells of the error; it logs unforeseen ones."""
    status = status_of(error)
    body = {
        "code": http_status(error),
        "status": Code.Name(status.code),
        "message": status.message,
        "details": MessageToDict(status)["details"],
    }
    return {"error": body}
