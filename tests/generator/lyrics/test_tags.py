"""Tags are read alike from every format, and synced lyrics before plain ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import pytest

from services.generator.lyrics.tags import LONGEST_NAME, read_tags

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMATS = [
    ("song.mp3", "libmp3lame", "fltp"),
    ("song.flac", "flac", "s16"),
    ("song.m4a", "aac", "fltp"),
    ("song.ogg", "libopus", "s16"),
]
PLAIN = "When the night\nhas come"
SYNCED = "[00:01.00]When the night\n[00:03.50]has come"
RATE, SAMPLES = 48_000, 960


def write_song(
    path: Path, codec: str, sample_format: str, tags: Mapping[str, str]
) -> None:
    """Half a second of silence with these tags."""
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=RATE)  # pyright: ignore[reportUnknownMemberType]
        assert isinstance(stream, av.AudioStream)
        for number in range(RATE // SAMPLES // 2):
            frame = av.AudioFrame(sample_format, "mono", SAMPLES)
            frame.sample_rate, frame.pts = RATE, number * SAMPLES
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(stream.encode(frame))  # pyright: ignore[reportUnknownMemberType]
        container.mux(stream.encode(None))  # pyright: ignore[reportUnknownMemberType]


def flac(path: Path, **tags: str) -> str:
    write_song(path / "song.flac", "flac", "s16", tags)
    return str(path / "song.flac")


@pytest.mark.parametrize(("name", "codec", "sample_format"), FORMATS)
def test_tags_are_read_from(
    name: str, codec: str, sample_format: str, tmp_path: Path
) -> None:
    tags = {"title": "Stand", "artist": "Ben", "album": "Don't", "lyrics": PLAIN}
    write_song(tmp_path / name, codec, sample_format, tags)
    assert read_tags(path=str(tmp_path / name)) == {
        **tags,
        "duration": pytest.approx(0.5, abs=0.1),
    }


@pytest.mark.parametrize(("name", "codec", "sample_format"), FORMATS)
def test_what_is_not_there_is_empty_in(
    name: str, codec: str, sample_format: str, tmp_path: Path
) -> None:
    write_song(tmp_path / name, codec, sample_format, {})
    found = read_tags(path=str(tmp_path / name))
    assert [found[key] for key in ("title", "artist", "album", "lyrics")] == [""] * 4


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_lyrics_are_read_from_an_id3_frame_for_them(
    encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "song.mp3"
    write_song(path, "libmp3lame", "fltp", {})
    path.write_bytes(id3_lyrics("Für\nmich", encoding) + path.read_bytes())
    assert read_tags(path=str(path))["lyrics"] == "Für\nmich"


@pytest.mark.parametrize("key", ["SYNCEDLYRICS", "LYRICS", "lyrics-XXX"])
def test_synced_lyrics_come_before_plain_ones(key: str, tmp_path: Path) -> None:
    song = flac(tmp_path, UNSYNCEDLYRICS=PLAIN, **{key: SYNCED})
    assert read_tags(path=song)["lyrics"] == SYNCED


@pytest.mark.parametrize("useless", [" \n ", "[00:01.00]", "x" * 2_000])
def test_lyrics_that_cannot_be_used_are_passed_over(
    useless: str, tmp_path: Path
) -> None:
    song = flac(tmp_path, LYRICS=useless, UNSYNCEDLYRICS=PLAIN)
    assert read_tags(path=song)["lyrics"] == PLAIN


def test_names_are_one_line_of_what_a_request_may_hold(tmp_path: Path) -> None:
    song = flac(tmp_path, TITLE=" Two\n  lines ", ARTIST="x" * 10_000)
    found = read_tags(path=song)
    assert (found["title"], found["artist"]) == ("Two lines", "x" * LONGEST_NAME)


def test_the_artist_of_the_album_stands_in_for_the_artist(tmp_path: Path) -> None:
    assert read_tags(path=flac(tmp_path, ALBUMARTIST="Ben"))["artist"] == "Ben"


@pytest.mark.parametrize("content", [b"", b"no audio at all", b"fLaC\0\0\0"])
def test_a_file_that_cannot_be_read_says_what_can(
    content: bytes, tmp_path: Path
) -> None:
    (tmp_path / "song").write_bytes(content)
    with pytest.raises(ValueError, match="send MP3, M4A, WAV, Ogg or FLAC"):
        read_tags(path=str(tmp_path / "song"))


def id3_lyrics(lyrics: str, encoding: str) -> bytes:
    """An ID3v2.3 tag of one USLT frame (id3.org/id3v2.3.0, 3.1, 3.3 and 4.9)."""
    code = {"latin-1": b"\0", "utf-16": b"\1"}[encoding]
    body = code + b"eng" + "\0".encode(encoding) + lyrics.encode(encoding)
    frame = b"USLT" + len(body).to_bytes(4, "big") + b"\0\0" + body
    size = bytes(len(frame) >> shift & 127 for shift in (21, 14, 7, 0))
    return b"ID3\3\0\0" + size + frame
