from __future__ import annotations

from services.stitcher.captions import (
    SAMPLE_LIMIT,
    Caption,
    Cue,
    arrange_cues,
    timed_text,
    web_vtt,
)

MINUTE = 60_000


def line(text: str, start: float, end: float) -> Caption:
    return Caption(text=text, start=start, end=end)


def test_cues_are_in_the_order_of_their_starts() -> None:
    cues = arrange_cues([line("later", 5, 6), line("sooner", 1, 2)], MINUTE)

    assert [cue.text for cue in cues] == ["sooner", "later"]


def test_a_cue_ends_when_the_next_one_starts() -> None:
    cues = arrange_cues([line("long", 1, 9), line("next", 4, 6)], MINUTE)

    assert cues == [
        Cue(text="long", start=1000, end=4000),
        Cue(text="next", start=4000, end=6000),
    ]


def test_lines_that_start_together_are_shown_together() -> None:
    cues = arrange_cues([line("call", 2, 2), line("answer", 2, 3)], MINUTE)

    assert cues == [Cue(text="call\nanswer", start=2000, end=3000)]


def test_a_line_without_length_is_left_out() -> None:
    cues = arrange_cues([line("gone", 3, 3), line("backwards", 5, 4)], MINUTE)

    assert cues == []


def test_a_line_without_text_is_left_out() -> None:
    assert arrange_cues([line(" \n\t", 1, 2)], MINUTE) == []


def test_cues_lie_within_the_video() -> None:
    cues = arrange_cues(
        [line("early", -1, 2), line("late", 8, 12), line("after", 11, 12)], 10_000
    )

    assert cues == [
        Cue(text="early", start=0, end=2000),
        Cue(text="late", start=8000, end=10_000),
    ]


def test_empty_lines_inside_a_caption_do_not_end_it() -> None:
    cues = arrange_cues([line("first\r\n\r\n  second ", 1, 2)], MINUTE)

    assert cues[0].text == "first\nsecond"


def test_web_vtt_writes_hours_minutes_seconds_and_milliseconds() -> None:
    text = web_vtt([Cue(text="hm", start=3_723_004, end=3_725_600)])

    assert text == "WEBVTT\n\n01:02:03.004 --> 01:02:05.600\nhm\n"


def test_web_vtt_parts_its_cues_by_one_empty_line() -> None:
    cues = [Cue(text="a\nb", start=0, end=1), Cue(text="c", start=1, end=2)]

    assert web_vtt(cues).split("\n\n") == [
        "WEBVTT",
        "00:00:00.000 --> 00:00:00.001\na\nb",
        "00:00:00.001 --> 00:00:00.002\nc\n",
    ]


def test_web_vtt_escapes_what_would_be_markup() -> None:
    text = web_vtt([Cue(text="<i> R&B --> soul", start=0, end=1)])

    assert "&lt;i&gt; R&amp;B --&gt; soul" in text


def test_web_vtt_without_cues_is_still_web_vtt() -> None:
    assert web_vtt([]) == "WEBVTT\n"


def test_timed_text_starts_with_the_length_of_its_utf_8() -> None:
    assert timed_text("né") == b"\x00\x03n\xc3\xa9"


def test_timed_text_is_cut_at_a_whole_character() -> None:
    sample = timed_text("é" * SAMPLE_LIMIT)

    assert int.from_bytes(sample[:2]) == len(sample) - 2 == SAMPLE_LIMIT - 1
    assert set(sample[2:].decode()) == {"é"}
