"""LRC as another parser reads it."""

from datetime import timedelta

import lemony_lrc_parser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refrain.lyrics import parse_lyrics

MILLISECOND = timedelta(milliseconds=1)


@st.composite
def lrc_files(draw: st.DrawFn) -> str:
    """LRC whose stamps are all distinct: lemony folds equal ones into one line."""
    times = draw(st.lists(st.integers(0, 60_000), min_size=1, unique=True, max_size=20))
    rows: list[str] = []
    while times:
        count = draw(st.integers(1, min(3, len(times))))
        stamps = "".join(
            draw(st.sampled_from(["[{:02}:{:02}.{}]", "[{}:{}:{}]"])).format(
                time // 600, time // 10 % 60, time % 10
            )
            for time in times[:count]
        )
        del times[:count]
        rows.append(stamps + draw(st.sampled_from(["la", "two words", "[Hey] you"])))
    rows.insert(draw(st.integers(0, len(rows))), "[ti:Title]")
    return draw(st.sampled_from(["\n", "\r\n", "\r"])).join(rows)


@settings(max_examples=100, deadline=None)
@given(text=lrc_files())
def test_lemony_reads_the_same_lines_at_the_same_times(text: str) -> None:
    theirs = lemony_lrc_parser.loads(text)
    assert [(line.text, line.start) for line in theirs] == [
        (line.text, line.start / MILLISECOND) for line in parse_lyrics(text).lines
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[00:10]a\n[00:12.50]\n[00:20]b\n[00:24]",
        "[00:12.00]<00:12.04>When <00:12.16>the<00:13.29>",
        "[100:00.5]b\n[100:01:25]",
        "[00:10]a[00:12]",
    ],
)
def test_lemony_reads_the_same_ends(text: str) -> None:
    theirs = lemony_lrc_parser.loads(text)
    assert [(line.text, line.end) for line in theirs] == [
        (line.text, None if line.end is None else line.end / MILLISECOND)
        for line in parse_lyrics(text).lines
    ]
