"""The states that a call can be in, of every provider, and what a cancel leaves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.system.shop import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulators import Exchange

    Condition = Callable[[list[Exchange]], bool]

SERVER = {name: name for name in FIELDS} | {"omni": "gemini", "veo": "vertex"}
QUICK = {
    "storyboard without headers",
    "gemini image throttled",
    "get slow",
    "omni create without headers",
    "odyssey create older than its wait",
    "veo create that fails after the cancel",
    "odyssey look without headers",
    "omni clip half answered",
    "omni cancel without effect",
    "odyssey cancel too late",
}
QUEUED = {"omni": "processing", "odyssey": "pending", "veo": "processing"}
"""The phase in which a cancel stops an operation, if anything does."""
STOPPED = {"omni": "confirmed", "odyssey": "confirmed", "veo": "unsupported"}


def at_once(_seen: list[Exchange]) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A state that a call is in, and what a cancel in it leaves."""

    claim: str
    provider: str
    knobs: dict[str, Any]
    """Of its emulator; turned before the job is created."""
    reached: Condition
    """Says by the job's exchanges whether it is in the state."""
    released: dict[str, Any] = field(default_factory=dict[str, Any])
    """Knobs that are turned once the job is CANCELLED..."""
    once: Condition = at_once
    """... and this holds too."""
    caught: str = ""
    """What the call makes; empty: none is under way, or it comes to nothing."""
    end: str = ""
    """What the receipt says of that call; empty: nothing."""
    orphan: bool = False
    """Its operation is never found, and runs on."""
    aged: bool = False
    """Its id is awaited for longer already than it will be after the cancel."""

    @property
    def is_quick(self) -> bool:
        """True for one of each kind, of which the others differ by their provider."""
        return self.claim in QUICK


def hangs(purpose: str, where: str = "headers") -> Condition:
    return lambda seen: any(e.purpose == purpose and e.hanging == where for e in seen)


def waits(purpose: str) -> Condition:
    return lambda seen: any(e.purpose == purpose and e.open for e in seen)


def answered(purpose: str, status: int | None = None) -> Condition:
    return lambda seen: any(
        e.purpose == purpose and e.answered_at and status in (None, e.status)
        for e in seen
    )


def silent(
    purpose: str, delay: float = 30.0
) -> list[tuple[str, dict[str, Any], Condition]]:
    """Lists the ways in which an answer does not come, and how to know them."""
    return [
        ("without headers", {"hang": "headers"}, hangs(purpose)),
        ("half answered", {"hang": "body"}, hangs(purpose, "body")),
        ("slow", {"delay": delay}, waits(purpose)),
    ]


THROTTLE = {"throttle": 1, "retry_after": 30.0}

DROPPED = [
    Case(
        claim=f"{purpose} {way}",
        provider=provider,
        knobs={purpose: fault},
        reached=reached,
        caught=purpose if provider == "gemini" else "",
        end="unknown" if provider == "gemini" else "",
    )
    for provider, purpose in (
        ("gemini", "storyboard"),
        ("gemini", "image"),
        ("lrclib", "get"),
        ("lrclib", "search"),
    )
    for way, fault, reached in silent(purpose)
]
THROTTLED = [
    Case(
        claim=f"{provider} {purpose} throttled",
        provider=provider,
        knobs={purpose: THROTTLE},
        reached=answered(purpose, 429),
    )
    for provider, purpose in (
        ("gemini", "storyboard"),
        ("gemini", "image"),
        ("lrclib", "get"),
        ("omni", "create"),
        ("odyssey", "create"),
        ("veo", "create"),
    )
]


def clips(
    claim: str, provider: str, knobs: dict[str, Any], reached: Condition, **rest: Any
) -> Case:
    """Returns the case of an operation that does not end by itself."""
    held = {"hold": QUEUED[provider], **knobs.get("clip", {})}
    rest = {"caught": provider, "end": STOPPED[provider], **rest}
    return Case(
        claim=f"{provider} {claim}",
        provider=provider,
        knobs={**knobs, "clip": held},
        reached=reached,
        **rest,
    )


ID_COMES = [
    clips(
        f"create {way}",
        provider,
        {"create": fault},
        reached,
        released={"create": {"hang": ""}},
    )
    for provider in STOPPED
    for way, fault, reached in silent("create", 0.4)
] + [
    clips(
        "create older than its wait",
        provider,
        {"create": {"hang": "headers"}},
        hangs("create"),
        released={"create": {"hang": ""}},
        aged=True,
    )
    for provider in STOPPED
]
START_FAILS = [
    clips(
        "create that fails after the cancel",
        provider,
        {"create": {"hang": "headers", "unavailable": 1}},
        hangs("create"),
        released={"create": {"hang": ""}},
        end="",
    )
    for provider in STOPPED
]
ID_NEVER_COMES = [
    clips(
        "create without an answer",
        provider,
        {"create": {"hang": "headers"}},
        hangs("create"),
        **how,
    )
    for provider, how in (
        ("omni", {"end": "unknown", "orphan": True}),
        ("odyssey", {}),
        ("veo", {}),
    )
]
RUNNING = (
    [
        clips(
            f"look {way}",
            provider,
            {"look": fault},
            reached,
            released={"look": {"hang": ""}},
        )
        for provider in STOPPED
        for way, fault, reached in silent("look", 1.0)
    ]
    + [
        clips(f"look {way}", provider, {"look": fault}, answered("look", status))
        for provider in STOPPED
        for way, fault, status in (
            ("answered", {}, 200),
            ("throttled", THROTTLE, 429),
            ("failed", {"unavailable": 1}, 503),
        )
    ]
    + [
        clips(
            "dispatched",
            "odyssey",
            {"clip": {"hold": "dispatched"}},
            answered("look", 200),
        )
    ]
)
FETCHING = [
    Case(
        claim=f"{provider} clip {way}",
        provider=provider,
        knobs={purpose: fault},
        reached=reached,
        caught=provider,
        end=end,
    )
    for provider, purpose, end in (
        ("omni", "download", ""),
        ("odyssey", "download", ""),
        ("veo", "look", "unsupported"),
    )
    for way, fault, reached in silent(purpose)
]
RELEASED = {"released": {"clip": {"hold": ""}}, "once": answered("cancel")}
"""An operation that goes on until it is sure that the cancel does not stop it."""
BILLED = {"end": "refused", **RELEASED}
FUTILE = {"completes_anyway": True}
ANSWERS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("omni", "refused", {"cancel": "refuse"}, BILLED),
    ("omni", "not known", {"cancel": "not_found"}, {**BILLED, "end": "unsupported"}),
    ("omni", "slow to show", {"cancel_lag": 0.5}, {}),
    ("omni", "without effect", FUTILE, BILLED),
    ("omni", "before a failure", {**FUTILE, "fail": 1}, {**BILLED, "end": ""}),
    ("omni", "before a refusal", {**FUTILE, "refuse": 1}, {**BILLED, "end": ""}),
    ("odyssey", "refused", {"cancel": "refuse"}, BILLED),
    ("odyssey", "too late", {"hold": "processing"}, BILLED),
    ("odyssey", "not known", {"cancel": "not_found"}, BILLED),
    ("odyssey", "slow to show", {"cancel_lag": 0.5}, {}),
    ("odyssey", "without effect", FUTILE, BILLED),
    ("odyssey", "before a failure", {**FUTILE, "fail": 1}, {**BILLED, "end": ""}),
]
DUTIES = [
    clips(f"cancel {claim}", provider, {"clip": knobs}, answered("look"), **rest)
    for provider, claim, knobs, rest in ANSWERS
] + [
    clips(f"cancel {way}", provider, {"cancel": fault}, answered("look"), **rest)
    for provider in ("omni", "odyssey")
    for way, fault, rest in (
        ("failed", {"unavailable": 1}, {}),
        ("throttled", {"throttle": 1}, {}),
        (
            "hanging",
            {"hang": "headers"},
            {"released": {"cancel": {"hang": ""}}, "once": hangs("cancel")},
        ),
    )
]
CASES = DROPPED + THROTTLED + ID_COMES + START_FAILS + RUNNING + FETCHING + DUTIES
