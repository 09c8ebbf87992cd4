"""Cancels of many jobs: each for itself, and none by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc

from refrain.job import Kind, Status
from refrain.v1 import job_pb2
from refrain.v1 import job_service_pb2 as v1
from tests.eventually import eventually
from tests.gateway.answers import reason_of, refusal, violations
from tests.gateway.conftest import OWNER
from tests.refrain.record import CLIP_USD, IMAGE_USD, SEGMENT_USD, image_call

if TYPE_CHECKING:
    from refrain.job import Job
    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from refrain.v1.stop_event_pb2 import StopEvent
    from tests.gateway.conftest import Gateway
    from tests.refrain.record import Record

UNKNOWN = "01a203fe-9bf3-74be-a4fe-abb9feb2265b"
LOCK = "SELECT FROM jobs WHERE job_id = %s FOR UPDATE"
TASK_LOCK = "SELECT FROM tasks WHERE job_id = %s FOR UPDATE"


async def running(record: Record, **job: Any) -> Job:
    """A job of which one task runs."""
    created = await record.create(owner=OWNER, **job)
    await record.claim(await record.register(), Kind.PLAN)
    return await record.job(created.job_id)


async def statuses(record: Record) -> dict[str, int]:
    rows = await record.read("SELECT status, count(*) FROM jobs GROUP BY status")
    return {row["status"]: row["count"] for row in rows}


async def test_one_finished_job_does_not_keep_the_others_running(
    api: JobServiceAsyncStub, record: Record, completed: Job
) -> None:
    processing = await running(record)
    others = await record.clone(processing, 98)
    hers = await record.create(owner="ada")
    bad = {
        str(completed.job_id): (grpc.StatusCode.FAILED_PRECONDITION, "CANCELLABLE"),
        UNKNOWN: (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND"),
        str(hers.job_id): (grpc.StatusCode.NOT_FOUND, "JOB_NOT_FOUND"),
        "no-uuid": (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST"),
    }
    job_ids = [*map(str, others[:50]), *bad, *map(str, [*others[50:], others[0]])]
    answered = await api.BatchCancelJobs(
        v1.BatchCancelJobsRequest(job_ids=job_ids, reason="enough")
    )
    assert [result.job_id for result in answered.results] == job_ids
    for result in answered.results:
        code, why = bad.get(result.job_id, (grpc.StatusCode.OK, ""))
        assert result.status.code == code.value[0]
        if why:
            assert why in reason_of(result.status)
            assert not result.HasField("job")
        else:
            assert result.job.status == job_pb2.Job.CANCELLING
            assert result.job.cancellation.reason == "enough"
    assert await statuses(record) == {
        "completed": 1,
        "cancelling": 98,
        "processing": 1,
        "pending": 1,
    }


async def test_a_batch_is_refused_whole_for_what_is_wrong_with_all_of_it(
    api: JobServiceAsyncStub, pending: Job
) -> None:
    one = [str(pending.job_id)]
    many = v1.BatchCancelJobsRequest(job_ids=one * 1001)
    assert "1,000" in violations(await refusal(api.BatchCancelJobs(many)))["job_ids"]
    long = v1.BatchCancelJobsRequest(job_ids=one, reason="x" * 1025)
    assert "1,024" in violations(await refusal(api.BatchCancelJobs(long)))["reason"]
    assert not (await api.BatchCancelJobs(v1.BatchCancelJobsRequest())).results
    job = await api.GetJob(v1.GetJobRequest(job_id=one[0]))
    assert job.status == job_pb2.Job.PENDING


async def test_a_filter_that_says_too_little_or_too_much_cancels_nothing(
    api: JobServiceAsyncStub, pending: Job
) -> None:
    some = v1.JobFilter(text="Song")
    ended = v1.JobFilter(statuses=[job_pb2.Job.PENDING, job_pb2.Job.COMPLETED])
    for request, field, says in (
        (v1.CancelJobsRequest(), "filter", "set all to cancel them all"),
        (v1.CancelJobsRequest(filter=v1.JobFilter()), "filter", "is empty"),
        (v1.CancelJobsRequest(filter=some, all=True), "filter", "leave out one"),
        (v1.CancelJobsRequest(filter=ended), "filter.statuses", "PENDING, PROC"),
        (v1.CancelJobsRequest(all=True, reason="x" * 1025), "reason", "1,024"),
    ):
        assert says in violations(await refusal(api.CancelJobs(request)))[field]
    job = await api.GetJob(v1.GetJobRequest(job_id=str(pending.job_id)))
    assert job.status == job_pb2.Job.PENDING


async def test_a_filter_cancels_what_matches_and_a_dry_run_only_says_so(
    api: JobServiceAsyncStub, record: Record, completed: Job
) -> None:
    await running(record, title="Greensleeves")
    idle = await record.create(owner=OWNER, title="Greensleeves")
    await record.clone(idle, 29)
    await record.create(owner=OWNER, title="Twinkle")
    await record.create(owner="ada", title="Greensleeves")
    stood = await statuses(record)
    wanted = v1.CancelJobsRequest(filter=v1.JobFilter(text="green"), dry_run=True)
    foreseen = await api.CancelJobs(wanted)
    assert (foreseen.cancelled, foreseen.cancelling, foreseen.remaining) == (30, 1, 0)
    assert await statuses(record) == stood
    wanted.dry_run = False
    done = await api.CancelJobs(wanted)
    assert (done.cancelled, done.cancelling, done.remaining) == (30, 1, 0)
    assert [job.job_id for job in done.sample] == [
        job.job_id for job in foreseen.sample
    ]
    assert len(done.sample) == 20
    assert done.sample[0].status == job_pb2.Job.CANCELLING
    after = {"completed": 1, "cancelled": 30, "cancelling": 1, "pending": 2}
    assert await statuses(record) == after
    again = await api.CancelJobs(wanted)
    assert again == v1.CancelJobsResponse()


async def test_a_dry_run_says_what_the_cancel_would_save_and_what_it_cannot(
    api: JobServiceAsyncStub, record: Record
) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=3, owner=OWNER)
    task = await record.claim(worker_id)
    await record.start_clip(task)
    await record.begin(await record.claim(worker_id), image_call())
    wanted = v1.CancelJobsRequest(all=True, dry_run=True)
    foreseen = await api.CancelJobs(wanted)
    in_flight = CLIP_USD + IMAGE_USD
    assert foreseen.avoidable_usd == float(3 * SEGMENT_USD - in_flight)
    assert foreseen.in_flight_usd == float(in_flight)
    assert foreseen.unstoppable_usd == float(IMAGE_USD)
    (listed,) = foreseen.sample
    assert listed.cost.avoidable_usd == foreseen.avoidable_usd
    wanted.dry_run = False
    done = await api.CancelJobs(wanted)
    assert (done.avoidable_usd, done.in_flight_usd, done.unstoppable_usd) == (0, 0, 0)
    cancelling = await api.GetJob(v1.GetJobRequest(job_id=str(job.job_id)))
    assert cancelling.cost.avoidable_usd == 0


async def test_all_jobs_are_stopped_by_one_message_for_each_thousand(
    api: JobServiceAsyncStub, gateway: Gateway, record: Record
) -> None:
    heard: list[StopEvent] = []
    await gateway.connections.bus.on_stop(heard.append)
    job = await running(record)
    await record.clone(job, 2_499)
    done = await api.CancelJobs(v1.CancelJobsRequest(all=True))
    assert (done.cancelling, done.remaining) == (2500, 0)
    assert [len(event.stops) for event in heard] == [1000, 1000, 500]


async def test_a_caller_that_leaves_stops_it_between_two_thousands(
    api: JobServiceAsyncStub, gateway: Gateway, record: Record, pending: Job
) -> None:
    copies = await record.clone(pending, 2_499)
    async with record.holding(TASK_LOCK, sorted(copies)[1500]):
        call = api.CancelJobs(v1.CancelJobsRequest(all=True))
        await record.waiting(1)
        call.cancel()
        # On the same connection, so the gateway has heard of the cancel by then.
        await api.GetServerInfo(v1.GetServerInfoRequest())
    await eventually(lambda: _stand_at(record, {"cancelled": 2000, "pending": 500}))
    gateway.shutdown.set()
    await gateway.serving
    assert await statuses(record) == {"cancelled": 2000, "pending": 500}


async def test_a_job_that_another_holds_delays_no_other_of_its_batch(
    api: JobServiceAsyncStub, gateway: Gateway, record: Record
) -> None:
    held, free = await running(record), await running(record)
    stopped: list[StopEvent] = []
    await gateway.connections.bus.on_stop(stopped.append)
    ids = [str(held.job_id), str(free.job_id)]
    async with record.holding(LOCK, held.job_id):
        call = api.BatchCancelJobs(v1.BatchCancelJobsRequest(job_ids=ids))
        await record.waiting(1)
        assert [[stop.job_id for stop in event.stops] for event in stopped] == [ids[1:]]
    results = (await call).results
    assert [result.job.status for result in results] == [job_pb2.Job.CANCELLING] * 2


async def test_a_filter_waits_a_moment_for_a_job_that_another_holds(
    api: JobServiceAsyncStub, record: Record, pending: Job
) -> None:
    other = await record.create(owner=OWNER)
    async with record.holding(LOCK, pending.job_id):
        call = api.CancelJobs(v1.CancelJobsRequest(all=True))
        await eventually(lambda: record.stands(other, Status.CANCELLED))
    answer = await call
    assert (answer.cancelled, answer.remaining) == (2, 0)


async def _stand_at(record: Record, wanted: dict[str, int]) -> bool:
    return await statuses(record) == wanted
