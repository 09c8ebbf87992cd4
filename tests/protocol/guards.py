"""Guards: for each rule of the protocol what happens without it, and how that is known.

NEEDED: a search without the rule breaks an invariant. SPARE: another rule covers it,
and no search without it breaks anything. FASTER: the same, and it was never meant for
more than to be quicker or cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tests.protocol.invariants import Broken
from tests.protocol.rules import Rules
from tests.protocol.worlds import FAILING, NO_CANCEL, SMALL, SPARE, World

if TYPE_CHECKING:
    from collections.abc import Sequence


class Verdict(StrEnum):
    NEEDED = "needed"
    SPARE = "spare"
    FASTER = "faster"


@dataclass(frozen=True, slots=True)
class Guard:
    rules: tuple[str, ...]
    """Those that a search goes without; more than one where they cover each other."""
    where: str
    """The statements of `refrain/queries`, or the methods, that keep the rule."""
    verdict: Verdict
    broken: Broken | None = None
    note: str = ""
    """What covers a spare guard, or what a faster one saves."""
    worlds: Sequence[World] = (SMALL,)

    @property
    def without(self) -> Rules:
        return Rules(**dict.fromkeys(self.rules, False))

    def __str__(self) -> str:
        return " and ".join(rule.replace("_", " ") for rule in self.rules)


def _needed(
    *rules: str, where: str, broken: Broken, world: World = SMALL, note: str = ""
) -> Guard:
    return Guard(rules, where, Verdict.NEEDED, broken, note, (world,))


def _spare(*rules: str, where: str, note: str) -> Guard:
    return Guard(rules, where, Verdict.SPARE, note=note, worlds=SPARE)


def _faster(*rules: str, where: str, note: str) -> Guard:
    return Guard(rules, where, Verdict.FASTER, note=note, worlds=SPARE)


RECORD = (
    _needed(
        "cancel_locks_first",
        where="lock_job, lock_free_jobs before request_cancels",
        broken=Broken.LEFT_OPEN,
    ),
    _needed(
        "settle_locks_first",
        where="lock_job before ending(), finish_task, ...",
        broken=Broken.LEFT_OPEN,
    ),
    _spare(
        "counts_stand_in_the_job",
        where="jobs.tasks_running, jobs.segments_completed",
        note="the lock that comes first: a count of tasks would then be right too",
    ),
    _needed(
        "cancel_locks_first",
        "counts_stand_in_the_job",
        where="lock_job, lock_free_jobs before request_cancels",
        broken=Broken.LEFT_OPEN,
        note="CANCELLED is written over a RUNNING task",
    ),
    _needed(
        "settle_locks_first",
        "counts_stand_in_the_job",
        where="lock_job before insert_stitch",
        broken=Broken.NEVER_ENDS,
        world=NO_CANCEL,
        note="the two last segments settle at once, and no stitch follows",
    ),
    _needed(
        "cancel_waits_for_the_last_settle",
        where="request_cancels",
        broken=Broken.LEFT_OPEN,
    ),
    _needed(
        "cancel_skips_what_is_queued",
        where="request_cancels: skipped_tasks",
        broken=Broken.LEFT_OPEN,
    ),
    _faster(
        "last_settle_ends_the_job",
        where="end_if_idle",
        note="the sweep ends the job, up to 2 s later",
    ),
    _faster(
        "idle_jobs_are_ended",
        where="list_idle_stopping_jobs, end_idle_job",
        note="the last settle has ended the job already; a net for what is not known",
    ),
    _needed(
        "last_settle_ends_the_job",
        "idle_jobs_are_ended",
        where="end_if_idle, end_idle_job",
        broken=Broken.NEVER_STOPS,
    ),
    _needed(
        "failure_waits_for_the_last_settle",
        where="confirm_failure: tasks_running = 0",
        broken=Broken.LEFT_OPEN,
        world=FAILING,
    ),
    _needed(
        "claim_needs_a_running_job",
        where="lock_claimable_job, claim_task, start_task: jobs.status",
        broken=Broken.UNPAUSED,
    ),
    _spare(
        "claim_needs_a_live_worker",
        where="claim_task: dead_at, expires_at",
        note="the reply finds no fresh lease and is dropped; the task is rescued",
    ),
    _needed(
        "settle_names_its_attempt",
        where="finish_task, requeue_task: attempt",
        broken=Broken.RUNS_ON,
    ),
    _spare(
        "settle_names_its_worker",
        where="finish_task, requeue_task: worker_id",
        note="an attempt has one worker only, so that its number says as much",
    ),
    _needed(
        "settle_needs_a_running_row",
        where="finish_task, requeue_task: status",
        broken=Broken.MISCOUNTED,
    ),
    _spare(
        "video_is_refused_while_stopping",
        where="job.ending",
        note="complete_job refuses a stopping job",
    ),
    _spare(
        "completion_needs_a_running_job",
        where="complete_job: status, error",
        note="ending() has refused the video already",
    ),
    _needed(
        "video_is_refused_while_stopping",
        "completion_needs_a_running_job",
        where="job.ending, complete_job",
        broken=Broken.REWRITTEN,
    ),
    _needed(
        "nothing_follows_while_stopping",
        where="insert_segment_tasks, insert_stitch",
        broken=Broken.LEFT_OPEN,
    ),
    _needed(
        "stitch_follows_while_pausing",
        where="insert_segment_tasks, insert_stitch",
        broken=Broken.NEVER_ENDS,
    ),
    _spare(
        "stitch_follows_while_paused",
        where="insert_segment_tasks, insert_stitch",
        note="nothing of a paused job runs, so nothing of it settles",
    ),
    _needed(
        "stitch_completes_a_pausing_job",
        where="complete_job: status",
        broken=Broken.NEVER_ENDS,
    ),
    _needed(
        "abort_of_a_running_job_hands_back",
        where="job.ending",
        broken=Broken.NEVER_ENDS,
    ),
    _spare(
        "finished_is_final",
        where="trigger history_is_final",
        note="no statement tries; a net for what is not known",
    ),
)

CALLS = (
    _needed(
        "call_needs_a_running_job",
        where="begin_provider_call: jobs",
        broken=Broken.PAID_LATE,
    ),
    _spare(
        "call_names_its_attempt",
        where="begin_provider_call: attempt, status",
        note="only a process past its lease holds an attempt that is over",
    ),
    _faster(
        "call_needs_a_live_worker",
        where="begin_provider_call: dead_at, expires_at",
        note="saves what a process pays that its fence is about to end",
    ),
    _needed(
        "call_names_its_attempt",
        "call_needs_a_live_worker",
        where="begin_provider_call",
        broken=Broken.PAID_LATE,
    ),
)

WORKER = (
    _faster(
        "worker_hears_stops",
        where="Bus.announce shielded, Worker._hear_stop",
        note="the heartbeat says it too, up to 1.5 s later",
    ),
    _faster(
        "worker_remembers_stops",
        where="StopMemory",
        note="the heartbeat says it too, up to 1.5 s later",
    ),
    _needed(
        "stop_must_be_newer_than_the_claim",
        where="StopMemory.reason_to_abort",
        broken=Broken.NEVER_ENDS,
    ),
    _needed("heartbeat_lists_stops", where="list_stops", broken=Broken.NEVER_STOPS),
    _needed(
        "heartbeat_lists_pauses",
        where="list_stops: pause_mode",
        broken=Broken.NEVER_STOPS,
    ),
    _spare(
        "heartbeat_lists_lost_tasks",
        where="list_stops: tasks.status",
        note="who may hold a task that was taken back has been ended by its fence",
    ),
    _needed(
        "unheld_tasks_are_handed_back",
        where="list_unheld_tasks",
        broken=Broken.NEVER_STOPS,
    ),
    _needed(
        "nothing_is_handed_back_during_a_claim",
        where="Worker._hand_back_unheld",
        broken=Broken.RUNS_ON,
    ),
    _faster(
        "settle_is_retried",
        where="Worker._settle",
        note="saves the work: what is dropped is found unheld and made again",
    ),
    _needed(
        "ignored_abort_ends_the_process",
        where="HeldTasks._end_grace",
        broken=Broken.NEVER_STOPS,
    ),
    _spare(
        "claims_need_a_fresh_lease",
        where="Worker._free_slots",
        note="claim_task refuses from 10 s on, and the reply is dropped from 7 s on",
    ),
    _needed("replies_need_a_fresh_lease", where="Worker._claim", broken=Broken.RUNS_ON),
    _faster(
        "fence_aborts",
        where="Lease.watch",
        note="saves the process: at 9 s it ends with all that it runs",
    ),
    _needed("fence_ends_the_process", where="Fence._watch", broken=Broken.RUNS_ON),
    _needed(
        "fence_counts_while_frozen",
        where="fence.boottime, Fence.renewed(sent_at)",
        broken=Broken.RUNS_ON,
    ),
    _needed(
        "worker_lets_go_before_it_registers",
        where="Lease._beat: let_go",
        broken=Broken.RUNS_ON,
    ),
)

SWEEP = (
    _needed(
        "only_lapsed_workers_are_marked",
        where="mark_dead_workers: expires_at",
        broken=Broken.RUNS_ON,
    ),
    _needed(
        "dead_workers_stay_dead",
        where="renew_worker: dead_at IS NULL",
        broken=Broken.RUNS_ON,
    ),
    _needed(
        "orphans_are_rescued",
        where="list_orphaned_jobs, rescue_tasks",
        broken=Broken.NEVER_STOPS,
    ),
    _needed(
        "orphans_are_found_by_level",
        where="list_orphaned_jobs, list_orphaned_tasks",
        broken=Broken.NEVER_STOPS,
    ),
)

GUARDS = (*RECORD, *CALLS, *WORKER, *SWEEP)
