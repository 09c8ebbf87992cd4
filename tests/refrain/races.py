"""Races for one job: who meets whom, and what that may come to."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from refrain.job import Status
from tests.refrain.contenders import (
    cancel,
    cancel_as_admin,
    fail,
    hand_back,
    last_orphaned,
    last_orphaned_and_cancelling,
    last_running,
    last_two_running,
    one_running,
    pause,
    pausing,
    rescue,
    resume,
    settle,
    settle_other,
    stitch_running,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from uuid import UUID

    from refrain.job import Job
    from tests.refrain.contenders import Contender
    from tests.refrain.record import Record


TRIALS = 1000
FEWER_TRIALS = 100
AT_ONCE = 4
"""Trials that run side by side; with two contenders each they fill the pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Race:
    """Two contenders for a job, and what becomes of it by who came first."""

    prepare: Callable[[Record], Awaitable[Job]]
    contenders: tuple[Contender, Contender]
    firsts: tuple[str, str]
    """The event that tells that this contender came first."""
    ends: tuple[str, str]
    """What the job then comes to."""
    answers: tuple[tuple[Any, Any], tuple[Any, Any]]
    """What the contenders then hear, the first one's answer first."""


RACES: Mapping[str, Race] = {
    "cancel against settle": Race(
        prepare=one_running,
        contenders=(cancel, settle),
        firsts=("cancel_requested", "task_completed 0"),
        ends=(
            "cancelled: plan completed, "
            "segment 0 completed finished_anyway, segment 1 skipped never_started",
            "cancelled: plan completed, "
            "segment 0 completed, segment 1 skipped never_started",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLED),
            (Status.PROCESSING, Status.CANCELLED),
        ),
    ),
    "cancel against the last segment": Race(
        prepare=last_running,
        contenders=(cancel, settle),
        firsts=("cancel_requested", "task_completed 0"),
        ends=(
            "cancelled: plan completed, segment 0 completed finished_anyway",
            "cancelled: plan completed, segment 0 completed, "
            "stitch skipped never_started",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLED),
            (Status.PROCESSING, Status.CANCELLED),
        ),
    ),
    "cancel against publication": Race(
        prepare=stitch_running,
        contenders=(cancel, settle),
        firsts=("cancel_requested", "task_completed"),
        ends=(
            "cancelled: plan completed, segment 0 completed, "
            "stitch cancelled finished_anyway",
            "completed: plan completed, segment 0 completed, stitch completed",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLED),
            (Status.COMPLETED, "refused"),
        ),
    ),
    "cancel against failure": Race(
        prepare=last_two_running,
        contenders=(cancel, fail),
        firsts=("cancel_requested", "task_failed 0"),
        ends=(
            "cancelling: plan completed, "
            "segment 0 cancelled finished_anyway, segment 1 running",
            "cancelling with error: plan completed, "
            "segment 0 failed, segment 1 running",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLING),
            (Status.PROCESSING, Status.CANCELLING),
        ),
    ),
    "cancel against pause": Race(
        prepare=one_running,
        contenders=(cancel, pause),
        firsts=("cancel_requested", "pause_requested"),
        ends=(
            "cancelling: plan completed, "
            "segment 0 running, segment 1 skipped never_started",
            "cancelling: plan completed, "
            "segment 0 running, segment 1 skipped never_started",
        ),
        answers=(
            (Status.CANCELLING, "refused"),
            (Status.PAUSING, Status.CANCELLING),
        ),
    ),
    "cancel against another": Race(
        prepare=one_running,
        contenders=(cancel, cancel_as_admin),
        firsts=("cancel_requested", "cancel_requested admin:eve"),
        ends=(
            "cancelling: plan completed, "
            "segment 0 running, segment 1 skipped never_started",
            "cancelling admin:eve: plan completed, "
            "segment 0 running, segment 1 skipped never_started",
        ),
        answers=(
            (Status.CANCELLING, Status.CANCELLING),
            (Status.CANCELLING, Status.CANCELLING),
        ),
    ),
    "cancel against resume": Race(
        prepare=pausing,
        contenders=(cancel, resume),
        firsts=("cancel_requested", "resumed"),
        ends=(
            "cancelling: plan completed, segment 0 running",
            "cancelling: plan completed, segment 0 running",
        ),
        answers=(
            (Status.CANCELLING, "refused"),
            (Status.PROCESSING, Status.CANCELLING),
        ),
    ),
    "pause against the last segment": Race(
        prepare=last_running,
        contenders=(pause, settle),
        firsts=("pause_requested", "task_completed 0"),
        ends=(
            "paused: plan completed, segment 0 completed, stitch queued",
            "paused: plan completed, segment 0 completed, stitch queued",
        ),
        answers=(
            (Status.PAUSING, Status.PAUSED),
            (Status.PROCESSING, Status.PAUSED),
        ),
    ),
    "pause against publication": Race(
        prepare=stitch_running,
        contenders=(pause, settle),
        firsts=("pause_requested", "task_completed"),
        ends=(
            "completed: plan completed, segment 0 completed, stitch completed",
            "completed: plan completed, segment 0 completed, stitch completed",
        ),
        answers=(
            (Status.PAUSING, Status.COMPLETED),
            (Status.COMPLETED, "refused"),
        ),
    ),
    "pause against failure": Race(
        prepare=last_two_running,
        contenders=(pause, fail),
        firsts=("pause_requested", "task_failed 0"),
        ends=(
            "processing with error: plan completed, "
            "segment 0 failed, segment 1 running",
            "processing with error: plan completed, "
            "segment 0 failed, segment 1 running",
        ),
        answers=(
            (Status.PAUSING, Status.PROCESSING),
            (Status.PROCESSING, "refused"),
        ),
    ),
    "pause against resume": Race(
        prepare=pausing,
        contenders=(pause, resume),
        firsts=("pause_requested", "resumed"),
        ends=(
            "processing: plan completed, segment 0 running",
            "pausing: plan completed, segment 0 running",
        ),
        answers=(
            (Status.PAUSING, Status.PROCESSING),
            (Status.PROCESSING, Status.PAUSING),
        ),
    ),
    "resume against the last settle": Race(
        prepare=pausing,
        contenders=(resume, settle),
        firsts=("resumed", "task_completed 0"),
        ends=(
            "processing: plan completed, segment 0 completed, stitch queued",
            "processing: plan completed, segment 0 completed, stitch queued",
        ),
        answers=(
            (Status.PROCESSING, Status.PROCESSING),
            (Status.PAUSED, Status.PROCESSING),
        ),
    ),
    "pause against rescue": Race(
        prepare=last_orphaned,
        contenders=(pause, rescue),
        firsts=("pause_requested", "task_rescued 0"),
        ends=(
            "paused: plan completed, segment 0 queued",
            "paused: plan completed, segment 0 queued",
        ),
        answers=((Status.PAUSING, 1), (1, Status.PAUSED)),
    ),
    "cancel against rescue": Race(
        prepare=last_orphaned,
        contenders=(cancel, rescue),
        firsts=("cancel_requested", "task_rescued 0"),
        ends=(
            "cancelled: plan completed, segment 0 cancelled lease_expired",
            "cancelled: plan completed, segment 0 skipped never_started",
        ),
        answers=((Status.CANCELLING, 1), (1, Status.CANCELLED)),
    ),
    "rescue against settle": Race(
        prepare=last_orphaned,
        contenders=(rescue, settle),
        firsts=("task_rescued 0", "task_completed 0"),
        ends=(
            "processing: plan completed, segment 0 queued",
            "processing: plan completed, segment 0 completed, stitch queued",
        ),
        answers=((1, None), (Status.PROCESSING, 0)),
    ),
    "rescue against settle of a job that stops": Race(
        prepare=last_orphaned_and_cancelling,
        contenders=(rescue, settle),
        firsts=("task_aborted 0", "task_completed 0"),
        ends=(
            "cancelled: plan completed, segment 0 cancelled lease_expired",
            "cancelled: plan completed, segment 0 completed finished_anyway",
        ),
        answers=((1, None), (Status.CANCELLED, 0)),
    ),
    "settle against hand-back of the same attempt": Race(
        prepare=last_running,
        contenders=(settle, hand_back),
        firsts=("task_completed 0", "task_handed_back 0"),
        ends=(
            "processing: plan completed, segment 0 completed, stitch queued",
            "processing: plan completed, segment 0 queued",
        ),
        answers=((Status.PROCESSING, None), (Status.PROCESSING, None)),
    ),
    "the last segment against the last but one": Race(
        prepare=last_two_running,
        contenders=(settle, settle_other),
        firsts=("task_completed 0", "task_completed 1"),
        ends=(
            "processing: plan completed, "
            "segment 0 completed, segment 1 completed, stitch queued",
            "processing: plan completed, "
            "segment 0 completed, segment 1 completed, stitch queued",
        ),
        answers=(
            (Status.PROCESSING, Status.PROCESSING),
            (Status.PROCESSING, Status.PROCESSING),
        ),
    ),
}


async def came_to(
    record: Record, job_ids: Sequence[UUID], since: int
) -> list[tuple[str, str]]:
    """Of each job, the first event since, and what it has come to."""
    rows = await record.read(
        """
        SELECT
            concat_ws(
                ' ', event.kind, event.position,
                substring(event.actor FROM 'admin:.*')
            ) AS first_event,
            concat(
                jobs.status,
                CASE WHEN jobs.error IS NOT NULL THEN ' with error' END,
                substring(' ' || jobs.cancel_requested_by FROM ' admin:.*'),
                ': ',
                (SELECT string_agg(
                    concat_ws(
                        ' ', kind, CASE kind WHEN 'segment' THEN position END,
                        status, stop_mode),
                    ', ' ORDER BY kind, position)
                FROM tasks WHERE tasks.job_id = jobs.job_id)
            ) AS end
        FROM jobs LEFT JOIN job_events AS event
            ON event.job_id = jobs.job_id AND event.sequence = %s
        WHERE jobs.job_id = ANY(%s)
        """,
        since + 1,
        list(job_ids),
    )
    return [(row["first_event"], row["end"]) for row in rows]


def chunks(job_ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [job_ids[at : at + AT_ONCE] for at in range(0, len(job_ids), AT_ONCE)]


async def at_once(work: list[Awaitable[Any]]) -> list[Any]:
    random.shuffle(work)
    return await asyncio.gather(*work)
