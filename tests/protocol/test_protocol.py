"""The protocol, searched: nothing that can happen breaks what it promises.

The long tests search more, and once more without each of its guards.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from time import process_time

import pytest

from refrain.store.database import query
from tests.protocol.guards import GUARDS, Guard, Verdict
from tests.protocol.rules import AS_BUILT, Rules
from tests.protocol.search import Result, search
from tests.protocol.words import lines
from tests.protocol.worlds import QUICK, SMALL, WHOLE, World

SAID_BY = [
    ("claim_needs_a_running_job", "claim_task", "jobs.status IN ('pending', 'proc"),
    ("claim_needs_a_live_worker", "claim_task", "workers.dead_at IS NULL"),
    ("claim_needs_a_live_worker", "claim_task", "workers.expires_at > clock_times"),
    ("settle_names_its_attempt", "finish_task", "attempt = %(attempt)s"),
    ("settle_names_its_attempt", "requeue_task", "attempt = %(attempt)s"),
    ("settle_names_its_worker", "finish_task", "worker_id = %(worker_id)s"),
    ("settle_needs_a_running_row", "finish_task", "status = 'running'"),
    ("settle_needs_a_running_row", "requeue_task", "status = 'running'"),
    ("completion_needs_a_running_job", "complete_job", "('processing', 'pausing')"),
    ("completion_needs_a_running_job", "complete_job", "error IS NULL"),
    ("nothing_follows_while_stopping", "insert_stitch", "error IS NULL"),
    ("stitch_follows_while_pausing", "insert_stitch", "'pausing', 'paused')"),
    ("cancel_waits_for_the_last_settle", "confirm_cancel", "tasks_running = 0"),
    ("failure_waits_for_the_last_settle", "confirm_failure", "tasks_running = 0"),
    ("call_needs_a_running_job", "begin_provider_call", "'processing', 'pausing')"),
    ("call_needs_a_running_job", "begin_provider_call", "DISTINCT FROM 'abort'"),
    ("call_names_its_attempt", "begin_provider_call", "attempt = %(attempt)s"),
    ("call_needs_a_live_worker", "begin_provider_call", "workers.dead_at IS NULL"),
    ("heartbeat_lists_stops", "list_stops", "jobs.status = 'cancelling'"),
    ("heartbeat_lists_pauses", "list_stops", "jobs.pause_mode = 'abort'"),
    ("heartbeat_lists_lost_tasks", "list_stops", "DISTINCT FROM 'running'"),
    ("only_lapsed_workers_are_marked", "mark_dead_workers", "expires_at < now()"),
    ("dead_workers_stay_dead", "renew_worker", "dead_at IS NULL"),
    ("orphans_are_found_by_level", "list_orphaned_tasks", "dead_at IS NOT NULL"),
]


@pytest.mark.parametrize("world", QUICK, ids=str)
def test_nothing_that_can_happen_breaks_a_small_job(world: World) -> None:
    result = search(world.first_state, AS_BUILT)
    assert result.broken is None, _told(result)


def test_a_missing_guard_is_found() -> None:
    result = search(SMALL.first_state, Rules(claim_needs_a_running_job=False))
    assert lines(result.trace) == ["pause with DRAIN", "A claims segment 1"]


@pytest.mark.parametrize(("rule", "statement", "text"), SAID_BY)
def test_the_statement_still_says_its_guard(
    rule: str, statement: str, text: str
) -> None:
    assert hasattr(AS_BUILT, rule)
    assert text in query(statement)


def test_every_rule_has_its_verdict() -> None:
    judged = {rule for guard in GUARDS for rule in guard.rules}
    assert judged == {field.name for field in fields(Rules)}


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("world", WHOLE, ids=str)
def test_nothing_that_can_happen_breaks_the_protocol(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    started_at = process_time()
    result = search(world.first_state, AS_BUILT)
    with capsys.disabled():
        seconds = process_time() - started_at
        text = f"\n{world}: {result.states:,} states in {seconds:.0f} s\n"
        sys.stderr.write(text)
    assert result.broken is None, _told(result)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("guard", GUARDS, ids=str)
def test_without_a_guard(guard: Guard, capsys: pytest.CaptureFixture[str]) -> None:
    results = [search(world.first_state, guard.without) for world in guard.worlds]
    with capsys.disabled():
        states = sum(result.states for result in results)
        text = f"\nwithout '{guard}': {guard.verdict}, {states:,} states\n"
        sys.stderr.write(text)
    assert {result.broken for result in results} == {guard.broken}, _told(results[0])
    assert (guard.broken is not None) == (guard.verdict is Verdict.NEEDED)


def _told(result: Result) -> str:
    return f"{result.broken}: " + "; ".join(lines(result.trace))
