"""Rules: the guards of the protocol, each of which a search can do without."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All of them hold in the protocol as it is built."""

    # The record.
    cancel_locks_first: bool = True
    """A cancel locks the job in one statement and looks at its tasks in the next."""
    settle_locks_first: bool = True
    """A settle locks the job in one statement and looks at its tasks in the next."""
    counts_stand_in_the_job: bool = True
    """How many tasks run, and how many segments are made, are columns of the job."""
    cancel_waits_for_the_last_settle: bool = True
    """A cancel of a job with a task RUNNING makes it CANCELLING, not CANCELLED."""
    cancel_skips_what_is_queued: bool = True
    """A cancel skips the queued tasks in its own transaction."""
    last_settle_ends_the_job: bool = True
    """The settle of the last task of a stopping or pausing job ends the job."""
    failure_waits_for_the_last_settle: bool = True
    """A failed job stays PROCESSING until the last of its tasks has settled."""
    claim_needs_a_running_job: bool = True
    """A claim takes no task of a job that pauses, is paused, or stops."""
    claim_needs_a_live_worker: bool = True
    """A claim is refused to a worker that is dead or whose lease is over."""
    settle_names_its_attempt: bool = True
    """A settle writes only `WHERE attempt = ...`."""
    settle_names_its_worker: bool = True
    """A settle writes only `WHERE worker_id = ...`."""
    settle_needs_a_running_row: bool = True
    """A settle writes only `WHERE status = 'running'`."""
    video_is_refused_while_stopping: bool = True
    """A stitch that ends while its job stops is CANCELLED; there is no video."""
    completion_needs_a_running_job: bool = True
    """A job is COMPLETED only from PROCESSING and PAUSING, and without an error."""
    nothing_follows_while_stopping: bool = True
    """A stopping job gets no further task."""
    stitch_follows_while_pausing: bool = True
    """A pausing job gets the task that follows."""
    stitch_follows_while_paused: bool = True
    """A paused job gets the task that follows."""
    stitch_completes_a_pausing_job: bool = True
    """A stitch that settles while its job pauses makes it COMPLETED."""
    abort_of_a_running_job_hands_back: bool = True
    """An abort of a job that is not to stop returns the task to the queue."""
    finished_is_final: bool = True
    """A trigger lets no finished job have another status."""

    # The provider call.
    call_needs_a_running_job: bool = True
    """A paid call is refused once its job is asked to stop."""
    call_names_its_attempt: bool = True
    """A paid call is refused unless this very attempt is RUNNING."""
    call_needs_a_live_worker: bool = True
    """A paid call is refused to a worker that is dead or whose lease is over."""

    # The worker.
    worker_hears_stops: bool = True
    """A worker listens to the stop feed; a publish is shielded from its caller."""
    worker_remembers_stops: bool = True
    """A stop that was heard holds also for a scope that opens after it."""
    stop_must_be_newer_than_the_claim: bool = True
    """A stop aborts only what was claimed before it."""
    heartbeat_lists_stops: bool = True
    """Each heartbeat asks which of the held tasks are to stop."""
    heartbeat_lists_pauses: bool = True
    """It is told of tasks whose job is paused with ABORT, too."""
    heartbeat_lists_lost_tasks: bool = True
    """It is told of tasks that are not the worker's any more, too."""
    unheld_tasks_are_handed_back: bool = True
    """A worker returns what is RUNNING in its name and what it does not hold."""
    nothing_is_handed_back_during_a_claim: bool = True
    """It does not look for such tasks while a claim of its own is under way."""
    settle_is_retried: bool = True
    """A settle is tried until it commits or the row is no longer the attempt's."""
    ignored_abort_ends_the_process: bool = True
    """A task that runs on for its grace after its abort ends with the process."""
    claims_need_a_fresh_lease: bool = True
    """From 7 s on a worker sends no claim."""
    replies_need_a_fresh_lease: bool = True
    """From 7 s on a worker does not run what a late reply says it has claimed."""
    fence_aborts: bool = True
    """From 7 s on a worker aborts all."""
    fence_ends_the_process: bool = True
    """From 9 s on a process that holds a task ends."""
    fence_counts_while_frozen: bool = True
    """It counts by CLOCK_BOOTTIME, from the sending of the last renewal."""
    worker_lets_go_before_it_registers: bool = True
    """A worker that was held for dead holds nothing when it registers again."""

    # The sweep.
    only_lapsed_workers_are_marked: bool = True
    """The sweep marks a worker dead only when its lease is over."""
    dead_workers_stay_dead: bool = True
    """A heartbeat does not renew the lease of a worker that was marked dead."""
    orphans_are_rescued: bool = True
    """The sweep takes back what is RUNNING on a dead worker."""
    orphans_are_found_by_level: bool = True
    """It takes them back whenever the worker died, and not only as it marks it."""
    idle_jobs_are_ended: bool = True
    """The sweep ends a stopping or pausing job of which nothing runs."""


AS_BUILT = Rules()
