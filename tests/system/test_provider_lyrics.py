"""Lyrics that a request does not give: from its audio first, then from LRCLIB."""

from __future__ import annotations

import io
import secrets
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import av
import pytest

from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job
from tests.emulators import LrcSong
from tests.system.buying import completed, finished, reason
from tests.system.shop import LOCAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from refrain.v1.job_pb2 import Segment
    from tests.emulators import Exchange
    from tests.system.shop import Shop

ARTIST = "Anyone"
SECONDS = 12
SYNCED = "[00:01.00] The harbour lights\n[00:06.50] One by one"
STARTS = {"The harbour lights": 1.0, "One by one": 6.5}
PLAIN = "The harbour lights\nOne by one\n\nAre going down"
RATE, SAMPLES = 48_000, 960

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.long]


async def test_synced_lyrics_are_sung_when_they_say_and_the_song_is_as_long_as_theirs(
    shop: Shop,
) -> None:
    segments = await planned(shop, known_song(shop, synced=SYNCED, plain=PLAIN))
    assert sung(segments) == STARTS
    assert ends(segments) == timedelta(seconds=SECONDS)


async def test_plain_lyrics_are_spread_over_the_song(shop: Shop) -> None:
    segments = await planned(shop, known_song(shop, plain=PLAIN))
    starts = sung(segments)
    assert list(starts) == [line for line in PLAIN.splitlines() if line]
    assert list(starts.values()) == sorted({*starts.values()})
    assert max(starts.values()) > SECONDS / 2
    assert ends(segments) == timedelta(seconds=SECONDS)


async def test_a_song_without_words_is_made_without_lines(shop: Shop) -> None:
    job = await create(shop, known_song(shop, instrumental=True))
    job = await completed(shop.system, job.job_id)
    assert job.video.duration.ToTimedelta() == timedelta(seconds=SECONDS)
    assert sung(await shop.system.segments(job.job_id)) == {}


async def test_lyrics_that_nobody_has_fail_the_job_with_what_to_do(shop: Shop) -> None:
    job = await create(shop, "A song of nobody's")
    job = await finished(shop.system, job.job_id)
    assert job.status == Job.FAILED
    assert reason(job) == "LYRICS_NOT_FOUND"
    assert job.title in job.error.message
    assert "give them in lyrics" in job.error.message
    assert [each.purpose for each in asked(shop, "nobody")] == ["get", "search"]


@pytest.mark.parametrize("lyrics", ["la\n" * 2001, "[00:01.00] The harb\0ur lights"])
async def test_lyrics_that_cannot_be_read_fail_the_job_with_what_to_do(
    shop: Shop, lyrics: str
) -> None:
    job = await create(shop, known_song(shop, plain=lyrics))
    job = await finished(shop.system, job.job_id)
    assert reason(job) == "LYRICS_UNREADABLE"
    assert "give them in lyrics" in job.error.message


async def test_lrclib_is_asked_for_a_song_once(shop: Shop) -> None:
    title = known_song(shop, synced=SYNCED)
    assert sung(await planned(shop, title)) == STARTS
    assert sung(await planned(shop, title.upper())) == STARTS
    assert len(asked(shop, title)) == 1
    assert not asked(shop, title.upper())


async def test_lrclib_is_asked_for_one_song_at_a_time_by_one_who_says_its_name(
    shop: Shop,
) -> None:
    shop.emulators.lrclib.most_at_once = 0
    async with shop.turned({"lrclib": {"get": {"delay": 0.1}}}):
        titles = [known_song(shop, synced=SYNCED) for _ in range(4)]
        jobs = [await create(shop, title) for title in titles]
        for job in jobs:
            assert sung(await segments_of(shop, job)) == STARTS
    assert shop.emulators.lrclib.most_at_once == 1
    agents = shop.emulators.lrclib.user_agents
    assert agents
    assert all(agent.startswith("refrain/") for agent in agents)


async def test_lrclib_is_asked_again_after_it_was_down(shop: Shop) -> None:
    title = known_song(shop, synced=SYNCED)
    async with shop.turned({"lrclib": {"get": {"unavailable": 1}}}):
        assert sung(await planned(shop, title)) == STARTS
    assert [each.status for each in asked(shop, title)] == [503, 200]


@pytest.mark.parametrize(("form", "codec"), [("mp3", "libmp3lame"), ("flac", "flac")])
async def test_lyrics_in_the_audio_come_first(
    shop: Shop, form: str, codec: str
) -> None:
    uploaded = await upload(shop, audio(form, codec, {"lyrics": SYNCED}))
    title = known_song(shop, synced="[00:02.00] Other words")
    segments = await planned(shop, title, audio_uri=uploaded.audio_uri)
    assert sung(segments) == STARTS
    assert ends(segments) == uploaded.duration.ToTimedelta()
    assert not asked(shop, title)


async def test_the_artist_of_the_audio_is_asked_for_if_the_request_names_none(
    shop: Shop,
) -> None:
    uploaded = await upload(shop, audio("flac", "flac", {"artist": ARTIST}))
    title = known_song(shop, synced=SYNCED)
    segments = await planned(shop, title, audio_uri=uploaded.audio_uri, artist="")
    assert sung(segments) == STARTS
    [get] = asked(shop, title)
    assert f"artist_name={ARTIST}" in get.path


def known_song(shop: Shop, **lyrics: Any) -> str:
    """Returns the title of a song of which LRCLIB has this."""
    title = f"song{secrets.token_hex(6)}"
    shop.emulators.lrclib.songs.append(
        LrcSong(title=title, artist=ARTIST, duration=SECONDS, **lyrics)
    )
    return title


async def create(shop: Shop, title: str, **fields: Any) -> Job:
    """Creates a job whose lyrics and, without audio, whose length are not given."""
    video = v1.VideoOptions(width=256, height=144, frame_rate=12)
    local: dict[str, Any] = {**LOCAL, "clip_provider": "local", "artist": ARTIST}
    return await shop.system.api.CreateJob(
        v1.CreateJobRequest(title=title, video=video, **{**local, **fields})
    )


async def planned(shop: Shop, title: str, **fields: Any) -> list[Segment]:
    """Returns the segments of a job once there are any, and makes no more of them."""
    job = await create(shop, title, **fields)
    return await segments_of(shop, job)


async def segments_of(shop: Shop, job: Job) -> list[Segment]:
    await shop.system.until(job.job_id, lambda event: event.job.segments_total > 0)
    segments = await shop.system.segments(job.job_id)
    await shop.system.cancel(job.job_id)
    return segments


def sung(segments: list[Segment]) -> Mapping[str, float]:
    """Returns when each line begins, in seconds."""
    return {
        line.text: line.start_offset.ToTimedelta().total_seconds()
        for segment in segments
        for line in segment.lines
    }


def ends(segments: list[Segment]) -> timedelta:
    return segments[-1].end_offset.ToTimedelta()


def asked(shop: Shop, word: str) -> list[Exchange]:
    """Returns what LRCLIB was asked with this word."""
    return [each for each in shop.emulators.log.of("lrclib") if word in each.path]


async def upload(shop: Shop, content: bytes) -> v1.UploadAudioResponse:
    async def parts() -> AsyncIterator[v1.UploadAudioRequest]:
        yield v1.UploadAudioRequest(chunk=content)

    return await shop.system.api.UploadAudio(parts())


def audio(form: str, codec: str, tags: Mapping[str, str]) -> bytes:
    """Returns silence with these tags."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=RATE)  # pyright: ignore[reportUnknownMemberType]
        assert isinstance(stream, av.AudioStream)
        sample_format = "fltp" if form == "mp3" else "s16"
        for number in range(RATE * SECONDS // SAMPLES):
            frame = av.AudioFrame(sample_format, "mono", SAMPLES)
            frame.sample_rate, frame.pts = RATE, number * SAMPLES
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            container.mux(stream.encode(frame))  # pyright: ignore[reportUnknownMemberType]
        container.mux(stream.encode(None))  # pyright: ignore[reportUnknownMemberType]
    return file.getvalue()
