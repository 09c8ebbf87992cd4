"""The receipt of a cancel, and a job's other facts, in words."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from refrain.v1.job_pb2 import Cancellation, Cost, Job

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp


def receipt(job: Job) -> dict[str, str]:
    """Returns who asked, how the work stopped, and what it cost; else nothing."""
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
        "cost": _cost(job.cost),
        "providers": _provider_cancels(cancellation.provider_cancels),
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
        "cost": _cost(job.cost),
        "in flight": _in_flight(job.cost),
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


def dollars(amount: float) -> str:
    """Returns an amount to a hundredth of a cent, as prices are rounded."""
    return f"${amount:,.4f}"


def _cost(cost: Cost) -> str:
    """Returns what the job has cost at list prices; empty if nothing."""
    amounts = {
        "spent": cost.spent_usd,
        "avoided": cost.avoided_usd,
        "probably avoided": cost.avoided_probably_usd,
        "unknown": cost.unknown_usd,
    }
    return ", ".join(f"{dollars(usd)} {what}" for what, usd in amounts.items() if usd)


def _in_flight(cost: Cost) -> str:
    """Returns what the calls under way will cost; empty if nothing."""
    if not cost.in_flight_usd:
        return ""
    unstoppable = f"{dollars(cost.unstoppable_usd)} of it cannot be stopped"
    return f"{dollars(cost.in_flight_usd)}; {unstoppable}"


def _provider_cancels(cancels: Cancellation.ProviderCancels) -> str:
    """Returns what providers said when asked to stop calls; empty if none was."""
    counts = {
        "stopped": cancels.confirmed,
        "still asked": cancels.pending,
        "refused": cancels.refused,
        "cannot be stopped": cancels.unsupported,
        "unknown": cancels.unknown,
    }
    return ", ".join(f"{count} {what}" for what, count in counts.items() if count)


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
