"""JobService over gRPC: what it takes, what it refuses, and how it says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp

from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from tests.eventually import eventually
from tests.gateway.answers import reason, refusal, violations
from tests.gateway.silence import silence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from tests.refrain.record import Record

SONG = {"title": "A song", "lyrics": "One line\nAnother"}


def request(**fields: Any) -> v1.CreateJobRequest:
    return ParseDict({**SONG, **fields}, v1.CreateJobRequest())


NO_REQUESTS: list[tuple[dict[str, Any], str, str]] = [
    ({"title": ""}, "title", "give the title"),
    ({"title": " \t"}, "title", "give the title"),
    ({"title": "x" * 201}, "title", "200 are allowed"),
    ({"title": "a\0b"}, "title", "NUL"),
    ({"lyrics": ""}, "lyrics", "give them, or set instrumental"),
    ({"lyrics": "\n \r\n\ufeff"}, "lyrics", "no line of words"),
    ({"lyrics": "[ti:No lines]"}, "lyrics", "line"),
    ({"lyrics": "la\n" * 5000}, "lyrics", "2,000"),
    ({"lyrics": "one\0two"}, "lyrics", "NUL"),
    ({"lyrics": "[99:00.00]late"}, "lyrics", "20 minutes"),
    ({"instrumental": True}, "lyrics", "must be empty"),
    ({"instrumental": True, "lyrics": ""}, "song_duration", "give it, or audio"),
    ({"songDuration": "1201s"}, "song_duration", "at most 0:20:00"),
    ({"songDuration": "-1s"}, "song_duration", "longer than 0"),
    ({"songDuration": "0.001s"}, "song_duration", "one frame"),
    ({"songDuration": "315576000000s"}, "song_duration", "at most 0:20:00"),
    ({"cancelAfter": "315576000000s"}, "cancel_after", "at most 30 days"),
    ({"audioUri": "artifact:uploads/a\0b"}, "audio_uri", "UploadAudio"),
    ({"imageProvider": "x" * 20_000}, "image_provider", "use local"),
    ({"audioUri": "file:///etc/passwd"}, "audio_uri", "UploadAudio"),
    ({"audioUri": "http://127.0.0.1/a.mp3"}, "audio_uri", "UploadAudio"),
    ({"audioUri": "artifact:uploads/../x"}, "audio_uri", "UploadAudio"),
    ({"audioUri": f"artifact:uploads/{'0' * 64}"}, "audio_uri", "UploadAudio"),
    ({"video": {"width": 641}}, "video.width", "even"),
    ({"video": {"height": 16}}, "video.height", "128"),
    ({"video": {"width": 7680, "height": 4320}}, "video.width", "3,840"),
    ({"video": {"width": 3840, "height": 3840}}, "video", "3,840 x 2,160"),
    ({"video": {"frameRate": 61}}, "video.frame_rate", "60"),
    ({"video": {"frameRate": -1}}, "video.frame_rate", "60"),
    ({"video": {"crossfade": "1s"}}, "video.crossfade", "leave it unset"),
    ({"clipProvider": "veo"}, "clip_provider", "use local"),
    ({"maxInFlight": 33}, "max_in_flight", "32"),
    ({"priority": 11}, "priority", "10"),
    ({"cancelAfter": "0s"}, "cancel_after", "longer than 0"),
    ({"maxCostUsd": -5}, "max_cost_usd", "from 0"),
    ({"onCancel": "DELETE"}, "on_cancel", "leave it unset"),
    ({"notify": {"email": "a@b.c"}}, "notify", "leave it unset"),
    ({"labels": {"k": "v" * 65}}, "labels", "64"),
    ({"requestId": "r" * 129}, "request_id", "128"),
]
"""What is wrong of each: the field, and a part of what is said."""


async def test_a_bad_request_names_the_field_and_what_to_do(
    api: JobServiceAsyncStub, subtests: pytest.Subtests
) -> None:
    for fields, field, says in NO_REQUESTS:
        with subtests.test(ascii(fields)[:40]):
            refused = violations(await refusal(api.CreateJob(request(**fields))))
            assert says in refused[field]
            assert (
                violations(await refusal(api.PreviewJob(request(**fields)))) == refused
            )
    assert not (await api.ListJobs(v1.ListJobsRequest())).jobs


async def test_all_that_is_wrong_is_said_at_once(api: JobServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.CreateJob(request(title="", priority=99, video={"width": 7}))
    assert violations(error.value).keys() == {"title", "priority", "video.width"}


@pytest.mark.parametrize(
    "lyrics",
    [
        "one\r\ntwo\rthree",
        "\ufeff[00:01.00]one\r\n[00:03.00]two",
        "[00:05.00]late\n[00:01.00]early\n[ab:cd]broken\n[00:99.00]odd",
    ],
)
async def test_untidy_lyrics_are_read(api: JobServiceAsyncStub, lyrics: str) -> None:
    job = await api.CreateJob(request(lyrics=lyrics))
    assert job.status == job_pb2.Job.PENDING


async def test_a_request_over_4_mib_is_refused_before_it_is_read(
    api: JobServiceAsyncStub,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.CreateJob(request(lyrics="x" * 5_000_000))
    assert error.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in (error.value.details() or "")


@pytest.mark.parametrize("job_id", ["", "7", "no-uuid", "x" * 10_000])
async def test_a_malformed_job_id_is_an_invalid_argument(
    api: JobServiceAsyncStub, job_id: str
) -> None:
    for call in (
        api.GetJob(v1.GetJobRequest(job_id=job_id)),
        api.CancelJob(v1.CancelJobRequest(job_id=job_id)),
        api.PauseJob(v1.PauseJobRequest(job_id=job_id)),
        api.ResumeJob(v1.ResumeJobRequest(job_id=job_id)),
        api.RetryJob(v1.RetryJobRequest(job_id=job_id)),
        api.DeleteJob(v1.DeleteJobRequest(job_id=job_id)),
        api.WaitJob(v1.WaitJobRequest(job_id=job_id)),
        api.ListTasks(v1.ListTasksRequest(job_id=job_id)),
        api.ListSegments(v1.ListSegmentsRequest(job_id=job_id)),
        api.ListJobEvents(v1.ListJobEventsRequest(job_id=job_id)),
        api.WatchJob(v1.WatchJobRequest(job_id=job_id)).read(),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call
        assert "CreateJob returned" in violations(error.value)["job_id"]


async def test_an_unknown_job_is_not_found(api: JobServiceAsyncStub) -> None:
    unknown = "01a203fe-9bf3-74be-a4fe-abb9feb2265b"
    for call in (
        api.CancelJob(v1.CancelJobRequest(job_id=unknown)),
        api.PauseJob(v1.PauseJobRequest(job_id=unknown)),
        api.ResumeJob(v1.ResumeJobRequest(job_id=unknown)),
        api.RetryJob(v1.RetryJobRequest(job_id=unknown)),
        api.DeleteJob(v1.DeleteJobRequest(job_id=unknown)),
        api.WaitJob(v1.WaitJobRequest(job_id=unknown)),
        api.ListJobEvents(v1.ListJobEventsRequest(job_id=unknown)),
    ):
        error = await refusal(call)
        assert error.code() == grpc.StatusCode.NOT_FOUND
        assert reason(error) == "JOB_NOT_FOUND"


@pytest.mark.parametrize("token", ["x", "AAAA", "§", "A" * 500])
async def test_an_unknown_page_token_is_an_invalid_argument(
    api: JobServiceAsyncStub, token: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.ListJobs(v1.ListJobsRequest(page_token=token))
    assert "next_page_token" in violations(error.value)["page_token"]


async def test_a_time_that_cannot_be_is_an_invalid_argument(
    api: JobServiceAsyncStub,
) -> None:
    wanted = v1.JobFilter(create_time_from=Timestamp(seconds=10**15))
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.ListJobs(v1.ListJobsRequest(filter=wanted))
    assert "filter.create_time_from" in violations(error.value)


async def test_pages_hold_every_job_once_newest_first(api: JobServiceAsyncStub) -> None:
    created = [(await api.CreateJob(request(title=f"{n}"))).job_id for n in range(5)]
    listed: list[str] = []
    token = ""
    while True:
        page = await api.ListJobs(v1.ListJobsRequest(page_size=2, page_token=token))
        listed += [job.job_id for job in page.jobs]
        token = page.next_page_token
        if not token:
            break
    assert listed == created[::-1]


async def test_a_filter_finds_by_status_and_text(api: JobServiceAsyncStub) -> None:
    kept = await api.CreateJob(request(title="Greensleeves", artist="Traditional"))
    gone = await api.CreateJob(request(title="Twinkle", artist="Traditional"))
    await api.CancelJob(v1.CancelJobRequest(job_id=gone.job_id))
    for wanted, found in (
        (v1.JobFilter(statuses=[job_pb2.Job.PENDING]), [kept.job_id]),
        (v1.JobFilter(text="sLEEves"), [kept.job_id]),
        (v1.JobFilter(text="%"), []),
        (v1.JobFilter(text="tradi"), [gone.job_id, kept.job_id]),
    ):
        page = await api.ListJobs(v1.ListJobsRequest(filter=wanted))
        assert [job.job_id for job in page.jobs] == found


async def test_the_same_request_id_and_request_return_the_same_job(
    api: JobServiceAsyncStub,
) -> None:
    first = await api.CreateJob(request(requestId="r-1"))
    assert (await api.CreateJob(request(requestId="r-1"))).job_id == first.job_id
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.CreateJob(request(requestId="r-1", title="Another"))
    assert error.value.code() == grpc.StatusCode.ALREADY_EXISTS
    assert reason(error.value) == "REQUEST_ID_TAKEN"


async def test_a_cancel_is_idempotent_and_keeps_the_first_reason(
    api: JobServiceAsyncStub,
) -> None:
    job = await api.CreateJob(request())
    cancel = v1.CancelJobRequest(job_id=job.job_id, reason="first")
    first = await api.CancelJob(cancel)
    cancel.reason = "second"
    assert await api.CancelJob(cancel) == first
    assert first.status == job_pb2.Job.CANCELLED
    assert first.cancellation.reason == "first"
    cancel.reason = "x" * 1025
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.CancelJob(cancel)
    assert "1,024" in violations(error.value)["reason"]


async def test_audio_is_measured_and_may_be_used_by_its_owner(
    api: JobServiceAsyncStub,
) -> None:
    uploaded = await api.UploadAudio(_parts(silence(seconds=4)))
    assert uploaded.duration == Duration(seconds=4)
    job = await api.CreateJob(request(audioUri=uploaded.audio_uri))
    assert job.status == job_pb2.Job.PENDING
    download = v1.DownloadArtifactRequest(uri=uploaded.audio_uri)
    chunks = [part.chunk async for part in api.DownloadArtifact(download)]
    assert b"".join(chunks) == silence(seconds=4)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"This is no audio.\n" * 1000, "MP3"),
        (b"\xff\xd8\xff\xe0" + bytes(1000), "no audio"),
    ],
    ids=["nothing", "text", "picture"],
)
async def test_what_is_no_audio_is_refused(
    api: JobServiceAsyncStub, content: bytes, says: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.UploadAudio(_parts(content))
    assert says in violations(error.value)["chunk"]


async def test_audio_over_20_minutes_is_refused(api: JobServiceAsyncStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.UploadAudio(_parts(silence(seconds=1201)))
    assert "20 minutes" in violations(error.value)["chunk"]


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "artifact:../../etc/passwd",
        "artifact:jobs/01a203fe-9bf3-74be-a4fe-abb9feb2265b/video/1/video.mp4",
        "artifact:jobs/x/video/1/video.mp4",
        "artifact:jobs/\0/video/1/video.mp4",
        "artifact:" + "x" * 20_000,
        "",
    ],
    ids=lambda uri: ascii(uri)[:40],
)
async def test_only_artifacts_that_a_row_names_can_be_downloaded(
    api: JobServiceAsyncStub, uri: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await api.DownloadArtifact(v1.DownloadArtifactRequest(uri=uri)).read()
    assert error.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_cancel_is_committed_though_its_caller_leaves(
    api: JobServiceAsyncStub, record: Record
) -> None:
    job = await api.CreateJob(request())
    async with record.holding("SELECT FROM jobs FOR UPDATE"):
        call = api.CancelJob(v1.CancelJobRequest(job_id=job.job_id))
        await record.waiting(1)
        call.cancel()
        # On the same connection, so the gateway has heard of the cancel by then.
        await api.GetServerInfo(v1.GetServerInfoRequest())
        await record.waiting(1)

    async def is_cancelled() -> bool:
        after = await api.GetJob(v1.GetJobRequest(job_id=job.job_id))
        return after.status == job_pb2.Job.CANCELLED

    await eventually(is_cancelled)


async def _parts(content: bytes) -> AsyncIterator[v1.UploadAudioRequest]:
    for start in range(0, len(content), 256 * 1024):
        yield v1.UploadAudioRequest(chunk=content[start : start + 256 * 1024])
