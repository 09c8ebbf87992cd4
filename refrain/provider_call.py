"""Provider calls: what is asked of a provider, what it costs, and the duty to stop it.

A call is a row before it is sent. What becomes of it is one of these, and decides
what its job has cost:

    SENT       under way: neither spent nor saved
    ANSWERED   spent, at the price that the answer says; what is free is so at once
    FAILED     the provider's error: spent only what is billed all the same
    DROPPED    nobody waits for it any more; the CancelState says what that costs
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from refrain.job import Kind
    from refrain.limits import Limit

FREE = Decimal(0)


class Purpose(StrEnum):
    """What a call is to make."""

    STORYBOARD = "storyboard"
    IMAGE = "image"
    CLIP = "clip"


class CallStatus(StrEnum):
    SENT = "sent"
    ANSWERED = "answered"
    FAILED = "failed"
    DROPPED = "dropped"


class CancelState(StrEnum):
    """What became of the duty to stop a call at its provider."""

    NOT_NEEDED = "not_needed"
    """It had come to its end, or is never billed."""
    PENDING = "pending"
    """Refrain still asks, or looks."""
    CONFIRMED = "confirmed"
    """The provider stopped it: in all likelihood it is not billed."""
    REFUSED = "refused"
    """The provider would not stop it: it is billed."""
    UNSUPPORTED = "unsupported"
    """The provider has no way to stop it: it is billed."""
    UNKNOWN = "unknown"
    """The provider does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCall:
    """A call that is about to be sent."""

    provider: str
    purpose: Purpose
    model: str = ""
    estimate_usd: Decimal = FREE
    """At list prices."""
    on_stop: CancelState = CancelState.NOT_NEEDED
    """What a stop makes of it while it is under way.

    PENDING and UNSUPPORTED are calls that start an operation, which outlives them.
    """
    limit: Limit | None = None
    """Of the provider, for all processes together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """A row of `provider_calls`."""

    call_id: UUID
    job_id: UUID
    kind: Kind
    """Of the task."""
    position: int
    attempt: int
    provider: str
    purpose: Purpose
    model: str
    estimate_usd: Decimal
    price_usd: Decimal | None
    operation_id: str | None
    """What the provider calls the operation, once it is known."""
    status: CallStatus
    on_stop: CancelState
    cancel_state: CancelState
    cancel_attempts: int
    cancel_answer: str | None
    """What the provider answered when it was asked to stop; None: not yet."""
    cancel_due_at: datetime | None
    cancel_until: datetime | None
    """When Refrain gives up asking."""
    created_at: datetime
    ended_at: datetime | None
