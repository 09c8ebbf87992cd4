"""What every request over HTTP must pass, and what every answer carries."""

from __future__ import annotations

import hashlib
import hmac
from contextvars import ContextVar
from typing import TYPE_CHECKING

from itsdangerous import BadSignature
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette_csrf.middleware import CSRFMiddleware

from services.gateway.web.refusals import TokenMissing, refuse, speaks_json_api

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["localhost", "127.0.0.1", "[::1]"]
"""Any other Host is a name that someone points at this machine: DNS rebinding."""
COOKIE, HEADER = "csrftoken", "X-CSRFToken"
"""In both of them a write sends the token."""
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE", "QUERY"}
"""Methods that change nothing, by their definitions."""

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; "
        "connect-src 'self'; media-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_NO_TOKEN = (
    f"Send the cookie {COOKIE} of GET /api/v1/csrfToken back, and its value as "
    f"{HEADER}."
)

_token: ContextVar[str] = ContextVar("token")
"""Each request has a task, and so a context, of its own."""


def guarded(app: ASGIApp, database_url: str) -> ASGIApp:
    """Returns the app behind the checks of host and token, with safe headers."""
    # Every gateway of a deployment, restarted or not, must accept the others'
    # tokens. What they share and nobody else knows is the way to the record.
    secret = hmac.digest(database_url.encode(), b"refrain csrf", hashlib.sha256)
    guard = _TokenGuard(
        app,
        secret.hex(),
        safe_methods=SAFE_METHODS,
        cookie_name=COOKIE,
        header_name=HEADER,
        cookie_httponly=True,
        cookie_samesite="strict",
    )
    return _SafeHeaders(TrustedHostMiddleware(guard, HOSTS))


def current_token() -> str:
    """Returns the token that the request under way has, or gets with its answer."""
    return _token.get()


class _TokenGuard(CSRFMiddleware):
    """Asks every request that changes something for the token in its header."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Programs on other ports of this host set cookies of the same name; left
        # in place, one of theirs would keep the page from ever getting its own.
        token = HTTPConnection(scope).cookies.get(COOKIE, "")
        try:
            self.serializer.loads(token)
            _token.set(token)
        except BadSignature:
            _token.set(super()._generate_csrf_token())
            kept = [(k, v) for k, v in scope["headers"] if k != b"cookie"]
            scope = {**scope, "headers": kept}
        await super().__call__(scope, receive, send)

    def _generate_csrf_token(self) -> str:
        return current_token()

    def _get_error_response(self, request: Request) -> Response:
        if speaks_json_api(request):
            return refuse(TokenMissing(_NO_TOKEN))
        return JSONResponse({"success": False, "message": _NO_TOKEN}, 403)


class _SafeHeaders:
    """Adds the headers that keep a browser from doing anything else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_safe)
