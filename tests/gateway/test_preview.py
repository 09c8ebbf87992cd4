"""PreviewJob: the cut and the estimate of a song, with nothing stored."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import grpc
import psutil
import pytest
from google.protobuf.json_format import ParseDict

from refrain.media import MediaPool
from refrain.prices import storyboard_estimate
from refrain.providers import ProviderSettings
from refrain.storyboard import cut_segments
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Task
from services.gateway.preview import Preview, preview_of
from services.gateway.request import check_request
from tests.eventually import eventually
from tests.gateway.answers import violations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from tests.refrain.record import Record

SONG = {"title": "A song", "style": "dusk", "songDuration": "12s"}
LYRICS = "[00:00.00]One line\n[00:06.00]Another\n[00:07.00]A third"
ALL = ProviderSettings(
    gemini_api_key="key", vertex_api_key="key", lrclib_url="http://127.0.0.1:9"
)
WRITTEN: dict[str, Any] = {"storyboardProvider": "gemini"}
FREE_OF_KEYS: dict[str, Any] = {"imageProvider": "local", "clipProvider": "local"}


def request(**fields: Any) -> v1.CreateJobRequest:
    return ParseDict({**SONG, "lyrics": LYRICS, **fields}, v1.CreateJobRequest())


@pytest.fixture
async def media() -> AsyncIterator[MediaPool]:
    async with MediaPool(1, ["refrain.cut"]) as media:
        yield media


async def preview(
    media: MediaPool, settings: ProviderSettings = ALL, **fields: Any
) -> Preview:
    return await preview_of(
        check_request(request(**fields), None, settings), media, settings
    )


def media_child() -> psutil.Process:
    """The one media process of the gateway that serves in this process."""
    (child,) = [
        child
        for child in psutil.Process().children()
        if "services.gateway.measure" in child.cmdline()
    ]
    return child


async def test_a_preview_cuts_the_song_and_says_what_the_pictures_show(
    api: JobServiceAsyncStub,
) -> None:
    shown = await api.PreviewJob(request())
    assert [
        (segment.position, segment.end_offset.seconds, segment.prompt)
        for segment in shown.segments
    ] == [(0, 6, "dusk: One line"), (1, 12, "dusk: Another / A third")]
    line = shown.segments[1].lines[0]
    assert (line.text, line.start_offset.seconds, line.end_offset.seconds) == (
        "Another",
        6,
        7,
    )
    assert {segment.status for segment in shown.segments} == {Task.STATUS_UNSPECIFIED}
    assert shown.song_duration.seconds == 12
    assert shown.estimate_usd == 0
    assert not shown.lyrics_looked_up


async def test_a_preview_stores_nothing(
    api: JobServiceAsyncStub, record: Record
) -> None:
    await api.PreviewJob(request(requestId="r-1"))
    for table in ("jobs", "job_requests", "tasks", "segments", "job_events"):
        assert await record.read(f"SELECT FROM {table}") == []
    assert await record.read("SELECT FROM provider_calls") == []
    created = await api.CreateJob(request(requestId="r-1", title="Another"))
    assert created.title == "Another"


async def test_a_preview_costs_what_all_calls_are_listed_at(media: MediaPool) -> None:
    shown = await preview(media, **WRITTEN, imageProvider="gemini", clipProvider="veo")
    image, clip = Decimal("0.0672"), 6 * Decimal("0.40")
    assert [segment.estimate_usd for segment in shown.segments] == [image + clip] * 2
    storyboard = storyboard_estimate(ALL.storyboard_model, lines=3)
    assert shown.estimate_usd == 2 * (image + clip) + storyboard


async def test_a_preview_guesses_no_prompt_that_a_provider_writes(
    media: MediaPool,
) -> None:
    shown = await preview(media, **WRITTEN, **FREE_OF_KEYS)
    assert [segment.prompt for segment in shown.segments] == ["", ""]
    assert [len(segment.lines) for segment in shown.segments] == [1, 2]


async def test_a_song_without_words_is_cut_by_its_length(media: MediaPool) -> None:
    shown = await preview(
        media, lyrics="", instrumental=True, storyboardProvider="local", **FREE_OF_KEYS
    )
    cut = cut_segments((), timedelta(seconds=12))
    assert [segment.end_offset for segment in shown.segments] == [
        segment.end_offset for segment in cut
    ]
    assert {segment.prompt for segment in shown.segments} == {"dusk: instrumental"}
    assert not shown.lyrics_looked_up


@pytest.mark.parametrize("lyrics", ["", " \n"])
async def test_a_song_whose_lyrics_are_looked_up_is_cut_without_them(
    media: MediaPool, lyrics: str
) -> None:
    shown = await preview(media, lyrics=lyrics, storyboardProvider="local")
    assert shown.lyrics_looked_up
    assert shown.song_duration == timedelta(seconds=12)
    assert shown.segments[-1].end_offset == timedelta(seconds=12)
    assert not any(segment.lines or segment.prompt for segment in shown.segments)
    assert shown.estimate_usd > 0


async def test_a_song_of_which_only_the_name_is_known_is_not_cut(
    media: MediaPool,
) -> None:
    asked = v1.CreateJobRequest(title="A song")
    shown = await preview_of(check_request(asked, None, ALL), media, ALL)
    assert shown == Preview(
        segments=(), estimate_usd=Decimal(0), song_duration=None, lyrics_looked_up=True
    )


async def test_more_lines_at_once_than_a_message_holds_are_refused(
    api: JobServiceAsyncStub,
) -> None:
    lyrics = "[00:00.00]<00:00.00>la<19:59.00>\n" * 2000
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.PreviewJob(request(lyrics=lyrics, songDuration="1200s"))
    assert "4 MiB" in violations(error.value)["lyrics"]
    assert (await api.PreviewJob(request())).segments


async def test_a_preview_whose_client_leaves_ends_and_holds_nobody_up(
    api: JobServiceAsyncStub,
) -> None:
    await api.PreviewJob(request())
    child = media_child()
    child.suspend()
    left = api.PreviewJob(request())
    assert (await api.CreateJob(request())).job_id
    left.cancel()
    await eventually(lambda: not child.is_running())
    assert len((await api.PreviewJob(request())).segments) == 2


async def test_a_preview_whose_process_dies_may_be_asked_for_again(
    api: JobServiceAsyncStub,
) -> None:
    await api.PreviewJob(request())
    child = media_child()
    child.suspend()
    call = api.PreviewJob(request())
    await api.GetServerInfo(v1.GetServerInfoRequest())
    child.kill()
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
    assert len((await api.PreviewJob(request())).segments) == 2
