"""What every request over HTTP must pass, and what every answer carries."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from itsdangerous import BadSignature
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette_csrf.middleware import CSRFMiddleware

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ["localhost", "127.0.0.1", "[::1]"]
"""Any other Host is a name that someone points at this machine: DNS rebinding."""
COOKIE = "csrftoken"

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
_NO_TOKEN = f"Send the cookie {COOKIE} of GET / back, and its value as X-CSRFToken."


def guarded(app: ASGIApp, database_url: str) -> ASGIApp:
    """Returns the app behind the checks of host and token, with safe headers."""
    # Every gateway of a deployment, restarted or not, must accept the others'
    # tokens. What they share and nobody else knows is the way to the record.
    secret = hmac.digest(database_url.encode(), b"refrain csrf", hashlib.sha256)
    guard = _TokenGuard(app, secret.hex(), cookie_samesite="strict")
    return _SafeHeaders(TrustedHostMiddleware(guard, HOSTS))


class _TokenGuard(CSRFMiddleware):
    """Asks every request that changes something for the token in its header."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Programs on other ports of this host set cookies of the same name; left
        # in place, one of theirs would keep the page from ever getting its own.
        token = HTTPConnection(scope).cookies.get(COOKIE, "")
        try:
            self.serializer.loads(token)
        except BadSignature:
            kept = [(k, v) for k, v in scope["headers"] if k != b"cookie"]
            scope = {**scope, "headers": kept}
        await super().__call__(scope, receive, send)

    def _get_error_response(self, request: Request) -> Response:
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
