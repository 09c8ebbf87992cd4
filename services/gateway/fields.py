"""Fields that several requests have: ids, reasons, filters, timeouts."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from refrain.errors import InvalidRequest
from refrain.job import CANCELLABLE, Status
from refrain.store import JobFilter
from refrain.v1 import job_pb2

if TYPE_CHECKING:
    from datetime import datetime

    from refrain.v1 import job_service_pb2 as v1

MAX_REASON = 1024
MAX_REQUEST_ID = 128
LONGEST_WAIT = timedelta(days=30)


def read_job_id(job_id: str) -> UUID:
    """Raises InvalidRequest for what is no UUID."""
    try:
        return UUID(job_id)
    except ValueError as err:
        why = f"{job_id[:64]!r} is no job id; pass the job_id that CreateJob returned"
        raise InvalidRequest({"job_id": why}) from err


def read_reason(reason: str) -> str:
    """Raises InvalidRequest for one that a receipt cannot hold."""
    if len(reason) > MAX_REASON or "\0" in reason:
        why = f"must be up to {MAX_REASON:,} characters, without NUL"
        raise InvalidRequest({"reason": why})
    return reason


def read_request_id(request_id: str) -> str | None:
    """Returns None if the caller gives none."""
    if len(request_id) > MAX_REQUEST_ID or "\0" in request_id:
        why = f"must be up to {MAX_REQUEST_ID} characters, without NUL"
        raise InvalidRequest({"request_id": why})
    return request_id or None


def read_timeout(request: v1.WaitJobRequest) -> float | None:
    """Returns seconds; None for a wait without an end."""
    if not request.HasField("timeout"):
        return None
    seconds = request.timeout.seconds + request.timeout.nanos / 1e9
    if not 0 <= seconds <= LONGEST_WAIT.total_seconds():
        why = f"must be from 0 to {LONGEST_WAIT.days} days"
        raise InvalidRequest({"timeout": why})
    return seconds


def read_filter(wanted: v1.JobFilter) -> JobFilter:
    """Raises InvalidRequest for what no job could match by mistake."""
    names = job_pb2.Job.Status
    try:
        statuses = [Status[names.Name(status)] for status in wanted.statuses]
    except (KeyError, ValueError) as err:
        why = "must each be a status of refrain.v1.Job.Status"
        raise InvalidRequest({"filter.statuses": why}) from err
    if "\0" in wanted.text:
        raise InvalidRequest({"filter.text": "must not hold NUL bytes"})
    return JobFilter(
        statuses=statuses or None,
        text=wanted.text or None,
        created_from=_read_time(wanted, "create_time_from"),
        created_to=_read_time(wanted, "create_time_to"),
    )


def read_cancel_filter(request: v1.CancelJobsRequest) -> JobFilter:
    """Returns which jobs a cancel is for; all of them only when it says so."""
    jobs = read_filter(request.filter)
    if request.all == (jobs != JobFilter()):
        why = (
            "must be empty to cancel all jobs; leave out one of filter and all"
            if request.all
            else "is empty; say which jobs to cancel, or set all to cancel them all"
        )
        raise InvalidRequest({"filter": why})
    if jobs.statuses and not CANCELLABLE.issuperset(jobs.statuses):
        names = ", ".join(status.name for status in Status if status in CANCELLABLE)
        why = f"must each be one of {names}: no other job can be cancelled"
        raise InvalidRequest({"filter.statuses": why})
    return jobs


def _read_time(wanted: v1.JobFilter, name: str) -> datetime | None:
    if not wanted.HasField(name):  # pyright: ignore[reportArgumentType]
        return None
    try:
        return getattr(wanted, name).ToDatetime(UTC)
    except (ValueError, OverflowError) as err:
        why = "must be a time from the year 1 to 9999"
        raise InvalidRequest({f"filter.{name}": why}) from err
