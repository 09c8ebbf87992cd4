"""The receipt of a cancel, and a job's other facts, in words."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from refrain.v1.job_pb2 import Cancellation, Job

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


def receipt(job: Job) -> dict[str, str]:
    """Returns who asked, and how the work stopped; empty without a cancel."""
    if not job.HasField("cancellation"):
        return {}
    cancellation = job.cancellation
    cause = Cancellation.Cause.Name(cancellation.cause).lower()
    asked = f"{clock(cancellation.request_time)} by {cancellation.requested_by}"
    return {
        "asked": f"{asked} ({cause})",
        "reason": cancellation.reason,
        "stopped": _stopped(cancellation),
        "tasks": (
            f"{cancellation.tasks_skipped} skipped, "
            f"{cancellation.tasks_aborted} aborted, "
            f"{cancellation.tasks_killed} killed, "
            f"{cancellation.tasks_expired} lost with their worker, "
            f"{cancellation.tasks_finished_anyway} finished anyway"
        ),
        "kept": f"{cancellation.segments_kept} of {job.segments_total} segments",
        "slowest stop": (
            milliseconds(cancellation.slowest_stop.ToTimedelta())
            if cancellation.HasField("slowest_stop")
            else "nothing ran"
        ),
    }


def facts(job: Job) -> dict[str, str]:
    """Returns what there is to know of a job but its cancel."""
    return {
        "job": job.job_id,
        "title": job.title,
        "artist": job.artist,
        "status": status(job),
        "message": job.message,
        "segments": f"{job.segments_completed} of {job.segments_total}",
        "error": job.error.message,
        "created": clock(job.create_time),
        "started": clock(job.start_time) if job.HasField("start_time") else "",
        "finished": clock(job.finish_time) if job.HasField("finish_time") else "",
        "video": _video(job) if job.HasField("video") else "",
        "labels": " ".join(f"{k}={v}" for k, v in sorted(job.labels.items())),
        "retry of": job.retried_from,
    }


def status(job: Job) -> str:
    """Returns the status, and of a PROCESSING job its stage."""
    if job.status == Job.PROCESSING and job.stage:
        return Job.Stage.Name(job.stage).lower()
    return Job.Status.Name(job.status).lower()


def clock(time: Timestamp) -> str:
    """Returns the time here, to the millisecond."""
    here = time.ToDatetime(UTC).astimezone()
    return f"{here:%Y-%m-%d %H:%M:%S}.{here.microsecond // 1000:03}"


def milliseconds(span: timedelta) -> str:
    """Returns a span to the millisecond."""
    return f"{span / timedelta(milliseconds=1):,.0f} ms"


def _stopped(cancellation: Cancellation) -> str:
    if not cancellation.HasField("stop_time"):
        return "not yet"
    asked = cancellation.request_time.ToDatetime()
    stopped = cancellation.stop_time
    after = milliseconds(stopped.ToDatetime() - asked)
    return f"{clock(stopped)}, {after} later"


def _video(job: Job) -> str:
    video = job.video
    seconds = video.duration.ToTimedelta().total_seconds()
    size = f"{video.width}x{video.height}, {seconds:.1f} s"
    return f"{size}, {video.size_bytes / 1e6:.1f} MB"
