"""A job past its `cancel_after` is cancelled, also when nobody was there to see it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from google.protobuf.duration_pb2 import Duration

from tests.system.faults.site import GATEWAY, RATIO, SCALED, STUDIO, Site

if TYPE_CHECKING:
    from datetime import datetime

pytestmark = pytest.mark.faults

SLACK = timedelta(seconds=2)
"""For a busy machine."""
FOUND = 3.0 * RATIO * timedelta(seconds=1) + SLACK
"""From the deadline, or from the start of the gateway, to the request."""
STOPPED = 0.05 * timedelta(seconds=1) + SLACK
RESCUED = 15.0 * RATIO * timedelta(seconds=1) + SLACK
HOUR = Duration(seconds=3600)


async def test_a_deadline_stops_a_job_in_every_stage(site: Site) -> None:
    site.fields = {"cancel_after": HOUR}
    await site.start(SCALED)
    passed_at = await _let_deadlines_pass(site)
    await site.all_cancelled()
    await _assert_deadline(site, since=passed_at, stopped_within=STOPPED)


async def test_a_deadline_that_passed_while_all_services_were_down_is_kept(
    site: Site,
) -> None:
    site.fields = {"cancel_after": HOUR}
    await site.start(SCALED)
    for service in (GATEWAY, STUDIO):
        site.system.kill(service)
    await _let_deadlines_pass(site)
    await site.system.start(GATEWAY, STUDIO)
    (row,) = await site.system.query("SELECT now()")
    await site.all_cancelled()
    await _assert_deadline(site, since=row["now"], stopped_within=RESCUED)


async def _let_deadlines_pass(site: Site) -> datetime:
    """An hour passes."""
    ids = [UUID(job_id) for job_id in site.jobs.values()]
    rows = await site.system.query(
        "UPDATE jobs SET cancel_at = now() WHERE job_id = ANY(%s) "
        "AND cancel_at = created_at + interval '1 hour' RETURNING cancel_at",
        ids,
    )
    assert len(rows) == len(ids)
    return rows[0]["cancel_at"]


async def _assert_deadline(
    site: Site, *, since: datetime, stopped_within: timedelta
) -> None:
    assert site.overstated == []
    for job in await site.rows("jobs", site.jobs.values()):
        assert job["cancel_cause"] == "deadline"
        assert job["message"] == "Job cancelled: deadline passed"
        assert job["cancel_requested_at"] - since < FOUND
        assert job["stopped_at"] - job["cancel_requested_at"] < stopped_within
    await site.is_alive()
