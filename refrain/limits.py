"""Limits of a provider's calls: how many at once, and how many a minute.

The rate is kept by the generic cell rate algorithm as virtual scheduling (ITU-T
I.371, annex A), whose one instant serves all processes: when the next call would be
due if calls came evenly. A call may start ahead of it by a tolerance, in which the
calls that may be under way at once start together.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_MINUTE_MICROSECONDS = 60_000_000
_LONGEST_BURST = timedelta(seconds=20)
"""Calls start together that would have come evenly over this; more are refused."""
_ENDS_SOON = timedelta(milliseconds=250)
"""When to look again for an end among the calls under way, which nobody can foresee."""
_AT_ONCE = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Of the calls of one provider by all processes together; both at least 1."""

    concurrent: int
    per_minute: int
    """In the long run. Any one minute may have up to `burst` - 1 more."""

    @property
    def interval(self) -> timedelta:
        """The time from call to call when they come evenly, rounded up."""
        return timedelta(microseconds=-(-_MINUTE_MICROSECONDS // self.per_minute))

    @property
    def burst(self) -> int:
        """Calls that may start together after a quiet time."""
        return min(self.concurrent, _LONGEST_BURST // self.interval + 1)

    @property
    def tolerance(self) -> timedelta:
        """How far ahead of its turn a call may start."""
        return (self.burst - 1) * self.interval


DEFAULT_LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        # Images take some 10 s, so that 16 at once make about 100 of the 300 a minute
        # that the lowest paid tier has for its fast models; the rest is for others.
        "gemini": Limit(concurrent=16, per_minute=300),
        # No number is published for Omni; a clip takes a minute, so that 8 at once
        # fill a song in a few, and a stop leaves 8 to cancel.
        "omni": Limit(concurrent=8, per_minute=60),
        # Five streams at once in the plan without a price; its queue takes ten.
        "odyssey": Limit(concurrent=5, per_minute=30),
        # Vertex counts long operations by the minute and region; its older quotas
        # were 10, and no operation can be stopped, so few are better than fast.
        "veo": Limit(concurrent=4, per_minute=10),
    }
)
"""By provider; what an account is allowed may be more or less."""


def parse_limits(text: str) -> Mapping[str, Limit]:
    """Reads `gemini=16,300 omni=8,60`: calls at once, then calls a minute.

    Providers that are not named keep their defaults. Raises ValueError with words
    for whoever wrote the text.
    """
    limits: dict[str, Limit] = {}
    for entry in text.split():
        name, _, numbers = entry.partition("=")
        if name not in DEFAULT_LIMITS:
            known = ", ".join(DEFAULT_LIMITS)
            raise ValueError(f"{entry!r} names no provider with a limit: {known}")
        if name in limits:
            raise ValueError(f"{name} has two limits; give it one")
        limits[name] = _limit(entry, numbers)
    return MappingProxyType({**DEFAULT_LIMITS, **limits})


def _limit(entry: str, numbers: str) -> Limit:
    parts = numbers.split(",")
    if len(parts) != 2 or not all(_counts(part) for part in parts):
        raise ValueError(
            f"{entry!r} is not <provider>=<calls at once>,<calls a minute>, "
            "whole numbers from 1 to 99999, without spaces: gemini=16,300"
        )
    return Limit(concurrent=int(parts[0]), per_minute=int(parts[1]))


def _counts(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) > 0


def wait_before_call(
    limit: Limit,
    *,
    now: datetime,
    next_call_at: datetime,
    held_until: datetime,
    calls_under_way: int,
) -> timedelta:
    """Returns how long a call must wait, or zero: it may start.

    After a wait the answer may be another wait, since others start calls meanwhile.
    `next_call_at` is what `next_call_after` gave for the last call that started, or
    any time that is past; until `held_until` the provider takes no calls.
    """
    turn = max(next_call_at - now - limit.tolerance, held_until - now, _AT_ONCE)
    if calls_under_way >= limit.concurrent:
        return max(turn, _ENDS_SOON)
    return turn


def next_call_after(limit: Limit, *, now: datetime, next_call_at: datetime) -> datetime:
    """Returns the next `next_call_at`, once a call has started at `now`."""
    return max(now, next_call_at) + limit.interval
