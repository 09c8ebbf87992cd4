"""Gemini Omni: clips as interactions that run in the background, and can be stopped.

We speak to the API ourselves: the SDK builds classes anew for each interaction that it
creates, which takes the loop 17 ms, and a second to import before the first.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from refrain.estimates import estimate_omni_clip
from refrain.shapes import OMNI_HEIGHTS, covering_height, covering_size, omni_seconds
from services.generator.providers.google import (
    GEMINI_URL,
    is_inline,
    nearest_aspect,
    save_inline,
)
from services.generator.providers.google_errors import (
    GoogleError,
    answer_error,
    translated,
    unreadable,
)
from services.generator.providers.omni_answers import operation_of
from services.generator.providers.provider import (
    CancelAnswer,
    Operation,
    OperationStatus,
    ProviderError,
)
from services.generator.providers.transport import download
from services.generator.providers.untrusted import object_of

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal
    from io import BufferedReader
    from pathlib import Path

    import httpx

    from services.generator.providers.provider import ClipRequest

_RESOLUTIONS = {360: "360p", 720: "720p", 1080: "1080p", 2160: "4k"}
_TIMEOUT = 30.0
"""Seconds of a call: none of them waits for the clip."""
_REVISION = "2026-05-20"
"""Of the API, as in Google's examples."""
_ENDED, _NOT_NOW = "already", "cancel"
"""Words of a 400 to a cancel: that of an interaction that has ended, and others."""
_CONFUSED = "multiple authentication credentials"


class OmniClips:
    """Makes clips of the next resolution above the frame's, of whole seconds."""

    name = "omni"
    cancels = True

    def __init__(
        self, http: httpx.AsyncClient, *, model: str, api_key: str, base_url: str
    ) -> None:
        """`base_url` is GEMINI_URL but for an emulator or a gateway."""
        self.model = model
        self._http = http
        self._api_key = api_key
        self._base_url = base_url.rstrip("/")

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """Returns width and height of the video that a frame's clip is cut from."""
        return covering_size(width, height, OMNI_HEIGHTS)

    def estimate(self, request: ClipRequest) -> Decimal:
        """Returns the list price of what is asked for, in US dollars."""
        return estimate_omni_clip(
            self.model, request.width, request.height, request.duration
        )

    async def prepare(self) -> None:
        """Needs nothing."""

    async def start(self, request: ClipRequest) -> str:
        """Starts a clip and returns its interaction's id. Raises ProviderError.

        A clip is no longer than its model can make it, however long the request.
        """
        with request.image.open("rb") as picture:
            image = await asyncio.to_thread(_base64_of, picture)
        height = covering_height(request.width, request.height, OMNI_HEIGHTS)
        interaction = await self._ask(
            "POST",
            "",
            {
                "model": self.model,
                "background": True,
                "store": True,
                "input": [
                    {
                        "type": "user_input",
                        "content": [
                            {"type": "image", "data": image, "mime_type": "image/jpeg"},
                            {"type": "text", "text": f"<FIRST_FRAME> {request.prompt}"},
                        ],
                    }
                ],
                "response_format": {
                    "type": "video",
                    "aspect_ratio": nearest_aspect(
                        request.width, request.height, ("16:9", "9:16")
                    ),
                    "resolution": _RESOLUTIONS[height],
                    "duration": f"{omni_seconds(self.model, request.duration)}s",
                    "delivery": "uri",
                },
                "generation_config": {"video_config": {"task": "image_to_video"}},
            },
        )
        if not interaction.get("id"):
            raise unreadable()
        return str(interaction["id"])

    async def look(self, operation_id: str) -> Operation:
        """Says where the clip stands. Raises ProviderError."""
        try:
            interaction = await self._ask("GET", _path(operation_id))
        except GoogleError as err:
            if _is_gone(err):
                return Operation(
                    operation_id=operation_id,
                    status=OperationStatus.GONE,
                    detail=err.words,
                )
            raise
        if "status" not in interaction:
            raise unreadable()
        return operation_of(operation_id, interaction, self.model)

    async def fetch(self, operation: Operation, path: Path) -> None:
        """Writes the clip of a COMPLETED operation as it came. Raises ProviderError."""
        video = str(operation.video)
        if is_inline(video):
            await save_inline(video, path)
            return
        url = self._at_base_url(video)
        if not url.startswith(("https://", "http://")):
            raise ProviderError(f"Google left the clip where we cannot read it: {url}")
        ours = url.startswith(f"{self._base_url}/")
        headers = {"x-goog-api-key": self._api_key} if ours else None
        if not await download(self._http, "Google", url, path, headers=headers):
            raise ProviderError(
                "Google has no clip at its address any more; look for a new one",
                retryable=True,
            )

    async def cancel(self, operation_id: str) -> CancelAnswer:
        """Asks Google to stop. Raises ProviderError if it did not answer.

        Whatever has ended, or is not known any more, counts as accepted: a look
        says which.
        """
        try:
            await self._ask("POST", f"{_path(operation_id)}/cancel")
        except GoogleError as err:
            if err.status == 404 and "method not found" in err.words.lower():
                return CancelAnswer.UNSUPPORTED
            if _is_gone(err) or (err.status == 400 and _ENDED in err.words.lower()):
                return CancelAnswer.ACCEPTED
            if err.status == 400 and _NOT_NOW in err.words.lower():
                return CancelAnswer.REFUSED
            raise
        return CancelAnswer.ACCEPTED

    async def list_started(self, since: datetime) -> list[str]:
        """Returns nothing: Google has no list of interactions."""
        return []

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        async with translated(_TIMEOUT):
            answer = await self._http.request(
                method,
                f"{self._base_url}/v1beta/interactions{path}",
                json=body,
                headers={"x-goog-api-key": self._api_key, "Api-Revision": _REVISION},
                timeout=_TIMEOUT,
                follow_redirects=False,
            )
            if answer.is_success:
                return object_of(answer.json())
        err = answer_error(answer)
        # This 400 comes now and then while a clip is made, and means nothing.
        err.retryable |= err.status == 400 and _CONFUSED in err.words.lower()
        raise err

    def _at_base_url(self, url: str) -> str:
        """Google names its own host also to those who reach it by another."""
        if url.startswith(f"{GEMINI_URL}/"):
            return self._base_url + url.removeprefix(GEMINI_URL)
        return url


def _path(operation_id: str) -> str:
    return f"/{quote(operation_id, safe='')}"


def _base64_of(picture: BufferedReader) -> str:
    return base64.b64encode(picture.read()).decode()


def _is_gone(err: GoogleError) -> bool:
    unknown = "invalid interaction name" in err.words.lower()
    return err.status == 404 or (err.status == 400 and unknown)
