"""Rows as the messages of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import ParseDict
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from refrain.v1 import job_pb2 as v1
from refrain.v1.job_service_pb2 import PreviewJobResponse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from enum import Enum
    from typing import Any

    from refrain.job import Job, SegmentRow, SegmentState, Task
    from refrain.store import JobEvent
    from services.gateway.preview import Preview


def job_message(job: Job) -> v1.Job:
    """Returns the job as clients see it."""
    return v1.Job(
        job_id=str(job.job_id),
        owner=job.owner,
        status=v1.Job.Status.Value(job.status.name),
        stage=_value(v1.Job.Stage, job.stage),
        title=job.title,
        artist=job.artist,
        message=job.message,
        segments_total=job.segments_total,
        segments_completed=job.segments_completed,
        tasks_running=job.tasks_running,
        max_in_flight=job.max_in_flight,
        cancellation=_cancellation(job) if job.cancelled else None,
        cost=v1.Cost(
            spent_usd=float(job.spent_usd),
            avoided_usd=float(job.avoided_usd),
            avoided_probably_usd=float(job.avoided_probably_usd),
            unknown_usd=float(job.unknown_usd),
            in_flight_usd=float(job.in_flight_usd),
            unstoppable_usd=float(job.unstoppable_usd),
            segment_usd=float(job.segment_usd),
            avoidable_usd=float(job.avoidable_usd),
        ),
        video=None if job.video is None else ParseDict(dict(job.video), v1.Video()),
        error=_status(job.error),
        labels=job.labels,
        retried_from=str(job.retried_from or ""),
        create_time=_timestamp(job.created_at),
        start_time=_timestamp(job.started_at),
        finish_time=_timestamp(job.finished_at),
        update_time=_timestamp(job.updated_at),
        event_sequence=job.event_sequence,
    )


def segment_message(state: SegmentState) -> v1.Segment:
    """Returns the segment as clients see it."""
    message = planned_message(state.segment)
    message.status = v1.Task.Status.Value(state.status.name)
    message.spent_usd = float(state.spent_usd)
    message.in_flight_usd = float(state.in_flight_usd)
    if (error := _status(state.error)) is not None:
        message.error.CopyFrom(error)
    return message


def planned_message(segment: SegmentRow) -> v1.Segment:
    """Returns a segment of which nobody says how it stands."""
    return v1.Segment(
        position=segment.position,
        start_offset=_duration(segment.start_offset),
        end_offset=_duration(segment.end_offset),
        lines=[
            v1.LyricLine(
                text=line["text"],
                start_offset=_seconds(line["start"]),
                end_offset=_seconds(line["end"]),
            )
            for line in segment.lines
        ],
        prompt=segment.prompt,
        image_uri=segment.image_uri or "",
        clip_uri=segment.clip_uri or "",
        estimate_usd=float(segment.estimate_usd),
    )


def preview_message(preview: Preview) -> PreviewJobResponse:
    """Returns the preview as clients see it."""
    duration = preview.song_duration
    return PreviewJobResponse(
        segments=map(planned_message, preview.segments),
        estimate_usd=float(preview.estimate_usd),
        song_duration=None if duration is None else _duration(duration),
        lyrics_looked_up=preview.lyrics_looked_up,
    )


def task_message(task: Task) -> v1.Task:
    """Returns the task as clients see it."""
    return v1.Task(
        kind=v1.Task.Kind.Value(task.kind.name),
        position=task.position,
        status=v1.Task.Status.Value(task.status.name),
        attempt=task.attempt,
        failures=task.failures,
        worker_id=str(task.worker_id or ""),
        start_time=_timestamp(task.started_at),
        end_time=_timestamp(task.ended_at),
        stop_mode=_value(v1.Task.StopMode, task.stop_mode),
        error=_status(task.error),
    )


def event_message(event: JobEvent) -> v1.JobEvent:
    """Returns the event as clients see it."""
    return v1.JobEvent(
        sequence=event.sequence,
        time=_timestamp(event.recorded_at),
        kind=v1.JobEvent.Kind.Value(event.kind.name),
        actor=event.actor,
        task_kind=_value(v1.Task.Kind, event.task_kind),
        position=event.position,
        detail=event.detail,
        job=job_message(event.job),
    )


def snapshot_message(job: Job) -> v1.JobEvent:
    """Returns the event that a watch begins with."""
    return v1.JobEvent(
        sequence=job.event_sequence,
        time=_timestamp(job.updated_at),
        kind=v1.JobEvent.SNAPSHOT,
        job=job_message(job),
    )


def _cancellation(job: Job) -> v1.Cancellation:
    return v1.Cancellation(
        reason=job.cancel_reason or "",
        requested_by=job.cancel_requested_by or "",
        cause=_value(v1.Cancellation.Cause, job.cancel_cause),
        request_time=_timestamp(job.cancel_requested_at),
        stop_time=_timestamp(job.stopped_at),
        tasks_skipped=job.tasks_skipped,
        tasks_aborted=job.tasks_aborted,
        tasks_finished_anyway=job.tasks_finished_anyway,
        slowest_stop=None if job.slowest_stop is None else _duration(job.slowest_stop),
        provider_cancels=v1.Cancellation.ProviderCancels(
            confirmed=job.cancels_confirmed,
            refused=job.cancels_refused,
            pending=job.cancels_pending,
            unknown=job.cancels_unknown,
            unsupported=job.cancels_unsupported,
        ),
        tasks_killed=job.tasks_killed,
        tasks_expired=job.tasks_expired,
        segments_kept=job.segments_completed,
    )


def _value(names: Any, member: Enum | None) -> Any:
    """Returns the enum value of the same name; that of UNSPECIFIED for None."""
    return 0 if member is None else names.Value(member.name)


def _status(error: Mapping[str, Any] | None) -> status_pb2.Status | None:
    return None if error is None else ParseDict(dict(error), status_pb2.Status())


def _timestamp(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    message = Timestamp()
    message.FromDatetime(time)
    return message


def _duration(span: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(span)
    return message


def _seconds(seconds: float) -> Duration:
    message = Duration()
    message.FromMilliseconds(round(seconds * 1000))
    return message
