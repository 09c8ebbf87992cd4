"""Answers that are fixed, through a transport of httpx that sends nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping


class Canned(httpx.AsyncClient):
    """Gives every request the same answer and keeps the requests."""

    def __init__(
        self,
        answer: Any = None,
        *,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`answer` is JSON, or text, or an exception to raise."""
        super().__init__(transport=httpx.MockTransport(self._answer))
        self.requests: list[httpx.Request] = []
        self._canned = answer
        self._status = status
        self._headers = headers

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if isinstance(self._canned, Exception):
            raise self._canned
        if isinstance(self._canned, str):
            return httpx.Response(
                self._status, text=self._canned, headers=self._headers
            )
        return httpx.Response(self._status, json=self._canned, headers=self._headers)
