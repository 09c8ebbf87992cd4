"""What a provider is asked for, and what it may answer.

An adapter makes one HTTP call in each of its methods, never repeats it, and raises
ProviderError for whatever goes wrong but its own cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from refrain.provider_call import FREE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta
    from decimal import Decimal
    from pathlib import Path


class ProviderError(Exception):
    """A provider's call came to nothing.

    The message is for people and holds the provider's own words; never a key.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: timedelta | None = None,
        throttled: bool = False,
        refused: bool = False,
        unanswered: bool = False,
        price_usd: Decimal = FREE,
    ) -> None:
        """`throttled`: too many calls, which holds back everyone's.

        `refused`: the provider will not make this content; another try is the same.
        `unanswered`: it was sent, and what the provider makes of it is not known.
        `price_usd`: what is billed all the same.
        """
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
        self.throttled = throttled
        self.refused = refused
        self.unanswered = unanswered
        self.price_usd = price_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Song:
    """What a storyboard is written for."""

    title: str
    artist: str
    style: str
    segments: Sequence[Sequence[str]]
    """The lines of each segment, in the order of the song; none: instrumental."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A storyboard as it came, which may be wrong or lack segments."""

    prompts: Mapping[int, str]
    """The prompt of each segment by its position; only good ones."""
    problems: tuple[str, ...]
    """What is wrong with it, in words for the model and for people."""
    price_usd: Decimal


class StoryboardProvider(Protocol):
    """Writes the prompt of every segment, in one style."""

    name: str
    model: str

    def estimate(self, song: Song) -> Decimal:
        """Returns what a call will cost, in US dollars."""
        ...

    async def write(self, song: Song, wrong: Draft | None = None) -> Draft:
        """Writes it, or repairs a draft with problems. Raises ProviderError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """The picture that a clip starts from."""

    prompt: str
    style: str
    song_seed: int
    """The same for all pictures of a song."""
    seed: int
    width: int
    """Of the frame, in pixels; a provider comes as near as it can."""
    height: int


class ImageProvider(Protocol):
    """Makes a picture while one waits."""

    name: str
    model: str

    def estimate(self, request: ImageRequest) -> Decimal:
        """Returns what a call will cost, in US dollars."""
        ...

    async def paint(self, request: ImageRequest, path: Path) -> Decimal:
        """Writes the picture as it came and returns its price.

        Raises ProviderError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipRequest:
    """A picture to set in motion."""

    prompt: str
    image: Path
    """A JPEG of exactly `width` x `height`, the provider's `picture_size`."""
    width: int
    height: int
    duration: timedelta
    """What the clip must fill; a provider may make it longer."""


class OperationStatus(StrEnum):
    """Where an operation stands at its provider."""

    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    REFUSED = "refused"
    """Ended without a clip, because of what was asked for."""
    GONE = "gone"
    """The provider does not know it, or not any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A clip in the making, as its provider last said."""

    operation_id: str
    status: OperationStatus
    price_usd: Decimal | None = None
    """What is billed, if the answer says so; else the list price applies."""
    detail: str = ""
    """The provider's words for what went wrong."""
    retryable: bool = False
    """Of a FAILED one: another operation may succeed."""
    video: str | bytes = b""
    """Of a COMPLETED one: where the clip is, or the clip."""


class CancelAnswer(StrEnum):
    """What a provider says when it is asked to stop."""

    ACCEPTED = "accepted"
    """It stops, or has ended by itself: look which."""
    REFUSED = "refused"
    """It goes on, or has ended: look which."""
    UNSUPPORTED = "unsupported"
    """It cannot stop this."""


class ClipProvider(Protocol):
    """Makes clips as operations that outlive a call, and a process of ours."""

    name: str
    model: str
    cancels: bool
    """False if the provider has no way to stop an operation."""

    def picture_size(self, width: int, height: int) -> tuple[int, int]:
        """Returns what picture a frame's clip starts from, width and height."""
        ...

    def estimate(self, request: ClipRequest) -> Decimal:
        """Returns what an operation will cost, in US dollars."""
        ...

    async def prepare(self) -> None:
        """Gets what a start needs beforehand, such as a token. Raises ProviderError."""
        ...

    async def start(self, request: ClipRequest) -> str:
        """Starts an operation and returns its id. Raises ProviderError.

        Opens the picture before it first waits for anything: whoever asked may
        leave, and delete it, while the id is awaited.
        """
        ...

    async def look(self, operation_id: str) -> Operation:
        """Says where the operation stands. Raises ProviderError."""
        ...

    async def fetch(self, operation: Operation, path: Path) -> None:
        """Writes the clip of a COMPLETED operation. Raises ProviderError."""
        ...

    async def cancel(self, operation_id: str) -> CancelAnswer:
        """Asks the provider to stop. Raises ProviderError if it did not answer."""
        ...

    async def list_started(self, since: datetime) -> list[str]:
        """Returns the ids of operations started since then and not yet ended.

        Empty where the provider cannot list them. Raises ProviderError.
        """
        ...
