"""Commands that create jobs and look at them; each returns the exit code."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from refrain.cli.client import FINISHED
from refrain.cli.each import each
from refrain.cli.preview import show_preview
from refrain.cli.progress import JsonLines, view
from refrain.cli.receipt import clock, facts, receipt, status
from refrain.cli.song import read_song
from refrain.cli.terminal import CommandError, complain
from refrain.v1 import job_service_pb2 as v1
from refrain.v1.job_pb2 import Job, JobEvent, Segment, Task

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from refrain.cli.client import Client
    from refrain.cli.terminal import Terminal


async def create(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Creates a job, and with --watch follows it to its end.

    With --preview it only shows how the song would be cut, and what it would cost.
    """
    request = read_song(asked)
    if asked.audio:
        request.audio_uri = await client.upload_audio(asked.audio)
    if asked.preview:
        return show_preview(await client.preview_job(request), asked, terminal)
    return await show_new(client, await client.create_job(request), asked, terminal)


async def show_new(
    client: Client, job: Job, asked: Namespace, terminal: Terminal
) -> int:
    """Says which job was created, or with --watch follows it to its end."""
    if asked.watch:
        return await follow(client, [job.job_id], asked, terminal)
    if asked.json:
        terminal.document(job)
    else:
        terminal.say(job.job_id)
    return 0


async def watch(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Follows jobs to their end; 0 when each of them has its video."""
    return await follow(client, asked.job_ids, asked, terminal)


async def wait(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Waits until jobs are finished; 0 when each of them has its video."""
    seconds = inf if asked.timeout is None else asked.timeout.total_seconds()
    ended: list[Job] = []

    async def wait_for(job_id: str) -> None:
        job = await client.wait_job(job_id, seconds)
        ended.append(job)
        if asked.json:
            terminal.json_line(job)
        else:
            terminal.say(f"{job.title}: {status(job)}")

    code = await each(client, asked.job_ids, wait_for)
    return max(code, _complain_of_losses(ended))


async def list_jobs(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Lists jobs, newest first."""
    wanted = v1.JobFilter(statuses=asked.status, text=asked.text)
    jobs = await client.list_jobs(wanted, asked.limit)
    if asked.json:
        terminal.document(v1.ListJobsResponse(jobs=jobs))
        return 0
    terminal.table(
        ["job", "status", "segments", "created", "title", "artist"],
        [
            [
                job.job_id,
                status(job),
                f"{job.segments_completed}/{job.segments_total}",
                clock(job.create_time).rpartition(".")[0],
                job.title,
                job.artist,
            ]
            for job in jobs
        ],
    )
    return 0


async def show(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Shows a job, its segments, its tasks, and the receipt of its cancel."""
    job, segments, tasks = await asyncio.gather(
        client.get_job(asked.job_id),
        client.list_segments(asked.job_id),
        client.list_tasks(asked.job_id),
    )
    if asked.json:
        terminal.document({"job": job, "segments": segments, "tasks": tasks})
        return 0
    terminal.facts({**facts(job), **receipt(job)})
    terminal.table(
        ["segment", "begins", "ends", "clip", "words"], map(_segment_row, segments)
    )
    terminal.table(
        ["task", "status", "attempt", "failures", "stop", "error"],
        map(_task_row, tasks),
    )
    return 0


async def events(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Lists what happened to a job, oldest first."""
    listed = await client.list_events(asked.job_id)
    if asked.json:
        terminal.document(v1.ListJobEventsResponse(events=listed))
        return 0
    terminal.table(
        ["event", "time", "kind", "task", "actor", "detail"],
        map(_event_row, listed),
    )
    return 0


async def download(client: Client, asked: Namespace, terminal: Terminal) -> int:
    """Writes the video, its poster and its captions into a folder."""
    job = await client.get_job(asked.job_id)
    if not job.HasField("video"):
        raise CommandError(f"{job.title!r} has no video: it is {status(job)}")
    files = _files(job, asked.to or Path(slug(job.title)))
    for uri, path in files.values():
        await client.download(uri, path)
    paths = {name: str(path) for name, (_, path) in files.items()}
    if asked.json:
        terminal.document(paths)
    else:
        terminal.facts(paths)
    return 0


def slug(title: str) -> str:
    """Returns the title as the name of a file."""
    return re.sub(r"\W+", "-", title.lower()).strip("-")[:60] or "video"


async def follow(
    client: Client, job_ids: Sequence[str], asked: Namespace, terminal: Terminal
) -> int:
    """Shows what happens to jobs up to their end; 0 when each has its video."""
    ended: list[Job] = []

    async def follow_one(shown: Callable[[JobEvent], None], job_id: str) -> None:
        async with aclosing(client.watch(job_id)) as events:
            async for event in events:
                shown(event)
                if event.job.status in FINISHED:
                    ended.append(event.job)

    try:
        with JsonLines(terminal) if asked.json else view(terminal) as shown:
            code = await each(client, job_ids, partial(follow_one, shown.show))
    except asyncio.CancelledError:
        complain("no longer watching; the job goes on, `refrain cancel` would stop it")
        raise
    return max(code, _complain_of_losses(ended))


def _complain_of_losses(jobs: Sequence[Job]) -> int:
    """Says which jobs have no video; 1 if there are any."""
    lost = [job for job in jobs if job.status != Job.COMPLETED]
    for job in lost:
        complain(f"{job.title!r} is {status(job)}: {job.message}")
    return 1 if lost else 0


def _files(job: Job, folder: Path) -> dict[str, tuple[str, Path]]:
    """Makes the folder and returns by name what comes from where to where."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        "video": (job.video.uri, folder / "video.mp4"),
        "poster": (job.video.poster_uri, folder / "poster.jpg"),
        "captions": (job.video.captions_uri, folder / "captions.vtt"),
    }
    return {name: (uri, path) for name, (uri, path) in files.items() if uri}


def _segment_row(segment: Segment) -> list[str]:
    return [
        str(segment.position),
        f"{segment.start_offset.ToTimedelta().total_seconds():.2f}",
        f"{segment.end_offset.ToTimedelta().total_seconds():.2f}",
        "made" if segment.clip_uri else "",
        " / ".join(line.text for line in segment.lines),
    ]


def _task_row(task: Task) -> list[str]:
    stopped = Task.StopMode.Name(task.stop_mode).lower().replace("_", " ")
    return [
        _name(task.kind, task.position),
        Task.Status.Name(task.status).lower(),
        str(task.attempt),
        str(task.failures),
        stopped if task.stop_mode else "",
        task.error.message,
    ]


def _event_row(event: JobEvent) -> list[str]:
    return [
        str(event.sequence),
        clock(event.time),
        JobEvent.Kind.Name(event.kind).lower().replace("_", " "),
        _name(event.task_kind, event.position) if event.task_kind else "",
        event.actor,
        event.detail,
    ]


def _name(kind: Task.Kind.ValueType, position: int) -> str:
    name = Task.Kind.Name(kind).lower()
    return f"{name} {position}" if kind == Task.SEGMENT else name
