"""How Google's APIs say no."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from starlette.responses import JSONResponse, Response

from tests.emulators.emulator import KEYS

if TYPE_CHECKING:
    from starlette.requests import Request

TYPE = "type.googleapis.com/google.rpc."


def error(
    code: int, status: str, message: str, *details: dict[str, object]
) -> JSONResponse:
    """Returns an error as google.rpc.Status has it."""
    said = {"code": code, "message": message, "status": status}
    body = {"error": {**said, "details": list(details)} if details else said}
    return JSONResponse(body, code)


def throttled(seconds: float) -> Response:
    """Returns a 429 with RetryInfo, as recorded."""
    quota = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
    return error(
        429,
        "RESOURCE_EXHAUSTED",
        "You exceeded your current quota, please check your plan.",
        {"@type": f"{TYPE}QuotaFailure", "violations": [{"quotaId": quota}]},
        {"@type": f"{TYPE}RetryInfo", "retryDelay": f"{seconds:g}s"},
    )


def failed(status: int) -> Response:
    """Returns a 503, or a 500."""
    if status == 503:
        return error(503, "UNAVAILABLE", "The model is overloaded. Try again later.")
    return error(500, "INTERNAL", "An internal error has occurred.")


def has_key(request: Request, provider: str) -> bool:
    """Says whether a request has the provider's key, or a token of anyone's."""
    key = request.headers.get("x-goog-api-key")
    bearer = request.headers.get("authorization", "").startswith("Bearer ")
    return key == KEYS[provider] or (provider == "vertex" and bearer and key is None)


def camel_cased(body: Any) -> Any:
    """Returns JSON with the names that Google documents; its own SDK mixes both."""
    if isinstance(body, list):
        return [camel_cased(each) for each in cast("list[Any]", body)]
    if not isinstance(body, dict):
        return body
    return {
        re.sub(r"_([a-z])", lambda found: found[1].upper(), name): camel_cased(value)
        for name, value in cast("dict[str, Any]", body).items()
    }


def bad_key() -> Response:
    """Returns a 400: Google does not say 401."""
    return error(
        400,
        "INVALID_ARGUMENT",
        "API key not valid. Please pass a valid API key.",
        {"@type": f"{TYPE}ErrorInfo", "reason": "API_KEY_INVALID"},
    )


def bad_argument(message: str) -> Response:
    return error(400, "INVALID_ARGUMENT", message)


def unknown_model(model: str) -> Response:
    return error(404, "NOT_FOUND", f"models/{model} is not found for this API version.")
