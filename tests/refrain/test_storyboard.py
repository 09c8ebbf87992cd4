"""Segments cover the song within bounds, cut at line starts where they can be."""

from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refrain.lyrics import Line, parse_lyrics, timed_lines
from refrain.storyboard import LONGEST, SHORTEST, Segment, cut_segments, frames_between


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def lines_at(starts: Sequence[timedelta], duration: timedelta) -> list[Line]:
    """Lines that each sound until the next, the last to the end of the song."""
    ordered = sorted({start for start in starts if start < duration})
    return [
        Line(text="la", start=start, end=end)
        for start, end in pairwise([*ordered, duration])
    ]


def cuts(segments: Sequence[Segment]) -> list[timedelta]:
    return [segment.start_offset for segment in segments] + [segments[-1].end_offset]


def seconds_of(segments: Sequence[Segment]) -> list[float]:
    return [cut.total_seconds() for cut in cuts(segments)]


def cuttable_at_line_starts(starts: Sequence[timedelta], duration: timedelta) -> bool:
    reached = [timedelta()]
    for point in [*sorted(starts), duration]:
        if any(SHORTEST <= point - before <= LONGEST for before in reached):
            reached.append(point)
    return duration in reached


TENTHS = st.integers(0, 600).map(lambda tenths: timedelta(milliseconds=100 * tenths))
MOMENTS = st.timedeltas(timedelta(), at(60))
DURATIONS = st.sampled_from(
    [at(3), at(5.999999), at(6), at(10), at(10.001), at(12.5), at(13), at(20.000001)]
) | st.timedeltas(at(3), at(90))


@settings(max_examples=200, deadline=None)
@given(starts=st.lists(MOMENTS | TENTHS, max_size=40), duration=DURATIONS)
def test_segments_of_3_to_10_s_cover_the_song_without_gap_or_overlap(
    starts: list[timedelta], duration: timedelta
) -> None:
    segments = cut_segments(lines_at(starts, duration), duration)
    assert segments[0].start_offset == timedelta()
    assert segments[-1].end_offset == duration
    assert [segment.position for segment in segments] == list(range(len(segments)))
    for before, after in pairwise(segments):
        assert before.end_offset == after.start_offset
    for segment in segments:
        assert SHORTEST <= segment.end_offset - segment.start_offset <= LONGEST


@settings(max_examples=200, deadline=None)
@given(
    starts=st.lists(TENTHS, max_size=40),
    duration=TENTHS.filter(lambda d: d >= SHORTEST),
)
def test_a_cut_misses_the_line_starts_only_where_none_would_do(
    starts: list[timedelta], duration: timedelta
) -> None:
    lines = lines_at(starts, duration)
    places = {line.start for line in lines}
    points = cuts(cut_segments(lines, duration))
    on_lines = [point for point in points if point in {*places, timedelta(), duration}]
    if cuttable_at_line_starts(list(places), duration):
        assert on_lines == points
    for start, end in pairwise(on_lines):
        if any(start < point < end for point in points):
            assert not any(
                start + SHORTEST <= place <= end - SHORTEST for place in places
            )


@settings(max_examples=100, deadline=None)
@given(starts=st.lists(MOMENTS, max_size=20), duration=st.timedeltas(at(0.1), at(90)))
def test_a_line_is_in_every_segment_it_overlaps_and_in_no_other(
    starts: list[timedelta], duration: timedelta
) -> None:
    lines = lines_at(starts, duration)
    for segment in cut_segments(lines, duration):
        assert segment.lines == tuple(
            line
            for line in lines
            if line.end is not None
            and line.start < segment.end_offset
            and line.end > segment.start_offset
        )


@settings(max_examples=100, deadline=None)
@given(
    starts=st.lists(MOMENTS, max_size=20),
    duration=DURATIONS | st.integers(60, 1800).map(lambda halves: at(halves / 20)),
    frame_rate=st.sampled_from([1, 10, 24, 25, 30, 60, Fraction(30_000, 1001)]),
)
def test_the_frames_of_all_segments_add_up_to_those_of_the_song(
    starts: list[timedelta], duration: timedelta, frame_rate: int | Fraction
) -> None:
    spans = [
        frames_between(segment.start_offset, segment.end_offset, frame_rate)
        for segment in cut_segments(lines_at(starts, duration), duration)
    ]
    microseconds = duration // timedelta(microseconds=1)
    frames = round(Fraction(microseconds, 1_000_000) * frame_rate)
    assert sum(end - first for first, end in spans) == frames
    assert (spans[0][0], spans[-1][1]) == (0, frames)
    for (_, end), (first, _) in pairwise(spans):
        assert end == first


@pytest.mark.parametrize("seconds", [0.04, 1, 2.999999, 3, 5, 5.999999])
def test_a_song_too_short_to_cut_is_one_segment(seconds: float) -> None:
    lines = lines_at([at(0), at(seconds / 2)], at(seconds))
    (segment,) = cut_segments(lines, at(seconds))
    assert (segment.start_offset, segment.end_offset) == (at(0), at(seconds))
    assert segment.lines == tuple(lines)


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_song_without_length_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="longer than 0 s"):
        cut_segments([], at(seconds))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (10, [0, 10]),
        (10.001, [0, 5.0005, 10.001]),
        (12.4, [0, 6.2, 12.4]),
        (15, [0, 5, 10, 15]),
    ],
)
def test_a_song_without_lines_is_cut_into_equal_parts(
    seconds: float, expected: list[float]
) -> None:
    assert seconds_of(cut_segments([], at(seconds))) == expected


@pytest.mark.parametrize(
    ("starts", "seconds", "expected"),
    [
        ([0, 5, 10, 15], 20, [0, 5, 10, 15, 20]),
        ([0, 2.5, 5, 7.5, 10], 15, [0, 5, 10, 15]),
        ([5, 6.5], 13, [0, 6.5, 13]),
        ([3, 3.1, 13.1], 17, [0, 3.1, 13.1, 17]),
        ([5, 7, 16], 24, [0, 7, 16, 24]),
        ([2.9, 5.2], 8, [0, 8]),
        ([12, 14], 20, [0, 6, 12, 20]),
        ([1, 31], 36, [0, 31 / 6, 31 / 3, 15.5, 62 / 3, 155 / 6, 31, 36]),
    ],
)
def test_cuts_fall_on_line_starts_near_5_s(
    starts: list[float], seconds: float, expected: list[float]
) -> None:
    lines = lines_at([at(start) for start in starts], at(seconds))
    assert seconds_of(cut_segments(lines, at(seconds))) == pytest.approx(expected)


def test_lines_bunched_in_tenths_of_a_second_are_cut_every_5_s() -> None:
    bunched = [at(tenths / 10) for tenths in range(300)]
    assert seconds_of(cut_segments(lines_at(bunched, at(30)), at(30))) == [
        *range(0, 31, 5)
    ]


def test_a_line_without_an_end_sounds_to_the_end_of_the_song() -> None:
    line = Line(text="la", start=at(6))
    silent, *sounding = cut_segments([line], at(26))
    assert silent.lines == ()
    assert [segment.lines for segment in sounding] == [(line,)] * len(sounding)


def test_a_song_from_its_lrc_is_cut_where_its_lines_start() -> None:
    lyrics = parse_lyrics(
        "[00:04.20]one\n[00:08.10]two\n[00:12.90]three\n[00:17]\n[00:31.50]four"
    )
    segments = cut_segments(timed_lines(lyrics, at(40)), at(40))
    assert [
        (segment.start_offset.total_seconds(), [line.text for line in segment.lines])
        for segment in segments
    ] == [
        (0, []),
        (4.2, ["one"]),
        (8.1, ["two"]),
        (12.9, ["three"]),
        (17.55, []),
        (22.2, []),
        (26.85, []),
        (31.5, ["four"]),
    ]


def test_a_boundary_on_half_a_frame_rounds_alike_for_both_its_spans() -> None:
    assert frames_between(at(0), at(5.02), 25) == (0, 126)
    assert frames_between(at(5.02), at(10), 25) == (126, 250)
