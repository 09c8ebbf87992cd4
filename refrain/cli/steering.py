"""Commands that change jobs: cancel, pause, resume, retry, delete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from refrain.cli.commands import show_new
from refrain.cli.each import each
from refrain.cli.receipt import dollars, receipt, status
from refrain.cli.terminal import complain
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Awaitable, Callable, Sequence

    from refrain.cli.client import Client
    from refrain.cli.terminal import Terminal

MOST_STOPPING = 10_000
"""Jobs that one cancel waits for."""


async def cancel(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Cancels jobs, and waits until each is CANCELLED.

    Jobs that are named show their receipts; of those that --all, --status or --text
    choose, their number is shown.
    """
    try:
        if asked.job_ids:
            return await _cancel_named(client, asked, terminal)
        return await _cancel_matching(client, asked, terminal)
    except asyncio.CancelledError:
        complain("no longer waiting; what was asked to be cancelled will be")
        raise


async def pause(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Starts nothing more of jobs; what runs comes to its end, or is aborted."""
    mode = v1.PauseJobRequest.ABORT if asked.abort else v1.PauseJobRequest.DRAIN
    return await _change(
        client, asked, terminal, lambda job_id: client.pause_job(job_id, mode)
    )


async def resume(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Lets paused jobs go on."""
    return await _change(client, asked, terminal, client.resume_job)


async def retry(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Creates a job from a cancelled or failed one, with all that it had made."""
    job = await client.retry_job(asked.job_id, asked.request_id)
    return await show_new(client, job, asked, terminal)


async def delete(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Deletes finished jobs and their files."""

    async def delete_one(job_id: str) -> None:
        job = await client.get_job(job_id)
        await client.delete_job(job_id)
        if asked.json:
            terminal.json_line(job)
        else:
            terminal.say(f"{job.title}: deleted")

    job_ids = await _confirmed(client, asked, terminal, "Delete")
    return await each(client, job_ids, delete_one)


async def _cancel_named(client: Client, asked: Namespace, terminal: Terminal) -> int:
    job_ids = await _confirmed(client, asked, terminal, "Cancel")
    results = await client.cancel_each(job_ids, asked.reason)
    refused = [result for result in results if result.status.code]
    for result in refused:
        complain(result.status.message)

    async def show(job_id: str) -> None:
        job = await client.wait_job(job_id)
        if asked.json:
            terminal.json_line(job)
            return
        terminal.say(f"{job.title}: {status(job)}")
        terminal.facts(receipt(job))

    stopped = [result.job_id for result in results if not result.status.code]
    return max(await each(client, stopped, show), 1 if refused else 0)


async def _cancel_matching(client: Client, asked: Namespace, terminal: Terminal) -> int:
    wanted = v1.JobFilter(statuses=asked.status, text=asked.text)
    request = v1.CancelJobsRequest(filter=wanted, all=asked.all, reason=asked.reason)
    if asked.dry_run or (terminal.interactive and not asked.yes):
        request.dry_run = True
        foreseen = await client.cancel_matching(request)
        request.dry_run = False
        if not asked.json:
            terminal.table(["job", "status", "title"], map(_row, foreseen.sample))
        if asked.dry_run:
            _show_counts(foreseen, asked, terminal)
            return 0
        count = foreseen.cancelled + foreseen.cancelling + foreseen.remaining
        if not count or not terminal.confirm(f"Cancel {count:,} in all?"):
            return 0
    done = await client.cancel_matching(request)
    if done.cancelling:
        await _stopped(client, v1.JobFilter(text=asked.text))
    _show_counts(done, asked, terminal)
    return 0


async def _stopped(client: Client, wanted: v1.JobFilter) -> None:
    """Returns once none of the jobs is CANCELLING."""
    wanted.statuses.append(Job.CANCELLING)
    stopping = await client.list_jobs(wanted, MOST_STOPPING)
    await asyncio.gather(*(client.wait_job(job.job_id) for job in stopping))


def _show_counts(
    counts: v1.CancelJobsResponse, asked: Namespace, terminal: Terminal
) -> None:
    if asked.json:
        terminal.document(counts)
        return
    verb = "would cancel" if asked.dry_run else "cancelled"
    terminal.say(f"{verb} {counts.cancelling:,} running, {counts.cancelled:,} idle")
    if counts.remaining:
        terminal.say(f"and {counts.remaining:,} more match")
    if counts.avoidable_usd or counts.in_flight_usd:
        terminal.say(
            f"would save {dollars(counts.avoidable_usd)} at most; "
            f"{dollars(counts.in_flight_usd)} is in flight, "
            f"{dollars(counts.unstoppable_usd)} of it cannot be stopped"
        )


async def _change(
    client: Client,
    asked: Namespace,
    terminal: Terminal,
    act: Callable[[str], Awaitable[Job]],
) -> int:
    async def change(job_id: str) -> None:
        job = await act(job_id)
        if asked.json:
            terminal.json_line(job)
        else:
            terminal.say(f"{job.title}: {status(job)}")

    return await each(client, asked.job_ids, change)


async def _confirmed(
    client: Client, asked: Namespace, terminal: Terminal, verb: str
) -> Sequence[str]:
    """Returns the jobs that are meant; on a terminal each is asked for."""
    job_ids: list[str] = asked.job_ids
    if asked.yes or not terminal.interactive:
        return job_ids
    return [
        job_id
        for job_id in job_ids
        if terminal.confirm(_question(verb, await client.get_job(job_id)))
    ]


def _question(verb: str, job: Job) -> str:
    by = f" by {job.artist}" if job.artist else ""
    done = f"{job.segments_completed} of {job.segments_total} segments done"
    if job.cost.unstoppable_usd:
        done += f"; {dollars(job.cost.unstoppable_usd)} in flight cannot be stopped"
    return f"{verb} {job.title!r}{by} ({done})?"


def _row(job: Job) -> list[str]:
    return [job.job_id, status(job), job.title]
