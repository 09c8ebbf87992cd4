"""The token that Odyssey wants with each call, and gives for the API key."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from services.generator.providers.odyssey_answers import NAME, error_of, fields_of
from services.generator.providers.provider import ProviderError
from services.generator.providers.transport import answers_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

EARLY = 60.0
"""Seconds before its end at which a token is not used any more, as in the SDKs."""
TIMEOUT = 10.0
"""Seconds that a call waits for a token, the requests of others before it included."""


class OdysseyToken:
    """Asks for a token when one is needed, once for all who wait for it."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        base_url: str,
        api_key: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = http
        self._url = f"{base_url}/auth/token"
        self._api_key = api_key
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._good_until = 0.0

    async def get(self) -> str:
        """Returns a token that is good for a call. Raises ProviderError."""
        if self._good:
            return self._token
        return await self.renew(self._token)

    async def renew(self, refused: str) -> str:
        """Returns another token than the refused one. Raises ProviderError.

        Of all who call it at once only one asks; if that one is cancelled, the next.
        """
        try:
            async with asyncio.timeout(TIMEOUT), self._lock:
                if self._token == refused or not self._good:
                    await self._ask()
                return self._token
        except TimeoutError as err:
            raise ProviderError(
                f"{NAME} gave no token within {TIMEOUT:.0f} s", retryable=True
            ) from err

    @property
    def _good(self) -> bool:
        return self._clock() < self._good_until

    async def _ask(self) -> None:
        asked = self._clock()
        with answers_of(NAME):
            answer = await self._http.post(
                self._url, json={"api_key": self._api_key}, timeout=TIMEOUT
            )
        if answer.status_code in {401, 422}:
            raise ProviderError(
                f"{NAME} does not know this API key: set ODYSSEY_API_KEY to a good one"
            )
        if not answer.is_success:
            raise error_of(answer)
        fields = fields_of(answer)
        token, lasts = fields.get("access_token"), fields.get("expires_in")
        if not isinstance(token, str) or not isinstance(lasts, int | float):
            raise ProviderError(f"{NAME} sent no token", retryable=True)
        self._token, self._good_until = token, asked + lasts - EARLY
