"""ListSegments: how each segment of a job stands, and what it has cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from refrain.provider_call import CallStatus
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Task
from tests.gateway.conftest import OWNER
from tests.refrain.record import CLIP_USD, IMAGE_USD, RETRY, SEGMENT_USD, image_call

if TYPE_CHECKING:
    from refrain.v1.job_service_pb2_grpc import JobServiceAsyncStub
    from tests.refrain.record import Record


async def test_segments_say_how_they_stand_and_what_they_cost(
    api: JobServiceAsyncStub, record: Record
) -> None:
    worker_id = await record.register()
    job = await record.at_paid_segments(worker_id, segments=2, owner=OWNER)
    task = await record.claim(worker_id)
    image = await record.begin(task, image_call())
    await record.calls.finish_call(image, CallStatus.ANSWERED, IMAGE_USD)
    await record.start_clip(task)
    await record.settle(await record.claim(worker_id), RETRY)
    asked = v1.ListSegmentsRequest(job_id=str(job.job_id))
    running, again = (await api.ListSegments(asked)).segments
    assert (running.status, again.status) == (Task.RUNNING, Task.QUEUED)
    assert running.spent_usd == pytest.approx(float(IMAGE_USD))
    assert running.in_flight_usd == float(CLIP_USD)
    assert (again.spent_usd, again.in_flight_usd) == (0, 0)
    assert running.estimate_usd == again.estimate_usd == float(SEGMENT_USD)
    assert not running.HasField("error")
    assert again.error.message == RETRY.error["message"]
