"""Cancel many, pause, resume, retry, delete, wait: by the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest

from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job
from refrain.v1.job_service_pb2_grpc import JobServiceStub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.refrain.cli.conftest import Refrain, Said

    Say = Callable[..., Said]


@pytest.fixture
def api(refrain: Refrain) -> Iterator[JobServiceStub]:
    with grpc.insecure_channel(refrain.server) as channel:
        yield JobServiceStub(channel)


@pytest.fixture
def title() -> str:
    """A title that no other job has."""
    return f"Song {uuid4()}"


@pytest.fixture
def jobs(api: JobServiceStub, title: str) -> Iterator[list[str]]:
    """Three jobs that take far longer than a test, which leaves them ended."""
    request = v1.CreateJobRequest(title=title, instrumental=True, max_in_flight=1)
    request.song_duration.FromSeconds(600)
    yield [api.CreateJob(request).job_id for _ in range(3)]
    api.CancelJobs(v1.CancelJobsRequest(filter=v1.JobFilter(text=title)))


def status(api: JobServiceStub, job_id: str) -> Job.Status.ValueType:
    return api.GetJob(v1.GetJobRequest(job_id=job_id)).status


def test_cancel_takes_many_jobs_and_one_that_cannot_hides_none_that_can(
    say: Say, jobs: list[str]
) -> None:
    unknown = str(uuid4())
    said = say("cancel", jobs[0], unknown, jobs[1], "--reason", "enough", "--json")
    assert said.code == 1
    assert said.errors == f"refrain: There is no job {unknown}.\n"
    assert {job["jobId"] for job in said.json} == set(jobs[:2])
    assert {job["status"] for job in said.json} == {"CANCELLED"}
    assert {job["cancellation"]["reason"] for job in said.json} == {"enough"}


def test_cancel_by_text_stops_what_its_dry_run_counted(
    say: Say, api: JobServiceStub, jobs: list[str], title: str
) -> None:
    foreseen = json.loads(say("cancel", "--text", title, "--dry-run", "--json").output)
    assert foreseen["cancelled"] + foreseen["cancelling"] == 3
    assert {job["jobId"] for job in foreseen["sample"]} == set(jobs)
    assert Job.CANCELLED not in {status(api, job_id) for job_id in jobs}
    done = json.loads(say("cancel", "--text", title, "--json").output)
    assert done["cancelled"] + done["cancelling"] == 3
    assert {status(api, job_id) for job_id in jobs} == {Job.CANCELLED}
    again = say("cancel", "--text", title)
    assert (again.code, again.output) == (0, "cancelled 0 running, 0 idle\n")


def test_what_cannot_be_cancelled_cannot_be_chosen(say: Say) -> None:
    said = say("cancel", "--status", "completed")
    assert (said.code, said.output) == (1, "")
    assert "must each be one of PENDING, PROCESSING" in said.errors


def test_on_a_terminal_cancel_asks_by_the_number(
    refrain: Refrain, api: JobServiceStub, jobs: list[str], title: str
) -> None:
    code, shown = refrain.asked("cancel", "--text", title, answer="n")
    assert code == 0
    assert "Cancel 3 in all? [y/N]" in shown
    assert Job.CANCELLED not in {status(api, job_id) for job_id in jobs}


def test_a_job_is_paused_and_resumed_and_its_events_say_so(
    say: Say, jobs: list[str]
) -> None:
    (paused,) = say("pause", jobs[0], "--abort", "--json").json
    assert paused["status"] in {"PAUSING", "PAUSED"}
    (resumed,) = say("resume", jobs[0], "--json").json
    assert resumed["status"] in {"PENDING", "PROCESSING"}
    rows = [line.split("\t") for line in say("events", jobs[0]).output.splitlines()]
    assert [int(row[0]) for row in rows] == list(range(1, len(rows) + 1))
    kinds = [row[2] for row in rows]
    assert kinds[0] == "created"
    assert kinds.index("pause requested") < kinds.index("resumed")


def test_a_cancelled_job_is_retried_and_deleted(
    say: Say, api: JobServiceStub, jobs: list[str], title: str
) -> None:
    old = jobs[0]
    early = say("delete", old)
    assert early.code == 1
    assert "Cannot delete job with status: " in early.errors
    say("cancel", old)
    retry = say("retry", old, "--request-id", title)
    assert say("retry", old, "--request-id", title).output == retry.output
    new = api.GetJob(v1.GetJobRequest(job_id=retry.output.strip()))
    assert (new.retried_from, new.title) == (old, title)
    assert say("delete", old).output == f"{title}: deleted\n"
    assert say("show", old).errors == f"refrain: There is no job {old}.\n"


def test_a_wait_ends_with_the_job_or_at_its_timeout(
    say: Say, api: JobServiceStub, jobs: list[str], title: str
) -> None:
    late = say("wait", jobs[0], "--timeout", "0.05")
    assert late.code == 1
    assert late.errors.startswith(f"refrain: '{title}' is ")
    short = v1.CreateJobRequest(title="Short", instrumental=True)
    short.song_duration.FromSeconds(2)
    short.video.width, short.video.height = 320, 180
    job = api.CreateJob(short)
    api.CancelJobs(v1.CancelJobsRequest(filter=v1.JobFilter(text=title)))
    ended = say("wait", job.job_id)
    assert (ended.code, ended.output) == (0, "Short: completed\n")
