"""Omni's adapter, what it is asked, and what Google answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.generator.providers.google import GEMINI_URL
from services.generator.providers.omni import OmniClips
from services.generator.providers.provider import Operation, OperationStatus
from tests.emulators import KEYS, Emulators
from tests.generator.providers.canned import Canned

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

MODEL = "gemini-omni-1.1-flash"
KEY = KEYS["gemini"]


def adapter(
    http: httpx.AsyncClient, url: str = GEMINI_URL, model: str = MODEL
) -> OmniClips:
    return OmniClips(http, model=model, api_key=KEY, base_url=url)


async def ended(omni: OmniClips, emulators: Emulators, operation_id: str) -> Operation:
    async def look() -> Operation | None:
        operation = await omni.look(operation_id)
        return None if operation.status is OperationStatus.RUNNING else operation

    operation = await emulators.until(look)
    assert operation is not None
    return operation


async def look(answer: object, status: int = 200) -> Operation:
    async with Canned(answer, status=status) as http:
        return await adapter(http).look("v1_ABC")


def output_of(*contents: Mapping[str, object], **rest: object) -> dict[str, object]:
    step = {"type": "model_output", "content": list(contents)}
    return {"status": "completed", "steps": [{"type": "thought"}, step], **rest}
