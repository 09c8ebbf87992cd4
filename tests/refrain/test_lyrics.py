"""The LRC rules line by line, the bounds of a song, and hostile text."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refrain.lyrics import (
    MAX_LENGTH,
    MAX_LINE_LENGTH,
    MAX_LINES,
    Line,
    Lyrics,
    LyricsError,
    parse_lyrics,
    song_duration,
    timed_lines,
)


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def starts(text: str) -> list[tuple[str, float]]:
    return [
        (line.text, line.start.total_seconds()) for line in parse_lyrics(text).lines
    ]


def ends(text: str) -> list[float | None]:
    return [
        None if line.end is None else line.end.total_seconds()
        for line in parse_lyrics(text).lines
    ]


def words(line: Line) -> list[tuple[str, float]]:
    return [(word, start.total_seconds()) for word, start in line.words]


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("[00:10.45]", 10.45),
        ("[00:10.5]", 10.5),
        ("[00:10.123]", 10.123),
        ("[00:10.05]", 10.05),
        ("[00:10]", 10),
        ("[00:10:45]", 10.45),
        ("[00:10:5]", 10.5),
        ("[1:02.30]", 62.3),
        ("[01:2]", 62),
        ("[123:00.00]", 7380),
        ("[999:59.999]", 59_999.999),
        ("[00:99.00]", 99),
        ("  [00:10.00]  ", 10),
    ],
)
def test_a_stamp_gives_its_line_a_start(stamp: str, seconds: float) -> None:
    assert starts(f"{stamp}a line") == [("a line", seconds)]


@pytest.mark.parametrize(
    "stamp",
    ["[ab:cd]", "[1000:00.00]", "[00:10.1234]", "[00:]", "[:10]", "[-00:10]", "[00:10"],
)
def test_a_broken_stamp_is_text_in_plain_lyrics_and_passed_over_in_lrc(
    stamp: str,
) -> None:
    plain = parse_lyrics(f"{stamp}a line")
    assert not plain.synced
    assert [line.text for line in plain.lines] == [f"{stamp}a line"]
    assert starts(f"{stamp}a line\n[00:02]another") == [("another", 2)]


def test_a_line_with_several_stamps_repeats_at_each() -> None:
    text = "[00:30.00][00:10.00] [00:50.00]chorus\n[00:20.00]verse"
    assert starts(text) == [
        ("chorus", 10),
        ("verse", 20),
        ("chorus", 30),
        ("chorus", 50),
    ]


def test_lines_are_sorted_by_time_and_keep_their_order_at_the_same_time() -> None:
    text = "[00:20]c\n[00:10]b\n[00:10]a"
    assert starts(text) == [("b", 10), ("a", 10), ("c", 20)]


def test_lines_that_share_a_stamp_end_together_at_the_next_later_one() -> None:
    assert ends("[00:10]bonjour\n[00:10]hello\n[00:14]next") == [14, 14, None]


def test_a_stamp_without_text_ends_the_line_before_it() -> None:
    text = "[00:10]a\n[00:12.50]\n[00:20]b\n[00:24]   "
    assert starts(text) == [("a", 10), ("b", 20)]
    assert ends(text) == [12.5, 24]


def test_a_stamp_without_text_ends_a_repeated_line_each_time() -> None:
    assert ends("[00:10][00:20]a\n[00:12][00:22]") == [12, 22]


def test_a_line_without_an_end_of_its_own_ends_at_the_next_stamp() -> None:
    assert ends("[00:10]a\n[00:20]b") == [20, None]


@pytest.mark.parametrize("key", ["ti", "ar", "al", "au", "by", "re", "ve", "length"])
def test_known_tags_are_kept_under_lower_case_keys(key: str) -> None:
    text = f"[{key.upper()}: One: Two [live] ]\n[00:01]a"
    assert parse_lyrics(text).tags == {key: "One: Two [live]"}
    assert starts(text) == [("a", 1)]


def test_tags_are_not_sung_in_plain_lyrics_either() -> None:
    lyrics = parse_lyrics("[ti:Refrain]\n[ar:]\nla la")
    assert lyrics.tags == {"ti": "Refrain"}
    assert [line.text for line in lyrics.lines] == ["la la"]


def test_unknown_tags_and_comments_are_ignored() -> None:
    text = "[tool:x]\n[zz: y]\n# a comment\n[#: another]\n#\n[00:01]#1 hit"
    assert parse_lyrics(text).tags == {}
    assert starts(text) == [("#1 hit", 1)]


def test_comments_are_not_sung_in_plain_lyrics_but_words_with_a_hash_are() -> None:
    lyrics = parse_lyrics("# by hand\n[#]\n#1 in my heart")
    assert [line.text for line in lyrics.lines] == ["#1 in my heart"]


@pytest.mark.parametrize("heading", ["[Chorus]", "[Verse 2: Everyone]"])
def test_a_heading_in_brackets_is_text(heading: str) -> None:
    assert parse_lyrics(f"{heading}\nla").lines[0].text == heading
    assert starts(f"[00:01]{heading} la") == [(f"{heading} la", 1)]


@pytest.mark.parametrize(
    ("offset", "seconds"),
    [
        ("+500", 9.5),
        ("500", 9.5),
        ("-500", 10.5),
        (" +500 ", 9.5),
        ("0", 10),
        ("soon", 10),
        ("9" * 30, 10),
    ],
)
def test_a_positive_offset_makes_the_lyrics_sooner(offset: str, seconds: float) -> None:
    assert starts(f"[00:10]a\n[Offset:{offset}]") == [("a", seconds)]


def test_an_offset_moves_ends_and_words_and_stops_at_zero() -> None:
    lyrics = parse_lyrics("[offset:2000]\n[00:01]<00:01>so <00:03.5>long<00:04>")
    (line,) = lyrics.lines
    assert (line.start, line.end) == (at(0), at(2))
    assert words(line) == [("so", 0), ("long", 1.5)]


def test_a_line_moved_wholly_before_the_song_does_not_sound() -> None:
    lyrics = parse_lyrics("[offset:5000]\n[00:01]gone\n[00:04]\n[00:08]stays")
    assert (lyrics.lines[0].start, lyrics.lines[0].end) == (at(0), at(0))
    assert [line.text for line in timed_lines(lyrics, at(60))] == ["stays"]


def test_enhanced_lrc_keeps_word_times_and_ends_at_its_last_stamp() -> None:
    (line,) = parse_lyrics(
        "[00:12.00] <00:12.04> When <00:12.16> the   truth<00:13.29>"
    ).lines
    assert line.text == "When the truth"
    assert words(line) == [("When", 12.04), ("the", 12.16), ("truth", 12.16)]
    assert (line.start, line.end) == (at(12), at(13.29))


def test_a_word_sung_in_syllables_starts_with_the_first() -> None:
    (line,) = parse_lyrics("[00:01]oh <00:02>re<00:03>frain<00:04> <00:05>me").lines
    assert line.text == "oh refrain me"
    assert words(line) == [("oh", 1), ("refrain", 2), ("me", 5)]
    assert line.end is None


def test_word_stamps_in_square_brackets_are_read_alike() -> None:
    (line,) = parse_lyrics("[00:01]one [00:02]two[00:03]").lines
    assert (line.text, line.end) == ("one two", at(3))
    assert words(line) == [("one", 1), ("two", 2)]


def test_a_line_with_an_end_stamp_alone_has_no_word_times() -> None:
    (line,) = parse_lyrics("[00:01]one two<00:03>").lines
    assert (line.words, line.end) == ((), at(3))


@pytest.mark.parametrize("stamp", ["<00:09>", "<00:10>"])
def test_an_end_stamp_that_is_not_later_than_the_start_does_not_count(
    stamp: str,
) -> None:
    assert ends(f"[00:10]<00:10>a{stamp}\n[00:15]b") == [15, None]


def test_word_stamps_time_only_the_repeat_nearest_to_them() -> None:
    first, second = parse_lyrics("[00:40][00:10]<00:10>a <00:11>b<00:12>").lines
    assert (words(first), first.end) == ([("a", 10), ("b", 11)], at(12))
    assert (second.text, second.words, second.end) == ("a b", (), None)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_newline_and_byte_order_marks_are_understood(newline: str) -> None:
    text = newline.join(["\ufeff[00:01]a", "", "\ufeff[00:02]b", ""])
    assert starts(text) == [("a", 1), ("b", 2)]


def test_lines_without_a_stamp_are_ignored_if_any_line_has_one() -> None:
    assert starts("Title\n[00:01]a\nfree\n\n[00:02]b") == [("a", 1), ("b", 2)]


def test_plain_lyrics_are_their_lines_without_blanks() -> None:
    lyrics = parse_lyrics("one\n\n\t two   three \r\n \r\nfour")
    assert not lyrics.synced
    assert [line.text for line in lyrics.lines] == ["one", "two three", "four"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", f"no line of words.*1 to {MAX_LINES:,} lines"),
        (" \n\ufeff\n[ti:Title]\n# note", "no line of words"),
        ("[00:01]\n[00:02]<00:03>", "no line of words"),
        ("la\n" * 5_000, f"5,000 lines.*at most {MAX_LINES:,}"),
        ("[00:01]la\n" * 5_000, f"5,000 lines.*at most {MAX_LINES:,}"),
        ("[00:01]" * 5_000 + "la", f"5,000 lines.*at most {MAX_LINES:,}"),
        ("la\n" + "x" * 1_001, f"line 2 .*1,001 characters.*{MAX_LINE_LENGTH:,}"),
        ("[00:01]" + "x" * 1_001, f"line 1 .*1,001 characters.*{MAX_LINE_LENGTH:,}"),
        ("x" * 500_001, f"500,001 characters.*{MAX_LENGTH:,}"),
        ("one\ntwo\nth\0ree", "line 3 .*NUL.*remove it"),
    ],
)
def test_bad_lyrics_are_refused_with_what_to_do(text: str, message: str) -> None:
    with pytest.raises(LyricsError, match=message):
        parse_lyrics(text)


def test_lyrics_are_accepted_up_to_the_limits_and_not_beyond() -> None:
    most = "la\n" * (MAX_LINES - 1) + "x" * MAX_LINE_LENGTH
    assert len(parse_lyrics(most).lines) == MAX_LINES
    with pytest.raises(LyricsError, match="2,001 lines"):
        parse_lyrics(f"{most}\nla")


SYNCED = parse_lyrics("[00:10]a\n[00:20]b")
PLAIN = parse_lyrics("a\nb\n\nc\nd")


@pytest.mark.parametrize(
    ("lyrics", "audio", "requested", "seconds"),
    [
        (SYNCED, at(200), at(100), 200),
        (SYNCED, None, at(100), 100),
        (SYNCED, None, None, 25),
        (PLAIN, at(200), None, 200),
        (PLAIN, None, at(100), 100),
        (PLAIN, None, None, 12),
        (parse_lyrics("[00:10]a\n[00:30]"), None, None, 35),
        (parse_lyrics("[00:10]<00:10>a<00:12>"), None, None, 17),
        (parse_lyrics("[length: 01:02.50]\n[00:10]a"), None, None, 62.5),
        (parse_lyrics("[length:00:10]\n[00:10]a"), None, None, 15),
        (parse_lyrics("[length:long]\n[00:10]a"), None, None, 15),
        (parse_lyrics("[length:02:00]\na\nb"), None, None, 120),
    ],
)
def test_the_song_lasts_as_its_audio_the_request_or_the_lyrics_say(
    lyrics: Lyrics,
    audio: timedelta | None,
    requested: timedelta | None,
    seconds: float,
) -> None:
    assert song_duration(lyrics, audio, requested) == at(seconds)


def spans(lyrics: Lyrics, seconds: float) -> list[tuple[str, float, float]]:
    placed: list[tuple[str, float, float]] = []
    for line in timed_lines(lyrics, at(seconds)):
        assert line.end is not None
        placed.append((line.text, line.start.total_seconds(), line.end.total_seconds()))
    return placed


def test_synced_lines_end_at_the_next_stamp_and_the_last_after_8_s() -> None:
    assert spans(SYNCED, 60) == [("a", 10, 20), ("b", 20, 28)]


def test_synced_lines_are_cut_at_the_end_of_the_song() -> None:
    assert spans(SYNCED, 25) == [("a", 10, 20), ("b", 20, 25)]
    assert spans(SYNCED, 20) == [("a", 10, 20)]
    assert spans(SYNCED, 15) == [("a", 10, 15)]
    assert spans(SYNCED, 10) == []


def test_plain_lines_of_equal_length_share_the_song_equally() -> None:
    lyrics = parse_lyrics("a\nb\nc\nd")
    assert spans(lyrics, 12) == [("a", 0, 3), ("b", 3, 6), ("c", 6, 9), ("d", 9, 12)]
    assert spans(lyrics, 10)[-1] == ("d", 7.5, 10)


def test_a_longer_plain_line_sounds_for_longer() -> None:
    short, long = "twelve chars", "thirty-two characters are longer"
    lyrics = parse_lyrics(f"{short}\n{long}")
    assert spans(lyrics, 6) == [(short, 0, 2), (long, 2, 6)]


def test_a_blank_line_is_a_pause_as_long_as_the_average_line() -> None:
    assert spans(PLAIN, 10) == [("a", 0, 2), ("b", 2, 4), ("c", 6, 8), ("d", 8, 10)]


@pytest.mark.parametrize(
    "blank", ["\n\n", "\n\n\n \t\n", "\r\n\r\n", "\n[ar:]\n\n# x\n"]
)
def test_blank_lines_are_one_pause_however_many(blank: str) -> None:
    lyrics = parse_lyrics(f"\n\na{blank}b\nc\n\n\n")
    assert spans(lyrics, 8) == [("a", 0, 2), ("b", 4, 6), ("c", 6, 8)]


def test_double_spaced_lyrics_have_no_pauses() -> None:
    lyrics = parse_lyrics("a\n\nb\n\nc")
    assert spans(lyrics, 6) == [("a", 0, 2), ("b", 2, 4), ("c", 4, 6)]


STAMPS = ["[00:01.50]", "[1:2:3]", "[99:99.999]", "<00:02>", "[offset:-9", "[length:"]
SCRAPS = ["]", "[", "<", "#", " ", "\n", "\r", "\0", "\ufeff", "٣", "歌", "la"]
PIECES = st.sampled_from([*STAMPS, *SCRAPS])
TEXTS = st.text(max_size=80) | st.lists(PIECES, max_size=25).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, seconds=st.floats(0, 8_000))
def test_any_text_is_refused_or_gives_lines_inside_the_song(
    text: str, seconds: float
) -> None:
    try:
        lyrics = parse_lyrics(text)
    except LyricsError:
        return
    order = [line.start for line in lyrics.lines]
    assert order == sorted(order)
    for line in lyrics.lines:
        assert line.text == " ".join(line.text.split()) != ""
        assert line.text == " ".join(word for word, _ in line.words) or not line.words
    for duration in (at(seconds), song_duration(lyrics, None, None)):
        for line in timed_lines(lyrics, duration):
            assert line.end is not None
            assert timedelta() <= line.start < line.end <= duration
