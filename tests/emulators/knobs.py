"""What a test turns to make a provider misbehave, each a thing that real ones do.

Plain attributes, set at any time and from any thread. A count says how many of the
next requests meet it and goes down as they do; everything else holds while it is set.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Waiter = tuple[asyncio.AbstractEventLoop, asyncio.Event]

ALWAYS = 10**9
"""A count that never runs out."""


@dataclass
class Knobs:
    """Knobs of one kind, which wake the requests that wait for one to be turned."""

    _waiting: set[Waiter] = field(default_factory=set[Any], init=False, repr=False)

    def __setattr__(self, name: str, value: object) -> None:
        if name not in {field.name for field in fields(self)}:
            raise AttributeError(f"{type(self).__name__} has no knob {name!r}")
        super().__setattr__(name, value)
        for loop, turned in tuple(self.__dict__.get("_waiting", ())):
            loop.call_soon_threadsafe(turned.set)

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Returns once the condition holds; it is looked at when a knob turns."""
        turned = asyncio.Event()
        waiter = (asyncio.get_running_loop(), turned)
        self._waiting.add(waiter)
        try:
            while not condition():
                await turned.wait()
                turned.clear()
        finally:
            self._waiting.discard(waiter)

    def take(self, count: str) -> bool:
        """Uses up one of a count; False if none is left."""
        left: int = getattr(self, count)
        if left > 0:
            setattr(self, count, left - 1)
        return left > 0

    def turn(self, values: Mapping[str, Any]) -> None:
        """Sets knobs by name, those of a purpose in a mapping of their own.

        Raises AttributeError for a name that there is not.
        """
        for name, value in values.items():
            knob = getattr(self, name)
            if isinstance(knob, Knobs):
                knob.turn(value)
            else:
                setattr(self, name, Decimal(value) if type(knob) is Decimal else value)


@dataclass
class Faults(Knobs):
    """What the requests of one purpose meet."""

    throttle: int = 0
    """How many are answered 429."""
    retry_after: float = 1.0
    """Seconds to wait that a 429 names."""
    unavailable: int = 0
    """How many are answered 503."""
    broken: int = 0
    """How many are answered 500."""
    delay: float = 0.0
    """Seconds before the headers."""
    hang: Literal["", "headers", "body"] = ""
    """Nothing is sent, or the headers and half of the body; the call takes effect."""


@dataclass
class ClipKnobs(Knobs):
    """How operations go that make a clip."""

    pending: float = 0.0
    """Seconds."""
    dispatched: float = 0.0
    """Seconds; Odyssey only."""
    processing: float = 0.05
    """Seconds."""
    hold: Literal["", "pending", "dispatched", "processing", "cancelling"] = ""
    """The phase that no operation leaves while this is set."""
    fail: int = 0
    """How many of the next ones started end failed."""
    refuse: int = 0
    """How many of the next ones started are refused for their content."""
    cancel: Literal["accept", "refuse", "not_found"] = "accept"
    """What a request to cancel is answered."""
    cancel_lag: float = 0.0
    """Seconds until an accepted cancel shows."""
    completes_anyway: bool = False
    """An accepted cancel changes nothing: the clip is made, and billed."""
    released_at: float = 0.0
    """When `hold` was last set, by time.monotonic()."""

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "hold":
            super().__setattr__("released_at", time.monotonic())


@dataclass
class GeminiKnobs(Knobs):
    """Of Gemini: its text, its images and Omni's clips."""

    storyboard: Faults = field(default_factory=Faults)
    image: Faults = field(default_factory=Faults)
    create: Faults = field(default_factory=Faults)
    look: Faults = field(default_factory=Faults)
    cancel: Faults = field(default_factory=Faults)
    delete: Faults = field(default_factory=Faults)
    download: Faults = field(default_factory=Faults)
    clip: ClipKnobs = field(default_factory=ClipKnobs)
    bad_storyboards: int = 0
    """How many storyboards break off in the middle of their JSON."""
    partial_storyboards: int = 0
    """How many storyboards lack every second segment, from the second on."""
    refused_images: int = 0
    image_refusal: Literal["PROHIBITED_CONTENT", "NO_IMAGE", "IMAGE_SAFETY"] = (
        "NO_IMAGE"
    )
    """The first blocks the prompt, the others leave the answer without an image."""
    image_bytes: int = 330_000
    """Of a picture's file, at the least."""
    signature_bytes: int = 448_000
    """Of the thought signature beside a picture, which makes the body about 1 MB."""
    confused_looks: int = 0
    """How many looks are answered 400, "Multiple authentication credentials"."""
    frame_rate: int = 24
    audio: bool = True


@dataclass
class VertexKnobs(Knobs):
    """Of Veo on Vertex."""

    create: Faults = field(default_factory=Faults)
    look: Faults = field(default_factory=Faults)
    clip: ClipKnobs = field(default_factory=ClipKnobs)
    frame_rate: int = 24


@dataclass
class OdysseyKnobs(Knobs):
    """Of Odyssey."""

    token: Faults = field(default_factory=Faults)
    create: Faults = field(default_factory=Faults)
    look: Faults = field(default_factory=Faults)
    list: Faults = field(default_factory=Faults)
    cancel: Faults = field(default_factory=Faults)
    recording: Faults = field(default_factory=Faults)
    download: Faults = field(default_factory=Faults)
    clip: ClipKnobs = field(default_factory=ClipKnobs)
    frame_rate: int = 24
    audio: bool = False
    usd_per_second: Decimal = Decimal("0.05")
    """There is no public price; this one is the emulator's own."""
    token_seconds: float = 3600.0
    """How long a token is good for."""
    revoked_tokens: int = 0
    """How many requests are told that their good token is not."""
    url_seconds: float = 3600.0
    """How long a presigned address is good for."""
    expired_downloads: int = 0
    """How many downloads find their presigned address expired."""
    active_limit: int = ALWAYS
    """Jobs in the queue above which another one is answered 429."""


@dataclass
class LrclibKnobs(Knobs):
    """Of LRCLIB."""

    get: Faults = field(default_factory=Faults)
    search: Faults = field(default_factory=Faults)
