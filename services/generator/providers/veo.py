"""Veo on Vertex AI: clips as operations that nobody can stop.

Google documents a cancel for other operations, and none for those of its own models.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pydantic
from google.genai import types

from refrain.estimates import estimate_veo_clip
from refrain.provider_call import FREE
from refrain.shapes import VEO_HEIGHTS, covering_height, covering_size, veo_seconds
from services.generator.providers.google import (
    inline,
    is_inline,
    nearest_aspect,
    save_inline,
)
from services.generator.providers.google_errors import (
    GoogleError,
    translated,
    unreadable,
)
from services.generator.providers.provider import (
    CancelAnswer,
    Operation,
    OperationStatus,
    ProviderError,
)
from services.generator.providers.untrusted import object_of, objects_of, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from pathlib import Path

    from google.genai.client import AsyncClient

    from services.generator.providers.provider import ClipRequest

_MAY_PASS = frozenset({8, 13, 14})
"""RESOURCE_EXHAUSTED, INTERNAL and UNAVAILABLE of google.rpc.Code."""
_REFUSAL = ("responsible ai", "support code", "usage guidelines")
"""Words of a refusal, which comes as an error of the request or of the operation."""


class VeoClips:
    """Makes clips of 4, 6 or 8 s without sound, of 720p or 1080p."""

    name = "veo"
    cancels = False

    def __init__(self, client: AsyncClient, *, model: str) -> None:
        self.model = model
        self._client = client

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """Returns width and height of the video that a frame's clip is cut from."""
        return covering_size(width, height, VEO_HEIGHTS)

    def estimate(self, request: ClipRequest) -> Decimal:
        """Returns the list price of what is asked for, in US dollars."""
        return estimate_veo_clip(
            self.model, request.width, request.height, request.duration
        )

    async def prepare(self) -> None:
        """Needs nothing."""

    async def start(self, request: ClipRequest) -> str:
        """Starts a clip and returns its operation's name. Raises ProviderError.

        A clip is no longer than 8 s, however long the request.
        """
        with request.image.open("rb") as picture:
            image = await asyncio.to_thread(picture.read)
        height = covering_height(request.width, request.height, VEO_HEIGHTS)
        try:
            async with translated():
                operation = await self._client.models.generate_videos(
                    model=self.model,
                    source=types.GenerateVideosSource(
                        prompt=request.prompt,
                        image=types.Image(image_bytes=image, mime_type="image/jpeg"),
                    ),
                    config=types.GenerateVideosConfig(
                        number_of_videos=1,
                        duration_seconds=veo_seconds(request.duration),
                        aspect_ratio=nearest_aspect(
                            request.width, request.height, ("16:9", "9:16")
                        ),
                        resolution=f"{height}p",
                        generate_audio=False,
                    ),
                )
        except GoogleError as err:
            err.refused = err.status == 400 and _is_refusal(err.words)
            raise
        if not operation.name:
            raise unreadable()
        return operation.name

    async def look(self, operation_id: str) -> Operation:
        """Says where the clip stands. Raises ProviderError.

        The answer that says that it is completed holds the whole clip.
        """
        try:
            async with translated():
                answer = await self._client.operations.get(
                    _Look.model_validate({"name": operation_id})
                )
        except GoogleError as err:
            if err.status == 404:
                return Operation(
                    operation_id=operation_id,
                    status=OperationStatus.GONE,
                    detail=err.words,
                )
            raise
        if not answer.fields:
            raise unreadable()
        return operation_of(operation_id, answer.fields)

    async def fetch(self, operation: Operation, path: Path) -> None:
        """Writes the clip of a COMPLETED operation as it came. Raises ProviderError."""
        video = str(operation.video)
        if not is_inline(video):
            raise ProviderError("Veo's operation has no clip; look for it again")
        await save_inline(video, path)

    async def cancel(self, operation_id: str) -> CancelAnswer:
        """Says that Veo cannot, without a call."""
        return CancelAnswer.UNSUPPORTED

    async def list_started(self, since: datetime) -> list[str]:
        """Returns nothing: Google has no list of these operations."""
        return []


class _Look(types.GenerateVideosOperation):
    """Keeps an answer as it is: the SDK would hold up the loop to decode the clip."""

    fields: dict[str, Any] = pydantic.Field(default_factory=dict)

    @classmethod
    def from_api_response(cls, api_response: Any, is_vertex_ai: bool = False) -> _Look:
        return cls.model_validate({"fields": object_of(api_response)})


def operation_of(operation_id: str, fields: dict[str, Any]) -> Operation:
    """Reads where the clip stands.

    Only a clip is billed, and by the list: one that was filtered out costs nothing.
    """
    if not fields.get("done"):
        return Operation(operation_id=operation_id, status=OperationStatus.RUNNING)
    if error := object_of(fields.get("error")):
        return _failed(operation_id, error)
    response = object_of(fields.get("response"))
    videos = objects_of(response.get("videos"))
    video = videos[0] if videos else {}
    if data := video.get("bytesBase64Encoded"):
        return Operation(
            operation_id=operation_id,
            status=OperationStatus.COMPLETED,
            video=inline(str(data)),
        )
    if video.get("gcsUri"):
        return Operation(
            operation_id=operation_id,
            status=OperationStatus.FAILED,
            detail="Veo left the clip in Cloud Storage, where nobody reads it; "
            "set no storage for its output",
        )
    if response.get("raiMediaFilteredCount"):
        reasons: Sequence[str] = response.get("raiMediaFilteredReasons") or ()
        return Operation(
            operation_id=operation_id,
            status=OperationStatus.REFUSED,
            price_usd=FREE,
            detail=words_of(" ".join(reasons) or "Google's filters held it back"),
        )
    return Operation(
        operation_id=operation_id,
        status=OperationStatus.FAILED,
        price_usd=FREE,
        detail="Veo ended without a clip or a reason",
        retryable=True,
    )


def _failed(operation_id: str, error: dict[str, Any]) -> Operation:
    words = words_of(error.get("message") or f"code {error.get('code')}")
    refused = _is_refusal(words)
    return Operation(
        operation_id=operation_id,
        status=OperationStatus.REFUSED if refused else OperationStatus.FAILED,
        price_usd=FREE,
        detail=words,
        retryable=not refused and error.get("code") in _MAY_PASS,
    )


def _is_refusal(words: str) -> bool:
    return any(phrase in words.lower() for phrase in _REFUSAL)
