"""The lyrics found are those of the song that was meant, in its own times."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from services.generator.lyrics.lrclib import LrclibClient
from services.generator.lyrics.search import FoundLyrics, LyricsNotFound, find_lyrics
from services.generator.providers.provider import ProviderError
from tests.emulators import LrcSong

if TYPE_CHECKING:
    from tests.emulators import Emulators

TITLE, ARTIST = "Stand by Me", "Ben E. King"
SYNCED, PLAIN = "[00:01.00]When the night", "When the night"


def song(
    title: str = TITLE,
    artist: str = ARTIST,
    *,
    seconds: float = 180,
    synced: str | None = None,
    plain: str | None = None,
    instrumental: bool = False,
) -> LrcSong:
    return LrcSong(
        title=title,
        artist=artist,
        duration=seconds,
        synced=synced,
        plain=plain,
        instrumental=instrumental,
    )


async def best(
    *songs: LrcSong,
    title: str = TITLE,
    artist: str = ARTIST,
    seconds: float | None = None,
) -> FoundLyrics | None:
    """What is found of songs that no `get` finds and every search."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/get":
            return httpx.Response(404)
        tracks = [song.described(number) for number, song in enumerate(songs, 1)]
        return httpx.Response(200, json=tracks)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        return await find_lyrics(
            LrclibClient(http, "https://lrclib.example"),
            title=title,
            artist=artist,
            duration=None if seconds is None else timedelta(seconds=seconds),
        )


def number(found: FoundLyrics | None) -> int | None:
    """Which of the songs it was, counted from 1."""
    return int(found.source.removeprefix("lrclib:")) if found else None


def asked(emulators: Emulators) -> list[str]:
    return [exchange.purpose for exchange in emulators.log.of("lrclib")]


async def test_a_song_that_lrclib_knows_by_name_is_asked_for_once(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    emulators.lrclib.songs = [song(synced=SYNCED, plain=PLAIN)]
    found = await find_lyrics(
        lrclib, title=TITLE, artist=ARTIST, duration=timedelta(seconds=181)
    )
    assert found == FoundLyrics(
        lyrics=SYNCED,
        instrumental=False,
        duration=timedelta(minutes=3),
        source="lrclib:1",
    )
    assert asked(emulators) == ["get"]


async def test_a_song_that_is_not_known_as_named_is_searched_for(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    emulators.lrclib.songs = [song("Stand by Me (Remastered)", synced=SYNCED)]
    found = await find_lyrics(lrclib, title=TITLE, artist=ARTIST)
    assert found
    assert found.lyrics == SYNCED
    assert asked(emulators) == ["get", "search"]


async def test_a_song_that_is_known_and_has_no_lyrics_is_searched_for(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    emulators.lrclib.songs = [song(), song(synced=SYNCED)]
    assert number(await find_lyrics(lrclib, title=TITLE, artist=ARTIST)) == 2
    assert asked(emulators) == ["get", "search"]


async def test_a_song_without_an_artist_is_searched_for(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    emulators.lrclib.songs = [song(synced=SYNCED)]
    assert number(await find_lyrics(lrclib, title=TITLE, artist="")) == 1
    assert asked(emulators) == ["search"]


async def test_a_song_without_a_title_is_not_asked_for(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    assert await find_lyrics(lrclib, title="", artist=ARTIST) is None
    assert asked(emulators) == []


async def test_a_library_that_does_not_answer_is_an_error(
    lrclib: LrclibClient, emulators: Emulators
) -> None:
    emulators.lrclib.knobs.search.unavailable = 1
    with pytest.raises(ProviderError, match="LRCLIB answered 503"):
        await find_lyrics(lrclib, title=TITLE, artist=ARTIST)


async def test_a_song_without_synced_lyrics_has_plain_ones() -> None:
    found = await best(song(plain=PLAIN))
    assert found
    assert (found.lyrics, found.instrumental) == (PLAIN, False)


async def test_an_instrumental_is_an_answer() -> None:
    found = await best(song(instrumental=True))
    assert found
    assert (found.lyrics, found.instrumental) == ("", True)


@pytest.mark.parametrize("synced", [None, "", "[00:00.00]\n[00:10.00] "])
async def test_a_track_without_any_words_is_no_answer(synced: str | None) -> None:
    assert await best(song(synced=synced)) is None


async def test_synced_lyrics_come_before_plain_ones_and_these_before_none() -> None:
    silent, plain, synced = (
        song(instrumental=True),
        song("Stand by Me (Live)", plain=PLAIN),
        song("Stand by Me [Mono]", synced=SYNCED),
    )
    assert number(await best(silent, plain, synced)) == 3
    assert number(await best(silent, plain)) == 2
    assert number(await best(silent)) == 1


async def test_of_equal_kind_the_nearest_in_length_is_taken() -> None:
    lengths = (191, 184, 178.5, 170)
    songs = [song(synced=SYNCED, seconds=seconds) for seconds in lengths]
    assert number(await best(*songs, seconds=180)) == 3
    assert number(await best(*songs, seconds=187)) == 2


async def test_of_about_equal_length_the_most_alike_in_name_is_taken() -> None:
    songs = [
        song("Stand by Mine", synced=SYNCED, seconds=180),
        song("Stand by Me!", synced=SYNCED, seconds=181.5),
    ]
    assert number(await best(*songs, seconds=180)) == 2
    assert number(await best(*songs)) == 2


async def test_another_recording_lends_its_words_and_not_its_times() -> None:
    live = song("Stand by Me (Live)", synced=SYNCED, plain=PLAIN, seconds=191)
    found, within = await best(live, seconds=180), await best(live, seconds=181)
    assert found
    assert within
    assert (found.lyrics, within.lyrics) == (PLAIN, SYNCED)


async def test_another_recording_counts_only_if_there_is_none_of_this_length() -> None:
    live = song("Stand by Me (Live)", synced=SYNCED, plain=PLAIN, seconds=240)
    here = song("Stand by Me (Mono)", plain=PLAIN, seconds=185)
    assert number(await best(live, here, seconds=180)) == 2
    assert number(await best(live, seconds=180)) == 1


async def test_another_recording_with_times_alone_is_no_answer() -> None:
    live = song("Stand by Me (Live)", synced=SYNCED, seconds=240)
    assert await best(live, seconds=180) is None


@pytest.mark.parametrize(
    ("title", "artist"),
    [
        ("stand by me", "BEN E KING"),
        ("Stand by Me - Remastered 2011", "Ben E. King"),
        ("Stand by Me (From the Film)", "Ben E. King feat. Somebody Else"),
        ("Stand by Me [Mono]", "Ben E. King & The Drifters"),
        ("Stánd by Më!", "Ben E. King, Orchestra"),
        ("Stand by Me", "Ben E. Kings"),
    ],
)
async def test_names_are_alike_whatever_is_added_or_how_they_are_written(
    title: str, artist: str
) -> None:
    assert number(await best(song(title, artist, synced=SYNCED))) == 1
    filed = song(synced=SYNCED)
    assert number(await best(filed, title=title, artist=artist)) == 1


@pytest.mark.parametrize(
    ("title", "artist"),
    [
        ("Lean on Me", "Ben E. King"),
        ("Stand by Me", "Bill Withers"),
        ("(Live)", "Ben E. King"),
        ("", ""),
    ],
)
async def test_another_song_or_artist_is_no_answer(title: str, artist: str) -> None:
    assert await best(song(title, artist, synced=SYNCED)) is None


@pytest.mark.parametrize("title", ["夜に駆ける", "तुम ही हो", "!!!", "(Intro)"])
async def test_names_in_any_script_are_compared(title: str) -> None:
    filed = song(title, "YOASOBI", synced=SYNCED)
    assert number(await best(filed, title=title, artist="Yoasobi")) == 1
    assert await best(filed, title=f"Not {title} at all", artist="Yoasobi") is None


async def test_an_instrumental_version_does_not_stand_for_the_song() -> None:
    karaoke = song("Stand by Me (Karaoke Version)", instrumental=True)
    assert await best(karaoke) is None
    assert number(await best(karaoke, title="Stand by Me (Karaoke)")) == 1


def test_not_found_says_to_give_the_lyrics() -> None:
    error = LyricsNotFound("Title", "Artist")
    assert str(error) == (
        "No lyrics were found for 'Title' by 'Artist'; "
        "give them in lyrics, or set instrumental."
    )
    assert (error.reason, error.retryable) == ("LYRICS_NOT_FOUND", False)
    assert "for 'Title'; give" in str(LyricsNotFound("Title", ""))
