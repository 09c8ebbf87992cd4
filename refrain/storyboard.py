"""Cuts a song into the segments of its storyboard, and segments into frames."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

from refrain.lyrics import Line

SHORTEST = timedelta(seconds=3)
LONGEST = timedelta(seconds=10)
"""The lengths that every clip provider can make."""

LONGEST_SONG = timedelta(minutes=20)
"""What a job is made of, at most."""

IDEAL = timedelta(seconds=5)
"""The length that segments are drawn to."""

LINE_SPACING = timedelta(milliseconds=100)
"""Of line starts nearer than this the first counts, which bounds the search."""

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A span of the song with the lines that sound in it."""

    position: int
    """The place in the storyboard, from 0."""
    start_offset: timedelta
    end_offset: timedelta
    """Exclusive: where the next segment starts."""
    lines: tuple[Line, ...]
    """Times count from the song's start. A line cut by a boundary is in both."""


def cut_segments(lines: Sequence[Line], duration: timedelta) -> tuple[Segment, ...]:
    """Cuts the song into segments of 3 to 10 s, without gap or overlap.

    If the song can be cut at line starts alone, it is, into lengths as near to 5 s as
    they allow. Where it cannot, a stretch between two such cuts (or an end of the song)
    is cut into equal parts of 4 to 7 s; in that stretch no line starts at 3 s or more
    from both its ends. A line start within 0.1 s after another counts as that one.

    `lines` are as `timed_lines` gives them; one without an end sounds to the song's
    end. A song under 3 s is one segment.

    Raises:
        ValueError: The duration is not positive.
    """
    if duration <= timedelta():
        raise ValueError(f"a song must last longer than 0 s, not {duration}")
    cuts = _cut_points([line.start for line in lines], duration)
    sounding: list[list[Line]] = [[] for _ in cuts[1:]]
    for line in lines:
        first = bisect_right(cuts, line.start) - 1
        end = bisect_left(cuts, duration if line.end is None else line.end)
        for held in sounding[first:end]:
            held.append(line)
    return tuple(
        Segment(
            position=position, start_offset=start, end_offset=end, lines=tuple(held)
        )
        for position, ((start, end), held) in enumerate(
            zip(pairwise(cuts), sounding, strict=True)
        )
    )


def frames_between(
    start_offset: timedelta, end_offset: timedelta, frame_rate: int | Fraction
) -> tuple[int, int]:
    """A span's first frame in the video and the first one after it.

    Both are `round(offset * frame_rate)`, exact, of the offset in the song: neighbours
    share their boundary, and the frames of all segments add up to those of the song.
    """
    return _frame_at(start_offset, frame_rate), _frame_at(end_offset, frame_rate)


def _frame_at(offset: timedelta, frame_rate: int | Fraction) -> int:
    return round(Fraction(offset // _MICROSECOND, 1_000_000) * frame_rate)


def _cut_points(starts: Sequence[timedelta], duration: timedelta) -> list[timedelta]:
    """The boundaries of the segments, from 0 to the duration.

    The shortest path over the line starts that may be a boundary. Each is reached from
    those 3 to 10 s before it; where there is none, from the nearest earlier one, over
    equal parts. Zero is always early enough, so a path always exists.
    """
    if duration < SHORTEST:
        return [timedelta(), duration]
    points = [timedelta(), *_inner_points(starts, duration), duration]
    costs = [(0, 0.0)]
    sources = [0]
    for point in points[1:]:
        far = bisect_left(points, point - LONGEST)
        near = bisect_right(points, point - SHORTEST)
        cost, source = min(
            (_added(costs[index], point - points[index]), index)
            for index in range(min(far, near - 1), near)
        )
        costs.append(cost)
        sources.append(source)
    return _traced(points, sources)


def _inner_points(
    starts: Sequence[timedelta], duration: timedelta
) -> Sequence[timedelta]:
    inner: list[timedelta] = []
    for start in sorted(starts):
        if not SHORTEST <= start <= duration - SHORTEST:
            continue
        if not inner or start - inner[-1] >= LINE_SPACING:
            inner.append(start)
    return inner


def _parts(stretch: timedelta) -> int:
    return 1 if stretch <= LONGEST else round(stretch / IDEAL)


def _added(cost: tuple[int, float], stretch: timedelta) -> tuple[int, float]:
    """The cost with one more stretch: cuts away from line starts, then squares."""
    parts = _parts(stretch)
    deviation = (stretch / parts - IDEAL).total_seconds()
    return cost[0] + parts - 1, cost[1] + parts * deviation**2


def _traced(points: Sequence[timedelta], sources: Sequence[int]) -> list[timedelta]:
    """The path to the last point, its long stretches cut into equal parts."""
    path = [len(points) - 1]
    while path[-1]:
        path.append(sources[path[-1]])
    cuts = [points[0]]
    for start, end in pairwise(points[index] for index in reversed(path)):
        parts = _parts(end - start)
        cuts += [start + (end - start) * part / parts for part in range(1, parts)]
        cuts.append(end)
    return cuts
