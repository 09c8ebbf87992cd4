"""How messages are written: as JSON, alone or in a stream of events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import MessageToDict, MessageToJson

if TYPE_CHECKING:
    from google.protobuf.message import Message

RETRY_MS = 1000
"""Milliseconds until a browser that lost a stream asks for it again."""


def json_object(message: Message) -> dict[str, Any]:
    """Returns the message, with the fields that cannot be absent."""
    return MessageToDict(message, always_print_fields_with_no_presence=True)


def json_text(message: Message) -> str:
    """Returns json_object's as one line of text."""
    return MessageToJson(
        message, indent=None, always_print_fields_with_no_presence=True
    )
