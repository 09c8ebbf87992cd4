"""Limits: how many calls at once, how many a minute, and how they are written."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refrain.limits import (
    DEFAULT_LIMITS,
    Limit,
    next_call_after,
    parse_limits,
    wait_before_call,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LONG_AGO = datetime.min.replace(tzinfo=UTC)
NONE = timedelta()
MINUTE = timedelta(minutes=1)
GEMINI = DEFAULT_LIMITS["gemini"]

limits = st.builds(
    Limit,
    concurrent=st.integers(min_value=1, max_value=40),
    per_minute=st.integers(min_value=1, max_value=60),
)
callers = st.lists(
    st.tuples(
        st.timedeltas(min_value=NONE, max_value=timedelta(seconds=3)),
        st.timedeltas(min_value=timedelta(milliseconds=1), max_value=MINUTE),
    ),
    min_size=1,
    max_size=80,
)
"""Of each caller, the time since the one before it and how long its call takes."""


def starts_of(
    limit: Limit,
    demand: Sequence[tuple[timedelta, timedelta]],
    held_until: datetime = LONG_AGO,
) -> list[tuple[datetime, datetime]]:
    """When the calls start and end if each waits as often as it is told to."""
    clock, arrival, next_call_at = NOON, NOON, LONG_AGO
    calls: list[tuple[datetime, datetime]] = []
    for since_last, duration in demand:
        arrival += since_last
        clock = max(clock, arrival)
        while wait := wait_before_call(
            limit,
            now=clock,
            next_call_at=next_call_at,
            held_until=held_until,
            calls_under_way=sum(end > clock for _, end in calls),
        ):
            clock += wait
        next_call_at = next_call_after(limit, now=clock, next_call_at=next_call_at)
        calls.append((clock, clock + duration))
    return calls


def wait(limit: Limit, *, calls_under_way: int = 0, held: float = 0) -> timedelta:
    return wait_before_call(
        limit,
        now=NOON,
        next_call_at=LONG_AGO,
        held_until=NOON + timedelta(seconds=held),
        calls_under_way=calls_under_way,
    )


@settings(deadline=None)
@given(limits, callers)
def test_no_minute_has_more_starts_than_its_limit_and_a_burst(
    limit: Limit, demand: list[tuple[timedelta, timedelta]]
) -> None:
    starts = [start for start, _ in starts_of(limit, demand)]
    for first in starts:
        within = sum(first <= start < first + MINUTE for start in starts)
        assert within < limit.per_minute + limit.burst


@settings(deadline=None)
@given(limits, callers)
def test_never_are_more_calls_under_way_than_the_limit(
    limit: Limit, demand: list[tuple[timedelta, timedelta]]
) -> None:
    calls = starts_of(limit, demand)
    for start, _ in calls:
        assert sum(s <= start < end for s, end in calls) <= limit.concurrent


@settings(deadline=None)
@given(limits, st.integers(min_value=0, max_value=90))
def test_no_call_starts_while_the_provider_holds(limit: Limit, seconds: int) -> None:
    held_until = NOON + timedelta(seconds=seconds)
    for start, _ in starts_of(limit, [(NONE, MINUTE)] * 3, held_until):
        assert start >= held_until


@settings(deadline=None)
@given(limits)
def test_after_a_quiet_time_a_burst_starts_at_once_and_no_more(limit: Limit) -> None:
    moment = timedelta(microseconds=1)
    roomy = Limit(concurrent=10_000, per_minute=limit.per_minute)
    starts = [start for start, _ in starts_of(roomy, [(NONE, moment)] * 130)]
    assert Counter(starts)[NOON] == min(roomy.burst, 130)


@pytest.mark.parametrize("limit", DEFAULT_LIMITS.values(), ids=DEFAULT_LIMITS)
def test_all_calls_that_may_be_under_way_may_start_at_once(limit: Limit) -> None:
    starts = [start for start, _ in starts_of(limit, [(NONE, MINUTE)] * 20)]
    assert Counter(starts)[NOON] == limit.concurrent


def test_in_the_long_run_calls_come_as_fast_as_the_limit_says() -> None:
    limit = Limit(concurrent=5, per_minute=30)
    starts = [start for start, _ in starts_of(limit, [(NONE, MINUTE / 60)] * 125)]
    assert starts[-1] - NOON == 4 * MINUTE


def test_a_wait_ends_when_the_turn_comes() -> None:
    limit = Limit(concurrent=1, per_minute=60)
    due = next_call_after(limit, now=NOON, next_call_at=LONG_AGO)
    assert due == NOON + timedelta(seconds=1)
    left = wait_before_call(
        limit,
        now=NOON + timedelta(seconds=0.25),
        next_call_at=due,
        held_until=LONG_AGO,
        calls_under_way=0,
    )
    assert left == timedelta(seconds=0.75)


def test_a_full_provider_makes_a_call_wait_though_its_turn_has_come() -> None:
    assert wait(GEMINI, calls_under_way=GEMINI.concurrent - 1) == NONE
    assert wait(GEMINI, calls_under_way=GEMINI.concurrent) > NONE
    assert wait(GEMINI, calls_under_way=GEMINI.concurrent, held=9) == timedelta(
        seconds=9
    )


def test_limits_that_are_not_named_keep_their_defaults() -> None:
    assert parse_limits("") == DEFAULT_LIMITS
    assert parse_limits(" omni=2,7\todyssey=1,1 ") == {
        **DEFAULT_LIMITS,
        "omni": Limit(concurrent=2, per_minute=7),
        "odyssey": Limit(concurrent=1, per_minute=1),
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("omny=8,60", "'omny=8,60' names no provider with a limit: gemini, omni,"),
        ("8,60", "names no provider"),
        ("omni=8", "'omni=8' is not <provider>=<calls at once>,<calls a minute>"),
        ("omni=8,60,1", "is not <provider>="),
        ("omni=8, 60", "without spaces"),
        ("omni=0,60", "whole numbers from 1"),
        ("omni=8,-60", "whole numbers from 1"),
        ("omni=8,1.5", "whole numbers from 1"),
        ("omni=8,100000", "to 99999"),
        ("omni=8,٣", "whole numbers"),
        ("omni=8,60 omni=9,60", "omni has two limits"),
    ],
)
def test_a_wrong_limit_is_refused_with_words(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_limits(text)
