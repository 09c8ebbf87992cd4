"""What an interaction with Gemini Omni says of its clip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refrain.prices import omni_usage_price
from refrain.provider_call import FREE
from services.generator.providers.google import inline
from services.generator.providers.provider import Operation, OperationStatus
from services.generator.providers.untrusted import object_of, objects_of, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

_ENDS = {
    "completed": OperationStatus.COMPLETED,
    "cancelled": OperationStatus.CANCELLED,
    "failed": OperationStatus.FAILED,
    "incomplete": OperationStatus.FAILED,
    "budget_exceeded": OperationStatus.FAILED,
    "requires_action": OperationStatus.FAILED,
}
"""Any other status, such as queued or one that is new, is not an end."""

_FOR_GOOD = frozenset({"budget_exceeded", "requires_action"})
_OWN_FAULT = frozenset({"invalid_request", "INVALID_ARGUMENT", "3", "7", "9"})
"""Codes of an error that the same request would get again."""


def operation_of(operation_id: str, fields: dict[str, Any], model: str) -> Operation:
    """Reads where the clip stands.

    A refusal comes as completed, with text and no clip. What is billed follows from
    the usage; without it, only what completed is billed.
    """
    name = str(fields.get("status"))
    status = _ENDS.get(name, OperationStatus.RUNNING)
    video = _video(fields)
    errors = list(_errors(fields))
    words = "; ".join(str(error.get("message") or "") for error in errors)
    retryable = name not in _FOR_GOOD and not any(
        str(error.get("code")) in _OWN_FAULT for error in errors
    )
    if status is OperationStatus.COMPLETED and not video:
        status, words, retryable = _without_clip(fields)
    failed = status is OperationStatus.FAILED
    return Operation(
        operation_id=operation_id,
        status=status,
        price_usd=_price(fields, model, status),
        detail=words_of(words or (name if failed else "")),
        retryable=failed and retryable,
        video=video if status is OperationStatus.COMPLETED else "",
    )


def _without_clip(fields: dict[str, Any]) -> tuple[OperationStatus, str, bool]:
    if _video_tokens(fields):
        words = "Google billed a clip that is not in its answer"
        return OperationStatus.FAILED, words, False
    if text := _text(fields):
        return OperationStatus.REFUSED, text, False
    return OperationStatus.FAILED, "Google's answer has neither clip nor words", True


def _price(
    fields: dict[str, Any], model: str, status: OperationStatus
) -> Decimal | None:
    """None, which means the list price, for a clip whose tokens are not told."""
    if status is OperationStatus.RUNNING:
        return None
    usage, video = object_of(fields.get("usage")), _video_tokens(fields)
    if status is OperationStatus.COMPLETED and not video:
        return None
    if not usage:
        return FREE
    written = _count(usage, "total_output_tokens") - video
    return omni_usage_price(
        model,
        input_tokens=_count(usage, "total_input_tokens"),
        video_tokens=video,
        text_tokens=max(0, written) + _count(usage, "total_thought_tokens"),
    )


def _video_tokens(fields: dict[str, Any]) -> int:
    usage = object_of(fields.get("usage"))
    return sum(
        _count(modality, "tokens")
        for modality in objects_of(usage.get("output_tokens_by_modality"))
        if modality.get("modality") == "video"
    )


def _video(fields: dict[str, Any]) -> str:
    """The address of the clip; of one in the answer, an address that holds it."""
    for content in _contents(fields):
        if content.get("type") == "video":
            if uri := content.get("uri"):
                return str(uri)
            if data := content.get("data"):
                return inline(str(data))
    return ""


def _text(fields: dict[str, Any]) -> str:
    texts = (
        str(content.get("text") or "")
        for content in _contents(fields)
        if content.get("type") == "text"
    )
    return " ".join(texts).strip()


def _contents(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for step in objects_of(fields.get("steps")):
        if step.get("type") == "model_output":
            yield from objects_of(step.get("content"))


def _errors(fields: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from objects_of(fields.get("errors"))
    for error in (fields, *objects_of(fields.get("steps"))):
        if found := object_of(error.get("error")):
            yield found


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) else 0
