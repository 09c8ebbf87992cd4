"""Pages of a list: how much one holds, and the token of what follows it."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from refrain.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

    from refrain.v1.job_pb2 import JobEvent

MAX_PAGE = 1000
MAX_BYTES = 2 * 1024 * 1024
"""Half of what a client of gRPC takes in one message, unless it is told otherwise."""

AnyMessage = TypeVar("AnyMessage", bound="Message")


def read_page_size(page_size: int, default: int) -> int:
    """Raises InvalidRequest for a size beyond what a page may have."""
    if not 0 <= page_size <= MAX_PAGE:
        raise InvalidRequest({"page_size": f"must be from 0 to {MAX_PAGE:,}"})
    return page_size or default


def cut_page(
    found: Iterable[AnyMessage], page_size: int
) -> tuple[list[AnyMessage], bool]:
    """Returns what goes on the page, and whether something found does not."""
    page: list[AnyMessage] = []
    size = 0
    for message in found:
        size += message.ByteSize()
        if len(page) == page_size or (page and size > MAX_BYTES):
            return page, True
        page.append(message)
    return page, False


def token_after_job(job_id: UUID) -> str:
    """Returns the token of the jobs that follow."""
    return base64.urlsafe_b64encode(job_id.bytes).decode().rstrip("=")


def read_job_token(token: str) -> UUID | None:
    """Returns the id of the last job of the page before; None for the first page."""
    if not token:
        return None
    try:
        return UUID(bytes=base64.urlsafe_b64decode(token + "=="))
    except (ValueError, binascii.Error) as err:
        raise _unknown_token() from err


def token_after_event(event: JobEvent) -> str:
    """Returns the token of the events that follow."""
    return str(event.sequence)


def read_event_token(token: str) -> int:
    """Returns the sequence of the last event of the page before; 0 at first."""
    if len(token) > 18 or not (token or "0").isdecimal():
        raise _unknown_token()
    return int(token or 0)


def _unknown_token() -> InvalidRequest:
    why = "is unknown; pass the next_page_token of the page before, or none"
    return InvalidRequest({"page_token": why})
